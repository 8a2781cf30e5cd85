"""Targets that are no ports: logs, pseudo-terminals, and patterns of names."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.processes import alive
from tests.live.support.waiting import WAIT, until
from tests.live.support.websockets import RAW, V1, read_all

TARGETS = r"""
[targets.log]
kind = "log"
path = "FOLDER/log"
lines = 3

[targets.shell]
kind = "pty"
command = ["/bin/sh"]
directory = "FOLDER"
environment = { PS1 = "ready> " }
size = [91, 31]

[targets.exit]
kind = "pty"
command = ["/bin/sh", "-c", "echo bye; exit 7"]

[targets.missing]
kind = "pty"
command = ["no-such-program-here"]

[targets."vm/{name}/log"]
kind = "log"
path = "FOLDER/vm-{name}.log"
parts = { name = "[a-z0-9-]+" }

[targets."run/{word}"]
kind = "pty"
command = ["/bin/echo", "it is {word}"]
parts = { word = "[a-z]+" }
"""


class Ear:
    """What a client hears, kept."""

    def __init__(self, leg: ClientConnection) -> None:
        self.leg, self.text = leg, ""
        self.controls: list[Any] = []

    def expect(self, pattern: str, seconds: float = WAIT) -> Any:
        """Read until this pattern is there, and forget all up to its end."""
        end = time.monotonic() + seconds
        # What begins by anything begins at the first character, or nowhere: the others needn't be tried, too.
        find = re.match if pattern.startswith("(?s).*") else re.search
        while (found := find(pattern, self.text)) is None:
            try:
                message = self.leg.recv(max(0.01, end - time.monotonic()))
            except TimeoutError:
                raise AssertionError(f"{pattern!r} did not come; there is {self.text!r}") from None
            if isinstance(message, str):
                self.controls.append(json.loads(message))
            else:
                self.text += message.decode(errors="replace")
        self.text = self.text[found.end() :]
        return found


class TargetTest(LiveTest):
    """A test on the common chain with these targets; files are in the chain's own directory."""

    common: Chain

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(targets=TARGETS)
        self.path = self.common.folder / "log"
        self.path.unlink(missing_ok=True)

    def hear(self, target: str, subprotocol: str = V1) -> Ear:
        return Ear(self.websocket(self.open(self.common, target), subprotocol))


class Logs(TargetTest):
    """A log's last lines, then what is appended."""

    def append(self, text: str, path: Path | None = None) -> None:
        with (path or self.path).open("a") as file:
            file.write(text)

    def test_last_lines(self) -> None:
        """The last lines come first, then the file is followed."""
        self.append("one\ntwo\nthree\nfour\nfive\n")
        ear = self.hear("log")
        self.assertEqual(ear.expect(r"(?s).*five\n")[0], "three\nfour\nfive\n")
        self.append("six\n")
        self.assertEqual(ear.expect(r"(?s).*six\n")[0], "six\n")

    def test_renamed(self) -> None:
        """A log that is renamed and made anew: its rest, then the new file from its start."""
        self.append("one\n")
        ear = self.hear("log")
        ear.expect("one\n")
        self.path.rename(self.path.with_suffix(".1"))
        self.append("rest\n", self.path.with_suffix(".1"))
        self.append("new\n")
        self.assertEqual(ear.expect(r"(?s).*new\n")[0], "rest\nnew\n")
        self.append("more\n")
        self.assertEqual(ear.expect(r"(?s).*more\n")[0], "more\n")

    def test_truncated(self) -> None:
        """A log that is truncated is followed from its start again."""
        self.append("a long line that was there before\n")
        ear = self.hear("log")
        ear.expect("before\n")
        os.truncate(self.path, 0)
        time.sleep(0.5)
        self.append("after\n")
        self.assertEqual(ear.expect(r"(?s).*after\n")[0], "after\n")

    def test_not_there_yet(self) -> None:
        """A log that doesn't exist yet is followed from its start as soon as it does."""
        ear = self.hear("log")
        time.sleep(0.3)
        self.append("first\n")
        ear.expect("first\n")
        self.append("second\n")
        ear.expect("second\n")

    def test_no_end_of_line(self) -> None:
        """A last line without an end is sent as it is, and continued."""
        self.append("whole\nhal")
        ear = self.hear("log")
        ear.expect(r"whole\nhal\Z")
        self.append("f\n")
        self.assertEqual(ear.expect(r"(?s).*\n")[0], "f\n")

    def test_long(self) -> None:
        """Of a log of many MiB only the last lines come, and no more than its end is read."""
        with self.path.open("w") as file:
            for number in range(200_000):
                file.write(f"line {number:06} {'x' * 40}\n")
        before = self.common.agent.bytes_read()
        text = self.hear("log").expect(r"(?s).*line 199999 x+\n")[0]
        self.assertEqual(text.count("\n"), 3)
        self.assertLess(self.common.agent.bytes_read() - before, self.path.stat().st_size / 4)

    def test_closed(self) -> None:
        """When the client leaves, the agent closes the file."""
        self.append("one\n")
        ear = self.hear("log")
        ear.expect("one\n")

        def is_open() -> bool:
            return str(self.path) in self.common.agent.descriptors()

        self.assertTrue(is_open())
        ear.leg.close()
        until(lambda: not is_open(), what="the end of the log's descriptor")

    def test_not_a_file(self) -> None:
        """What is no regular file is refused with 502."""
        self.path.mkdir()
        self.addCleanup(self.path.rmdir)
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "log"})
        self.assertEqual((answer.status, answer.json["code"]), (502, "target_refused"))


