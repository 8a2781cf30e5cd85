"""Machines whose screens are looked at in a browser, and compared with what QEMU itself has, pixel by pixel."""

from typing import Any

from tests.live.support.machine import PROGRAM, Machine, start_machine
from tests.live.support.processes import need_program
from tests.live.support.waiting import WAIT, until
from tests.live.viewers.viewing import ViewerTest

ENDS = ("the target reset the connection", "the machine closed the stream before it showed anything")
"""What is told of a target that was reset, or ended, before it showed anything."""
OPENS = "n => { tabs[n].act('Type text …').catch(() => {}); return !!document.querySelector(`#tab${n} textarea`); }"
"""Whether a text is asked for."""


class ScreenTest(ViewerTest):
    """A machine of QEMU, and what its viewer shows of it."""

    def machine(self, name: str, spice: str = "", vnc: str = "", options: tuple[str, ...] = ()) -> Machine:
        need_program(PROGRAM)
        machine = start_machine(self.folder, name, spice, vnc, options=options)
        self.addCleanup(machine.stop)
        return machine

    def lit(self, number: int = 0) -> int:
        """How many pixels of a tab's canvas aren't black."""
        return lit(self.view.locator(f"#tab{number}"))

    def same(self, machine: Machine, number: int = 0) -> int:
        """Until the picture is, pixel by pixel, what QEMU itself shows; gives how many pixels are lit."""
        return same(self.view.locator(f"#tab{number}"), machine)

    def stopped(self, machine: Machine, number: int = 0) -> None:
        """Stop a machine: its tab is told an end in order, and keeps the picture."""
        before = self.same(machine, number)
        machine.stop()
        outcome = self.wait_state(number, "closed")["outcome"]
        self.assertEqual((outcome["code"], outcome["clean"]), (1000, True), outcome)
        self.assertEqual(self.lit(number), before)

    def type(self, keys: str, number: int = 0) -> None:
        self.view.evaluate("n => tabs[n].viewer.focus()", number)
        self.view.keyboard.type(keys)


PIXELS = """place => {
    const canvas = place.querySelector('canvas');
    if (!canvas || !canvas.width) return null;
    const { width, height } = canvas;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const lit = [];
    for (let at = 0; at < data.length; at += 4) if ((data[at] | data[at + 1] | data[at + 2]) > 63) lit.push(at / 4);
    return { width, height, lit };
}"""
"""Of the canvas in an element: its size, and which of its pixels aren't black."""


def lit(place: Any) -> int:
    """How many pixels of the canvas in an element aren't black; 0 if there is none."""
    picture = place.evaluate(PIXELS)
    return len(picture["lit"]) if picture else 0


def shows(place: Any, machine: Machine) -> bool:
    """Whether the canvas in an element is, pixel by pixel, what QEMU itself shows."""
    return bool(place.evaluate(PIXELS) == read_ppm(machine.screen()))


def same(place: Any, machine: Machine, seconds: float = WAIT) -> int:
    """Until it is; gives how many pixels are lit."""
    until(lambda: shows(place, machine), seconds, "the machine's own picture")
    count = lit(place)
    if count <= 100:
        raise AssertionError(f"only {count} pixels are lit")
    return count


def echoes(machine: Machine, text: str) -> None:
    """Until keys have reached the machine."""
    try:
        until(lambda: machine.shown.endswith(text))
    except AssertionError:
        raise AssertionError(f"{text!r} is not at the end of {machine.shown!r}") from None


def read_ppm(picture: bytes) -> dict[str, Any]:
    """The same of a binary PPM."""
    _, size, _, rest = picture.split(b"\n", 3)
    width, height = map(int, size.split())
    lit = [at for at in range(width * height) if max(rest[3 * at : 3 * at + 3]) > 63]
    return {"width": width, "height": height, "lit": lit}
