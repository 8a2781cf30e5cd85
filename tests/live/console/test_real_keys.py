"""A terminal under real keys and a real mouse, in Chromium and Firefox: what the program and the page get."""

from pathlib import Path
from typing import Any

from tests.live.console import real_logs, unseen
from tests.live.console.console import DRAWN, ConsoleChain
from tests.live.console.real_logs import RealLogs
from tests.live.console.unseen import Unseen
from tests.live.support.chain import shared
from tests.live.support.chromium_window import chromium_window
from tests.live.support.fake_spice import CLIPBOARD, GRAB, REQUEST, FakeSpice
from tests.live.support.fake_vnc import FakeVnc
from tests.live.support.firefox import firefox
from tests.live.support.pump import Pump
from tests.live.support.waiting import until

TARGETS = """\
[targets.keys]
kind = "pty"
command = [
    "/bin/sh", "-c",
    "stty raw -echo; > FOLDER/keys; printf '\\\\033[?2004hready to select\\\\r\\\\n'; exec cat >> FOLDER/keys",
]

[targets.drawing]
kind = "pty"
command = ["/bin/sh", "-c", "stty -echo; printf '\\\\033[?25l'; cat FOLDER/drawing; exec cat"]

[targets.desk-spice]
kind = "tcp"
address = "127.0.0.1:SPICE"
speaks = "spice"

[targets.desk-vnc]
kind = "tcp"
address = "127.0.0.1:VNC"
speaks = "vnc"
"""
DRAWING = """\
________________
+------+
|123456|
|✅ ok |
|😀😀😀|
|日本語|
|⚡⭐❌|
|🚀  go|
|❤️ sign|
+------+
drawn
"""
"""Underscores, and a frame whose right side is straight where letters are as wide as programs count."""
KEYS = {
    **{"F1": b"\x1bOP", "F3": b"\x1bOR", "F5": b"\x1b[15~", "F6": b"\x1b[17~", "F7": b"\x1b[18~", "F10": b"\x1b[21~"},
    **{"F11": b"\x1b[23~", "F12": b"\x1b[24~", "shift+F5": b"\x1b[15;2~", "ctrl+F5": b"\x1b[15;5~"},
    **{
        "Tab": b"\t",
        "shift+Tab": b"\x1b[Z",
        "Escape": b"\x1b",
        "ctrl+r": b"\x12",
        "ctrl+f": b"\x06",
        "ctrl+l": b"\x0c",
    },
    **{
        "ctrl+s": b"\x13",
        "ctrl+p": b"\x10",
        "ctrl+d": b"\x04",
        "ctrl+k": b"\x0b",
        "ctrl+u": b"\x15",
        "ctrl+g": b"\x07",
    },
    **{"alt+Left": b"\x1b[1;3D", "alt+d": b"\x1bd", "alt+f": b"\x1bf", "BackSpace": b"\x7f", "slash": b"/"},
    **{"apostrophe": b"'", "A": b"A", "space": b" ", "Return": b"\r", "Prior": b"\x1b[5~"},
}
"""What real keys are for the program. Each of them means something to the page or the browser, too, or is a letter."""
WITHOUT_KEYS = "text => document.execCommand('insertText', false, text)"
PASTE = "safe\x1b[201~\necho INJECTED\x9b201~\n"
"""What ends a bracketed paste from within, by each of two signs."""
PASTED = "\x1b[200~safe␛[201~\recho INJECTED\ufffd201~\r\x1b[201~".encode()
INK = """async (png) => {
    const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return [...document.querySelectorAll('[role=tabpanel]:not([hidden]) .xterm-rows > div')].slice(0, 10).map((row) => {
        const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(
            (name) => Math.round(row.getBoundingClientRect()[name] * devicePixelRatio));
        const { data } = context.getImageData(x, y, width >> 1, height);
        const green = Array.from(data.filter((_, at) => at % 4 === 1));
        const ground = green.at(-1);
        const inked = green.flatMap((one, at) => Math.abs(one - ground) > 50 ? [at % (width >> 1)] : []);
        return Math.max(-1, ...inked);
    });
}"""
"""In each of the rows of a terminal's left half, the last pixel that differs from the ground; -1 where none does."""
CANVAS = "[role=tabpanel]:not([hidden]) canvas"
TEXT = "grüße\n日本"
"""Of a clipboard that is shared with machines."""
ROWS = "document.querySelector('.xterm-rows')?.textContent ?? ''"


