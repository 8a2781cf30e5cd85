"""The viewers of terminals and of bytes, each on a bare page under the platform's policy, on real processes."""

import hashlib
from pathlib import Path
from typing import Any

from tests.live.console.console import PHONE
from tests.live.support.chain import HOST
from tests.live.support.pace import Stopwatch
from tests.live.support.sockets import MIB, give, seeded, take
from tests.live.support.waiting import WAIT, Work, until
from tests.live.viewers.viewing import TerminalTest, ViewerTest

DARK, LIGHT = "rgb(20, 23, 26)", "rgb(255, 255, 255)"
"""What stands behind the terminal's text."""


class Terminal(TerminalTest):
    """viewers/terminal.js: xterm.js on a stream."""

    def test_size_and_status(self) -> None:
        """The host knows the size that is shown, also after it has changed, and the status of `exit 3` is told."""
        self.show("terminal", "shell")
        self.shows("$")
        sizes: list[tuple[int, int]] = []
        told: list[tuple[int, int]] = []
        for width, height in ((800, 480), (520, 300)):
            self.view.evaluate(
                "([w, h]) => { const s = tab0.style; s.width = `${w}px`; s.height = `${h}px`; }", [width, height]
            )
            self.view.wait_for_timeout(600)
            if sizes:
                until(lambda: self.shown_rows() != sizes[-1][0], what="another size")
            until(lambda: self.ask_size(told)[0] == self.shown_rows(), what="the size that is shown")
            rows, columns = told[-1]
            self.run_line(f"clear; printf '=%.0s' $(seq {columns}); echo; echo again")
            self.assertIn(f"\n{'=' * columns}\nagain\n", "\n" + self.shows("=\nagain"))
            sizes.append((rows, columns))
        self.assertLess(sizes[1], sizes[0])
        self.assertLess(sizes[1][1], sizes[0][1])
        self.run_line("exit 3")
        self.shows("the command ended with status 3")
        outcome = self.wait_state(0, "closed")["outcome"]
        self.assertEqual((outcome["exit"], outcome["words"]), (3, "the command ended with status 3"))
        self.assert_content()

    def ask_size(self, told: list[tuple[int, int]]) -> tuple[int, int]:
        """Rows and columns as the host knows them."""
        self.run_line("clear; stty size; echo over")
        shown = self.shows("\nover")
        rows, columns = map(int, next(line for line in shown.splitlines() if line[:1].isdigit()).split())
        told.append((rows, columns))
        return rows, columns

    def shown_rows(self) -> int:
        return int(self.view.locator("#tab0 .xterm-rows > div").count())

    def test_colours_paste_and_bell(self) -> None:
        """Colours of 24 bits show under the policy; what is pasted arrives as it is; a bell is seen; links are text."""
        self.show("terminal", "shell")
        self.shows("$")
        self.run_line("stty -echo")
        self.run_line(r"printf '\033[48;2;10;120;30m\033[4;58;2;9;9;200mtinted\033[0m <b>bold</b> \342\202\254\n'")
        self.shows("tinted <b>bold</b> €")
        self.assertEqual(self.view.locator("#tab0 .xterm-rows b").count(), 0)
        tinted = self.view.locator("#tab0 .xterm-rows span", has_text="tinted")
        self.assertEqual(tinted.evaluate("span => getComputedStyle(span).backgroundColor"), "rgb(10, 120, 30)")
        self.run_line("cat > pasted; sha256sum < pasted; rm pasted", 0)
        pasted = "".join(f"{number} ünï 🐚 <&>\n" for number in range(3000))
        self.view.evaluate(
            """text => {
                const clipboardData = new DataTransfer();
                clipboardData.setData('text/plain', text);
                document.querySelector('#tab0 textarea').dispatchEvent(
                    new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
            }""",
            pasted,
        )
        self.view.keyboard.press("Control+d")
        self.shows(hashlib.sha256(pasted.encode()).hexdigest())
        self.view.evaluate(
            """() => {
                window.flashes = 0;
                const frame = document.querySelector('#tab0 .terminal-frame');
                new MutationObserver(() => { flashes += frame.classList.contains('bell'); })
                    .observe(frame, { attributes: true });
            }"""
        )
        self.run_line(r"printf '\a'")
        self.until("() => flashes === 1", what="the bell")
        screen = self.view.locator("#tab0 .xterm-scrollable-element")
        for act, scheme, colour in (
            ("() => {}", "dark", DARK),
            ("() => { document.documentElement.dataset.theme = 'light'; }", "dark", LIGHT),
            ("() => { delete document.documentElement.dataset.theme; }", "dark", DARK),
            ("() => {}", "light", LIGHT),
        ):
            self.view.emulate_media(color_scheme=scheme)
            self.view.evaluate(act)
            until(
                lambda colour=colour: screen.evaluate("there => getComputedStyle(there).backgroundColor") == colour,
                what=f"{scheme}: the colours of the page",
            )
        self.assert_content()

    def test_hostile_escapes(self) -> None:
        """A target sets no title and no clipboard; where its links lead is shown as it is before one is followed."""
        self.show("terminal", "shell")
        self.shows("$")
        self.run_line("stty -echo")
        title = self.view.title()
        said: list[str] = []

        def dismiss(dialog: Any) -> None:
            said.append(dialog.message)
            dialog.dismiss()

        self.view.on("dialog", dismiss)
        address = r"https://b\303\274cher.example/\342\200\256gpj"
        self.run_line(
            rf"printf '\033]0;owned\007\033]2;owned\007\033]52;c;b3duZWQ=\007\033]8;;{address}\007bank\033]8;;\007\n'"
        )
        self.run_line(r"printf '\033]8;;javascript:alert(1)\007script\033]8;;\007\n'")
        self.run_line(r"printf 'see https://plain.example/a_b?c=d, too\n'")
        self.shows("plain.example")
        pages = len(self.view.context.pages)
        for text in ("script", "bank", "plain.example"):
            link = self.view.locator("#tab0 .xterm-rows span", has_text=text).last
            link.hover(force=True)  # the screen lies over its rows
            if text == "script":  # none, and so nothing that could be waited for
                self.view.wait_for_timeout(200)
            else:
                self.until("() => document.querySelector('#tab0 .xterm-cursor-pointer')", what=f"the link {text}")
            link.click(force=True)
        self.assertEqual(len(said), 2, said)
        self.assertIn("leads to\n\nhttps://plain.example/a_b?c=d\n", said[1])
        self.assertIn("https://xn--bcher-kva.example/%E2%80%AEgpj", said[0])
        self.assertTrue(said[0].isascii())
        self.assertEqual((self.view.title(), len(self.view.context.pages)), (title, pages))
        self.assert_content()

    def test_view_only(self) -> None:
        """A terminal that is only looked at shows what comes, and sends neither keys, pastes nor answers of its own."""
        sent: list[str | bytes] = []
        self.view.on("websocket", lambda leg: leg.on("framesent", lambda frame: sent.append(frame)))
        self.show("terminal", "asks", view=True)
        self.shows("here")
        self.run_line("typed")
        self.view.wait_for_timeout(500)
        self.assertEqual(self.lines().strip(), "here")
        self.assertTrue(self.view.locator("#tab0 textarea").evaluate("area => area.readOnly"))
        self.assertEqual([message for message in sent if not str(message).startswith('{"resize":')], [])
        self.assertTrue(sent)
        self.assert_content()

    def test_reconnect(self) -> None:
        """A terminal whose relay was killed says it, keeps its lines, and goes on below them on the first screen."""
        self.show("terminal", "shell")
        self.shows("$")
        self.run_line("echo one $((40+2)); printf '\\033[?1049h\\033[?1000h\\033[31moth''er screen'")
        self.shows("other screen")
        self.relay_killed()
        self.run_line("echo two $((40+2)); stty size")
        shown = self.shows("two 42")
        self.assertLess(shown.index("one 42"), shown.index("two 42"))
        rows = self.view.locator("#tab0 .xterm-rows > div").count()
        self.shows(f"\n{rows} ")
        self.assert_content()

    def test_backpressure(self) -> None:
        """A flood of lines neither fills the page's memory nor blocks it, and the last line comes."""
        self.show("terminal", "shell")
        self.shows("$")
        self.view.evaluate(
            """() => {
                window.longest = 0;
                new PerformanceObserver((list) => {
                    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
                }).observe({ type: 'longtask' });
            }"""
        )
        watch = Stopwatch()
        self.run_line("yes 'a line of a flood that goes on and on' | head -c 40000000; echo the en''d")
        self.view.wait_for_timeout(1500)
        self.assertLess(self.held(), 100, "MiB")
        self.view.keyboard.press("Control+c")  # reaches the host beside the flood
        self.shows("^C")
        self.run_line("clear; echo the en''d")
        self.shows("the end")
        self.assertLess(watch.fairly(self.view.evaluate("longest")), 200, "ms")
        self.assert_content()

    def test_several_and_destroyed(self) -> None:
        """Two terminals take their own keys; one that is destroyed leaves nothing on the page, and its stream ends."""
        styles = self.view.evaluate("document.adoptedStyleSheets.length")
        for number in (0, 1):
            self.show("terminal", "shell")
            self.shows("$", number)
        self.run_line("echo in the first", 0)
        self.run_line("echo in the second", 1)
        self.assertNotIn("second", self.shows("\nin the first", 0))
        self.assertNotIn("first", self.shows("\nin the second", 1))
        self.view.evaluate("tabs[0].viewer.destroy()")
        self.wait_state(0, "closed")
        self.assertEqual(self.view.evaluate("tab0.childElementCount"), 0)
        self.run_line("echo still here", 1)
        self.shows("\nstill here", 1)
        self.view.evaluate("tabs[1].viewer.destroy()")
        self.assertEqual(self.view.evaluate("document.adoptedStyleSheets.length"), styles)
        self.assertTrue(self.view.evaluate("document.createElement === Document.prototype.createElement"))
        self.assert_content()

    def test_phone(self) -> None:
        """Where fingers point there are keys that a phone's keyboard lacks; Ctrl makes the next letter a control."""
        self.view = self.bare(**PHONE)
        self.show("terminal", "shell")
        self.shows("$")
        self.run_line("clear; seq -f 'line-%g' 200; echo o''ver")
        self.shows("over")
        self.swipe(200)
        until(lambda: "over" not in (shown := self.lines()) and "line-170" in shown, what="lines of before")
        self.swipe(-300)
        self.shows("over")
        self.run_line("clear; cat -v")
        self.view.get_by_role("button", name="Up").tap()
        self.view.get_by_role("button", name="Tab").tap()
        self.view.keyboard.press("Enter")
        self.shows("\n^[[A")
        control = self.view.get_by_role("button", name="Ctrl")
        control.tap()
        self.assertEqual(control.get_attribute("aria-pressed"), "true")
        self.view.keyboard.type("c")
        self.shows("^C")
        self.assertEqual(control.get_attribute("aria-pressed"), "false")
        self.assertEqual(self.view.evaluate("document.activeElement.className"), "xterm-helper-textarea")
        self.assert_content()

    def swipe(self, down: int) -> None:
        """Move a finger on the terminal, so many pixels."""
        session = self.view.context.new_cdp_session(self.view)
        for at in range(11):
            kind = "touchMove" if at else "touchStart"
            point = {"x": 150, "y": 240 - down / 2 + at * down / 10}
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def test_not_installed(self) -> None:
        """Where xterm.js isn't installed the viewer says so in words."""
        self.view.route("**/third-party/**", lambda route: route.fulfill(status=404))
        number = self.show("terminal", "shell", state="failed")
        self.assertEqual(
            self.tab(number)["error"], "the terminal's viewer (xterm.js) is not installed on this platform"
        )


