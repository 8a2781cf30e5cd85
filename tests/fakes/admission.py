"""The relay's admission in memory."""

from attrs import define, field

from streamrelay.errors import Refused
from streamrelay.websocket.admission import Admission, Admitter, LegRequest
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
    stopping: bool = False
    full: int = 0
    """The status by which it answers a beginning handshake; 0 lets in."""
    inside: list[FakeAdmission] = field(factory=list)
    handshakes: int = 0

    def admit(self, request: LegRequest) -> FakeAdmission:
        if self.refuse is not None:
            raise self.refuse
        self.inside.append(FakeAdmission(request))
        return self.inside[-1]

    def handshake_began(self, address: str | None) -> None:
        self.handshakes += 1
        if self.full:
            raise Refused(self.full, "full")

    def handshake_ended(self, address: str | None) -> None:
        self.handshakes -= 1

    def client(self, address: str | None, forwarded: str | None) -> str | None:
        """As if everybody came through a proxy that is trusted."""
        return forwarded or address


_admitter: type[Admitter] = FakeAdmitter
