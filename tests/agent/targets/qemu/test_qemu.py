"""qemu.py, qmp.py, listeners.py: a VM's console, by what its QEMU says."""

import json
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.catalogue import read_entry
from streamrelay.agent.targets.qemu import listeners
from streamrelay.agent.targets.qemu.listeners import Listener, is_local, users
from streamrelay.agent.targets.qemu.qemu import Qemu
from streamrelay.agent.targets.qemu.qmp import GREETING_TIME, HELD, Owner
from streamrelay.datapath.plain import PlainConnection, PlainProtocol
from streamrelay.errors import TargetError
from streamrelay.protocol.summons import Refusal, Terms
from tests.documented import CONNECT_TIME, QMP_LINE
from tests.examples import examples, there
from tests.fakes.channels import FakeTransport
from tests.fakes.endpoints import connect
from tests.fakes.files import folder
from tests.fakes.frames import cut

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": ["oob"]}}
EVENT = {"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 2}, "data": {}}
NO_DESCRIPTORS = {"error": {"class": "GenericError", "desc": "No file descriptor supplied via SCM_RIGHTS"}}
VNC_AT: dict[str, Any] = {"host": "127.0.0.1", "service": "5907", "family": "ipv4", "websocket": False}


def ok(value: object) -> dict[str, object]:
    return {"return": value}


class VmTransport(FakeTransport):
    """Our end of a QMP socket: what is written is heard by the VM."""

    def __init__(self, vm: "Vm", sock: socket.socket) -> None:
        super().__init__()
        self.vm, self.sock = vm, sock
        self.descriptors: list[int] = []

    def getHandle(self) -> socket.socket:
        return self.sock

    def sendFileDescriptor(self, number: int) -> None:
        self.descriptors.append(os.dup(number))

    def write(self, data: bytes) -> None:
        self.vm.hear(self, data)

    def abortConnection(self) -> None:
        if not self.aborted:
            super().abortConnection()
            self.sock.close()
            self.vm.open -= 1


class Vm(MemoryReactorClock):
    """A reactor on which a unix socket's other end is a VM: it answers as the test says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.answers: dict[str, Any] = {
            "qmp_capabilities": ok({}),
            "query-name": ok({"name": "a"}),
            "query-vnc-servers": ok([{"id": "default", "auth": "none", "clients": [], "server": []}]),
            "query-spice": ok({"enabled": True, "migrated": False, "mouse-mode": "server", "host": "*"}),
            "getfd": ok({}),
            "add_client": ok({}),
        }
        self.asked: list[dict[str, Any]] = []
        self.greeting: bytes | None = json.dumps(GREETING).encode() + b"\r\n"
        self.places: list[int] = []
        self.open = 0
        self.most = 0
        self.console: socket.socket
        """The end of the console's socket that QEMU was given."""
        self.silent_at = ""

    def adoptStreamConnection(self, number: int, family: int, factory: Any) -> None:
        assert family == socket.AF_UNIX
        sock = socket.socket(fileno=os.dup(number))
        protocol = factory.buildProtocol(None)
        is_console = isinstance(protocol, PlainProtocol)
        if is_console:
            protocol.makeConnection(FakeTransport())
            self.ours = sock
            return
        transport = VmTransport(self, sock)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.listener.accept()[0].close()
        self.open += 1
        self.most = max(self.most, self.open)
        self.qmp = transport
        if self.greeting is not None:
            self.say(transport, self.greeting)

    def say(self, transport: VmTransport, data: bytes) -> None:
        for piece in cut(data, self.places):
            if piece and not transport.aborted:
                transport.protocol.dataReceived(piece)

    def hear(self, transport: VmTransport, data: bytes) -> None:
        command = json.loads(data)
        self.asked.append(command)
        name = command["execute"]
        if name == "getfd":
            (number,) = transport.descriptors
            transport.descriptors.clear()
            self.console = socket.socket(fileno=number)
        if name == self.silent_at:
            return
        answer = self.answers[name]
        if isinstance(answer, bytes):
            self.say(transport, answer)
        else:
            self.say(transport, b"".join(json.dumps(one).encode() + b"\r\n" for one in (EVENT, answer, EVENT)))

    def close(self) -> None:
        for sock in (self.listener, getattr(self, "console", None), getattr(self, "ours", None)):
            if sock is not None:
                sock.close()


class Case(SynchronousTestCase):
    """A VM named "a" whose QMP socket is there."""

    def setUp(self) -> None:
        self.path = self.short() / "a.qmp"
        self.vm = Vm(self.path)
        self.addCleanup(self.vm.close)

    def short(self) -> Path:
        """A directory whose name fits a socket's address."""
        path = Path(tempfile.mkdtemp(prefix="qmp-"))
        self.addCleanup(shutil.rmtree, path)
        return path

    def attempt(self, console: Literal["spice", "vnc"] = "vnc", **settings: Any) -> "Deferred[Any]":
        target = Qemu(str(self.path), console, **settings)
        return Deferred.fromCoroutine(target.connect(self.vm, Terms()))

    def opened(self, console: Literal["spice", "vnc"] = "vnc", **settings: Any) -> PlainConnection:
        connection: PlainConnection = self.successResultOf(self.attempt(console, **settings))
        return connection

    def refused(
        self, words: str, code: str = Refusal.TARGET_REFUSED, console: Literal["spice", "vnc"] = "vnc", **settings: Any
    ) -> Any:
        error = self.failureResultOf(self.attempt(console, **settings), TargetError).value
        self.assertIn(words, error.reason)
        self.assertNotIn("\n", error.reason)
        self.assertEqual(error.code, code)
        self.assertEqual(self.vm.open, 0, "the QMP socket is left open")
        return error

    def commands(self) -> list[str]:
        return [command["execute"] for command in self.vm.asked]


class HandedOver(Case):
    """QEMU takes a socket."""

    def test_joined(self) -> None:
        """The connection is one end of a socket pair, and QEMU has the other; the QMP socket is closed."""
        consoles: tuple[Literal["vnc", "spice"], ...] = ("vnc", "spice")
        for console in consoles:
            self.opened(console)
            self.vm.console.sendall(b"RFB")
            self.assertEqual(self.vm.ours.recv(9), b"RFB")
            self.assertEqual(self.vm.open, 0)
            (handed,) = [command for command in self.vm.asked if command["execute"] == "add_client"]
            self.assertEqual(handed["arguments"]["protocol"], console)
            self.vm.asked.clear()
            for sock in (self.vm.console, self.vm.ours):
                sock.close()

    def test_password(self) -> None:
        """QEMU asks for no password, as the platform has decided who may; unless the settings want it to."""
        for password in (False, True):
            self.opened(password=password)
            self.assertEqual(self.vm.asked[-1]["arguments"]["skipauth"], not password)
            self.vm.console.close()
            self.vm.ours.close()

    def test_our_copy(self) -> None:
        """QEMU's end is open nowhere else: when QEMU closes it, that is the stream's end."""
        self.opened()
        self.vm.console.close()
        self.assertEqual(self.vm.ours.recv(1), b"")

    def test_name(self) -> None:
        """The VM must say the name that the settings say; only the log learns what it has said."""
        self.opened(name="a")
        error = self.refused("another VM is running there", name="b")
        self.assertIn("says that its name is 'a'; expected 'b'", error.detail)
        self.vm.answers["query-name"] = ok({})
        self.refused("another VM is running there", name="b")

    def test_in_turn(self) -> None:
        """Legs that come at the same time use the QMP socket one after the other."""
        self.vm.silent_at = "add_client"
        attempts = [self.attempt() for _ in range(3)]
        self.assertEqual(self.vm.open, 1)
        self.vm.silent_at = ""
        self.vm.say(self.vm.qmp, b'{"return": {}}\r\n')
        for attempt in attempts:
            self.successResultOf(attempt)
        self.assertEqual((self.vm.open, self.vm.most), (0, 1))

    @given(st.lists(st.integers(0, 2000), max_size=20))
    @examples(50)
    def test_split(self, places: list[int]) -> None:
        """However QEMU's words are split, they mean the same."""
        self.vm.places = places
        self.opened(name="a")
        self.vm.console.close()
        self.vm.ours.close()


class Refused(Case):
    """What can go wrong."""

    def test_no_socket(self) -> None:
        """No such socket, one that nobody listens on, and one that may not be opened are told apart."""
        self.vm.listener.close()
        self.refused("no QEMU listens there; is the VM running?")
        self.path.unlink()
        self.refused("no QEMU listens there; is the VM running?")
        self.path.mkdir()
        self.refused(str(self.path))
        self.path = Path("/" + "x" * 200)
        self.refused("at most 107 bytes")
        self.path = self.short() / "a.qmp"

        def connect(sock: socket.socket, path: str) -> None:
            raise PermissionError(13, "Permission denied")

        self.patch(socket, "socket", type("Denied", (socket.socket,), {"connect": connect}))
        self.refused("the agent's user must be allowed to write to the QMP socket")

    def test_held(self) -> None:
        """A socket that another program holds says nothing; that is told after a short time, and in these words."""
        self.vm.greeting = None
        attempt = self.attempt()
        self.vm.advance(GREETING_TIME - 0.1)
        self.assertNoResult(attempt)
        self.vm.advance(0.1)
        error = self.failureResultOf(attempt, TargetError).value
        self.assertEqual(error.reason, f"{self.path}: {HELD}")
        self.assertEqual((self.vm.open, self.vm.getDelayedCalls()), (0, []))

    def test_full(self) -> None:
        """So does one at which so many wait that the kernel takes no more; it is tried again in the meantime."""
        self.vm.listener.listen(0)
        waiting = socket.socket(socket.AF_UNIX)
        self.addCleanup(waiting.close)
        waiting.connect(str(self.path))
        attempt = self.attempt()
        self.vm.pump([0.1] * 15)
        self.assertNoResult(attempt)
        self.vm.pump([0.1] * 6)
        self.assertIn(HELD, self.failureResultOf(attempt, TargetError).value.reason)
        attempt = self.attempt()
        self.vm.listener.accept()[0].close()
        self.vm.advance(0.1)
        self.assertIsInstance(self.successResultOf(attempt), PlainConnection)

    def test_silent(self) -> None:
        """QEMU has 10 s for all of it."""
        for command in ("qmp_capabilities", "query-name", "query-vnc-servers", "getfd", "add_client"):
            self.vm.silent_at = command
            attempt = self.attempt(name="a")
            self.vm.advance(CONNECT_TIME - 0.1)
            self.assertNoResult(attempt)
            self.vm.advance(0.1)
            error = self.failureResultOf(attempt, TargetError).value
            self.assertEqual(error.code, Refusal.TARGET_UNREACHABLE)
            self.assertEqual((self.vm.open, self.vm.getDelayedCalls()), (0, []))

    def test_waits_for_its_turn(self) -> None:
        """The time in which others use the socket counts, too, and then the next one gets it."""
        self.vm.silent_at = "add_client"
        first = self.attempt()
        self.vm.advance(5)
        second = self.attempt()
        self.vm.advance(5)
        self.failureResultOf(first, TargetError)
        self.vm.say(self.vm.qmp, b'{"return": {}}\r\n')
        self.successResultOf(second)

    def test_no_console(self) -> None:
        """A VM without the console is told in these words."""
        self.vm.answers["query-vnc-servers"] = ok([])
        self.vm.answers["query-spice"] = ok({"enabled": False})
        self.refused("this VM has no VNC console")
        self.refused("this VM has no SPICE console", console="spice")
        self.assertNotIn("getfd", self.commands())

    def test_error(self) -> None:
        """What QEMU refuses is told in its own words, on one line."""
        self.vm.answers["query-spice"] = {"error": {"class": "CommandNotFound", "desc": "no such\ncommand\x1b[2J"}}
        self.refused("QEMU refuses query-spice: no such?command?[2J", console="spice")

    def test_nonsense(self) -> None:
        """Whatever else QEMU says is refused in one line, and nothing is left behind."""
        for said, words in (
            (b"SSH-2.0-OpenSSH\r\n", "QEMU sent an invalid QMP message"),
            (b'{"QMP": {}, "return"\r\n', "QEMU sent an invalid QMP message"),
            (b"[" * 5000 + b"\r\n", "QEMU sent an invalid QMP message"),
            (b'{"return": {}}\r\n', "this is not a QMP socket"),
            (b"x" * (QMP_LINE + 1), f"QEMU sent more than {QMP_LINE} bytes in one message"),
            (b'{"QMP": {}}\r\n' * 3, "QEMU sent more than it was asked for"),
        ):
            self.vm.greeting = said
            self.refused(words)
        self.vm.greeting = json.dumps(GREETING).encode() + b"\n"
        for answer in (b'{"return": 7}\n', b'{"return": [{"server": 1}]}\n', b"{}\n", b'{"return": {}}\n', b"\n"):
            self.vm.answers["query-vnc-servers"] = answer
            self.refused("QEMU")

    def test_events_without_end(self) -> None:
        """Events in place of an answer don't make the time longer."""
        self.vm.answers["add_client"] = json.dumps(EVENT).encode() + b"\r\n"
        attempt = self.attempt()
        for _ in range(10):
            self.vm.say(self.vm.qmp, json.dumps(EVENT).encode() + b"\r\n")
            self.vm.advance(1)
        self.failureResultOf(attempt, TargetError)

    def test_lost(self) -> None:
        """A QEMU that ends in between is told."""
        self.vm.silent_at = "add_client"
        attempt = self.attempt()
        self.vm.qmp.protocol.connectionLost(None)
        self.assertIn("has closed", self.failureResultOf(attempt, TargetError).value.reason)


class ByAddress(Case):
    """A QEMU that takes no socket is asked where its console listens."""

    def setUp(self) -> None:
        super().setUp()
        self.vm.answers["getfd"] = NO_DESCRIPTORS
        self.vm.answers["query-vnc-servers"] = ok([{"server": [{**VNC_AT, "websocket": True}, VNC_AT]}])
        self.users = {os.getuid()}
        self.patch(listeners, "users", lambda port: self.users)

    def connect(self) -> None:
        """The port answers."""
        host, port, factory, *_ = self.vm.tcpClients[-1]
        self.tried = (host, port)
        self.transport = FakeTransport()
        connect(factory, self.transport)

    def test_port(self) -> None:
        """Its port is connected while the QMP socket is ours, and asked for once more behind it."""
        attempt = self.attempt()
        self.assertEqual(self.vm.open, 1)
        self.connect()
        self.assertIsInstance(self.successResultOf(attempt), PlainConnection)
        self.assertEqual(self.tried, ("127.0.0.1", 5907))
        self.assertEqual((self.vm.open, self.commands().count("query-vnc-servers")), (0, 2))

    def test_spice(self) -> None:
        """SPICE's port, at all addresses of this machine."""
        self.vm.answers["query-spice"] = ok({"enabled": True, "host": "*", "port": 5930, "tls-port": 5931})
        attempt = self.attempt("spice")
        self.connect()
        self.successResultOf(attempt)
        self.assertEqual(self.tried, ("127.0.0.1", 5930))

    def test_moved(self) -> None:
        """If the console isn't there any more behind the connection, that may be another's, and is cut."""
        for after in (ok([{"server": [{**VNC_AT, "service": "5908"}]}]), ok([]), NO_DESCRIPTORS, b"nonsense\n"):
            self.vm.answers["query-vnc-servers"] = ok([{"server": [VNC_AT]}])
            attempt = self.attempt()
            self.vm.answers["query-vnc-servers"] = after
            self.connect()
            self.failureResultOf(attempt)
            self.assertTrue(self.transport.aborted)
            self.assertEqual(self.vm.open, 0)
            self.flushLoggedErrors()

    def test_vm_gone(self) -> None:
        """If the VM has ended meanwhile, its port may be another's, and is cut."""
        attempt = self.attempt()
        self.vm.qmp.protocol.connectionLost(None)
        self.connect()
        self.failureResultOf(attempt, TargetError)
        self.assertTrue(self.transport.aborted)

    def test_not_here(self) -> None:
        """Addresses of other machines, names, and ports of other users are not allowed; only the log says which."""
        for host in ("192.0.2.1", "example.com", "169.254.169.254", "::ffff:192.0.2.1"):
            self.vm.answers["query-vnc-servers"] = ok([{"server": [{**VNC_AT, "host": host}]}])
            error = self.refused("the console's address is not allowed", Refusal.NOT_ALLOWED)
            self.assertIn(host, error.detail)
        self.vm.answers["query-vnc-servers"] = ok([{"server": [VNC_AT]}])
        for self.users in ({os.getuid(), 12345}, {12345}, set()):
            error = self.refused("the console's address is not allowed", Refusal.NOT_ALLOWED)
            self.assertIn(f"the user {os.getuid()} is not the only one", error.detail)
        self.assertEqual(self.vm.tcpClients, [])

    def test_none(self) -> None:
        """Without any there is nothing to connect."""
        for server in ([], [{**VNC_AT, "websocket": True}], [{**VNC_AT, "service": "vnc"}]):
            self.vm.answers["query-vnc-servers"] = ok([{"server": server}])
            self.refused("QEMU takes no socket for this console, and it has no port")


class Listeners(SynchronousTestCase):
    """listeners.py"""

    def test_named(self) -> None:
        """Hosts, ports and paths as QEMU tells them."""
        for host, service, expected in (
            ("127.0.0.1", "5900", Listener("127.0.0.1", 5900)),
            ("*", "5930", Listener("127.0.0.1", 5930)),
            ("", "5930", Listener("127.0.0.1", 5930)),
            ("0.0.0.0", "1", Listener("127.0.0.1", 1)),
            ("::", "65535", Listener("::1", 65535)),
            ("/run/a.spice", "", Listener("/run/a.spice")),
            ("", "/run/a.vnc", Listener("/run/a.vnc")),
            ("127.0.0.1", "", None),
            ("127.0.0.1", "0", None),
            ("127.0.0.1", "65536", None),
            ("127.0.0.1", "-1", None),
            ("127.0.0.1", "\u0661", None),
            ("a.vnc", "x", None),
        ):
            self.assertEqual(Listener.named(host, service), expected)

    def test_local(self) -> None:
        """Only addresses of this machine are."""
        self.assertTrue(is_local("127.0.0.1"))
        for address in ("192.0.2.1", "localhost", "", "8.8.8.8", "::ffff:192.0.2.1"):
            self.assertFalse(is_local(address), address)

    def test_users(self) -> None:
        """The users of a listening port are found, and none of a port that only is connected to or from."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.assertEqual(users(port), {os.getuid()})
            with socket.create_connection(("127.0.0.1", port)) as client:
                self.assertEqual(users(client.getsockname()[1]), set())
        self.assertEqual(users(port), set())

    def test_tables(self) -> None:
        """All tables and all addresses count."""
        head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        row = "   {}: {}:170C {}:0000 {} 00000000:00000000 00:00000000 00000000  {}        0 1 1 0 100 0 0 10 0\n"
        four, six = (folder(self) / name for name in ("tcp", "tcp6"))
        four.write_text(
            head + row.format(0, "0100007F", "00000000", "0A", 64055) + row.format(1, "0200007F", "0" * 8, "0A", 1000)
        )
        six.write_text(head + row.format(0, "0" * 32, "0" * 32, "0A", 7) + row.format(1, "0" * 32, "0" * 32, "01", 8))
        self.assertEqual(users(5900, (str(four), str(six), "/nowhere")), {64055, 1000, 7})
        self.assertEqual(users(5901, (str(four), str(six))), set())

    def test_owner(self) -> None:
        """Who listens at a unix socket is known by the kernel."""
        one, other = socket.socketpair()
        with one, other:
            self.assertEqual(Owner.of(one), Owner(os.getpid(), os.getuid()))


class Settings(SynchronousTestCase):
    """In the agent's file."""

    def test_pattern(self) -> None:
        """A part is filled into path and name, and the socket must stay within the directory before it."""
        table = {"kind": "qemu", "qmp": "/run/vms/{vm}.qmp", "name": "{vm}", "console": "spice", "parts": {"vm": ".+"}}
        target: Any = read_entry("vm/{vm}", table).match("vm/a")
        self.assertEqual((target.qmp, target.name, target.within), ("/run/vms/a.qmp", "a", "/run/vms"))
        self.assertEqual((target.kind, target.viewer), ("qemu", "spice"))

    def test_outside(self) -> None:
        """A symbolic link that leads elsewhere is not allowed."""
        where = folder(self)
        os.symlink("/run/docker.sock", where / "a.qmp")
        table = {"kind": "qemu", "qmp": f"{where}/{{vm}}.qmp", "console": "vnc", "parts": {"vm": ".+"}}
        target = there(read_entry("vm/{vm}", table).match("vm/a"))
        attempt = Deferred.fromCoroutine(target.connect(MemoryReactorClock(), Terms()))
        self.assertEqual(self.failureResultOf(attempt, TargetError).value.code, Refusal.NOT_ALLOWED)

    def test_wrong(self) -> None:
        """Paths that aren't absolute, and consoles that there aren't, are errors."""
        for table in (
            {"qmp": "a.qmp", "console": "vnc"},
            {"qmp": "", "console": "vnc"},
            {"qmp": "/a", "console": "rdp"},
            {"qmp": "/a"},
            {"qmp": "/a", "console": "vnc", "within": "x"},
            {"qmp": "/a", "console": "vnc", "password": "secret"},
        ):
            self.assertRaises(ValueError, read_entry, "vm", {"kind": "qemu", **table})
