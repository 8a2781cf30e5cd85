"""Consoles of real virtual machines: SPICE and VNC through the whole chain, by a VM's QMP socket."""

import socket
import struct
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_der_public_key
from websockets.sync.client import ClientConnection

from streamrelay.platform.auth.grants import Grant
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.http import Answer
from tests.live.support.machine import PROGRAM, Machine, start_machine
from tests.live.support.pace import timed
from tests.live.support.ports import free_port
from tests.live.support.processes import need_program
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import RAW

TARGETS = """
[targets."vm/{name}/vnc"]
kind = "qemu"
qmp = "FOLDER/{name}.qmp"
console = "vnc"
parts = { name = "[a-z0-9-]+" }

[targets."vm/{name}/spice"]
kind = "qemu"
qmp = "FOLDER/{name}.qmp"
console = "spice"
parts = { name = "[a-z0-9-]+" }

[targets."named/{name}"]
kind = "qemu"
qmp = "FOLDER/{name}.qmp"
console = "vnc"
name = "{name}"
parts = { name = "[a-z0-9-]+" }

[targets."locked/{name}"]
kind = "qemu"
qmp = "FOLDER/{name}.qmp"
console = "vnc"
password = true
parts = { name = "[a-z0-9-]+" }

[targets."locked-spice/{name}"]
kind = "qemu"
qmp = "FOLDER/{name}.qmp"
console = "spice"
password = true
parts = { name = "[a-z0-9-]+" }
"""
NONE, VNC_AUTHENTICATION = b"\x01", b"\x02"
HELD = "another program (libvirt?) may hold this QMP socket"


class MachineTest(LiveTest):
    """A test on the common chain, with machines of its own in the chain's directory."""

    common: Chain

    def setUp(self) -> None:
        super().setUp()
        need_program(PROGRAM)
        self.common = shared(targets=TARGETS)

    def machine(self, name: str, **consoles: Any) -> Machine:
        machine = start_machine(self.common.folder, name, **consoles)
        self.addCleanup(machine.stop)
        return machine

    def ask(self, target: str, **more: Any) -> Answer:
        return self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, **more})

    def leg(self, target: str, **more: Any) -> ClientConnection:
        answer = self.opened(target, **more)
        self.assertEqual(answer.status, 201, answer.text)
        return self.websocket(answer.json["url"], RAW)

    def opened(self, target: str, **more: Any) -> Answer:
        """Ask until QEMU, which has two seconds to greet the agent, has had its turn."""

        def has_answered() -> Answer | None:
            answer = self.ask(target, **more)
            return None if HELD in answer.text else answer

        answer: Answer = until(has_answered, what="an answer of QEMU's")
        return answer

    def assert_shown(self, vnc: "Vnc", machine: Machine) -> None:
        """The screen comes to be the machine's own: QEMU looks for changes some times a second."""
        until(lambda: vnc.picture() == pixels(machine.screen()), what="the machine's picture")

    def assert_refused(self, target: str, words: str, status: int = 502, **more: Any) -> None:
        answer = self.ask(target, **more) if words == HELD else self.opened(target, **more)
        self.assertEqual(answer.status, status, answer.text)
        self.assertIn(words, answer.json["detail"])


class Bytes:
    """A leg whose messages are bytes without borders."""

    def __init__(self, leg: ClientConnection) -> None:
        self.leg = leg
        self._early = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._early) < size:
            message = self.leg.recv(WAIT)
            assert isinstance(message, bytes)
            self._early += message
        data = bytes(self._early[:size])
        del self._early[:size]
        return data


class Vnc(Bytes):
    """A client of RFB 3.8 (RFC 6143): as much of one as shows the screen, and types."""

    def __init__(self, leg: ClientConnection) -> None:
        super().__init__(leg)
        self.version = self.read(12)
        leg.send(self.version)
        self.offered = self.read(self.read(1)[0])

    def begin(self) -> "Vnc":
        """Go on without a password."""
        self.leg.send(NONE)
        assert self.read(4) == bytes(4)
        self.leg.send(b"\x01")
        self.width, self.height, self.format, name = struct.unpack(">HH16sI", self.read(24))
        self.name = self.read(name).decode()
        return self

    def key(self, key: str) -> None:
        """Press and release a key of ASCII."""
        for down in (1, 0):
            self.leg.send(struct.pack(">BBxxI", 4, down, ord(key)))

    def picture(self) -> bytes:
        """The whole screen, three bytes a pixel."""
        self.leg.send(struct.pack(">BxHi", 2, 1, 0))  # Raw
        self.leg.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        pixels = bytearray(self.width * self.height * 3)
        left = self.width * self.height
        while left > 0:
            kind = self.read(1)
            assert kind == b"\x00", kind
            (count,) = struct.unpack(">xH", self.read(3))
            for _ in range(count):
                x, y, width, height, encoding = struct.unpack(">HHHHi", self.read(12))
                assert encoding == 0
                data = self.read(width * height * 4)  # blue, green, red, nothing
                for row in range(height):
                    line = data[row * width * 4 : (row + 1) * width * 4]
                    at = ((y + row) * self.width + x) * 3
                    for color in range(3):
                        pixels[at + color : at + width * 3 : 3] = line[2 - color :: 4]
                left -= width * height
        return bytes(pixels)


