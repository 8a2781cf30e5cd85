"""Machines whose screens are looked at in a browser, and compared with what QEMU itself has, pixel by pixel."""

from typing import Any

from tests.live.chain import need_program, until
from tests.live.machine import PROGRAM, Machine, start_machine
from tests.live.viewing import ViewerTest


class ScreenTest(ViewerTest):
    """A machine of QEMU, and what its viewer shows of it."""

    def machine(self, name: str, **consoles: bool | str) -> Machine:
        need_program(PROGRAM)
        machine = start_machine(self.folder, name, **consoles)
        self.addCleanup(machine.stop)
        return machine

    def lit(self, number: int = 0) -> int:
        """How many pixels of a tab's canvas aren't black."""
        picture = self.view.evaluate(PIXELS, number)
        return len(picture["lit"]) if picture else 0

    def same(self, machine: Machine, number: int = 0) -> int:
        """Until the picture is, pixel by pixel, what QEMU itself shows; gives how many pixels are lit."""

        def compare() -> bool:
            return bool(self.view.evaluate(PIXELS, number) == read_ppm(machine.screen()))

        until(compare, what="the machine's own picture")
        lit = self.lit(number)
        self.assertGreater(lit, 100)
        return lit

    def type(self, keys: str, number: int = 0) -> None:
        self.view.evaluate("n => tabs[n].viewer.focus()", number)
        self.view.keyboard.type(keys)

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
