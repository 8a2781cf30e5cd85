"""The clipboards of machines, by SPICE and by VNC, texts that are typed, and keys that are held, in Chromium."""

from collections.abc import Callable
from typing import Any

from tests.live.support.fake_spice import BY_DEMAND, CAPABILITIES, CLIPBOARD, GRAB, REQUEST, FakeSpice
from tests.live.support.fake_vnc import FakeVnc
from tests.live.support.waiting import until
from tests.live.viewers.screens import OPENS
from tests.live.viewers.viewing import ViewerTest

TEXT = "grüße\n日本 😀"
PASTES = [(1, 0xFFE3), (1, 0x76), (0, 0x76), (0, 0xFFE3)]
"""Ctrl-V by VNC, as the machine gets it; with Ctrl anew, as that was released before the text had come."""
ON = "Shared clipboard on"
LATE = """async (text) => {
    const key = { key: 'v', code: 'KeyV', ctrlKey: true, bubbles: true, cancelable: true };
    for (const kind of ['keydown', 'keyup']) document.activeElement.dispatchEvent(new KeyboardEvent(kind, key));
    if (text === null) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
}"""
"""A key that pastes goes down and up, and then its text comes, or none."""
RELEASED = """() => document.activeElement.dispatchEvent(new KeyboardEvent('keyup',
    { key: 'Enter', code: 'Enter', ctrlKey: true, bubbles: true, cancelable: true }))"""
"""Enter goes up, which went down elsewhere, while Ctrl is held."""
ACT = "async ([n, label]) => { try { await tabs[n].act(label); return ''; } catch ({ message }) { return message; } }"

TWICE = """async (n) => {
    document.querySelector(`#tab${n} form`).requestSubmit();
    await new Promise((resolve) => setTimeout(resolve, 100));
    try { await tabs[n].act('Type text …'); return ''; } catch ({ message }) { return message; }
}"""
"""A text is sent off, and a little later, before it can be done, whatever else the machine does, the next is chosen."""


