"""The viewers, each on a bare page under the policy of the platform's pages, on real processes."""

import hashlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.chain import HOST, MIB, Work, answers, free_port, need_program, reset, seeded, take, until
from tests.live.machine import PROGRAM, Machine, start_machine
from tests.live.viewing import WEB, ViewerTest

SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/sh"]\nenvironment = { PS1 = "$ " }\n\n'


class Terminal(ViewerTest):
    """viewers/terminal.js: xterm.js on a stream."""

    def lines(self, number: int = 0) -> str:
        """What a terminal shows, without blanks at the ends."""
        rows = self.page.locator(f"#tab{number} .xterm-rows > div").all_inner_texts()
        return "\n".join(row.replace("\xa0", " ").rstrip() for row in rows)

    def shows(self, text: str, number: int = 0) -> str:
        until(lambda: text in self.lines(number), what=f"{text!r} on the terminal")
        return self.lines(number)

    def run_line(self, line: str, number: int = 0) -> None:
        self.page.evaluate("n => tabs[n].viewer.focus()", number)
        self.page.keyboard.type(line)
        self.page.keyboard.press("Enter")

    def test_size_and_status(self) -> None:
        """The host knows the size that is shown, also after it has changed, and the status of `exit 3` is told."""
        self.start(SHELL)
        self.show("terminal", "shell")
        self.shows("$")
        sizes = []
        for width, height in ((800, 480), (520, 300)):
            self.page.evaluate(
                "([w, h]) => { const s = tab0.style; s.width = `${w}px`; s.height = `${h}px`; }", [width, height]
            )
            self.page.wait_for_timeout(600)
            self.run_line("clear; stty size; echo over")
            shown = self.shows("\nover")
            rows, columns = map(int, next(line for line in shown.splitlines() if line[:1].isdigit()).split())
            self.assertEqual(rows, self.page.locator("#tab0 .xterm-rows > div").count())
            self.run_line(f"clear; printf '=%.0s' $(seq {columns}); echo; echo again")
            self.assertIn(f"\n{'=' * columns}\nagain\n", "\n" + self.shows("=\nagain"))
            sizes.append((rows, columns))
        self.assertLess(sizes[1], sizes[0])
        self.assertLess(sizes[1][1], sizes[0][1])
        self.run_line("exit 3")
        self.shows("the command ended with status 3")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["exit"], outcome["words"]), (3, "the command ended with status 3"))
        self.assert_quiet()

    def test_colours_paste_and_bell(self) -> None:
        """Colours of 24 bits show under the policy; what is pasted arrives as it is; a bell is seen; links are text."""
        self.start(SHELL)
        self.show("terminal", "shell")
        self.shows("$")
        self.run_line("stty -echo")
        self.run_line(r"printf '\033[48;2;10;120;30m\033[4;58;2;9;9;200mtinted\033[0m <b>bold</b> \342\202\254\n'")
        self.shows("tinted <b>bold</b> €")
        self.assertEqual(self.page.locator("#tab0 .xterm-rows b").count(), 0)
        tinted = self.page.locator("#tab0 .xterm-rows span", has_text="tinted")
        self.assertEqual(tinted.evaluate("span => getComputedStyle(span).backgroundColor"), "rgb(10, 120, 30)")
        self.run_line("cat > pasted; sha256sum < pasted; rm pasted", 0)
        pasted = "".join(f"{number} ünï 🐚 <&>\n" for number in range(3000))
        self.page.evaluate(
            """text => {
                const clipboardData = new DataTransfer();
                clipboardData.setData('text/plain', text);
                document.querySelector('#tab0 textarea').dispatchEvent(
                    new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
            }""",
            pasted,
        )
        self.page.keyboard.press("Control+d")
        self.shows(hashlib.sha256(pasted.encode()).hexdigest())
        self.page.evaluate(
            """() => {
                window.flashes = 0;
                const frame = document.querySelector('#tab0 .terminal-frame');
                new MutationObserver(() => { flashes += frame.classList.contains('bell'); })
                    .observe(frame, { attributes: true });
            }"""
        )
        self.run_line(r"printf '\a'")
        self.until("() => flashes === 1", what="the bell")
        screen = self.page.locator("#tab0 .xterm-scrollable-element")
        for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 26)")):
            self.page.emulate_media(color_scheme=scheme)
            self.assertEqual(screen.evaluate("there => getComputedStyle(there).backgroundColor"), colour)
        self.assert_quiet()

    def test_view_only(self) -> None:
        """A terminal that is only looked at shows what comes, and sends neither keys, pastes nor answers of its own."""
        self.start('[targets.show]\nkind = "pty"\ncommand = ["/bin/sh", "-c", "printf \'here\\\\033[6n\'; cat"]\n')
        sent: list[str | bytes] = []
        self.page.on("websocket", lambda leg: leg.on("framesent", lambda frame: sent.append(frame)))
        self.show("terminal", "show", view=True)
        self.shows("here")
        self.run_line("typed")
        self.page.wait_for_timeout(500)
        self.assertEqual(self.lines().strip(), "here")
        self.assertTrue(self.page.locator("#tab0 textarea").evaluate("area => area.readOnly"))
        self.assertEqual([message for message in sent if not str(message).startswith('{"resize":')], [])
        self.assertTrue(sent)
        self.assert_quiet()

    def test_reconnect(self) -> None:
        """A terminal whose relay was killed says it, keeps its lines, and goes on below them on the first screen."""
        self.start(SHELL)
        self.show("terminal", "shell")
        self.shows("$")
        self.run_line("echo one $((40+2)); printf '\\033[?1049h\\033[?1000h\\033[31mother screen'")
        self.shows("other screen")
        self.chain_.relay.kill()
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["transient"]), (1006, True))
        self.chain_.relay.start()
        until(lambda: answers(self.chain_.relay_port), what="the relay")
        self.page.evaluate("tabs[0].connect()")
        self.wait_state(0, "connected")
        self.run_line("echo two $((40+2)); stty size")
        shown = self.shows("two 42")
        self.assertLess(shown.index("one 42"), shown.index("two 42"))
        rows = self.page.locator("#tab0 .xterm-rows > div").count()
        self.shows(f"\n{rows} ")
        self.assert_quiet(but=lambda complaint: "WebSocket" in complaint)

    def test_backpressure(self) -> None:
        """A flood of lines neither fills the page's memory nor blocks it, and the last line comes."""
        self.start(SHELL)
        self.show("terminal", "shell")
        self.shows("$")
        self.page.evaluate(
            """() => {
                window.longest = 0;
                new PerformanceObserver((list) => {
                    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
                }).observe({ type: 'longtask' });
            }"""
        )
        self.run_line("yes 'a line of a flood that goes on and on' | head -c 40000000; echo the en''d")
        self.page.wait_for_timeout(1500)
        held = self.page.evaluate("performance.memory.usedJSHeapSize") / (1 << 20)
        self.assertLess(held, 100, "MiB")
        self.page.keyboard.press("Control+c")  # reaches the host beside the flood
        self.shows("^C")
        self.run_line("clear; echo the en''d")
        self.shows("the end")
        self.assertLess(self.page.evaluate("longest"), 200, "ms")
        self.assert_quiet()

    def test_several_and_destroyed(self) -> None:
        """Two terminals take their own keys; one that is destroyed leaves nothing on the page, and its stream ends."""
        self.start(SHELL)
        styles = self.page.evaluate("document.adoptedStyleSheets.length")
        for number in (0, 1):
            self.show("terminal", "shell")
            self.shows("$", number)
        self.run_line("echo in the first", 0)
        self.run_line("echo in the second", 1)
        self.assertNotIn("second", self.shows("\nin the first", 0))
        self.assertNotIn("first", self.shows("\nin the second", 1))
        self.page.evaluate("tabs[0].viewer.destroy()")
        self.wait_state(0, "closed")
        self.assertEqual(self.page.evaluate("tab0.childElementCount"), 0)
        self.run_line("echo still here", 1)
        self.shows("\nstill here", 1)
        self.page.evaluate("tabs[1].viewer.destroy()")
        self.assertEqual(self.page.evaluate("document.adoptedStyleSheets.length"), styles)
        self.assertTrue(self.page.evaluate("document.createElement === Document.prototype.createElement"))
        self.assert_quiet()

    def test_phone(self) -> None:
        """Where fingers point there are keys that a phone's keyboard lacks; Ctrl makes the next letter a control."""
        self.start(SHELL, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 700})
        self.page.evaluate("document.head.querySelector('link[href=\"/page.css\"]').remove()")
        self.show("terminal", "shell")
        self.page.evaluate("Object.assign(tab0.style, { position: 'relative', width: '390px', height: '600px' })")
        self.shows("$")
        self.run_line("cat -v")
        self.page.get_by_role("button", name="Up").tap()
        self.page.get_by_role("button", name="Tab").tap()
        self.page.keyboard.press("Enter")
        self.shows("\n^[[A")
        control = self.page.get_by_role("button", name="Ctrl")
        control.tap()
        self.assertEqual(control.get_attribute("aria-pressed"), "true")
        self.page.keyboard.type("c")
        self.shows("^C")
        self.assertEqual(control.get_attribute("aria-pressed"), "false")
        self.assertEqual(self.page.evaluate("document.activeElement.className"), "xterm-helper-textarea")
        self.assert_quiet()

    def test_not_installed(self) -> None:
        """Where xterm.js isn't installed the viewer says so in words."""
        self.start(SHELL)
        self.served.folders = {"/third-party/": self.folder, "/": WEB}
        number = self.show("terminal", "shell", state="failed")
        self.assertEqual(
            self.tab(number)["error"], "the terminal's viewer (xterm.js) is not installed on this platform"
        )


