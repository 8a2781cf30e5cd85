"""The demo's virtual machine: QEMU with a boot sector of our own, which prints a line and echoes the keys typed.

It needs no image of a disk, no KVM, and none of its consoles has a port.
"""

import shutil
from pathlib import Path
from typing import Final

PROGRAM: Final = "qemu-system-x86_64"
ORIGIN: Final = 0x7C00
"""Address to which a BIOS loads the boot sector, and jumps (the "BIOS Boot Specification", 6.5.1)."""


def boot_sector(text: str = "READY") -> bytes:
    """Make the 512 bytes of a disk's first sector, which print a line of ASCII, then echo what is typed, for ever.

    `ValueError` if the line is too long: beside the code there is room for 445 characters.
    """
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


def command(
    folder: Path, name: str, text: str, spice: str = "", vnc: str = "", options: tuple[str, ...] = ()
) -> list[str]:
    """Return the command of a machine that shows `text`: its QMP socket is NAME.qmp in `folder`, its output NAME.shown.

    `spice` and `vnc` are the arguments of these options of QEMU; "port=0" and "none" are consoles without a port.
    """
    disk = folder / f"{name}.img"
    disk.write_bytes(boot_sector(text))
    return [
        shutil.which(PROGRAM) or PROGRAM,
        *("-name", name, "-machine", "pc,accel=tcg", "-m", "16", "-nodefaults", "-no-user-config", "-vga", "std"),
        *("-drive", f"file={disk},format=raw,if=ide", "-debugcon", f"file:{folder / name}.shown"),
        *("-qmp", f"unix:{folder / name}.qmp,server=on,wait=off"),
        *(("-spice", spice) if spice else ()),
        *(("-vnc", vnc) if vnc else ("-display", "none")),
        *options,
    ]
