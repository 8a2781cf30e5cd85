"""The viewer of SPICE, on a bare page under the platform's policy, at real machines of QEMU."""

import signal
import socket
import struct
import threading
from collections.abc import Callable

from tests.live.support.fake_spice import FakeSpice
from tests.live.support.machine import Machine
from tests.live.support.pace import timed
from tests.live.support.ports import free_port
from tests.live.support.pump import Pump
from tests.live.support.sockets import reset, take
from tests.live.support.waiting import WAIT, until
from tests.live.viewers.screens import ENDS, OPENS, ScreenTest, echoes


class Spice(ScreenTest):
    """viewers/spice.js: spice-html5 on one stream, which carries its channels."""

    def spice(
        self, name: str, more: str = "disable-ticketing=on", port: int = 0, options: tuple[str, ...] = ()
    ) -> tuple[Machine, str]:
        """A machine with SPICE on a port, and its target."""
        port = port or free_port()
        return self.machine(name, f"addr=127.0.0.1,port={port},{more}", options=options), f"spice/{port}"

    def fake(self) -> FakeSpice:
        """A server without a machine."""
        server = FakeSpice()
        self.addCleanup(server.close)
        return server

    def test_screen_and_keys(self) -> None:
        """The machine's screen is there pixel by pixel, and so is what is typed; of two machines at once, too."""
        machines = []
        for number, name in enumerate(("one", "two")):
            machine, target = self.spice(name)
            machines.append(machine)
            self.show("spice", target)
            before = self.same(machine, number)
            self.type("hello", number)
            echoes(machine, "\nhello")
            self.assertGreater(self.same(machine, number), before)
        self.type(" again", 0)
        echoes(machines[0], "\nhello again")
        self.assertTrue(machines[1].shown.endswith("\nhello"))
        self.assert_content()

    def test_actions(self) -> None:
        """Text is typed, Ctrl-Alt-Del boots the machine again, no tab takes the focus, and a closed one is gone."""
        machine, target = self.spice("one")
        other, second = self.spice("two")
        for each in (target, second):
            self.show("spice", each)
        self.same(machine)
        self.view.evaluate("void tabs[0].act('Type text …')")
        self.view.get_by_label("Text", exact=True).fill("Hello: 'World' {_}?")
        self.view.keyboard.press("Control+Enter")
        echoes(machine, "\nHello: 'World' {_}?")
        until(lambda: self.view.evaluate(OPENS, 0), what="the next one's form")  # the first text has been typed
        text = self.view.get_by_label("Text", exact=True)
        text.fill("Grüße")
        self.view.keyboard.press("Control+Enter")
        self.view.get_by_text("Nothing was typed, as a keyboard of the US has no ü ß").wait_for()
        self.assertEqual(text.input_value(), "Grüße")
        text.fill("")
        self.view.keyboard.press("Control+Enter")
        self.until("() => document.activeElement.matches('#tab0 canvas')", what="the focus")
        self.view.keyboard.type("!")
        echoes(machine, "?1")
        self.view.evaluate("tabs[0].act('Ctrl-Alt-Del')")
        echoes(machine, "?1This is one.\n")
        self.same(machine)
        self.view.keyboard.type("a")  # the screens were made anew meanwhile
        echoes(machine, "\na")
        self.view.evaluate("tabs[1].act('Ctrl-Alt-Del')")
        echoes(other, "This is two.\nThis is two.\n")
        self.same(other, 1)
        self.view.keyboard.type("b")
        echoes(machine, "\nab")
        self.view.evaluate("tabs[0].viewer.destroy()")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True))
        self.assertEqual(self.view.evaluate("tab0.childElementCount"), 0)
        self.type("c", 1)
        echoes(other, "\nc")
        self.assertEqual(self.view.locator("[id^=spice_surface]").count(), 0)
        self.common.agent.wait_for(f" to {target} ended: ", count=4)  # one for each channel
        self.assert_content()

    def test_busy_machine(self) -> None:
        """A text loses no letter at a machine that gets no time in four fifths of all: what is typed waits for it."""
        machine, target = self.spice("one")
        self.show("spice", target)
        self.same(machine)
        text = "the quick brown fox jumps over the lazy dog " * 3 + "end"
        over = threading.Event()

        def starve() -> None:
            while not over.wait(0.05):
                machine.process.send_signal(signal.SIGSTOP)
                over.wait(0.2)
                machine.process.send_signal(signal.SIGCONT)

        starving = threading.Thread(target=starve)
        self.addCleanup(starving.join)
        self.addCleanup(over.set)
        starving.start()
        self.view.evaluate("void tabs[0].act('Type text …').then(() => tabs[0].said.push('typed'))")
        self.view.get_by_label("Text", exact=True).fill(text)
        self.view.keyboard.press("Control+Enter")
        until(lambda: self.view.evaluate("tabs[0].said.includes('typed')"), 3 * WAIT, "the text typed")
        over.set()
        until(lambda: machine.shown.endswith("end"), what="the end of the text")
        self.assertEqual(machine.shown.partition("\n")[2], text)
        self.assert_content()

    def seen(self, true: Callable[[], bool]) -> None:
        """Until what the browser has sent was told."""
        until(lambda: self.view.evaluate("true") and true(), what="what the browser sends")

    def test_all_channels(self) -> None:
        """A machine with sound both ways and a port: the screen shows all the same, and the end leaves none open."""
        sound = ("-audiodev", "spice,id=sound", "-device", "AC97,audiodev=sound")
        port = ("-chardev", "spiceport,name=org.example.port,id=port", "-device", "isa-serial,chardev=port")
        machine, target = self.spice("one", options=(*sound, *port))
        self.show("spice", target)
        self.same(machine)
        self.type("hello")
        echoes(machine, "\nhello")
        opened, ended = f" to {target} opened ", f" to {target} ended: "
        self.common.agent.wait_for(opened, count=7)  # main, display, inputs, cursor, playback, record and port
        self.assertEqual(self.common.agent.log.count(ended), 0)
        self.view.evaluate("tabs[0].session.close()")
        self.common.agent.wait_for(ended, count=7)
        self.assert_content()

    def test_pointer_and_held_keys(self) -> None:
        """The pointer's way is told in the machine's own pixels; a key that is held is released with the focus."""
        _, target = self.spice("one")
        sent: list[bytes] = []  # each message in a frame of a channel
        self.view.on("websocket", lambda leg: leg.on("framesent", lambda frame: sent.append(frame[8:])))
        self.show("spice", target)
        until(lambda: self.lit() > 100, what="the screen")
        box = self.view.locator("#tab0 canvas").bounding_box()
        scale = box["width"] / 720
        self.assertGreater(scale, 1.1)
        self.view.mouse.move(box["x"] + 100 * scale, box["y"] + 100 * scale)
        self.seen(lambda: any(frame[:2] == MOUSE_MOTION for frame in sent))
        del sent[:]
        self.view.mouse.move(box["x"] + 300 * scale, box["y"] + 150 * scale, steps=8)
        self.view.mouse.down()
        self.view.mouse.up()
        self.seen(lambda: any(frame[:2] == MOUSE_RELEASE for frame in sent))
        moves = [struct.unpack("<HIii", frame[:14]) for frame in sent if frame[:2] == MOUSE_MOTION]
        ways = [sum(move[axis] for move in moves) for axis in (2, 3)]
        self.assertTrue(abs(ways[0] - 200) <= 2 and abs(ways[1] - 50) <= 2, ways)
        del sent[:]
        self.view.keyboard.down("Shift")
        self.seen(lambda: keys(sent) == [0x2A])
        self.view.evaluate("document.activeElement.blur()")
        self.seen(lambda: keys(sent) == [0x2A, 0xAA])
        self.assert_content()

    def test_reconnect(self) -> None:
        """The last picture stays when machine or relay are gone; the next streams show the new one, and take keys."""
        machine, target = self.spice("one")
        self.show("spice", target)
        self.stopped(machine)
        machine, _ = self.spice("one", port=int(target.removeprefix("spice/")))
        self.again()
        self.same(machine)
        self.relay_killed()
        self.same(machine)
        self.type("hello")
        echoes(machine, "\nhello")
        self.assertEqual(self.view.locator("#tab0 canvas").count(), 1)
        self.assert_content()

    def test_dead_link(self) -> None:
        """A proxy stops to forward, and nobody closes anything: by SPICE, by VNC and raw it is said soon after the
        network has come back, or the page is seen again; then they go on."""
        pump = Pump(self.common.relay_port)
        self.addCleanup(pump.close)
        self.view = self.bare(bypass_csp=True)  # the proxy is none of the platform's relays
        self.view.evaluate("port => { window.through = port; }", pump.port)
        listener, server, port = self.listen(), self.fake(), free_port()
        machine = self.machine("one", vnc=f"127.0.0.1:{port - 5900}")
        for viewer, target in (("spice", server.target), ("vnc", f"vnc/{port}"), ("raw", listener.target)):
            self.show(viewer, target)
        for news in ("dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))"):
            listener.accept().sendall(news.encode())
            self.until("([news]) => document.querySelector('#tab2 .raw-output').textContent.endsWith(news)", [news])
            self.same(machine, 1)
            pump.stop()
            with timed() as passed:
                self.view.evaluate(news)
                for number in range(3):
                    outcome = self.wait_state(number, "closed")["outcome"]
                    self.assertEqual((outcome["code"], outcome["transient"]), (1006, True))
                    self.assertEqual(outcome["reason"], "the relay does not answer")
            print(f"figure: dead links of three screens were said {passed():.1f} s after the news")
            pump.go_on()
            for number in range(3):
                self.again(number)
        self.view.evaluate("tabs[0].viewer.focus()")
        self.view.keyboard.press("a")
        until(lambda: self.view.evaluate("true") and server.keys[-2:] == [0x1E, 0x9E], what="a key")
        self.assert_content()

    def test_password(self) -> None:
        """A server that wants a password gets what was entered in a form, also the second time."""
        machine, target = self.spice("one", "disable-ticketing=off")
        machine.ask("set_password", protocol="spice", password="sesame")
        self.show("spice", target, state="")
        for password, words in (("open", "wants a password"), ("sesame", "refused the password")):
            self.view.get_by_text(words).wait_for()
            field = self.view.get_by_label("Password", exact=True)
            self.assertEqual(field.get_attribute("type"), "password")
            field.fill(password)
            self.view.keyboard.press("Enter")
        self.wait_state(0, "connected")
        self.same(machine)
        self.view.evaluate("tabs[0].session.close()")
        self.wait_state(0, "closed")
        self.view.evaluate("tabs[0].connect()")
        self.wait_state(0, "connected")  # it is remembered while the tab is there
        self.show("spice", target, state="")
        self.view.get_by_role("button", name="Cancel").click()
        tab = self.wait_state(1, "failed")
        self.assertEqual(tab["error"], "no password was given to the SPICE server")
        self.assert_content()

    def test_tickets(self) -> None:
        """A password's ciphertext that begins with zeros is one that the server's key can read, as all others are."""
        read = self.view.evaluate(TICKETS)
        self.assertGreater(read["short"], 1)
        self.assertEqual(read["words"], ["sesame\0"])

    def test_not_spice(self) -> None:
        """What isn't a SPICE server, and a target that ends before it has said a word, are told in words."""
        listener = self.listen()
        target = f"spice/{listener.port}"
        self.show("spice", target, state="")
        other = listener.accept()
        self.addCleanup(other.close)  # not before, as that would be a reset
        other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertEqual(self.wait_state(0, "failed")["error"], "the target is not a SPICE server")
        for number, end in ((1, reset), (2, socket.socket.close)):
            self.show("spice", target, state="")
            connection = listener.accept()
            word, _, _, size = struct.unpack("<4s3I", take(connection, 16))
            self.assertEqual(word, b"REDQ")
            take(connection, size)  # all of it, or closing would reset
            end(connection)
            self.assertEqual(self.wait_state(number, "failed")["error"], ENDS[number - 1])
        self.assertEqual(self.view.locator("canvas, [id^=spice]").count(), 0)
        self.assert_content()


