"""buffers.py: what is kept of a read, in which buffer."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.channel import READ
from streamrelay.datapath.reading import READING
from streamrelay.resume.buffers import LARGE, SIZES, SMALL, SPARE, kept, release


class Kept(SynchronousTestCase):
    """Bytes of the process's one buffer for reads, and others."""

    def setUp(self) -> None:
        self.addCleanup(READING.use, bytearray(READ))
        self.assertEqual(SIZES[-1], READ)

    def read(self, byte: bytes, size: int) -> memoryview:
        """What a read brings."""
        READING.view[:size] = byte * size
        return READING.view[:size]

    def test_read(self) -> None:
        """Most of a read stays where it was read, and the next read goes elsewhere."""
        data = self.read(b"a", LARGE + 1)
        before = READING.buffer
        piece, buffer = kept([data], len(data))
        self.assertIs(buffer, before)
        self.read(b"b", READ)
        self.assertEqual(bytes(piece), b"a" * (LARGE + 1))

    def test_used_again(self) -> None:
        """A buffer that is released is the next one to be read into, or copied to, and no two keep the same."""
        _, first = kept([self.read(b"a", READ)], READ)
        assert first is not None
        release(first)
        pieces = [kept([self.read(bytes([number]), READ)], READ) for number in range(SPARE + 2)]
        self.assertEqual([bytes(data[:1]) for data, _ in pieces], [bytes([number]) for number in range(SPARE + 2)])
        buffers = [buffer for _, buffer in pieces if buffer is not None]
        self.assertEqual(len({id(buffer) for buffer in [*buffers, READING.buffer]}), SPARE + 3)
        self.assertIn(id(first), map(id, buffers))
        for buffer in buffers:
            release(buffer)

    def test_copied(self) -> None:
        """Little of a read, several parts, and what lies elsewhere are copied; the buffer of reads stays."""
        before = READING.buffer
        for size in (1, SMALL, SMALL + 1, LARGE):
            piece, _ = kept([self.read(b"a", size)], size)
            self.read(b"b", READ)
            self.assertEqual(bytes(piece), b"a" * size)
        elsewhere = bytearray(b"a" * READ)
        self.read(b"a", READ)
        for data in ([READING.view[:LARGE], READING.view[LARGE:]], [memoryview(elsewhere)]):
            piece, buffer = kept(data, READ)
            elsewhere[:] = bytes(READ)
            self.read(b"b", READ)
            self.assertEqual(bytes(piece), b"a" * READ)
            self.assertIsNot(buffer, before)
            elsewhere[:] = b"a" * READ
        self.assertIs(READING.buffer, before)
