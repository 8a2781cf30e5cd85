"""The JavaScript client in Node, on streams that resume: relays are killed under it, and no byte is lost or doubled."""

import hashlib
import socket
import threading
import time

from tests.live.support.chain import Chain
from tests.live.support.node import JavaScript
from tests.live.support.ports import answers
from tests.live.support.sockets import MIB, seeded, take_all
from tests.live.support.waiting import Work, until

SIZE = 24 * MIB
CUTS = 4


def trickle(target: socket.socket, data: bytes) -> None:
    """Say data in a few seconds, and that there is no more."""
    pace = threading.Event()
    for at in range(0, len(data), MIB):
        target.sendall(data[at : at + MIB])
        pace.wait(0.25)
    target.shutdown(socket.SHUT_WR)


class Resuming(JavaScript):
    """A stream whose relay is killed."""

    def kill_relay(self, chain: Chain) -> None:
        chain.relay.kill()
        chain.relay.start()
        until(lambda: answers(chain.relay_port), what="the relay")

    def test_killed(self) -> None:
        """24 MiB each way at once arrive unchanged over relays that are killed again and again; the end is in order."""
        chain = self.start_chain(Chain(self.folder))
        listener, down = self.listen(), seeded(SIZE, 2)
        scenario = self.scenario("both_ways", wanted=self.wanted(listener.target, chain, resume=True), size=SIZE)
        target = listener.accept()
        works = Work(trickle, target, down), Work(take_all, target)
        for cut in range(CUTS):
            time.sleep(1)
            if cut < 2:
                self.assertIsNone(scenario.process.poll())
            self.kill_relay(chain)
        result = scenario.result(120)
        self.assertEqual(result["got"], {"count": SIZE, "sum": hashlib.sha256(down).hexdigest()})
        self.assertEqual(result["sent"], hashlib.sha256(works[1].result(120)).hexdigest())
        self.assertEqual((result["outcome"]["code"], result["outcome"]["clean"]), (1000, True))
        self.assertGreater(result["ticket"]["resume"], 0)
        until(lambda: not chain.streams(), what="no stream")

    def test_left(self) -> None:
        """Whose stream is cancelled or closed tells its host, which holds nothing of it; the target reads the end."""
        chain = self.start_chain(Chain(self.folder))
        self.leave_three(chain, resume=True)
        until(lambda: not chain.streams(), what="no stream")
