"""Attacks by who may write to a directory that an agent reads: paths that are swapped, names by the thousand."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.http import Answer
from tests.live.support.waiting import WAIT, Work

OPENS = 300
SWAP = """
import ctypes, sys
libc = ctypes.CDLL(None)
one, other = (name.encode() for name in sys.argv[1:])
print("begun", flush=True)
while libc.syscall(316, -100, one, -100, other, 2) == 0:  # renameat2 with RENAME_EXCHANGE: there is never none
    pass
"""
"""A program that lets two names change places, again and again."""


LOG = '[targets.crowd]\nkind = "log"\npath = "FOLDER/crowd/a.log"\n'


class Swapped(LiveTest):
    """A pattern's directory where somebody swaps the socket for a link that leads out."""

    def listener(self, path: Path) -> socket.socket:
        listener = self.listen(str(path)).socket
        listener.listen(1024)
        listener.setblocking(False)
        return listener

    def test_swapped(self) -> None:
        """Of 300 streams each gets the directory's own socket, or is refused; the one outside never hears of any."""
        vms = self.folder / "vms"
        vms.mkdir()
        ours, theirs = self.listener(vms / "a.sock"), self.listener(self.folder / "evil.sock")
        os.symlink("../evil.sock", vms / "link")
        table = 'kind = "unix"\npath = "FOLDER/vms/{name}.sock"\nparts = { name = "[a-z]+" }\n'
        chain = self.chain(targets=f'[targets."vm/{{name}}"]\n{table}')
        swapping = subprocess.Popen(
            (sys.executable, "-c", SWAP, str(vms / "a.sock"), str(vms / "link")), stdout=subprocess.PIPE
        )
        self.addCleanup(swapping.communicate)
        self.addCleanup(swapping.kill)
        assert swapping.stdout is not None
        swapping.stdout.readline()
        answers = [chain.ask("POST", "/v1/streams", {"host": HOST, "target": "vm/a"}) for _ in range(OPENS)]
        swapping.kill()
        seen = {(answer.status, answer.json.get("code")) for answer in answers}
        self.assertEqual(seen, {(201, None), (403, "not_allowed")})
        self.assertRaises(BlockingIOError, theirs.accept)
        for answer in answers:
            if answer.status == 201:
                ours.accept()[0].close()
        self.assertNotIn("Traceback", chain.agent.log)


class Crowded(LiveTest):
    """A log's directory with thousands of names such as rotation gives."""

    def test_places(self) -> None:
        """While a place's file is searched among 6,000 others a neighbour's stream goes on; then it is told as lost."""
        chain = self.chain(targets=LOG)
        path = chain.folder / "crowd" / "a.log"
        path.parent.mkdir()
        for number in range(1, 6000):
            path.with_name(f"a.log.{number}").touch()
        path.write_bytes(b"old\n")
        place = self.first(self.ask(chain))["place"]
        path.rename(path.with_name("aside"))
        path.write_bytes(b"new\n")
        leg, target = self.stream(chain)
        opening, trips = Work(self.ask, chain, place), 0
        while opening.is_alive():
            leg.send(b"there")
            target.sendall(target.recv(100))
            self.assertEqual(leg.recv(WAIT), b"there")
            trips += 1
        self.assertTrue(self.first(opening.result())["lost"])
        print(f"figure: {trips} round trips of a neighbour while one place was searched among 6,000 files")
        self.assertGreater(trips, 10)

    def ask(self, chain: Chain, place: str = "") -> Answer:
        return chain.ask("POST", "/v1/streams", {"host": HOST, "target": "crowd", "place": place, "after": 0})

    def first(self, answer: Answer) -> dict[str, Any]:
        """What a stream of the log tells first."""
        self.assertEqual(answer.status, 201, answer.text)
        return dict(json.loads(self.websocket(str(answer.json["url"])).recv(WAIT)))
