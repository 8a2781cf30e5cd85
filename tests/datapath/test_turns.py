"""turns.py: streams that have always more to read beside others."""

from collections.abc import Callable
from typing import cast

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.datapath.channel import READ
from streamrelay.datapath.turns import AT_ONCE, Loop, Turns
from tests.datapath.loopback import StepLoop, connected

MUCH = bytes(READ)


class Side:
    """The owner of one channel, which writes down in a common list who read how much."""

    def __init__(self, name: str, reads: list[tuple[str, int]]) -> None:
        self.name, self.reads = name, reads
        self.lost = ""
        self.dataReceived: Callable[[bytes], None] = lambda _: None

    def data_received(self, data: memoryview) -> None:
        self.reads.append((self.name, len(data)))

    def drained(self) -> None: ...

    def connectionLost(self, reason: Failure) -> None:
        self.lost = str(reason.value)


class FlatOut(SynchronousTestCase):
    """Ten channels whose peers always have sent more, and one that is a terminal's."""

    path = "plain"

    def setUp(self) -> None:
        self.loop, clock = StepLoop(), Clock()
        self.reads: list[tuple[str, int]] = []
        self.channels, self.peers = {}, {}
        for name in ("terminal", *map(str, range(10))):
            side = Side(name, self.reads)
            self.channels[name], self.peers[name] = connected(self.path, self.loop, clock, side)
            self.channels[name].start(side)
            self.addCleanup(self.peers[name].sock.close)
        self.bulk = [name for name in self.peers if name != "terminal"]
        for _ in range(20):  # so all of them read much
            self.turn()

    def turn(self) -> list[str]:
        """Take one turn of the loop, and return who read in it, in order."""
        for name in self.bulk:
            self.peers[name].push()
            while not self.peers[name]._unsent:  # until the kernel takes no more
                self.peers[name].send(MUCH)
        self.reads.clear()
        self.loop.step()
        return [name for name, _ in self.reads]

    def test_terminal(self) -> None:
        """A byte for the terminal is read in the next turn, in which no more than four large reads are done."""
        for _ in range(30):
            self.peers["terminal"].send(b"k")
            read = self.turn()
            self.assertEqual(read.count("terminal"), 1)
            self.assertLessEqual(len(read) - 1, AT_ONCE)

    def test_in_turn(self) -> None:
        """All of them read as often, within one read."""
        for _ in range(20):
            self.turn()
        read = [name for _ in range(25) for name in self.turn()]
        counts = [read.count(name) for name in self.bulk]
        self.assertEqual(len(read), 25 * AT_ONCE)
        self.assertLessEqual(max(counts) - min(counts), 1)

    def test_cheap(self) -> None:
        """Nothing is registered anew while all of them have more to read: in line they aren't watched."""
        for _ in range(20):
            self.turn()
        before, watched = self.loop.registrations, self.loop.watched
        for _ in range(20):
            self.turn()
        self.assertEqual((self.loop.registrations, watched), (before, 1))

    def test_watched_again(self) -> None:
        """Whoever leaves the line, as nothing more comes, is watched again, and read when something does."""
        name = self.bulk[0]
        self.bulk.remove(name)
        for _ in range(60):
            self.peers[name].push()
            self.turn()
        self.peers[name].send(b"k")
        self.assertIn(name, self.turn())

    def test_paused_in_line(self) -> None:
        """A channel that is paused in line isn't read when its turn comes, and reads on once it is resumed."""
        read = self.turn()
        waiting = next(name for name in self.bulk if name not in read)
        self.channels[waiting].pause()
        self.assertNotIn(waiting, [name for _ in range(20) for name in self.turn()])
        self.channels[waiting].resume()
        self.assertIn(waiting, [name for _ in range(20) for name in self.turn()])

    def test_lost_in_line(self) -> None:
        """A channel that is aborted in line is gone, and the others go on."""
        waiting = next(name for name in self.bulk if name not in self.turn())
        self.channels[waiting].abort()
        self.bulk.remove(waiting)
        read = [name for _ in range(20) for name in self.turn()]
        self.assertEqual(set(read), set(self.bulk))

    def test_end_in_line(self) -> None:
        """What was sent before the end of a stream that stands in line is read, then its end."""
        waiting = next(name for name in self.bulk if name not in self.turn())
        self.bulk.remove(waiting)
        self.peers[waiting].sock.shutdown(1)
        side = cast(Side, self.channels[waiting]._receiver)
        for _ in range(40):
            self.turn()
        self.assertEqual(side.lost, "Connection was closed cleanly.")


class FlatOutOverTls(FlatOut):
    """The same over TLS."""

    path = "tls"


class Line(SynchronousTestCase):
    """The line itself."""

    def test_alone(self) -> None:
        """Whoever is alone waits for a turn of the loop once in four reads."""
        loop, turns = StepLoop(), Turns()
        reader = Counted(loop)
        granted = []
        for _ in range(40):
            granted.append(turns.grants(reader))
            loop.step()
        self.assertEqual((granted.count(True), reader.came), (31, 9))

    def test_long(self) -> None:
        """However long the line is, four have their turn at once; whoever is told of more to read meanwhile rests."""
        loop, turns = StepLoop(), Turns()
        readers = [Counted(loop) for _ in range(400 + AT_ONCE)]
        for reader in readers:
            turns.grants(reader)
        loop.step()
        self.assertEqual(sum(reader.came for reader in readers), AT_ONCE)
        self.assertFalse(turns.grants(readers[-1]))
        self.assertEqual(sum(reader.rests for reader in readers), 1)
        for _ in range(99):
            loop.step()
        self.assertEqual({reader.came for reader in readers[AT_ONCE:]}, {1})


class Counted:
    """A reader that counts its turns."""

    def __init__(self, loop: StepLoop) -> None:
        self.loop: Loop = loop
        self.came = self.rests = 0

    def turn_came(self, others: bool) -> bool:
        self.came += 1
        return others

    def rest(self) -> None:
        self.rests += 1
