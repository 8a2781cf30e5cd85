"""What the figures were taken on."""

import os
import re
from pathlib import Path

from msgspec import Struct


class Machine(Struct):
    cpu: str
    cores: int
    virtual: bool
    memory: int
    """GiB"""
    kernel: str

    @classmethod
    def this(cls) -> "Machine":
        info = Path("/proc/cpuinfo").read_text()
        model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
        memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
        kernel = re.match(r"[\d.]+", os.uname().release)
        return cls(
            cpu=model[1] if model else os.uname().machine,
            cores=os.cpu_count() or 1,
            virtual=" hypervisor" in info,
            memory=round(int(memory[1]) / 2**20) if memory else 0,
            kernel=f"{os.uname().sysname} {kernel[0] if kernel else ''}".strip(),
        )

    def __str__(self) -> str:
        cores = f"{self.cores} cores{' of a virtual machine' if self.virtual else ''}"
        return f"{self.cpu}, {cores}, {self.memory} GiB of memory, {self.kernel}"
