"""tests/documented.py: each number by which tests hold a limit stands in a document, in these words."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import documented

DOCS = Path(__file__).resolve().parents[2] / "docs"

PROTOCOL = {
    "MAX_HANDSHAKE": "A request is at most 16 KiB",
    "HANDSHAKE_TIME": "From accept to 101 it has 5 s",
    "CONNECT_TIME": "A target gets 10 s to be connected and the relay 10 s",
    "LONGEST_WAIT": "then after twice as long, up to 2 s.",
    "MAX_FRAME": "A frame may announce up to 1 GiB.",
    "MAX_CONTROL": "One JSON object in one text message of at most 4096 bytes",
    "CONTROL_BURST": "A leg may send bursts of 80;",
    "CONTROL_RATE": "is given back every 5 s, 16 for each second, up to 80.",
    "BEAT": "All times are multiples of one beat of 5 s",
    "CLOSE_TIME": "It has 60 s for both and for the answer, and",
    "SLOWEST": "a second more for each 32 KiB that were sent since the peer was heard, up to 8 MiB of them;",
    "UNREAD": "a second more for each 32 KiB that were sent since the peer was heard, up to 8 MiB of them;",
    "PRESENCE_QUIET": "has heard nothing for 15 s pings; where nothing comes within 5 s more",
    "PRESENCE_ANSWER": "has heard nothing for 15 s pings; where nothing comes within 5 s more",
    "PAST_STREAMS": "An agent remembers for 86400 s how the last 1000 have ended",
    "PAST_STREAMS_TIME": "An agent remembers for 86400 s how the last 1000 have ended",
    "SERVER_CLOSES": "the relay closes TCP; a client of it waits 5 s for that.",
    "FAILED_TIME": "is read no more, and is cut after 2 s",
    "PAGE_MESSAGE": "sends it at most 4096 bytes in one, unless it takes over 16 MiB in a beat.",
    "PAGE_IS_FAST": "sends it at most 4096 bytes in one, unless it takes over 16 MiB in a beat.",
    "CHANNEL_DATA": "1 to 32768 bytes of the channel",
    "CHANNEL_WINDOW": "Each direction of a channel begins with 128 KiB",
    "CHANNEL_WINDOW_MOST": "up to 2 MiB each, and 8 MiB beyond their beginnings for all of one stream",
    "CHANNEL_SPARE": "up to 2 MiB each, and 8 MiB beyond their beginnings for all of one stream",
    "CHANNELS": "Our agent allows 256 at once,",
    "CHANNELS_TAKEN": "and takes new ones for 300 s after the client has come.",
    "CHANNEL_TIME": "What is unsent has 60 s to go out before the END",
    "AGENT_PATIENCE": "and an agent's leg waits 30 s.",
    "OPAQUE_MEMORY": "stays used for 60 s after its last leg came.",
    "CLOCK_SKEW": "Clocks may differ by 5 s, both ways.",
    "SUMMONS_LIFE": "``exp`` at most 30 s after ``iat``, and the claims",
    "TOKEN_HEADER": "At most 2048 characters of header, 4096 of claims and 128 of signature.",
    "TOKEN_CLAIMS": "At most 2048 characters of header, 4096 of claims and 128 of signature.",
    "TOKEN_SIGNATURE": "At most 2048 characters of header, 4096 of claims and 128 of signature.",
    "JWT_HEADER": "At most 1024 characters of header, 8192 of claims.",
    "JWT_CLAIMS": "At most 1024 characters of header, 8192 of claims.",
    "SUMMONS_LONGEST": "in ASCII, at most 16384 bytes",
    "SUMMONS_MEMORY": "A ``jti`` is remembered for 70 s.",
    "OPEN_TIME": "the platform waits 10.5 s for the answer",
    "ASKED_LIFE": "so its ``exp`` is 5.5 s",
    "HOST_AWAY": "is asked for up to 2 s before it is told to be offline",
    "LOOK_EVERY": "for who is there, every 30 s,",
    "LOOKS_A_SECOND": "so many hosts that more than 100 would answer a second",
    "NAMESAKES_SILENCE": "when it has heard no such word for 105 s",
    "MOST_AGENTS": "a list of at most 8.",
    "LIST_FRESH": "share one question to the hosts, so it may be 2 s old",
    "STREAM_ANSWERS": "no more than 1000 of them answer a second",
    "DRAIN_LIFE": "(the platform gives 2 s)",
    "REQUEST_BODY": "at most 16384 bytes and with a ``Content-Length``",
    "FIRST_ANSWER": "In a look the platform waits up to 1 s for the first answer",
    "NEXT_ANSWER": "then until none has come for 0.1 s,",
    "STRANGE_ANSWER": "or for 0.5 s where it knows of no hosts yet.",
    "ALL_ANSWERS": "What has not come after 3 s and a second for each 5000 hosts that are up, or after 64 MiB",
    "ANSWERS": "What has not come after 3 s and a second for each 5000 hosts that are up, or after 64 MiB, is cut off.",
    "DIALS_AT_ONCE": "have at most 8 dials of one relay under way at once",
    "PLACES_EVERY": "have places alike, at most four a second.",
    "FETCHED_BODY": "an answer over 64 KiB, and one that isn't there",
    "RELAY_EACH": "whenever ``state`` changes, and every 2 s",
    "RELAY_SILENCE": "whose last word is less than 5 s old",
    "RELAYS_TRIED": "to 3 relays at most, and not later than 7 s after the request.",
    "RELAY_DIAL": "As long as it has another one, ``dial`` is 3.",
}
OPERATIONS = {
    "HOST_FORGOTTEN": "A host that has been down for 14 days is forgotten.",
    "SUMMONSES_KEPT": "It has room for 8192",
    "IN_ONE_DIRECTION": "256 KiB in each process",
    "STREAMS_KNOWN": "streams known to a relay at once 100000",
    "RELAY_MEETING": "for 5 s legs may still meet,",
    "RELAY_GOODBYE": "every leg is closed with 1001 and gets 5 s to take it",
    "SPICE_LINKS": "(SPICE has up to 16,",
    "KILL_AFTER": "and SIGKILL 3 s later;",
    "PTY_SILENCE": "is read until there is nothing for 0.5 s",
    "PTY_LINGER": "for 0.5 s, for 3 s in all.",
    "CLIENT_ANSWER": "an answer to the native client 20 s, 4 MiB",
    "CLIENT_TIME": "an answer to the native client 20 s, 4 MiB",
    "LOOKUPS": "names of targets looked up at once 32, of them 8 for one user",
    "LOOKUPS_EACH": "names of targets looked up at once 32, of them 8 for one user",
    "LOG_LINGER": "``linger`` 60",
    "LOG_BACKLOG": "out of its last 16 MiB, or half of ``behind``",
    "API_ANSWER": "an answer of a container's API 1 MiB, 10 s; 64 KiB of a refusal",
    "API_REFUSAL": "an answer of a container's API 1 MiB, 10 s; 64 KiB of a refusal",
    "CONTAINER_LOOK": "It is looked every 0.25 s at first, every 2 s later.",
    "CONTAINER_LINGER": "is waited for another 10 s, in case that somebody starts it again",
    "PODMAN_ROTATION": "The agent looks for that every 2 s and says that lines may be missing.",
    "JOURNAL_ENTRY": "An entry of more than 1 MiB is left out",
    "JOURNAL_CUT": "A message is cut after 65536 characters",
    "LONGEST_SOCKET": "Its path has at most 107 bytes",
    "MOST_TARGETS": "2000 targets",
    "REQUEST_TIME": "a head and a body of 16 KiB each, 10 s",
    "IDLE_TIME": "60 s in which nothing of it is taken",
    "LEAVE_TIME": "within 1 s, once what is left of its answer has gone out",
    "PIECE": "64 KiB at once; 60 s in which",
    "SESSIONS_EACH": "16, then the oldest ends",
    "ASKED_AT_ONCE": "64 at once; 64 KiB for an answer",
    "BAD_BURST": "20 at once, then one in 3 s; 10000 addresses",
    "BAD_ADDRESSES": "20 at once, then one in 3 s; 10000 addresses",
    "BAD_EVERY": "20 at once, then one in 3 s; 10000 addresses",
    "MOST_CONNECTIONS": "and no more than 50000.",
    "DESCRIPTORS_LEFT": "``LimitNOFILE`` less 128",
    "VIEWER_FILES": "64 MiB and 2000 files at most",
    "VIEWER_BYTES": "64 MiB and 2000 files at most",
    "BUS_MESSAGE": "a message of the bus, a line of it 8 MiB, 64 KiB",
    "BUS_SELDOM": "the waits between them grow from 2 to 30 s.",
    "BUS_REFUSED": "there is no connection until it may; the next attempt is 10 s later.",
    "PROXY_HEADER": "PROXY header of at most 2064 bytes, and doesn't, is dropped.",
    "BUS_LINE": "a message of the bus, a line of it 8 MiB, 64 KiB",
    "JWKS_TIME": "one in 10 s; 5 s, 64 KiB, 64 keys",
    "JWKS_RETRY": "one in 10 s; 5 s, 64 KiB, 64 keys",
    "JWKS_KEYS": "one in 10 s; 5 s, 64 KiB, 64 keys",
}
SECURITY = {
    "FIRST_READ": "Reads begin with 16 KiB and grow to 192 KiB.",
    "READ": "Reads begin with 16 KiB and grow to 192 KiB.",
    "VNC_EARLY": "What the client says before its turn waits, at most 1 KiB.",
    "VNC_ENCODINGS": "or more than 512 encodings, end the stream",
    "QMP_LINE": "is bounded (64 KiB a line, 10 s in all)",
}
PAGES = {"protocol.rst": PROTOCOL, "operations.rst": OPERATIONS, "security.rst": SECURITY}


class Numbers(SynchronousTestCase):
    """The list, compared both ways."""

    def test_told(self) -> None:
        """Each number stands where it is said to."""
        for page, words in PAGES.items():
            text = " ".join((DOCS / page).read_text().split())
            for name, phrase in words.items():
                self.assertIn(phrase, text, name)

    def test_complete(self) -> None:
        """Each number is told somewhere."""
        told = {name for words in PAGES.values() for name in words}
        self.assertEqual({name for name in vars(documented) if name.isupper()}, told)
