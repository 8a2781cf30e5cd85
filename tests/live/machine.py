"""Virtual machines of QEMU that need no image: a boot sector of our own prints a line and echoes the keys typed.

It needs nothing but the standard library and ``qemu-system-x86_64`` (Debian: qemu-system-x86), and no KVM.
"""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

PROGRAM = "qemu-system-x86_64"
WAIT = 20.0
"""Seconds in which QEMU must answer."""

ORIGIN = 0x7C00
"""Where a BIOS loads the boot sector, and jumps to (the "BIOS Boot Specification", 6.5.1)."""


def boot_sector(text: str = "READY") -> bytes:
    """512 bytes for the first sector of a disk: print a line of ASCII, then echo what is typed, for ever."""
    code = bytes.fromhex(
        "31 C0"  # 00     xor  ax, ax
        "8E D8"  # 02     mov  ds, ax
        "8E D0"  # 04     mov  ss, ax
        "BC 00 7C"  # 06  mov  sp, 0x7C00
        "FC"  #    09     cld
        "B8 03 00"  # 0A  mov  ax, 0x0003     mode 3: text, 80 by 25, cleared
        "CD 10"  # 0D     int  0x10
        "B4 01"  # 0F     mov  ah, 1          no cursor, as its blinking would change the picture
        "B9 00 20"  # 11  mov  cx, 0x2000
        "CD 10"  # 14     int  0x10
        "31 DB"  # 16     xor  bx, bx         page 0
        "BE 3E 7C"  # 18  mov  si, 0x7C3E     the line
        "AC"  #    1B  a: lodsb
        "84 C0"  # 1C     test al, al
        "74 05"  # 1E     jz   b
        "E8 14 00"  # 20  call c
        "EB F6"  # 23     jmp  a
        "31 C0"  # 25  b: xor  ax, ax         wait for a key
        "CD 16"  # 27     int  0x16
        "E8 0B 00"  # 29  call c              echo it
        "3C 0D"  # 2C     cmp  al, 13         Enter?
        "75 F5"  # 2E     jne  b
        "B0 0A"  # 30     mov  al, 10         then to the next line, too
        "E8 02 00"  # 32  call c
        "EB EE"  # 35     jmp  b
        "E6 E9"  # 37  c: out  0xE9, al       for the debug console
        "B4 0E"  # 39     mov  ah, 0x0E       teletype
        "CD 10"  # 3B     int  0x10
        "C3"  #    3D     ret
    )
    assert len(code) == 0x3E
    line = text.encode("ascii") + b"\r\n\0"
    if len(code) + len(line) > 510:
        raise ValueError("the line is too long for a boot sector")
    return (code + line).ljust(510, b"\0") + b"\x55\xaa"


class Machine(NamedTuple):
    """One that runs; `stop` it."""

    process: "subprocess.Popen[bytes]"
    qmp: Path
    """Its QMP socket, which serves one client at a time."""

    @property
    def shown(self) -> str:
        """What it has written to its screen so far: its line, and the keys that reached it."""
        return self.qmp.with_suffix(".shown").read_text(errors="replace")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, command: str, **arguments: object) -> object:
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
    disk, qmp, shown = (folder / f"{name}.{what}" for what in ("img", "qmp", "shown"))
    disk.write_bytes(boot_sector(f"This is {name}." if text is None else text))
    qmp.unlink(missing_ok=True)
    shown.unlink(missing_ok=True)
    consoles = (
        *(("-vnc", "none" if vnc is True else vnc) if vnc else ()),
        *(("-spice", "port=0" if spice is True else spice) if spice else ()),
        *(() if vnc else ("-display", "none")),
    )
    command = (
        shutil.which(PROGRAM) or PROGRAM,
        *("-name", name, "-machine", "pc,accel=tcg", "-m", "16", "-nodefaults", "-no-user-config", "-vga", "std"),
        *("-drive", f"file={disk},format=raw,if=ide", "-debugcon", f"file:{shown}"),
        *("-qmp", f"unix:{qmp},server=on,wait=off"),
        *consoles,
        *options,
    )
    with (folder / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    machine = Machine(process, qmp)
    end = time.monotonic() + WAIT
    while not (shown.exists() and "\n" in machine.shown):
        if process.poll() is not None or time.monotonic() > end:
            machine.stop()
            raise AssertionError(f"QEMU did not start: {(folder / f'{name}.out').read_text(errors='replace')}")
        time.sleep(0.02)
    return machine