def pixels(picture: bytes) -> bytes:
    """Of a PPM."""
    return picture.split(b"\n255\n", 1)[1]


class Screens(MachineTest):
    """VNC."""

    def test_no_port(self) -> None:
        """A VM's screen comes through, and takes keys, while its VNC display has no port or socket at all."""
        machine = self.machine("a", vnc=True)
        self.assertEqual(machine.ask("query-vnc-servers")[0]["server"], [])
        vnc = Vnc(self.leg("vm/a/vnc"))
        self.assertEqual((vnc.version, vnc.offered), (b"RFB 003.008\n", NONE))
        vnc.begin()
        self.assertEqual(vnc.name, "QEMU (a)")
        self.assert_shown(vnc, machine)
        vnc.key("k")
        until(lambda: "\nk" in machine.shown, what="the key")
        self.assert_shown(vnc, machine)

    def test_kind(self) -> None:
        """The API tells kind, viewer and links: SPICE takes many legs, VNC one."""
        self.machine("a", vnc=True, spice=True)
        for viewer, links in (("vnc", 1), ("spice", 16)):
            answer = self.opened(f"vm/a/{viewer}").json
            self.assertEqual((answer["kind"], answer["viewer"], answer["links"]), ("qemu", viewer, links))

    def test_many(self) -> None:
        """Streams that are opened at the same time all come through, though QEMU serves one QMP client at a time."""
        self.machine("a", vnc=True)
        for opening in [Work(self.leg, "vm/a/vnc") for _ in range(8)]:
            self.assertEqual(Vnc(opening.result()).begin().name, "QEMU (a)")

    def test_port_used_again(self) -> None:
        """When a VM has stopped and another one has its port, a stream to the first is refused, never the other's."""
        port = free_port()
        first = self.machine("a", vnc=f"127.0.0.1:{port - 5900}")
        Vnc(self.leg("vm/a/vnc")).begin()
        first.stop()
        self.machine("b", vnc=f"127.0.0.1:{port - 5900}")
        self.assert_refused("vm/a/vnc", "no QEMU listens there")
        self.assertEqual(Vnc(self.leg("vm/b/vnc")).begin().name, "QEMU (b)")

    def test_name(self) -> None:
        """A VM that doesn't say that it is the one that was asked for isn't shown."""
        self.machine("a", vnc=True)
        Vnc(self.leg("named/a")).begin()
        self.machine("b", vnc=True).qmp.rename(self.common.folder / "c.qmp")
        self.assert_refused("named/c", "another VM is running there")

    def test_password(self) -> None:
        """A display's own password is asked for only where the target says so."""
        self.machine("a", vnc="none,password=on")
        self.assertEqual(Vnc(self.leg("vm/a/vnc")).offered, NONE)
        self.assertEqual(Vnc(self.leg("locked/a")).offered, VNC_AUTHENTICATION)

    def test_none(self) -> None:
        """A VM without the console that is asked for is refused in these words."""
        self.machine("a", vnc=True)
        self.assert_refused("vm/a/spice", "this VM has no SPICE console")
        self.machine("b", spice=True)
        self.assert_refused("vm/b/vnc", "this VM has no VNC console")

    def test_held(self) -> None:
        """Where another program holds the QMP socket, that is said within seconds, again and again; then it goes on."""
        machine = self.machine("a", vnc=True)
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(machine.qmp))
            other.recv(1)
            tries = []
            for _ in range(4):  # the kernel's queue for that socket is full then
                with timed() as passed:
                    self.assert_refused("vm/a/vnc", HELD)
                tries.append(passed.fair)
            self.assertLess(median(tries), 5, tries)
        Vnc(self.leg("vm/a/vnc")).begin()

    def test_killed(self) -> None:
        """When its VM dies, the stream ends."""
        machine = self.machine("a", vnc=True)
        vnc = Vnc(self.leg("vm/a/vnc")).begin()
        machine.stop()
        self.assert_closed(vnc.leg, 1000)

    def test_nothing_left(self) -> None:
        """Nothing stays open at the agent or in QEMU when streams have ended or were refused."""
        machine = self.machine("a", vnc=True)

        def descriptors() -> tuple[int, int]:
            return len(self.common.agent.descriptors()), len(list(Path(f"/proc/{machine.process.pid}/fd").iterdir()))

        Vnc(self.leg("vm/a/vnc")).begin().leg.close()
        time.sleep(1)
        before = descriptors()
        for _ in range(5):
            Vnc(self.leg("vm/a/vnc")).begin().leg.close()
            self.assert_refused("vm/a/spice", "no SPICE")
        until(lambda: descriptors() <= before, what=f"{before} descriptors")


