"""The buffer into which all sockets of a process are read, and how it becomes that of who wants to keep what was read.

One is enough, as what was read has been sent or copied when the next read begins. Who would copy most of it takes the
buffer itself, and gives another one for it: to write 192 KiB anew costs as much as to read them.
"""

from typing import Final

from streamrelay.datapath.channel import READ


class Reading:
    """The buffer of the next read."""

    def __init__(self) -> None:
        self.use(bytearray(READ))

    def use(self, buffer: bytearray) -> None:
        """Read into this buffer of `READ` bytes from now on."""
        self.buffer, self.view = buffer, memoryview(buffer)

    def take(self, data: memoryview, spare: bytearray) -> bytearray | None:
        """Return the buffer in which these bytes were read, which is the caller's from now on, and read into the spare
        one; None if they lie anywhere else."""
        if data.obj is not self.buffer:
            return None
        taken = self.buffer
        self.use(spare)
        return taken


READING: Final = Reading()