class Screen(ViewerTest):
    """What the viewers of a machine's screen have in common."""

    def machine(self, name: str, **consoles: bool | str) -> Machine:
        need_program(PROGRAM)
        machine = start_machine(self.folder, name, **consoles)
        self.addCleanup(machine.stop)
        return machine

    def lit(self, number: int = 0) -> int:
        """How many pixels of a tab's canvas aren't black."""
        picture = self.page.evaluate(PIXELS, number)
        return len(picture["lit"]) if picture else 0

    def same(self, machine: Machine, number: int = 0) -> int:
        """Until the picture is, pixel by pixel, what QEMU itself shows; gives how many pixels are lit."""

        def compare() -> bool:
            return bool(self.page.evaluate(PIXELS, number) == read_ppm(machine.screen()))

        until(compare, what="the machine's own picture")
        lit = self.lit(number)
        self.assertGreater(lit, 100)
        return lit

    def type(self, keys: str, number: int = 0) -> None:
        self.page.evaluate("n => tabs[n].viewer.focus()", number)
        self.page.keyboard.type(keys)

    def echoes(self, machine: Machine, text: str) -> None:
        """Until keys have reached the machine."""
        until(lambda: machine.shown.endswith(text), what=f"{text!r} at the end of {machine.shown!r}")