class KeysChain(ConsoleChain):
    """With a program that notes what it gets, byte by byte."""

    def __init__(self, folder: Path) -> None:
        self.spice, self.vnc = FakeSpice(), FakeVnc()
        ports = (server.target.rpartition("/")[2] for server in (self.spice, self.vnc))
        targets = TARGETS.replace("SPICE", next(ports)).replace("VNC", next(ports))
        super().__init__(folder, targets + real_logs.TARGET + unseen.TARGET)
        (folder / "drawing").write_text(DRAWING)
        (folder / "paced.py").write_text(unseen.PACED)
        (folder / "long.log").touch()
        self.pump = Pump(self.relay_port)
        self.relay_url = f"ws://127.0.0.1:{self.pump.port}"

    def stop(self) -> None:
        super().stop()
        self.spice.close()
        self.vnc.close()
        self.pump.close()


class RealKeys(RealLogs, Unseen):
    """One walk by whoever sits there, in each browser."""

    def setUp(self) -> None:
        super().setUp()
        self.common: Any = shared(kind=KeysChain)
        self.taken = 0

    def test_chromium(self) -> None:
        """In Chromium."""
        with chromium_window(self.folder, self.display.environment) as page:
            self.walk(page, "chromium")

    def test_firefox(self) -> None:
        """In Firefox."""
        with firefox(self.folder, self.display.environment) as page:
            self.walk(page, "firefox")

    def walk(self, page: Any, name: str) -> None:
        self.view = page
        page.goto(f"{self.common.console}/")
        self.sign_in()
        self.choose("keys")
        self.until(f"({ROWS}).includes('ready')")
        self.display.focus(name)
        self.click(".xterm-screen")
        page.evaluate("window.here = true")
        for support in ("off", "on"):
            if support == "on":
                self.act("Screen reader support on")
            self.keys()
            self.without_keys()
        self.copies()
        self.pastes()
        self.shares()
        self.draws()
        self.assertTrue(page.evaluate("window.here && document.activeElement.matches('.xterm textarea')"))
        page.scale(1)
        self.until("devicePixelRatio === 1")
        self.log_keys()
        self.copied_from_log()
        self.comes_and_goes()
        self.assertEqual(page.complaints, [])
        self.link_dies()
        self.leaves()

    def keys(self) -> None:
        """Keys are the program's, and the page stays."""
        for key, wanted in KEYS.items():
            self.display.press(key)
            self.got(wanted, key)

    def without_keys(self) -> None:
        """Text that no key brought arrives once, also after a key whose release another window has had."""
        for text in ("😀", "dictated words ", "é"):
            self.view.evaluate(f"({WITHOUT_KEYS})({text!r})")
            self.got(text.encode(), text)
        self.view.evaluate("""document.activeElement.dispatchEvent(
            new KeyboardEvent('keydown', { key: '.', code: 'Period', keyCode: 190, metaKey: true, bubbles: true }))""")
        self.view.evaluate(f"({WITHOUT_KEYS})('🚀')")
        self.got("🚀".encode(), "what an emoji picker gives")

    def copies(self) -> None:
        """Ctrl-Shift-C is the page's own, and says so if nothing is selected."""
        inner = self.view.evaluate("[innerWidth, innerHeight]")
        self.display.press("ctrl+shift+c")
        self.says("Nothing is selected.")
        self.assertEqual(self.view.evaluate("[innerWidth, innerHeight, document.hasFocus()]"), [*inner, True])
        x, y = self.place(".xterm-rows > div", 0, 0.5)
        self.display.drag(x + 2, y, x + 45)
        self.display.press("ctrl+shift+c")
        until(lambda: self.pasted() == b"\x1b[200~ready\x1b[201~", what="what was copied")

    def pastes(self) -> None:
        """A paste stays one, by keys and by the mouse's middle button, with the selection of another place."""
        self.clipboard_has(PASTE)
        self.click(".xterm-screen")
        self.display.press("ctrl+shift+v")
        self.got(PASTED, "by keys")
        self.click(".xterm-screen", button=2)
        self.got(PASTED, "by the middle button")
        self.view.evaluate("document.querySelector('#field').remove()")

    def draws(self) -> None:
        """Underscores are seen, and wide letters are as wide as programs count, at each scale of the screen."""
        self.choose("drawing")
        self.until("document.querySelector('[role=tabpanel]:not([hidden])').textContent.includes('drawn')")
        for scale in (1, 1.25, 2):
            self.view.scale(scale)
            self.until(f"devicePixelRatio === {scale}")
            ink: list[int] = []

            def straight(ink: list[int] = ink) -> bool:
                self.view.evaluate(f"({DRAWN})()")
                ink[:] = self.view.evaluate(f"({INK})({self.view.picture()!r})")
                underscores, top, *sides, _ = ink
                return underscores > top and max(sides) - min(sides) <= 1

            try:
                until(straight, what=f"underscores, and a straight side, at {scale}")
            except AssertionError as error:
                raise AssertionError(f"{error}: {ink}") from None

    def shares(self) -> None:
        """A machine whose clipboard is shared gets a text with the key that pastes it, and what it copies is here."""
        spice, vnc = self.common.spice, self.common.vnc
        for name in ("desk-spice", "desk-vnc"):
            self.choose(name)
            self.until("document.querySelector('[role=tabpanel]:not([hidden])').dataset.state === 'open'")
            self.until(f"document.querySelector({CANVAS!r})?.width")
            self.act("Shared clipboard on", CANVAS)
            self.clipboard_has(TEXT)
            self.click(CANVAS)
            self.display.press("ctrl+v")
            if name == "desk-spice":
                until(lambda: spice.said(GRAB), what="the offer")
                spice.say(REQUEST, b"\1\0\0\0")
                until(lambda: spice.said(CLIPBOARD) == [b"\1\0\0\0" + TEXT.encode()], what="the text")
                until(lambda: 0xAF in spice.keys, what="V")
                spice.say(GRAB, b"\1\0\0\0")
                until(lambda: spice.said(REQUEST), what="the question")
                spice.say(CLIPBOARD, b"\1\0\0\0" + f"{TEXT} of {name}".encode())
            else:
                until(lambda: vnc.pasted[-1:] == [TEXT], what="the text")
                until(lambda: (0, 0x76) in vnc.keys, what="V")
                vnc.copies(f"{TEXT} of {name}")
            self.says(f"Copied from the machine: {len(TEXT) + 4 + len(name)} characters.")
            self.field_gets(f"{TEXT} of {name}")
            self.view.evaluate("document.querySelector('#field').remove()")
            for noted in (spice.heard, spice.keys, vnc.pasted, vnc.keys):
                noted.clear()

    def copied_from_log(self) -> None:
        """What was selected in the log is what is pasted into the terminal."""
        self.choose("keys")
        until(lambda: self.pasted() == b"\x1b[200~line 495 of it\x1b[201~", what="what was copied")

    def leaves(self) -> None:
        """The page asks before it is left."""
        self.display.press("ctrl+w")
        until(self.view.asked, what="the question")
        self.view.answer(False)
        self.assertEqual(self.view.asked(), ["beforeunload"])

    def field(self, text: str) -> None:
        """A field of the page's own, with a text in it, which takes keys."""
        self.view.evaluate(f"""(() => {{
            const field = document.querySelector('#field') ?? document.createElement('textarea');
            field.id = 'field';
            field.style = 'position: fixed; inset: 0 auto auto 0; z-index: 99';
            field.value = {text!r};
            document.body.append(field);
        }})()""")
        self.click("#field")

    def clipboard_has(self, text: str) -> None:
        self.field(text)
        self.display.press("ctrl+a", "ctrl+c")
        self.field_gets(text)

    def field_gets(self, text: str) -> None:
        """Until the clipboard, into which the browser may have yet to write, has a text."""
        self.field("")

        def pasted() -> bool:
            self.display.press("ctrl+a", "ctrl+v")
            return bool(self.view.holds(f"document.querySelector('#field').value === {text!r}"))

        until(pasted, what=f"{text!r} in the clipboard")

    def got(self, wanted: bytes, what: str) -> None:
        """Until the program has got bytes, and no others."""
        there = self.common.folder / "keys"

        def come() -> bool:
            return len(there.read_bytes()) >= self.taken + len(wanted)

        try:
            until(come, what=what)
        except AssertionError as late:
            raise AssertionError(f"{what}: {there.read_bytes()[self.taken :]!r}, not {wanted!r}") from late
        self.assertEqual(there.read_bytes()[self.taken :], wanted, what)
        self.taken += len(wanted)

    def pasted(self) -> bytes:
        """The program gets the clipboard, which is still empty while the browser has yet to write it."""
        there, begun = self.common.folder / "keys", self.taken
        self.display.press("ctrl+shift+v")
        until(lambda: there.read_bytes()[begun:].endswith(b"\x1b[201~"), what="a paste")
        self.taken = len(there.read_bytes())
        return bytes(there.read_bytes()[begun : self.taken])