class Raw(ViewerTest):
    """viewers/raw.js: bytes as text and in hex."""

    def output(self) -> str:
        return str(self.view.text_content("#tab0 .raw-output"))

    def shows(self, text: str, seconds: float = WAIT) -> None:
        until(lambda: text in self.output(), seconds, f"{text!r} in the output")

    def test_text_and_hex(self) -> None:
        """Whatever comes is text: HTML, controls and what isn't UTF-8; and every byte of it stands in the hex view."""
        listener = self.listen()
        self.show("raw", listener.target)
        target = listener.accept()
        said = HOSTILE.encode() + b"\x00\x07\x1b[31m\xff\r\n\xe2\x82\xac\tend\n"
        target.sendall(said[:-9])
        target.sendall(said[-9:])  # in the midst of a letter
        self.shows("end")
        self.assertEqual(self.output(), HOSTILE + "␀␇␛[31m\ufffd\n€\tend\n")
        self.view.get_by_text(f"{len(said)} bytes; not all of it is text: hex shows each byte").wait_for()
        self.assertEqual(self.view.locator("#tab0 .raw-output *").count(), 0)
        self.view.get_by_label("Show as").select_option("hex")
        rows = self.output().splitlines()
        self.assertEqual(bytes.fromhex("".join(row[10:57] for row in rows)), said)
        self.assertEqual([int(row[:8], 16) for row in rows], list(range(0, len(said), 16)))
        self.assertEqual(rows[0][59:], HOSTILE[:16])
        self.assert_content()

    def test_send(self) -> None:
        """Lines, text and hex bytes are sent as they were entered; no hex and too much are told, and not sent."""
        listener = self.listen()
        self.show("raw", listener.target)
        target = listener.accept()
        self.view.get_by_text("This is the connection itself, for what has no viewer of its own").wait_for()
        field, how = self.view.get_by_label("What to send"), self.view.get_by_label("Send as")
        for way, entered, sent in (
            ("lf", "héllo", "héllo\n".encode()),
            ("crlf", "GET / HTTP/1.0\nHost: a", b"GET / HTTP/1.0\r\nHost: a\r\n"),
            ("none", "<b>\n</b>", b"<b>\n</b>"),
            ("hex", "00 ff:0x1B,0a", b"\x00\xff\x1b\n"),
        ):
            how.select_option(way)
            field.fill(entered)
            field.press("Enter")
            self.assertEqual(take(target, len(sent)), sent)
        for wrong in ("0", "0g", "-1"):
            field.fill(wrong)
            field.press("Enter")
            self.assertIn("hex digits are expected", self.view.text_content("#tab0 .raw-said"))
            self.assertEqual(field.input_value(), wrong)
        how.select_option("none")
        self.assertEqual(field.get_attribute("placeholder"), "Text to send, with no more than is in it")
        field.evaluate(PASTE, "x" * (MIB + 1))
        self.assertIn("nothing was pasted, as it is too much: 1048577", self.view.text_content("#tab0 .raw-said"))
        field.fill("é" * (MIB // 2) + "x")
        field.press("Enter")
        self.assertIn("too much: 1048577 bytes, and at most 1048576", self.view.text_content("#tab0 .raw-said"))
        how.select_option("lf")
        field.fill("end")
        field.press("Enter")
        self.assertEqual(take(target, 4), b"end\n")
        target.close()
        self.assertTrue(self.wait_state(0, "closed")["outcome"]["clean"])
        field.fill("more")
        field.press("Enter")
        self.assertEqual(self.view.text_content("#tab0 .raw-said"), "not connected")
        self.assert_content()

    def test_flood_and_save(self) -> None:
        """Of 72 MiB the last 64 KiB are on the page, in bounded memory, and the last 64 MiB, no more, can be saved."""
        listener = self.listen()
        self.show("raw", listener.target)
        said = seeded(MIB) * 72
        Work(give, listener.accept(), said).result(9 * WAIT)
        self.view.get_by_label("Show as").select_option("hex")
        self.shows(f"{len(said) - 16:08x}  ", 3 * WAIT)
        self.assertEqual(len(self.output().splitlines()), 65536 // 16)
        self.assertLess(self.held(), 130, "MiB")
        with self.view.expect_download() as saved:
            self.view.evaluate("tabs[0].act('Save what came')")
        self.assertEqual(saved.value.suggested_filename, f"{HOST}-{listener.target}.bin".replace("/", "-"))
        kept = Path(saved.value.path()).read_bytes()
        self.assertTrue(64 * MIB <= len(kept) < 66 * MIB, len(kept))
        self.assertTrue(said.endswith(kept))
        self.assert_content()

    def test_view_only(self) -> None:
        """Where one may only look there is nothing to send by."""
        self.show("raw", "log", view=True)
        self.shows("first line\n")
        self.assertTrue(self.view.locator("#tab0 form").is_hidden())
        self.assert_content()


PASTE = """(field, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
}"""
HOSTILE = "<script>document.title=1</script><img src=x onerror=alert(1)>&lt;b&gt;"