class Ports(MachineTest):
    """Consoles of a QEMU that can't be handed a socket: here its QMP socket passes no descriptors on."""

    def proxy(self, name: str, machine: Machine) -> None:
        """Another socket for a VM's QMP, without descriptors."""
        path = self.common.folder / f"{name}.qmp"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen()

        def carry(source: socket.socket, sink: socket.socket) -> None:
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            except OSError:
                pass
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        def serve() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(machine.qmp))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()

    def test_port(self) -> None:
        """Its port of this machine is connected instead, for VNC and for SPICE."""
        vnc, spice = free_port(), free_port()
        consoles = {"vnc": f"127.0.0.1:{vnc - 5900}", "spice": f"port={spice},addr=127.0.0.1,disable-ticketing=on"}
        self.proxy("p", self.machine("a", **consoles))
        self.assertEqual(Vnc(self.leg("vm/p/vnc")).begin().name, "QEMU (a)")
        Spice(self.leg("vm/p/spice"), MAIN)
        self.common.agent.wait_for("so its port is used")

    def test_everywhere(self) -> None:
        """A console that listens at all addresses is connected at this machine's own."""
        for address in ("0.0.0.0", "[::]", ""):
            machine = self.machine("a", vnc=f"{address}:{free_port() - 5900}")
            self.proxy("p", machine)
            self.assertEqual(Vnc(self.leg("vm/p/vnc")).begin().name, "QEMU (a)", address)
            machine.stop()

    def test_none(self) -> None:
        """Without a port there is nothing to connect."""
        self.proxy("p", self.machine("a", vnc=True))
        self.assert_refused("vm/p/vnc", "QEMU takes no socket for this console, and it has no port")

    def test_socket_of_another(self) -> None:
        """A console's unix socket must belong to the very process that says so."""
        path = self.common.folder / "a.vnc"
        self.proxy("p", self.machine("a", vnc=f"unix:{path}"))
        self.assert_refused("vm/p/vnc", "the console's address is not allowed", 403)
        self.common.agent.wait_for("another process listens there")


MAIN, DISPLAY, INPUTS = 1, 2, 3


class Spice(Bytes):
    """One link of SPICE ("Spice protocol", and its protocol.h), up to the channel's first message."""

    def __init__(self, leg: ClientConnection, channel: int, session: int = 0) -> None:
        super().__init__(leg)
        mess = struct.pack("<IBBIIIII", session, channel, 0, 1, 0, 18, 0b1011, 0)[:-4]  # auth selection, mini header
        leg.send(struct.pack("<4sIII", b"REDQ", 2, 2, len(mess)) + mess)
        magic, _, _, size = struct.unpack("<4sIII", self.read(16))
        assert magic == b"REDQ", magic
        reply = self.read(size)
        assert reply[:4] == bytes(4), reply[:4]
        key: Any = load_der_public_key(reply[4:166])
        ticket = key.encrypt(b"wrong\0", padding.OAEP(padding.MGF1(SHA1()), SHA1(), None))
        leg.send(struct.pack("<I", 1) + ticket)
        self.result = struct.unpack("<I", self.read(4))[0]
        assert self.result == 0, self.result

    def message(self, kind: int) -> bytes:
        """The next message of a kind; others are passed over."""
        while True:
            found, size = struct.unpack("<HI", self.read(6))
            body = self.read(size)
            if found == kind:
                return body

    def say(self, kind: int, body: bytes) -> None:
        self.leg.send(struct.pack("<HI", kind, len(body)) + body)