class Terminals(TargetTest):
    """A command in a pseudo-terminal."""

    def test_output(self) -> None:
        """What is typed is echoed and run, in the target's directory, at the target's size."""
        ear = self.hear("shell")
        ear.expect("ready> ")
        ear.leg.send(b"echo $((6 * 7)); pwd; stty size\n")
        ear.expect(r"\n42\r\n")
        ear.expect(re.escape(str(self.common.folder)))
        ear.expect("31 91")

    def test_resize(self) -> None:
        """A resize control message changes the terminal's size."""
        ear = self.hear("shell")
        ear.expect("ready> ")
        ear.leg.send('{"resize":[132,50]}')
        ear.leg.send(b"stty size\n")
        ear.expect("50 132")

    def test_exit_status(self) -> None:
        """The end of the command: all of its output, its status as a control message, then 1000."""
        data, controls, code = read_all(self.hear("exit").leg)
        self.assertEqual((data, code), (b"bye\r\n", 1000))
        self.assertIn({"exit": 7}, controls)

    def test_exit_raw(self) -> None:
        """A raw client gets the output and 1000, and no control message."""
        self.assertEqual(read_all(self.hear("exit", RAW).leg), (b"bye\r\n", [], 1000))

    def test_exit_typed(self) -> None:
        """A shell that is told to exit closes the stream with 1000."""
        ear = self.hear("shell")
        ear.expect("ready> ")
        ear.leg.send(b"exit 3\n")
        _, controls, code = read_all(ear.leg)
        self.assertIn({"exit": 3}, controls)
        self.assertEqual(code, 1000)

    def test_held(self) -> None:
        """A shell that ends closes its stream although a job in the background has the terminal, and goes on."""
        ear = self.hear("shell")
        ear.expect("ready> ")
        ear.leg.send(b"sleep 300 & echo job=$!.; exit 3\n")
        job = int(ear.expect(r"job=(\d+)\.")[1])
        self.addCleanup(os.kill, job, signal.SIGKILL)
        _, controls, code = read_all(ear.leg)
        self.assertIn({"exit": 3}, controls)
        self.assertEqual((code, alive(job)), (1000, True))

    def test_end_of_file(self) -> None:
        """A client's end of file is the terminal's: the shell ends."""
        ear = self.hear("shell")
        ear.expect("ready> ")
        ear.leg.send('{"eof":true}')
        _, controls, code = read_all(ear.leg)
        self.assertIn({"exit": 0}, controls)
        self.assertEqual(code, 1000)

    def test_killed(self) -> None:
        """When the stream ends, the command is killed with its whole process group."""
        for how in ("close", "reset"):
            ear = self.hear("shell")
            ear.expect("ready> ")
            # Without job control a background command stays in the shell's own group.
            ear.leg.send(b"set +m; sleep 300 & echo shell=$$ child=$!.\n")
            found = ear.expect(r"shell=(\d+) child=(\d+)\.")
            shell, child = int(found[1]), int(found[2])
            self.assertTrue(alive(shell) and alive(child))
            if how == "close":
                ear.leg.close()
            else:
                ear.leg.socket.shutdown(2)
            until(lambda shell=shell, child=child: not alive(shell) and not alive(child), what=f"the end, after {how}")

    def test_stubborn(self) -> None:
        """A command that ignores the hang-up is killed 3 s later."""
        ear = self.hear("shell")
        ear.expect("ready> ")
        ear.leg.send(b"set +m; trap '' HUP; sleep 300 & echo shell=$$ child=$!.\n")
        found = ear.expect(r"shell=(\d+) child=(\d+)\.")
        ear.leg.close()
        until(lambda: not alive(int(found[1])) and not alive(int(found[2])), what="the end")

    def test_flood(self) -> None:
        """A command that floods is held back by a client that reads late, and loses nothing."""
        ear = self.hear("shell", RAW)
        ear.expect("ready> ")
        ear.leg.send(b"stty -echo -onlcr; seq 1 300000; exit\n")
        time.sleep(1)
        data = read_all(ear.leg)[0].decode()
        numbers = data[data.index("1\n2\n3\n") :].split("\n")[:300000]
        self.assertEqual(numbers, [str(number) for number in range(1, 300001)])

    def test_no_program(self) -> None:
        """A program that isn't there is refused with 502 and the reason."""
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "missing"})
        self.assertEqual(answer.status, 502)
        self.assertIn("no-such-program-here: no such program", answer.json["detail"])

    def test_connect_status(self) -> None:
        """`streamrelay connect` ends with the command's own status."""
        done = self.common.streamrelay("connect", HOST, "exit", given=b"")
        self.assertEqual((done.returncode, done.stdout), (7, b"bye\r\n"), done.stderr)