PIXELS = """n => {
    const canvas = document.querySelector(`#tab${n} canvas`);
    if (!canvas || !canvas.width) return null;
    const { width, height } = canvas;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const lit = [];
    for (let at = 0; at < data.length; at += 4) if ((data[at] | data[at + 1] | data[at + 2]) > 63) lit.push(at / 4);
    return { width, height, lit };
}"""
"""A tab's canvas: its size, and which of its pixels aren't black."""


def read_ppm(picture: bytes) -> dict[str, Any]:
    """The same of a binary PPM."""
    _, size, _, rest = picture.split(b"\n", 3)
    width, height = map(int, size.split())
    lit = [at for at in range(width * height) if max(rest[3 * at : 3 * at + 3]) > 63]
    return {"width": width, "height": height, "lit": lit}


class Vnc(Screen):
    """viewers/vnc.js: noVNC on a stream."""

    def vnc(self, name: str, more: str = "") -> tuple[Machine, str]:
        """A machine with VNC on a port, and its target."""
        port = free_port()
        return self.machine(name, vnc=f"127.0.0.1:{port - 5900}{more}"), f"port/{port}"

    def test_screen_and_keys(self) -> None:
        """The machine's screen is there pixel by pixel, and so is what is typed; of two machines at once, too."""
        self.start()
        machines = []
        for name in ("one", "two"):
            machine, target = self.vnc(name)
            machines.append(machine)
            self.show("vnc", target)
        for number, machine in enumerate(machines):
            before = self.same(machine, number)
            self.type("hello", number)
            self.echoes(machine, "\nhello")
            self.assertGreater(self.same(machine, number), before)
        self.type(" again", 0)
        self.echoes(machines[0], "\nhello again")
        self.assertTrue(machines[1].shown.endswith("\nhello"))
        self.assert_quiet()

    def test_actions(self) -> None:
        """Text is typed as by a keyboard, Ctrl-Alt-Del boots the machine again, and nothing is left of a closed tab."""
        self.start()
        machine, target = self.vnc("one")
        self.show("vnc", target)
        self.same(machine)
        self.page.evaluate("void tabs[0].act('Type text …')")
        self.page.get_by_label("Text", exact=True).fill("Hello: 'World' {_}?")
        self.page.keyboard.press("Enter")
        self.echoes(machine, "\nHello: 'World' {_}?")
        self.until("() => document.activeElement.matches('#tab0 canvas')", what="the focus")
        self.type("!")
        self.echoes(machine, "?1")
        self.page.evaluate("void tabs[0].act('Ctrl-Alt-Del')")
        self.echoes(machine, "?1This is one.\n")
        self.same(machine)
        self.page.evaluate("tabs[0].viewer.destroy()")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True))
        self.assertEqual(self.page.evaluate("tab0.childElementCount"), 0)
        self.assert_quiet()

    def test_reconnect(self) -> None:
        """The last picture stays when the machine is gone; the next stream shows the new one, and takes keys."""
        self.start()
        machine, target = self.vnc("one")
        self.show("vnc", target)
        before = self.same(machine)
        machine.stop()
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True), outcome)
        self.assertEqual(self.lit(), before)
        port = int(target.removeprefix("port/"))
        machine = self.machine("one", vnc=f"127.0.0.1:{port - 5900}")
        self.page.evaluate("tabs[0].connect()")
        self.wait_state(0, "connected")
        self.same(machine)
        self.type("hello")
        self.echoes(machine, "\nhello")
        self.assertEqual(self.page.locator("#tab0 canvas").count(), 1)
        self.assert_quiet()

    def test_password(self) -> None:
        """A server that wants a password gets what was entered in a form; a wrong one is told in words."""
        self.start()
        machine, target = self.vnc("one", ",password=on")
        machine.ask("set_password", protocol="vnc", password="sesame")
        self.show("vnc", target, state="")
        for password, state in (("open", "failed"), ("sesame", "connected")):
            field = self.page.get_by_label("Password", exact=True)
            self.assertEqual(field.get_attribute("type"), "password")
            field.fill(password)
            self.page.keyboard.press("Enter")
            tab = self.wait_state(0, state)
            if state == "failed":
                self.assertEqual(tab["error"], "the VNC server refused: Authentication failed")
                self.assertFalse(tab["outcome"]["transient"])
                self.page.evaluate("void tabs[0].connect()")
        self.same(machine)
        self.assertEqual(self.page.locator("form").count(), 0)
        self.page.evaluate("tabs[0].session.close()")
        self.assertTrue(self.wait_state(0, "closed")["outcome"]["clean"])
        self.page.evaluate("void tabs[0].connect()")
        self.page.get_by_role("button", name="Cancel").click()
        self.assertIn("asks who you are", self.wait_state(0, "failed")["error"])
        self.assert_quiet()

    def test_not_vnc(self) -> None:
        """What isn't a VNC server, and a target that ends before it has said a word, are told in words."""
        self.start()
        listener = self.listen()
        self.show("vnc", listener.target, state="")
        listener.accept().sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        tab = self.wait_state(0, "failed")
        self.assertEqual(tab["error"], "what answers is no VNC server that this viewer understands")
        self.assertFalse(tab["outcome"]["clean"])
        self.show("vnc", listener.target, state="")
        reset(listener.accept())
        self.assertEqual(self.wait_state(1, "failed")["error"], "the target reset the connection")
        self.assert_quiet()