class SpiceScreens(MachineTest):
    """SPICE, which takes a leg for each of its channels."""

    def test_channels(self) -> None:
        """Main, display and inputs are links of one stream to a VM without any port; a key typed reaches the VM."""
        machine = self.machine("a", spice=True)
        answer = self.opened("vm/a/spice")
        self.assertEqual(answer.status, 201, answer.text)
        main = Spice(self.websocket(answer.json["url"], RAW), MAIN)
        (session,) = struct.unpack_from("<I", main.message(103))
        main.say(104, b"")  # attach channels
        main.message(104)
        display = Spice(self.websocket(answer.json["url"], RAW), DISPLAY, session)
        display.say(101, struct.pack("<BqBi", 0, 0, 0, 0))  # no caches
        width, height, *_ = struct.unpack_from("<4xII", display.message(314))  # its surface
        self.assertEqual((width, height), (720, 400))
        inputs = Spice(self.websocket(answer.json["url"], RAW), INPUTS, session)
        inputs.message(101)
        for kind, code in ((101, 0x25), (102, 0xA5)):  # down and up: k
            inputs.say(kind, struct.pack("<I", code))
        until(lambda: "\nk" in machine.shown, what="the key")

    def test_other_session(self) -> None:
        """A link of a session that isn't there is turned down by the VM itself."""
        self.machine("a", spice=True)
        refused = self.assertRaises(AssertionError, Spice, self.leg("vm/a/spice"), INPUTS, 12345)
        self.assertEqual(refused.args, (8,))  # SPICE_LINK_ERR_BAD_CONNECTION_ID

    def test_password(self) -> None:
        """A ticket that is wrong counts for nothing, unless the target says that QEMU is to ask for it."""
        self.machine("a", spice=True)
        Spice(self.leg("vm/a/spice"), MAIN)
        refused = self.assertRaises(AssertionError, Spice, self.leg("locked-spice/a"), MAIN)
        self.assertEqual(refused.args, (7,))  # SPICE_LINK_ERR_PERMISSION_DENIED


class Looking(MachineTest):
    """View only."""

    def test_key(self) -> None:
        """Keys, pointer and clipboard of who may only look don't reach the VM, whose screen they see all the same."""
        machine = self.machine("a", vnc=True)
        answer = self.opened("vm/a/vnc", view=True)
        self.assertTrue(answer.json["view"])
        vnc = Vnc(self.websocket(answer.json["url"], RAW)).begin()
        self.assert_shown(vnc, machine)
        before = machine.screen()
        vnc.key("k")
        vnc.leg.send(struct.pack(">BBHH", 5, 1, 10, 10))
        vnc.leg.send(struct.pack(">BxxxI", 6, 5) + b"paste")
        vnc.leg.send(struct.pack(">BBHII", 255, 0, 1, ord("k"), 0x25))
        self.assertEqual(vnc.picture(), pixels(before))  # asked behind them, so they are done with
        time.sleep(0.3)
        self.assertEqual((machine.shown, machine.screen()), ("This is a.\n", before))
        own = Vnc(self.leg("vm/a/vnc")).begin()
        own.key("m")
        until(lambda: "\nm" in machine.shown, what="the key of who may type")
        self.assertEqual(machine.shown, "This is a.\nm")
        self.assert_shown(vnc, machine)

    def test_grant(self) -> None:
        """With a grant that is view-only no key reaches the VM, though the client asks for nothing of the kind."""
        machine = self.machine("a", vnc=True)
        key = self.common.add_key(f"carol-{time.time_ns()}", Grant("*", "vm/*", view=True))
        answer = until(lambda: self._opened(key), what="the new key")
        vnc = Vnc(self.websocket(answer.json["url"], RAW)).begin()
        vnc.key("k")
        self.assert_shown(vnc, machine)
        self.assertEqual(machine.shown, "This is a.\n")

    def _opened(self, key: str) -> Answer | None:
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "vm/a/vnc"}, key=key)
        return answer if answer.status == 201 else None

    def test_alone(self) -> None:
        """Who may only look doesn't end others' consoles, though their client asks to have the screen alone."""
        self.machine("a", vnc=True)
        first = Vnc(self.leg("vm/a/vnc")).begin()
        vnc = Vnc(self.leg("vm/a/vnc", view=True))
        vnc.leg.send(NONE)
        vnc.read(4)
        vnc.leg.send(b"\x00")
        vnc.read(24)
        self.assertEqual(len(first.picture()), 720 * 400 * 3)

    def test_unknown(self) -> None:
        """A message that can't be followed ends the stream with 4001 and a reason."""
        self.machine("a", vnc=True)
        vnc = Vnc(self.leg("vm/a/vnc", view=True)).begin()
        vnc.leg.send(b"\xc8")
        self.assert_closed(vnc.leg, 4001)
        self.assertIn("view only: a message of the unknown type 200", vnc.leg.close_reason or "")

    def test_locked(self) -> None:
        """A display that asks for its password can be looked at, too."""
        machine = self.machine("a", vnc="none,password=on")
        machine.ask("set_password", protocol="vnc", password="secret")
        vnc = Vnc(self.leg("locked/a", view=True))
        self.assertEqual(vnc.offered, VNC_AUTHENTICATION)
        vnc.leg.send(VNC_AUTHENTICATION)
        self.assertEqual(len(vnc.read(16)), 16)
        vnc.leg.send(bytes(16))
        self.assertNotEqual(vnc.read(4), bytes(4))  # it was the wrong one

    def test_spice(self) -> None:
        """SPICE can't be held to it, so it isn't opened at all."""
        self.machine("a", spice=True)
        self.assert_refused("vm/a/spice", "can't be opened for looking only", 403, view=True)
