"""The relay's admission in memory."""

from attrs import define, field

from streamrelay.errors import Refused
from streamrelay.websocket.admission import Admission, Admitter, Handshake, LegRequest
from streamrelay.websocket.connection import FramedConnection


@define(eq=False)
class FakeAdmission:
    """A leg that was let in."""

    request: LegRequest
    connection: FramedConnection | None = None
    was_left: bool = False

    def opened(self, connection: FramedConnection) -> None:
        self.connection = connection

    def left(self) -> None:
        self.was_left = True


_admission: type[Admission] = FakeAdmission


@define(eq=False)
class FakeAdmitter:
    """An admitter that admits, refuses, or fails."""

    refuse: Exception | None = None
    ready: bool = True
    full: int = 0
    """The status by which it answers a beginning handshake; 0 lets in."""
    inside: list[FakeAdmission] = field(factory=list)
    handshakes: int = 0
    waiting: list[Handshake] = field(factory=list)
    late: list[Handshake] = field(factory=list)
    """Those whose time was over."""
    crowded: bool = False
    """True if handshakes that begin have to wait."""

    def admit(self, request: LegRequest) -> FakeAdmission:
        if self.refuse is not None:
            raise self.refuse
        self.inside.append(FakeAdmission(request))
        return self.inside[-1]

    def handshake_began(self, handshake: Handshake) -> bool:
        if self.crowded:
            self.waiting.append(handshake)
            return False
        self.handshakes += 1
        if self.full:
            raise Refused(self.full, "full")
        return True

    def handshake_ended(self, handshake: Handshake, late: bool = False) -> None:
        self.handshakes -= 1
        self.late += [handshake] if late else []

    def client(self, address: str | None, forwarded: str | None) -> str | None:
        """As if everybody came through a proxy that is trusted."""
        return forwarded or address


_admitter: type[Admitter] = FakeAdmitter


@define(eq=False)
class FakeHandshake:
    """A connection that would become a leg."""

    address: str | None = None
    begun: bool = False
    """True once its turn has come."""

    dropped: bool = False

    def begin(self) -> None:
        self.begun = True

    def drop(self) -> None:
        self.dropped = True


_handshake: type[Handshake] = FakeHandshake