class Patterns(TargetTest):
    """Names with parts, filled in where the target is connected."""

    def test_filled_in(self) -> None:
        """A part of the name is filled into the target's settings."""
        (self.common.folder / "vm-a1.log").write_text("of a1\n")
        (self.common.folder / "vm-b2.log").write_text("of b2\n")
        self.hear("vm/a1/log").expect("of a1\n")
        self.hear("vm/b2/log").expect("of b2\n")
        data, _, code = read_all(self.hear("run/well").leg)
        self.assertEqual((data, code), (b"it is well\r\n", 1000))

    def test_not_matched(self) -> None:
        """A name whose part doesn't match in full is no target."""
        for name in ("vm/../log", "vm/a/b/log", "vm/A1/log", "vm//log", "run/WELL", "run/-n", "run/a b", "run/well\n"):
            answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": name})
            self.assertEqual(answer.status, 404, name)

    def test_listed(self) -> None:
        """The list of targets shows the pattern itself, with its kind."""
        (host,) = self.common.ask("GET", "/v1/hosts").json["hosts"]
        self.assertIn({"name": "vm/{name}/log", "kind": "log", "viewer": "log", "view": False}, host["targets"])

    def test_changed(self) -> None:
        """A target that is added to the agent's file can be opened within seconds, without a restart."""
        own = self.chain()
        answer = own.ask("POST", "/v1/streams", {"host": HOST, "target": "late"})
        self.assertEqual(answer.status, 404)
        path = self.folder / "late.log"
        path.write_text("here\n")
        own.write_agent(f'[targets.late]\nkind = "log"\npath = "{path}"\n')
        until(lambda: "late" in own.ask("GET", "/v1/hosts").text, what="the new target")
        Ear(self.websocket(self.open(own, "late"))).expect("here\n")
        own.write_agent("[targets.late]\nkind = 7\n")
        own.agent.wait_for("can't read the targets again")
        Ear(self.websocket(self.open(own, "late"))).expect("here\n")