TICKETS = """async () => {
    const { create_rsa_from_mb, rsa_encrypt } = await import('/third-party/spice-html5/src/ticket.js');
    const { aligned } = await import('/viewers/spice-session.js');
    const kind = { name: 'RSA-OAEP', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-1' };
    const { publicKey, privateKey } = await crypto.subtle.generateKey(kind, true, ['encrypt', 'decrypt']);
    const key = create_rsa_from_mb(await crypto.subtle.exportKey('spki', publicKey), 0);
    const words = new Set();
    let short = 0;
    for (let count = 0; count < 5000 && short < 2; count += 1) {
        const ticket = rsa_encrypt(key, 'sesame\\0');
        short += ticket.length < 128;
        const read = await crypto.subtle.decrypt(kind, privateKey, Uint8Array.from(aligned(ticket)));
        words.add(new TextDecoder().decode(read));
    }
    return { short, words: [...words] };
}"""
MOUSE_MOTION, MOUSE_RELEASE = struct.pack("<H", 111), struct.pack("<H", 114)
KEYS = (struct.pack("<H", 101), struct.pack("<H", 102))
"""Of the inputs channel (spice-protocol, enums.h)."""


def keys(sent: list[bytes]) -> list[int]:
    """The scan codes among messages of the inputs channel."""
    return [int.from_bytes(frame[6:10], "little") for frame in sent if frame[:2] in KEYS and len(frame) == 10]
