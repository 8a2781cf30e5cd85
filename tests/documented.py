"""Numbers as the documents have them, by which tests hold the programs to what is said (protocol.rst, operations.rst).

They are written down here, not taken from the product: a constant that changes without its documentation fails the
tests of what it bounds. tests/docs/test_documented.py looks that each stands in the documents.
"""

# Opening a leg
MAX_HANDSHAKE = 8192
HANDSHAKE_TIME = 5
CONNECT_TIME = 10
LONGEST_WAIT = 2
# Frames and control messages
MAX_FRAME = 1 << 30
MAX_CONTROL = 4096
CONTROL_BURST = 80
CONTROL_RATE = 16
BEAT = 5
CLOSE_TIME = 60
SERVER_CLOSES = 5
FAILED_TIME = 2
IN_ONE_DIRECTION = 256 * 1024
FIRST_READ = 16 * 1024
READ = 192 * 1024
# The relay
AGENT_PATIENCE = 30
OPAQUE_MEMORY = 60
STREAMS_KNOWN = 100_000
RELAY_GOODBYE = 3
# Tokens and summonses
CLOCK_SKEW = 5
SUMMONS_LIFE = 30
SUMMONS_LONGEST = 16384
SUMMONS_MEMORY = 70
SUMMONSES_KEPT = 8192
OPEN_TIME = 10.5
ASKED_LIFE = 5.5
SPICE_LINKS = 16
# The agent and its targets
KILL_AFTER = 3
JOURNAL_CUT = 65536
QMP_LINE = 64 * 1024
LONGEST_SOCKET = 107
# The platform
MOST_TARGETS = 2000
REQUEST_TIME = 10
IDLE_TIME = 60
PIECE = 65536
LIST_FRESH = 2
LIST_UNFIT = 10
SESSIONS_EACH = 16
ASKED_AT_ONCE = 64
FETCHED_BODY = 65536
BAD_BURST = 20
BAD_EVERY = 3
JWKS_TIME = 5
JWKS_RETRY = 10
JWKS_KEYS = 64
