"""Streams whose legs are cut at random, at every byte: what comes out is what went in."""

import random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol.close import CloseCode
from streamrelay.resume.outgoing import OVERHEAD
from tests.resume.wire import End, attach

SCHEDULES = 400
WINDOW = 1000
SIZES = (1, 3, 50, 200)
LARGE = (100, 40_000, 70_000, 190_000)
"""Bytes of which some are kept in buffers that are used again."""


def joined(items: list[bytes | str]) -> list[bytes | str]:
    """The same with bytes that follow each other put together, as legs may do."""
    result: list[bytes | str] = []
    for item in items:
        if result and isinstance(item, bytes) and isinstance(result[-1], bytes):
            result[-1] += item
        else:
            result.append(item)
    return result


def content(dice: random.Random, name: str, sizes: tuple[int, ...]) -> list[bytes | str]:
    """What an end has to send: bytes, and control messages between them."""
    items: list[bytes | str] = []
    for number in range(dice.randrange(30)):
        if dice.random() < 0.25:
            items.append(f'{{"note":"{name}{number}"}}')
        else:
            items.append(dice.randbytes(dice.choice(sizes)))
    return items


def is_prefix(came: list[bytes | str], sent: list[bytes | str]) -> bool:
    for mine, theirs in zip(came, sent, strict=False):
        if mine == theirs:
            continue
        last = mine is came[-1]
        return last and isinstance(mine, bytes) and isinstance(theirs, bytes) and theirs.startswith(mine)
    return len(came) <= len(sent)


class Cuts(SynchronousTestCase):
    """Two ends and a hostile wire."""

    def run_one(self, seed: int, window: int = WINDOW, sizes: tuple[int, ...] = SIZES) -> int:
        """Run one stream to its end; return how often it was cut."""
        dice, clock = random.Random(seed), Clock()
        sent = content(dice, "up", sizes), content(dice, "down", sizes)
        client = End("client", list(sent[0]), dice, clock)
        host = End("host", list(sent[1]), dice, clock)
        ends = client, host
        whole = joined(sent[1]), joined(sent[0])  # what each of them is to receive
        for end in ends:
            end.make(window)
        wires, cuts, idle = [attach(client, host, dice)], 0, 0
        while not all(end.is_gone for end in ends):
            moved = [end.act() for end in ends if dice.random() < 0.4] + [
                dice.choice(wires[-3:]).move() for _ in range(dice.randrange(4))
            ]
            for end, due in zip(ends, whole, strict=True):
                self.assertTrue(is_prefix(end.came, due), f"seed {seed}")
            if cuts < 20 and dice.random() < 0.1:
                cuts += 1
                wires[-1].cut()
            idle = 0 if any(moved) else idle + 1
            if idle > 10:
                clock.advance(1)
            if dice.random() < (0.3 if client.connection.attached is None or wires[-1].near.lost else 0.01):
                if client.connection.is_over or host.connection.is_over:
                    break
                wires.append(attach(client, host, dice))
            self.assertLess(idle, 500, f"seed {seed} hangs")
        for end, due in zip(ends, whole, strict=True):
            self.assertEqual(end.came, due, f"seed {seed}")
            self.assertLessEqual(end.most, window + 2 * max(sizes) + 6 * OVERHEAD)  # a piece beyond it, fin and end
            self.assertTrue(end.finished)
        for end in ends:
            if end.connection.is_over:
                self.assertEqual(end.outcome and end.outcome.code, CloseCode.FINISHED, f"seed {seed}")
                self.assertEqual(end.connection.outgoing.weight, 0)
        return cuts

    def test_random(self) -> None:
        """However a stream's legs are cut, each end receives what the other has sent, in order, once, and it ends."""
        self.assertGreater(sum(self.run_one(seed) for seed in range(SCHEDULES)), SCHEDULES)

    def test_large(self) -> None:
        """The same for bytes that are kept in buffers which are used again."""
        self.assertGreater(sum(self.run_one(seed, 400_000, LARGE) for seed in range(60)), 60)
