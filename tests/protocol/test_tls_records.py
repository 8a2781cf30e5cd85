"""protocol/tls_records.py: records counted by their headers, and what a peer is allowed of those without content."""

import random

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol.tls_records import Records


def record(size: int) -> bytes:
    """A sealed record of so many bytes after its header."""
    return b"\x17\x03\x03" + size.to_bytes(2) + bytes(size)


def counted(records: Records, sealed: bytes) -> list[tuple[int, int]]:
    """What each turn opens: bytes, and the records that end in them."""
    turns, rest = [], memoryview(sealed)
    while rest:
        size = records.turn(rest)
        turns.append((size, records.count))
        rest = rest[size:]
    return turns


class Counting(SynchronousTestCase):
    """Records in sealed bytes, however these come."""

    def test_turn(self) -> None:
        """One turn opens 64 records at most, and ends with the last of them."""
        self.assertEqual(counted(Records(), record(18) * 150), [(64 * 23, 64), (64 * 23, 64), (22 * 23, 22)])

    def test_full_records(self) -> None:
        """64 KiB of full records are one turn."""
        self.assertEqual(counted(Records(), record(16384 + 17) * 4), [(4 * 16406, 4)])

    def test_pieces(self) -> None:
        """Each record is counted once, when it ends, wherever the bytes are cut."""
        choose = random.Random(6)
        for _ in range(300):
            sizes = [choose.choice((0, 1, 2, 17, 300)) for _ in range(choose.randrange(1, 9))]
            sealed, ends, at = b"".join(map(record, sizes)), [], 0
            for size in sizes:
                at += 5 + size
                ends.append(at)
            records, at = Records(), 0
            while at < len(sealed):
                size = choose.randrange(1, 40)
                turn = counted(records, sealed[at : at + size])
                self.assertEqual(sum(count for _, count in turn), sum(at < end <= at + size for end in ends))
                at += size


class Allowance(SynchronousTestCase):
    """What records without content may cost."""

    def refused_after(self, records: Records, sealed: bytes, opened: int = 0, most: int = 5000) -> int:
        """How many of these are allowed, each with so much content."""
        for number in range(most):
            records.turn(memoryview(sealed))
            if not records.settle(opened, int(opened > 0)):
                return number
        return most

    def shaken(self) -> Records:
        records = Records()
        records.shaken()
        return records

    def test_key_updates(self) -> None:
        """256 small records without content are allowed after the handshake."""
        self.assertEqual(self.refused_after(self.shaken(), record(22)), 256)

    def test_handshake(self) -> None:
        """2048 small ones are allowed within it, or 128 KiB."""
        self.assertEqual(self.refused_after(Records(), record(22)), 2048)
        self.assertEqual(self.refused_after(Records(), record(16384)), 7)

    def test_big(self) -> None:
        """Records of 16 KiB without content, as with a thousand tickets each, are cut at the first."""
        self.assertEqual(self.refused_after(self.shaken(), record(16400)), 0)

    def test_content(self) -> None:
        """Records with content are allowed without end, be it one byte, or one byte and padding."""
        self.assertEqual(self.refused_after(self.shaken(), record(18), opened=1), 5000)
        self.assertEqual(self.refused_after(self.shaken(), record(16400), opened=1), 5000)

    def test_renewed(self) -> None:
        """16 KiB of content allow one more, but not while the peer leaves unread what we sent."""
        for renew, allowed in ((True, 600), (False, 256)):
            records, number = self.shaken(), 0
            while number < 600:
                records.turn(memoryview(record(16384 + 17)))
                self.assertTrue(records.settle(16384, 1, renew))
                records.turn(memoryview(record(22)))
                if not records.settle(0, 0, renew):
                    break
                number += 1
            self.assertEqual(number, allowed)
