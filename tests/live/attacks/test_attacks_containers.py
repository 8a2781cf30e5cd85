"""Attacks by what answers as Docker's API: ids that lead elsewhere, answers without end, and none at all."""

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.live.attacks.attack import AttackTest
from tests.live.support.chain import HOST
from tests.live.support.fake_docker import COMMAND, ID, LyingDocker, endless, hang, told
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import hang_up

TARGETS = """
[targets."lying/log"]
kind = "container"
socket = "SOCKET"
container = "c"

[targets."lying/shell"]
kind = "container"
socket = "SOCKET"
container = "c"
show = "exec"
"""
STAMP = b"2026-11-25T03:12:02.364783938Z "


class Liars(AttackTest):
    """A container's API that lies costs its own streams, and nobody else's."""

    watched = False  # it shares the cores with what plays Docker, in this very process

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="streamrelay-lying-")
        self.addCleanup(folder.cleanup)
        self.docker = LyingDocker(str(Path(folder.name) / "api.sock"))
        self.addCleanup(self.docker.server_close)
        self.addCleanup(self.docker.shutdown)
        self.common.relist(TARGETS.replace("SOCKET", str(self.docker.server_address)))

    def ask(self, target: str, **more: object) -> Any:
        return self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target, **more})

    def refusal(self, target: str) -> str:
        answer = self.ask(target)
        self.assertGreaterEqual(answer.status, 400, answer.text)
        return str(answer.json["detail"])

    def hear(self, target: str) -> Any:
        answer = self.ask(target)
        self.assertEqual(answer.status, 201, answer.text)
        return self.websocket(answer.json["url"])

    def test_ids(self) -> None:
        """Ids that are paths, or hold line ends, go into no request."""
        for lie in (
            "../../secrets",
            "a/b",
            "x\r\nX-Injected: 1\r\n\r\nDELETE /all",
            f"{ID}?x=",
            "",
            "\u0661" * 64,
            "A" * 64,
        ):
            container = {"Id": lie, "Name": "/c", "State": {"Running": True}, "Config": {}}
            self.docker.answers = {"GET /containers/c/json": told("200 OK", container)}
            self.assertIn("does not speak Docker's API", self.refusal("lying/shell"))
            self.docker.answers = {f"POST /containers/{ID}/exec": told("201 Created", {"Id": lie})}
            self.assertIn("does not speak Docker's API", self.refusal("lying/shell"))
        paths = {line.split()[1] for line in self.docker.asked}
        self.assertEqual(paths, {"/containers/c/json", f"/containers/{ID}/exec"})

    def test_other_container(self) -> None:
        """A container of another name than was asked for isn't opened."""
        other = {"Id": ID, "Name": "/other", "State": {"Running": True}, "Config": {}}
        self.docker.answers = {"GET /containers/c/json": told("200 OK", other)}
        for target in ("lying/log", "lying/shell"):
            self.assertIn("there is no container c", self.refusal(target))

    def test_endless_answers(self) -> None:
        """Answers without end, in the head or in the body, cost no memory, and at most the time that there is."""
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        with self.memory(self.common.agent, most=12):
            for place, target in (
                ("GET /containers/c/json", "lying/log"),
                (f"POST /containers/{ID}/exec", "lying/shell"),
            ):
                self.docker.answers = {place: endless(head, b"x" * 65536)}
                self.assertIn("an answer of more than 1048576 bytes", self.refusal(target))
            self.docker.answers = {f"POST /exec/{COMMAND}/start": endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)}
            self.refusal("lying/shell")
            self.docker.answers = {
                f"POST /exec/{COMMAND}/start": endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 999)
            }
            self.refusal("lying/shell")
        self.let_go()

    def test_log_without_form(self) -> None:
        """A log that is none ends its stream with 4003; one of a single frame of 4 GiB costs a slow reader's share."""
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        self.docker.answers = {f"GET /containers/{ID}/logs": told("200 OK", b"<html>not a log, by far</html>")}
        self.assertEqual(self.ends(self.hear("lying/log")), 4003)
        frame = b"\1\0\0\0\xff\xff\xff\xff" + STAMP
        self.docker.answers = {f"GET /containers/{ID}/logs": endless(head + frame, b"x" * 65536)}
        with self.memory(self.common.agent, self.common.relay, most=12):
            leg = self.hear("lying/log")
            time.sleep(2)  # and reads nothing
        hang_up(leg)
        self.let_go()

    def test_hangs(self) -> None:
        """A command whose start is answered, and then no more, is ended in its container; all is let go."""
        before = self.common.agent.descriptors()
        self.docker.answers = {f"POST /exec/{COMMAND}/resize": hang}
        self.ask("lying/shell")  # the platform may have given up before the agent does
        until(lambda: self.made() == 2, WAIT + 5, "the command that ends the other one")
        self.assertRegex("\n".join(self.docker.asked), r"/exec \{.*kill -\$signal")
        self.docker.answers = {f"GET /containers/{ID}/logs": hang}
        self.assertIn("was not read within", self.refusal("lying/log"))
        self.let_go()
        self.settled(before)

    def let_go(self) -> None:
        """Wait for the end of all connections to Docker."""
        until(lambda: not self.docker.open, what="the end of what Docker is asked")

    def settled(self, before: list[str]) -> None:
        """Wait until the agent holds no more than it held; then legs of an earlier test may still have waited."""
        until(lambda: not Counter(self.common.agent.descriptors()) - Counter(before), what=f"{before}")

    def made(self) -> int:
        """Commands that were made."""
        return sum("/exec {" in line for line in self.docker.asked)

    def test_leaving(self) -> None:
        """A client that leaves at any moment leaves nothing open at the agent, and its command is ended."""
        before = self.common.agent.descriptors()
        for _ in range(10):
            self.hear("lying/shell").close()
            self.ask("lying/log")
            self.hear("lying/log").close()
        until(lambda: self.made() == 20, WAIT, "as many commands that end others")
        self.let_go()
        self.settled(before)

    def ends(self, leg: Any) -> int:
        """The code by which a leg is closed."""
        try:
            for _ in leg:
                pass
        except ConnectionClosed:
            pass
        return int(leg.close_code)
