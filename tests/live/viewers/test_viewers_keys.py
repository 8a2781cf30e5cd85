"""Keys for machines, by where they are on the keyboard: a machine has a layout of its own."""

import struct
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.node import Scenario
from tests.live.support.ports import free_port
from tests.live.support.waiting import until
from tests.live.viewers.screens import ScreenTest, echoes
from tests.live.viewers.test_viewers_spice import keys

GERMAN = {
    "KeyZ": ("y", 89),
    "KeyY": ("z", 90),
    "Semicolon": ("ö", 192),
    "Slash": ("-", 189),
    "IntlBackslash": ("<", 226),
    "Minus": ("ß", 219),
}
"""What keys of a German keyboard say, by where they are: their letter, and a number that is the letter's."""
OTHERS = {
    "ArrowUp": (0xE048, 38),
    "ArrowLeft": (0xE04B, 37),
    "Numpad7": (0x47, 103),
    "NumpadEnter": (0xE01C, 13),
    "F5": (0x3F, 116),
    "F12": (0x58, 123),
    "Delete": (0xE053, 46),
    "ControlRight": (0xE01D, 17),
    "AltRight": (0xE038, 18),
}
"""Keys without letters: the scan code of each, its prefix first, and the number."""
PLACES = {"KeyZ": 0x2C, "KeyY": 0x15, "Semicolon": 0x27, "Slash": 0x35, "IntlBackslash": 0x56, "Minus": 0x0C}


class Modules(LiveTest):
    """What of it needs no page, in Node."""

    def test_scancodes(self) -> None:
        """Every key of a PC's keyboard has its scan code; what is held is known, and released."""
        for name in ("scancodes_all", "keys_by_place", "keys_modifiers"):
            Scenario(name, {}, "keys.mjs").result()


class German(ScreenTest):
    """A German keyboard, and machines with that of the US."""

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[bytes] = []
        self.view.on("websocket", lambda leg: leg.on("framesent", lambda frame: self.sent.append(frame)))
        self.session = self.view.context.new_cdp_session(self.view)

    def key(self, way: str, code: str, key: str, number: int, **more: Any) -> None:
        event = {"type": way, "code": code, "key": key, "windowsVirtualKeyCode": number, **more}
        self.session.send("Input.dispatchKeyEvent", event)

    def press(self, code: str) -> None:
        key, number = GERMAN.get(code) or (code, OTHERS[code][1])
        self.key(
            "keyDown" if len(key) == 1 else "rawKeyDown", code, key, number, **({"text": key} if key in "y" else {})
        )
        self.key("keyUp", code, key, number)

    def begin(self, viewer: str) -> Any:
        port = free_port()
        spice = viewer == "spice"
        machine = self.machine(
            "one",
            f"addr=127.0.0.1,port={port},disable-ticketing=on" if spice else "",
            vnc="" if spice else f"127.0.0.1:{port - 5900}",
        )
        self.show(viewer, f"{viewer}/{port}")
        self.same(machine)
        self.view.evaluate("tabs[0].viewer.focus()")
        del self.sent[:]
        return machine

    def codes(self) -> list[int]:
        """The scan codes that were sent, each in a frame of a channel."""
        return keys([frame[8:] for frame in self.sent])

    def test_spice(self) -> None:
        """By SPICE each key is sent as its place's scan code, pressed and released."""
        machine = self.begin("spice")
        for code, wanted in PLACES.items():
            self.press(code)
            until(lambda: self.view.evaluate("true") and len(self.codes()) >= 2, what=f"what {code} sends")
            self.assertEqual(self.codes(), [wanted, wanted | 0x80], code)
            del self.sent[:]
        echoes(machine, "\nzy;/\\-")
        for code, (wanted, _) in OTHERS.items():
            self.press(code)
            until(lambda: self.view.evaluate("true") and len(self.codes()) >= 2, what=f"what {code} sends")
            there = wanted if wanted < 0x100 else 0xE0 | (wanted & 0xFF) << 8
            self.assertEqual(self.codes(), [there, there | (0x80 if there < 0x100 else 0x8000)], code)
            del self.sent[:]
        self.assert_content()

    def test_vnc(self) -> None:
        """By VNC it is sent with the letter and with its place, which QEMU goes by."""
        machine = self.begin("vnc")
        for code, wanted in PLACES.items():
            self.press(code)
            until(lambda: self.view.evaluate("true") and len(self.places()) >= 2, what=f"what {code} sends")
            self.assertEqual(self.places(), [(1, wanted), (0, wanted)], code)
            del self.sent[:]
        echoes(machine, "\nzy;/\\-")
        self.assert_content()

    def places(self) -> list[tuple[int, int]]:
        """Of the messages with scan codes (QEMU's extended key event): whether it is down, and the code."""
        found = [
            frame for frame in self.sent if isinstance(frame, bytes) and frame[:2] == b"\xff\0" and len(frame) == 12
        ]
        return [(down, code) for down, _, code in (struct.unpack(">HII", frame[2:]) for frame in found)]
