"""qemu: the console of a VM, by the QMP socket of its QEMU.

QEMU is handed one end of a socket pair, so the console needs no port: what has no port can't be reached by others, and
can't be taken for another VM's when its number is used again. Where QEMU won't take it, QEMU is asked where its console
listens, at that moment and on the same QMP connection.
"""

import socket
from typing import Any, Final, Literal, Self

from msgspec import Struct, structs
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred

from streamrelay.agent.targets.kind import Kind
from streamrelay.agent.targets.qemu.listeners import Listener, connect_listener
from streamrelay.agent.targets.qemu.qmp import Qmp, QmpError, conversation
from streamrelay.agent.targets.sockets.connecting import plain
from streamrelay.agent.targets.sockets.local import adopt
from streamrelay.agent.targets.sockets.paths import check_absolute, check_socket_pattern, within_of
from streamrelay.datapath.connection import Connection
from streamrelay.errors import TargetError
from streamrelay.logs import Logger
from streamrelay.protocol.limits import CONNECT_TIME
from streamrelay.protocol.summons import Refusal, Terms, Viewer

log = Logger()

DESCRIPTOR: Final = "streamrelay"
"""Name at QEMU of its end of the pair, for as long as the two commands take."""


class SpiceState(Struct, frozen=True):
    """QEMU's answer to query-spice."""

    enabled: bool
    host: str = ""
    port: int = 0


class VncSocket(Struct, frozen=True):
    """Address at which a VNC display listens."""

    host: str
    service: str
    family: str
    websocket: bool = False


class VncServer(Struct, frozen=True):
    """A VNC display, as query-vnc-servers tells it."""

    server: tuple[VncSocket, ...] = ()


class NameState(Struct, frozen=True):
    """QEMU's answer to query-name."""

    name: str = ""


class Qemu(Kind, frozen=True, tag="qemu"):
    """Settings of a qemu target."""

    qmp: str
    """The absolute path of the VM's QMP socket."""
    console: Literal["spice", "vnc"]
    """Console of the VM that is shown."""
    name: str = ""
    """Name that the VM must say it has; empty: any."""
    password: bool = False
    """True if QEMU is to ask for the console's own password, too."""
    within: str = ""
    """The directory where the socket must be once symbolic links are followed; empty: anywhere."""

    @property
    def viewer(self) -> Viewer:
        return self.console

    def check(self) -> None:
        if not self.qmp:
            raise ValueError("qmp: expected an absolute path")
        check_absolute(qmp=self.qmp, within=self.within)

    def bounded(self) -> Self:
        """As it stands in the agent's file: a pattern stays within the directory before its first part."""
        check_socket_pattern("qmp", self.qmp)
        return structs.replace(self, within=self.within or within_of(self.qmp)) if self.parts else self

    async def connect(self, reactor: Any, terms: Terms) -> Connection:
        attempt = Deferred.fromCoroutine(self._connect(reactor))
        try:
            return await attempt.addTimeout(CONNECT_TIME, reactor, lambda result, _: result)
        except CancelledError:
            raise TargetError(Refusal.TARGET_UNREACHABLE, f"{self.qmp}: timed out waiting for QEMU") from None

    async def _connect(self, reactor: Any) -> Connection:
        async with conversation(reactor, self.qmp, self.within) as qmp:
            try:
                await self._identify(qmp)
                where = await self._console(qmp)
            except QmpError as error:
                raise TargetError(Refusal.TARGET_REFUSED, f"QEMU refuses {error}") from None
            try:
                return await self._hand_over(reactor, qmp)
            except QmpError as error:
                log.warn(
                    "{path}: QEMU can't be given a socket, so its port is used: {error}", path=self.qmp, error=error
                )
            return await self._by_address(reactor, qmp, where)

    async def _identify(self, qmp: Qmp) -> None:
        if self.name and (said := (await qmp.execute("query-name", NameState)).name) != self.name:
            why = f"{self.qmp}: the VM says that its name is {said!r}; expected {self.name!r}"
            raise TargetError(Refusal.TARGET_REFUSED, "another VM is running there", detail=why)

    async def _console(self, qmp: Qmp) -> Listener | None:
        """Ask where the console listens, None if nowhere; `TargetError` if the VM has none.

        It must be asked: QEMU takes a socket for a VNC display that it hasn't got, and never uses it.
        """
        if self.console == "spice":
            state = await qmp.execute("query-spice", SpiceState)
            there, found = state.enabled, Listener.named(state.host, str(state.port or ""))
        else:
            displays = await qmp.execute("query-vnc-servers", tuple[VncServer, ...])
            sockets = [each for each in displays[0].server if not each.websocket] if displays else []
            there, found = bool(displays), Listener.named(sockets[0].host, sockets[0].service) if sockets else None
        if not there:
            raise TargetError(Refusal.TARGET_REFUSED, f"this VM has no {self.console.upper()} console")
        return found

    async def _hand_over(self, reactor: Any, qmp: Qmp) -> Connection:
        """Give QEMU one end of a socket pair, and return a connection of the other; `QmpError` if it takes none."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await qmp.execute("getfd", dict[str, object], theirs.fileno(), fdname=DESCRIPTOR)
            await qmp.execute(
                "add_client", dict[str, object], protocol=self.console, fdname=DESCRIPTOR, skipauth=not self.password
            )
            ours.setblocking(False)
            protocol: Any = plain(reactor).buildProtocol(UNIXAddress(None))
            adopt(reactor, ours, protocol)
        connection: Connection = protocol.connection
        return connection

    async def _by_address(self, reactor: Any, qmp: Qmp, where: Listener | None) -> Connection:
        """Connect the port or socket where the console listens, and ask again whether it still listens there."""
        if where is None:
            raise TargetError(Refusal.TARGET_REFUSED, "QEMU takes no socket for this console, and it has no port")
        connection = await connect_listener(reactor, where, qmp.owner)
        try:
            if await self._console(qmp) != where:
                raise TargetError(Refusal.TARGET_REFUSED, "the VM's console has moved")
        except BaseException:
            connection.abort()
            raise
        return connection
