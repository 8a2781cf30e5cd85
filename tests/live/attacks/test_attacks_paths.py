"""Attacks by who may write to a directory that an agent reads: paths that are swapped, names by the thousand."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.attacks.attack import AttackedChain, AttackTest
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.waiting import WAIT

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
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
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


class Crowded(AttackTest):
    """A log's directory with thousands of names such as rotation gives."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(kind=AttackedChain, targets=LOG)  # type: ignore[assignment]
        self.path = self.common.folder / "crowd" / "a.log"
        self.path.parent.mkdir(exist_ok=True)
        for number in range(1, 10_000):
            self.path.with_name(f"a.log.{number}").touch()

    def test_places(self) -> None:
        """A neighbour doesn't notice streams of a place whose file is nowhere among them; each is told that."""
        self.path.write_bytes(b"old\n")
        place = self.first()["place"]
        self.path.rename(self.path.with_name("aside"))
        self.path.write_bytes(b"new\n")
        for _ in range(2):
            self.assertTrue(self.first(place=place, after=0)["lost"])

    def first(self, **more: Any) -> dict[str, Any]:
        """What a stream of the log tells first."""
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "crowd", **more})
        self.assertEqual(answer.status, 201, answer.text)
        return dict(json.loads(self.websocket(str(answer.json["url"])).recv(WAIT)))
