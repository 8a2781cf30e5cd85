"""Virtual machines of QEMU for tests, as the demo has one; Debian: qemu-system-x86."""

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from streamrelay.demo.virtual_machine import PROGRAM as PROGRAM
from streamrelay.demo.virtual_machine import command
from tests.live.support.waiting import WAIT, until


class Machine(NamedTuple):
    """One that runs; `stop` it."""

    process: "subprocess.Popen[bytes]"
    qmp: Path
    """Its QMP socket, which serves one client at a time."""

    @property
    def shown(self) -> str:
        """What it has written to its screen so far: its line, and the keys that reached it."""
        return self.qmp.with_suffix(".shown").read_text(errors="replace")

    def take(self, keyboard: Any, text: str) -> None:
        """Type a text, each key once the one before has come: a machine without its turn drops what is over eight."""
        before = len(self.shown)
        for end in range(1, len(text) + 1):
            keyboard.type(text[end - 1])
            until(lambda end=end: text[:end] in self.shown[before:], what=f"{text[:end]!r} in the machine")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, command: str, **arguments: object) -> Any:
        """What QEMU answers to a QMP command, on a connection that ends with it."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(WAIT)
            sock.connect(str(self.qmp))
            lines = sock.makefile("rb")
            lines.readline()
            for execute, more in (("qmp_capabilities", {}), (command, arguments)):
                sock.sendall(json.dumps({"execute": execute, "arguments": more}).encode())
                while "event" in (answer := json.loads(lines.readline())):
                    pass
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def screen(self) -> bytes:
        """Its picture as QEMU itself has it, a PPM; for comparisons, whatever a console shows."""
        path = self.qmp.with_suffix(".ppm")
        self.ask("screendump", filename=str(path))
        return path.read_bytes()


def start_machine(
    folder: Path,
    name: str,
    spice: bool | str = False,
    vnc: bool | str = False,
    text: str | None = None,
    options: tuple[str, ...] = (),
) -> Machine:
    """Start one whose screen shows `text` (else its name) and the keys typed; it has booted when this returns.

    Files of its own are NAME.qmp, its QMP socket, and others. `spice` and `vnc` are the arguments of these options of
    QEMU; True means: without any port.
    """
    qmp, shown = (folder / f"{name}.{what}" for what in ("qmp", "shown"))
    qmp.unlink(missing_ok=True)
    shown.unlink(missing_ok=True)
    line = f"This is {name}." if text is None else text
    spice, vnc = "port=0" if spice is True else spice or "", "none" if vnc is True else vnc or ""
    start = command(folder, name, line, spice, vnc, options)
    with (folder / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(start, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    machine = Machine(process, qmp)
    end = time.monotonic() + WAIT
    while not (shown.exists() and "\n" in machine.shown):
        if process.poll() is not None or time.monotonic() > end:
            machine.stop()
            raise AssertionError(f"QEMU did not start: {(folder / f'{name}.out').read_text(errors='replace')}")
        time.sleep(0.02)
    return machine