class Spice(Screen):
    """viewers/spice.js: spice-html5 on as many websockets as it has channels."""

    def start_spice(self, *names: str, more: str = "disable-ticketing=on", **settings: Any) -> list[Machine]:
        """Machines with SPICE on ports, each a target of its name."""
        self.ports = {name: free_port() for name in names}
        self.start(
            "".join(
                f'[targets.{name}]\nkind = "tcp"\naddress = "127.0.0.1:{port}"\nspeaks = "spice"\n\n'
                for name, port in self.ports.items()
            ),
            **settings,
        )
        return [self.spice(name, more) for name in names]

    def spice(self, name: str, more: str = "disable-ticketing=on") -> Machine:
        return self.machine(name, spice=f"addr=127.0.0.1,port={self.ports[name]},{more}")

    def test_screen_and_keys(self) -> None:
        """The machine's screen is there pixel by pixel, and so is what is typed; of two machines at once, too."""
        machines = self.start_spice("one", "two")
        for number, (name, machine) in enumerate(zip(self.ports, machines, strict=True)):
            self.show("spice", name)
            before = self.same(machine, number)
            self.type("hello", number)
            self.echoes(machine, "\nhello")
            self.assertGreater(self.same(machine, number), before)
        self.type(" again", 0)
        self.echoes(machines[0], "\nhello again")
        self.assertTrue(machines[1].shown.endswith("\nhello"))
        self.assert_quiet()

    def test_actions(self) -> None:
        """Text is typed, Ctrl-Alt-Del boots the machine again, no tab takes the focus, and a closed one is gone."""
        machine, other = self.start_spice("one", "two")
        for name in self.ports:
            self.show("spice", name)
        self.same(machine)
        self.page.evaluate("void tabs[0].act('Type text …')")
        self.page.get_by_label("Text", exact=True).fill("Hello: 'World' {_}?")
        self.page.keyboard.press("Enter")
        self.echoes(machine, "\nHello: 'World' {_}?")
        self.until("() => document.activeElement.matches('#tab0 canvas')", what="the focus")
        self.page.keyboard.type("!")
        self.echoes(machine, "?1")
        self.page.evaluate("tabs[0].act('Ctrl-Alt-Del')")
        self.echoes(machine, "?1This is one.\n")
        self.same(machine)
        self.page.keyboard.type("a")  # the screens were made anew meanwhile
        self.echoes(machine, "\na")
        self.page.evaluate("tabs[1].act('Ctrl-Alt-Del')")
        self.echoes(other, "This is two.\nThis is two.\n")
        self.same(other, 1)
        self.page.keyboard.type("b")
        self.echoes(machine, "\nab")
        self.page.evaluate("tabs[0].viewer.destroy()")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True))
        self.assertEqual(self.page.evaluate("tab0.childElementCount"), 0)
        self.type("c", 1)
        self.echoes(other, "\nc")
        self.assertEqual(self.page.locator("[id^=spice_surface]").count(), 0)
        self.chain_.agent.wait_for(" to one ended: ", count=4)  # one for each channel
        self.assert_quiet()

    def seen(self, true: Callable[[], bool]) -> None:
        """Until what the browser has sent was told."""
        until(lambda: self.page.evaluate("true") and true(), what="what the browser sends")

    def test_pointer_and_held_keys(self) -> None:
        """The pointer's way is told in the machine's own pixels; a key that is held is released with the focus."""
        self.start_spice("one")
        sent: list[bytes] = []
        self.page.on("websocket", lambda leg: leg.on("framesent", lambda frame: sent.append(frame)))
        self.show("spice", "one")
        until(lambda: self.lit() > 100, what="the screen")
        box = self.page.locator("#tab0 canvas").bounding_box()
        scale = box["width"] / 720
        self.assertGreater(scale, 1.1)
        self.page.mouse.move(box["x"] + 100 * scale, box["y"] + 100 * scale)
        self.seen(lambda: any(frame[:2] == MOUSE_MOTION for frame in sent))
        del sent[:]
        self.page.mouse.move(box["x"] + 300 * scale, box["y"] + 150 * scale, steps=8)
        self.page.mouse.down()
        self.page.mouse.up()
        self.seen(lambda: any(frame[:2] == MOUSE_RELEASE for frame in sent))
        moves = [struct.unpack("<HIii", frame[:14]) for frame in sent if frame[:2] == MOUSE_MOTION]
        ways = [sum(move[axis] for move in moves) for axis in (2, 3)]
        self.assertTrue(abs(ways[0] - 200) <= 2 and abs(ways[1] - 50) <= 2, ways)
        del sent[:]
        self.page.keyboard.down("Shift")
        self.seen(lambda: keys(sent) == [0x2A])
        self.page.evaluate("document.activeElement.blur()")
        self.seen(lambda: keys(sent) == [0x2A, 0xAA])
        self.assert_quiet()

    def test_reconnect(self) -> None:
        """The last picture stays when machine or relay are gone; the next streams show the new one, and take keys."""
        (machine,) = self.start_spice("one")
        self.show("spice", "one")
        before = self.same(machine)
        machine.stop()
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True), outcome)
        self.assertEqual(self.lit(), before)
        machine = self.spice("one")
        self.page.evaluate("tabs[0].connect()")
        self.wait_state(0, "connected")
        self.same(machine)
        self.chain_.relay.kill()
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["transient"]), (1006, True))
        self.chain_.relay.start()
        until(lambda: answers(self.chain_.relay_port), what="the relay")
        self.page.evaluate("tabs[0].connect()")
        self.wait_state(0, "connected")
        self.same(machine)
        self.type("hello")
        self.echoes(machine, "\nhello")
        self.assertEqual(self.page.locator("#tab0 canvas").count(), 1)
        self.assert_quiet(but=lambda complaint: "WebSocket" in complaint)

    def test_password(self) -> None:
        """A server that wants a password gets what was entered in a form, also the second time."""
        (machine,) = self.start_spice("one", more="disable-ticketing=off")
        machine.ask("set_password", protocol="spice", password="sesame")
        self.show("spice", "one", state="")
        for password, words in (("open", "wants a password"), ("sesame", "refused the password")):
            self.page.get_by_text(words).wait_for()
            field = self.page.get_by_label("Password", exact=True)
            self.assertEqual(field.get_attribute("type"), "password")
            field.fill(password)
            self.page.keyboard.press("Enter")
        self.wait_state(0, "connected")
        self.same(machine)
        self.page.evaluate("tabs[0].session.close()")
        self.wait_state(0, "closed")
        self.page.evaluate("tabs[0].connect()")
        self.wait_state(0, "connected")  # it is remembered while the tab is there
        self.show("spice", "one", state="")
        self.page.get_by_role("button", name="Cancel").click()
        tab = self.wait_state(1, "failed")
        self.assertEqual(tab["error"], "the SPICE server was not told the password that it wants")
        self.assert_quiet()

    def test_not_spice(self) -> None:
        """What isn't a SPICE server, and a target that ends before it has said a word, are told in words."""
        listener = self.listen()
        self.start(f'[targets.one]\nkind = "tcp"\naddress = "127.0.0.1:{listener.port}"\nspeaks = "spice"\n')
        self.show("spice", "one", state="")
        listener.accept().sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertEqual(self.wait_state(0, "failed")["error"], "what answers is no SPICE server")
        self.show("spice", "one", state="")
        connection = listener.accept()
        while len(connection.recv(1, socket.MSG_PEEK)) == 0:
            pass
        reset(connection)
        self.assertEqual(self.wait_state(1, "failed")["error"], "the target reset the connection")
        self.assertEqual(self.page.locator("canvas, [id^=spice]").count(), 0)
        self.assert_quiet()


