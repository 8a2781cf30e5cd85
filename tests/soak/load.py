"""The load: threads that open streams of each kind, one after the other, and compare every byte."""

import http.client
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from attrs import define, field
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import RAW, hang_up
from tests.soak.chain import SoakChain
from tests.soak.pattern import Lines, Pattern, Wrong
from tests.soak.tally import Stream, Tally
from tests.soak.targets import GREETING, HEAD, Target

MIB = 1 << 20
QUIET = logging.Logger("legs", logging.CRITICAL)
"""What the library says of legs that are dropped on purpose."""


class Failed(Exception):
    """A stream that wasn't opened, or was ended before its time; its words are the outcome."""


@define(eq=False)
class Load:
    """What all workers share, and they themselves."""

    chain: SoakChain
    tally: Tally
    pattern: Pattern
    target: Target
    now: Callable[[], float]
    """Seconds of the run."""
    seed: int = 0
    size: int = 16 * MIB
    """Most bytes of one bulk stream."""
    followers: list[Lines] = field(factory=list)
    stopped: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)
    _numbers: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)

    def start(self, function: Callable[..., None], *arguments: Any) -> None:
        """Start a worker, which goes on until `stopped`."""
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Let each worker end its stream, and wait for that."""
        self.stopped.set()
        for thread in self._threads:
            thread.join(3 * WAIT)
            if thread.is_alive():
                self.tally.fault("a worker of the load hangs")

    def number(self) -> int:
        with self._lock:
            self._numbers += 1
            return self._numbers

    def one(self, name: str, host: str, run: Callable[[Stream], str]) -> bool:
        """Run one stream to its end; whether all was well."""
        stream = Stream(name, host, self.now())
        try:
            stream.outcome = run(stream)
        except Failed as error:
            stream.outcome = f"{'failed' if stream.established is None else 'cut'}: {error}"
        except Wrong as error:
            stream.outcome = "wrong"
            self.tally.bytes_wrong(f"{name} at {host}, {stream.asked:.1f} s: {error}")
        except Exception as error:
            stream.outcome = "fault"
            self.tally.fault(f"{name} at {host}, {stream.asked:.1f} s: {error!r}")
        stream.ended = self.now()
        self.tally.add(stream)
        return stream.is_well

    # -- a stream's ends -------------------------------------------------------------------------------------

    def ask(self, host: str, target: str, key: str = "", **terms: Any) -> tuple[int, Any]:
        """Ask for a stream: the answer's status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.chain.platform_port, timeout=WAIT)
        headers = {"Authorization": f"Bearer {key or self.chain.key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/v1/streams", json.dumps({"host": host, "target": target, **terms}), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except TimeoutError:
            raise AssertionError(f"no answer of the platform within {WAIT:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failed(f"platform: {type(error).__name__}") from None
        finally:
            connection.close()

    def leg(self, host: str, target: str, subprotocol: str = RAW, **terms: Any) -> ClientConnection:
        """Open a stream and its leg."""
        status, told = self.ask(host, target, **terms)
        if status != 201:
            raise Failed(f"platform: {status} {told.get('code')}")
        return dial(told["url"], subprotocol)

    def greeted(self, stream: Stream, kind: bytes, place: int, size: int) -> tuple[ClientConnection, int]:
        """Open a stream to the target, and tell it what to be; its leg once it is there, and its number."""
        leg = self.leg(stream.host, self.target.name)
        number = self.number()
        try:
            if (said := read(leg, len(GREETING))) != GREETING:
                raise Wrong(f"no greeting: {said!r}")
            stream.established = self.now()
            send(leg, HEAD.pack(kind, number, place, size))
        except BaseException:
            hang_up(leg)
            raise
        return leg, number

    def probe(self, host: str) -> None:
        """Open a stream and say a word each way; raises `Failed`."""
        leg, _ = self.greeted(Stream("probe", host, 0.0), b"e", 0, 0)
        try:
            send(leg, self.pattern.piece(0, 100))
            self.pattern.check(0, read(leg, 100))
        finally:
            hang_up(leg)

    def settled(self) -> bool:
        """Whether no stream is left, neither in the agents' lists nor in the relay's count."""
        return self.chain.ask("GET", "/v1/streams").json[
            "streams"
        ] == [] and "\nstreamrelay_relay_streams 0.0\n" in self.chain.metrics("relay")

    def settle(self) -> None:
        """Until no stream is left; a fault if one is."""
        try:
            until(self.settled, what="the end of all streams")
        except AssertionError as error:
            self.tally.fault(str(error))


def dial(url: str, subprotocol: str) -> ClientConnection:
    try:
        return connect(
            url,
            subprotocols=[Subprotocol(subprotocol)],
            compression=None,
            logger=QUIET,
            max_size=None,
            proxy=None,
            ping_interval=None,
            open_timeout=WAIT,
            close_timeout=5,
        )
    except InvalidStatus as refusal:
        raise Failed(f"relay: {refusal.response.status_code}") from None
    except TimeoutError:
        raise AssertionError(f"no answer of the relay within {WAIT:g} s") from None
    except (OSError, EOFError, InvalidHandshake, ConnectionClosed) as error:
        raise Failed(f"relay: {type(error).__name__}") from None


def receive(leg: ClientConnection) -> bytes | str:
    """Return the next message; one that doesn't come within `WAIT` is a fault, whatever was restarted."""
    try:
        return leg.recv(WAIT)
    except ConnectionClosed as closed:
        raise Failed(f"closed with {code(closed)}") from None
    except TimeoutError:
        raise AssertionError(f"nothing came for {WAIT:g} s") from None


def read(leg: ClientConnection, size: int) -> bytes:
    came = b""
    while len(came) < size:
        message = receive(leg)
        came += message if isinstance(message, bytes) else b""
    return came


def send(leg: ClientConnection, piece: bytes | memoryview) -> None:
    try:
        leg.send(piece)
    except ConnectionClosed as closed:
        raise Failed(f"closed with {code(closed)}") from None


def finish(leg: ClientConnection) -> None:
    """Read on until the close, which must be a good one, without another byte."""
    try:
        came = leg.recv(WAIT)
    except ConnectionClosed as closed:
        if code(closed) != 1000:
            raise Failed(f"closed with {code(closed)}") from None
        return
    raise Wrong(f"{len(came)} more bytes than were sent")


def code(closed: ConnectionClosed) -> int:
    return closed.rcvd.code if closed.rcvd else 1006