class Screens(ViewerTest):
    """Viewers at servers that are the test."""

    def setUp(self) -> None:
        super().setUp()
        self.view.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.spice, self.vnc = FakeSpice(), FakeVnc()
        self.addCleanup(self.spice.close)
        self.addCleanup(self.vnc.close)

    def show_both(self) -> None:
        self.show("spice", self.spice.target)
        self.show("vnc", self.vnc.target)

    def until_there(self, true: Callable[..., object], what: str = "it") -> None:
        """Until a server has got something of the page, which only works while it is asked something."""
        until(lambda: self.view.evaluate("true") is True and bool(true()), what=what)

    def labels(self, number: int = 0) -> list[str]:
        return [str(one) for one in self.view.evaluate("n => tabs[n].viewer.actions.map(({ label }) => label)", number)]

    def choose(self, label: str, number: int = 0) -> str:
        """Choose an action; gives why not, if it fails."""
        return str(self.view.evaluate(ACT, [number, label]))

    def said(self, words: str, number: int = 0) -> None:
        self.until("([n, words]) => tabs[n].said.some((said) => said.includes(words))", [number, words], words)
        self.view.evaluate("n => tabs[n].said.splice(0)", number)

    def write(self, text: str) -> None:
        self.view.evaluate("text => navigator.clipboard.writeText(text)", text)

    def read(self) -> str:
        return str(self.view.evaluate("navigator.clipboard.readText()"))

    def focus(self, number: int = 0) -> None:
        self.view.evaluate("n => tabs[n].viewer.focus()", number)
        self.until("n => document.activeElement.matches(`#tab${n} canvas`)", number, "the focus")

    def copies(self, text: str, number: int = 0) -> None:
        """Somebody copies on a machine."""
        if number:
            self.vnc.copies(text)
            return
        asked = len(self.spice.said(REQUEST))
        self.spice.say(GRAB, b"\1\0\0\0")
        self.until_there(lambda: len(self.spice.said(REQUEST)) > asked, what="the request")
        self.spice.say(CLIPBOARD, b"\1\0\0\0" + text.encode())

    def pasted(self, number: int = 0) -> list[str]:
        """What a machine was given."""
        if number:
            return self.vnc.pasted
        return [content[4:].decode() for content in self.spice.said(CLIPBOARD)]

    def gets(self, text: str, number: int = 0) -> None:
        """Until a machine has been given a text, for which the agent of a SPICE machine asks."""
        if not number:
            self.until_there(lambda: self.spice.said(GRAB), what="the offer")
            self.spice.say(REQUEST, b"\1\0\0\0")
        self.until_there(lambda: self.pasted(number)[-1:] == [text], what=f"{text!r} there")

    def test_shared(self) -> None:
        """Nothing crosses until that is switched on, which counts for that machine alone, is remembered, and ends."""
        self.write("mine")
        self.show_both()
        self.until_there(lambda: self.spice.said(CAPABILITIES), what="the capabilities")
        self.assertFalse(self.spice.said(CAPABILITIES)[0][4] & BY_DEMAND)
        for number in (0, 1):
            self.assertEqual(self.labels(number), ["Ctrl-Alt-Del", "Type text …", ON])
            self.focus(number)
            self.view.keyboard.press("Control+v")
        until(
            lambda: self.view.evaluate("true") and (0, 0x76) in self.vnc.keys and 0xAF in self.spice.keys, what="keys"
        )
        self.spice.say(GRAB, b"\1\0\0\0")
        self.vnc.copies("lies")
        self.until_there(lambda: self.vnc.given == 1)
        self.spice.ping()
        self.vnc.ping()
        self.until_there(lambda: (self.spice.pongs, self.vnc.pongs) == (1, 1))
        self.assertEqual(self.pasted(0) + self.pasted(1), [])
        for number in (0, 1):
            self.assertEqual(self.choose(ON, number), "")
            self.said("replaces your clipboard while its screen has the focus", number)
            self.assertEqual(self.labels(number)[2:], ["Paste to the machine's clipboard", "Shared clipboard off"])
            self.focus(number)
            self.copies(TEXT, number)
            self.said("copied from the machine: 10 characters", number)
            self.assertEqual(self.read(), TEXT)
            self.write(f"ü{number} 日")
            self.assertEqual(self.choose("Paste to the machine's clipboard", number), "")
            self.said("the machine's clipboard has 4 characters of yours", number)
            self.gets(f"ü{number} 日", number)
        self.assertEqual(self.spice.said(REQUEST), [b"\1\0\0\0"])  # "lies" wasn't asked for
        self.show("vnc", self.vnc.target)
        self.assertIn("Shared clipboard off", self.labels(2))
        other = FakeVnc()
        self.addCleanup(other.close)
        self.show("vnc", other.target)
        self.assertEqual(self.labels(3)[2:], [ON])
        self.assertEqual(self.choose("Shared clipboard off", 0), "")
        self.focus(0)
        self.spice.say(GRAB, b"\1\0\0\0")
        self.spice.say(REQUEST, b"\1\0\0\0")
        self.view.keyboard.press("a")
        self.until_there(lambda: self.spice.keys[-1:] == [0x9E], what="a key")
        self.assertEqual((self.labels()[2:], len(self.pasted())), ([ON], 1))
        self.assertEqual(self.read(), "ü1 日")
        self.assert_content()

    def test_key_before_its_text(self) -> None:
        """A text that comes once its key is up, as on a busy machine, is pasted; a key without one is a key."""
        self.show("vnc", self.vnc.target)
        self.choose(ON)
        self.focus()
        self.view.evaluate(LATE, TEXT)
        self.until_there(lambda: self.vnc.keys == [(1, 0x76), (0, 0x76)], what="the key")
        self.assertEqual(self.pasted(1), [TEXT])
        self.view.evaluate(LATE, None)
        self.until_there(lambda: self.vnc.keys == [(1, 0x76), (0, 0x76)] * 2, what="the key alone")
        self.assertEqual(self.pasted(1), [TEXT])
        self.assert_content()

    def test_keys_paste(self) -> None:
        """Ctrl-V at a machine's screen brings the text first, then the key; where there is no text, only the key."""
        self.show_both()
        for number in (0, 1):
            self.choose(ON, number)
            self.focus(number)
            self.write(TEXT)
            self.view.keyboard.press("Control+v")
            self.gets(TEXT, number)
        self.until_there(lambda: self.spice.keys[-4:] == [0x1D, 0x2F, 0xAF, 0x9D], what="its keys")
        self.until_there(lambda: self.vnc.keys[-4:] == PASTES, what="its keys")
        self.write("")
        del self.vnc.keys[:]
        self.view.keyboard.press("Control+v")
        self.until_there(lambda: self.vnc.keys == PASTES, "the key alone")
        self.write("x" * (1 << 20) + "é")
        self.view.keyboard.press("Control+v")
        self.said("nothing was pasted, as it is too much: 1048577 bytes", 1)
        self.assertEqual(len(self.vnc.pasted), 1)
        self.assert_content()

    def test_not_taken(self) -> None:
        """A text that doesn't cross is said: one of too many bytes, of letters that the server has not, by no agent."""
        old = FakeVnc(extended=False)
        self.addCleanup(old.close)
        self.spice.can = 0
        self.show_both()
        self.show("vnc", old.target)
        for number in range(3):
            self.choose(ON, number)
        paste = "Paste to the machine's clipboard"
        self.write("日本 é")
        self.assertIn("SPICE agent takes no clipboard", self.choose(paste))
        self.assertEqual(self.choose(paste, 2), "nothing was pasted, as the VNC server takes no 日 本")
        self.write("é")
        self.assertEqual(self.choose(paste, 2), "")
        self.until_there(lambda: old.pasted == ["é"], what="a text")
        self.focus(1)
        self.vnc.copies("x" * ((1 << 20) + 1))
        self.said("what the machine has copied is too much: 1048577 bytes or more, and at most 1048576", 1)
        self.assertEqual(self.read(), "é")
        self.view.context.clear_permissions()
        self.view.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        self.vnc.copies("later")
        self.said("the machine has copied 5 characters, but the browser did not let this page copy; the menu copies", 1)
        self.assertIn("Copy the machine's clipboard", self.labels(1))
        self.assertEqual(self.choose("Copy the machine's clipboard", 1), "the browser did not let this page copy")
        self.assert_content()

    def test_typed(self) -> None:
        """Line ends are typed; what can't be typed is said first; a stream that ends meanwhile says how far it came."""
        self.show_both()
        text = self.view.get_by_label("Text", exact=True)
        for number in (0, 1):
            self.view.evaluate("n => void tabs[n].act('Type text …')", number)
            text.fill("a\nB\x1b")
            text.press("Control+Enter")
            self.view.get_by_text("Nothing was typed, as a keyboard of the US has no U+001B").wait_for()
            text.fill("a\n\tB")
            self.view.get_by_role("button", name="Type", exact=True).click()
        codes = [0x1E, 0x9E, 0x1C, 0x9C, 0x0F, 0x8F, 0x2A, 0x30, 0xB0, 0xAA]
        try:
            self.until_there(lambda: self.spice.keys == codes, what="the keys")
        except AssertionError:
            self.assertEqual(self.spice.keys, codes)
            raise
        symbols = [0x61, 0xFF0D, 0xFF09, 0xFFE1, 0x42]
        self.until_there(lambda: len(self.vnc.keys) == 10, what="the keys")
        self.assertEqual([keysym for down, keysym in self.vnc.keys if down], symbols)
        self.until_there(lambda: self.view.evaluate(OPENS, 1), what="the next one's form")  # the text has been typed
        text.press("Escape")
        self.view.evaluate("void tabs[1].act('Type text …').catch(({ message }) => tabs[1].said.push(message))")
        text.fill("x" * 5000)
        text.press("Control+Enter")
        self.until_there(lambda: len(self.vnc.keys) > 10, what="the first keys")
        self.vnc.close()
        self.said(" of 5,000 characters typed", 1)
        self.assert_content()

    def test_typed_elsewhere(self) -> None:
        """A text that has been typed leaves the focus where somebody has gone meanwhile, and their keys are not its
        machine's: neither those that are pressed, nor those that are released there after it was pressed elsewhere."""
        self.show_both()
        text = self.view.get_by_label("Text", exact=True)
        servers: tuple[list[Any], ...] = (self.spice.keys, self.vnc.keys)
        for number, keys in enumerate(servers):
            other = 1 - number
            self.view.evaluate("n => void tabs[n].act('Type text …')", number)
            text.fill("x" * 30)
            text.press("Control+Enter")
            self.until_there(lambda keys=keys: len(keys) > 2, what="the first keys")
            self.view.evaluate("n => void tabs[n].act('Type text …')", other)
            text.focus()
            self.until_there(lambda keys=keys: len(keys) == 60, what="all keys")
            self.view.keyboard.type("mine")
            self.view.evaluate("() => new Promise((later) => setTimeout(later, 100))")
            self.view.keyboard.type("!")
            self.assertEqual(text.input_value(), "mine!")
            text.press("Escape")
            self.focus(number)
            self.view.evaluate(RELEASED)
            self.view.keyboard.press("a")
            self.until_there(lambda keys=keys: len(keys) == 62, what="a key of its own")
            del keys[:]
        self.assert_content()

    def test_held(self) -> None:
        """Keys that are held are released as the focus leaves: to a form, to the page, or with the page itself."""
        self.show_both()

        def held(number: int) -> set[int]:
            if number:
                return (
                    {keysym for down, keysym in self.vnc.keys if down} if self.vnc.keys[-1:] != [(0, 0xFFE3)] else set()
                )
            return set(self.spice.keys) if self.spice.keys[-1:] != [0x9D] else set()

        for number in (0, 1):
            for leave in (
                "n => void tabs[n].act('Type text …')",
                "() => document.activeElement.blur()",
                "() => { hidden = true; document.dispatchEvent(new Event('visibilitychange')); hidden = false; }",
            ):
                self.focus(number)
                self.view.keyboard.down("Control")
                self.until_there(lambda number=number: held(number), what="the key")
                self.view.evaluate(
                    "Object.defineProperty(document, 'hidden', { get: () => window.hidden, configurable: true })"
                )
                self.view.evaluate(leave, number)
                until(
                    lambda number=number: self.view.evaluate("true") and not held(number),
                    what=f"its release at {leave}",
                )
                self.view.keyboard.up("Control")
                for button in self.view.get_by_role("button", name="Cancel").all():
                    button.click()
        self.assert_content()

    def test_typed_alone(self) -> None:
        """No text is typed into another: while one is being typed the next is refused, and taken afterwards."""
        self.show_both()
        text = self.view.get_by_label("Text", exact=True)
        keys = (self.spice.keys, self.vnc.keys)
        for number in (0, 1):
            self.view.evaluate("n => void tabs[n].act('Type text …')", number)
            text.fill("x" * 100)
            refused = "nothing was typed, as another text is still being typed"
            self.assertEqual(self.view.evaluate(TWICE, number), refused)
            self.until_there(lambda number=number: len(keys[number]) == 200, what="all keys")
            self.until_there(lambda number=number: self.view.evaluate(OPENS, number), what="the next one's form")
            text.press("Escape")
        self.assert_content()