MOUSE_MOTION, MOUSE_RELEASE = struct.pack("<H", 111), struct.pack("<H", 114)
KEYS = (struct.pack("<H", 101), struct.pack("<H", 102))
"""Of the inputs channel (spice-protocol, enums.h)."""


def keys(sent: list[bytes]) -> list[int]:
    """The scan codes among messages of the inputs channel."""
    return [int.from_bytes(frame[6:10], "little") for frame in sent if frame[:2] in KEYS and len(frame) == 10]


class Raw(ViewerTest):
    """viewers/raw.js: bytes as text and in hex."""

    def output(self) -> str:
        return str(self.page.text_content("#tab0 .raw-output"))

    def shows(self, text: str) -> None:
        until(lambda: text in self.output(), what=f"{text!r} in the output")

    def test_text_and_hex(self) -> None:
        """Whatever comes is text: HTML, controls and what isn't UTF-8; and every byte of it stands in the hex view."""
        self.start()
        listener = self.listen()
        self.show("raw", listener.target)
        target = listener.accept()
        said = HOSTILE.encode() + b"\x00\x07\x1b[31m\xff\r\n\xe2\x82\xac\tend\n"
        target.sendall(said[:-9])
        target.sendall(said[-9:])  # in the midst of a letter
        self.shows("end")
        self.assertEqual(self.output(), HOSTILE + "␀␇␛[31m\ufffd\n€\tend\n")
        self.assertEqual(self.page.locator("#tab0 .raw-output *").count(), 0)
        self.page.get_by_label("Show as").select_option("hex")
        rows = self.output().splitlines()
        self.assertEqual(bytes.fromhex("".join(row[10:57] for row in rows)), said)
        self.assertEqual([int(row[:8], 16) for row in rows], list(range(0, len(said), 16)))
        self.assertEqual(rows[0][59:], HOSTILE[:16])
        self.assert_quiet()

    def test_send(self) -> None:
        """Lines, text and hex bytes are sent as they were entered; what is no hex is told, and not sent."""
        self.start()
        listener = self.listen()
        self.show("raw", listener.target)
        target = listener.accept()
        field, how = self.page.get_by_label("What to send"), self.page.get_by_label("Send as")
        for way, entered, sent in (
            ("lf", "héllo", "héllo\n".encode()),
            ("crlf", "GET / HTTP/1.0", b"GET / HTTP/1.0\r\n"),
            ("none", "<b>", b"<b>"),
            ("hex", "00 ff:0x1B,0a", b"\x00\xff\x1b\n"),
        ):
            how.select_option(way)
            field.fill(entered)
            field.press("Enter")
            self.assertEqual(take(target, len(sent)), sent)
        for wrong in ("0", "0g", "-1"):
            field.fill(wrong)
            field.press("Enter")
            self.assertIn("hex digits are expected", self.page.text_content("#tab0 .raw-said"))
            self.assertEqual(field.input_value(), wrong)
        how.select_option("lf")
        field.fill("end")
        field.press("Enter")
        self.assertEqual(take(target, 4), b"end\n")
        target.close()
        self.assertTrue(self.wait_state(0, "closed")["outcome"]["clean"])
        field.fill("more")
        field.press("Enter")
        self.assertEqual(self.page.text_content("#tab0 .raw-said"), "not connected")
        self.assert_quiet()

    def test_flood_and_save(self) -> None:
        """Of 100 MiB the last 64 KiB are on the page, in bounded memory, and the last 64 MiB can be saved."""
        self.start()
        listener = self.listen()
        self.show("raw", listener.target)
        said = seeded(MIB) * 100
        Work(listener.accept().sendall, said).result()
        self.page.get_by_label("Show as").select_option("hex")
        self.shows(f"{len(said) - 16:08x}  ")
        self.assertEqual(len(self.output().splitlines()), 65536 // 16)
        held = self.page.evaluate("performance.memory.usedJSHeapSize") / MIB
        self.assertLess(held, 130, "MiB")
        with self.page.expect_download() as saved:
            self.page.evaluate("tabs[0].act('Save what came')")
        self.assertEqual(saved.value.suggested_filename, f"{HOST}-{listener.target}.bin".replace("/", "-"))
        kept = Path(saved.value.path()).read_bytes()
        self.assertGreaterEqual(len(kept), 64 * MIB)
        self.assertTrue(said.endswith(kept))
        self.assert_quiet()

    def test_view_only(self) -> None:
        """Where one may only look there is nothing to send by."""
        self.start('[targets.log]\nkind = "log"\npath = "FOLDER/log.txt"\n')
        (self.chain_.folder / "log.txt").write_text("one line\n")
        self.show("raw", "log", view=True)
        self.shows("one line\n")
        self.assertTrue(self.page.locator("#tab0 form").is_hidden())
        self.assert_quiet()


HOSTILE = "<script>document.title=1</script><img src=x onerror=alert(1)>&lt;b&gt;"
