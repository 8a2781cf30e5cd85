"""The stop of the programs by signals: what runs goes on, what is in flight comes, and the status is 0."""

import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST
from tests.live.support.http import ask
from tests.live.support.ports import free_port
from tests.live.support.processes import Program, twistd
from tests.live.support.promise import kept, promised
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import close_code, read_exactly

SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/cat"]\n'


class StoppingTest(LiveTest):
    """Programs that are told to stop."""

    def status(self, program: Program) -> int | None:
        until(lambda: not program.alive, what=f"the end of {program.name}")
        self.assertNotIn("Traceback", program.log)
        return program.process.returncode

    def test_all(self) -> None:
        """One after the other agent, relay and platform drain: streams that run go on through each, of one at full work
        every byte; nothing new is taken on, in words; each ends as soon as nothing runs, with status 0."""
        chain = self.chain(relay=("--drain=600",), agent="drain = 600\n", targets=SHELL)
        leg = self.websocket(self.open(chain, "shell"))
        beside = self.neighbour(*self.stream(chain))
        lone = self.websocket(chain.pair()[0])
        chain.agent.process.send_signal(signal.SIGTERM)
        chain.agent.wait_for("SIGTERM: stopping; nothing new is taken on, 2 streams still running")
        beside.goes_on()
        refused = until(
            lambda: (
                (answer := chain.ask("POST", "/v1/streams", {"host": HOST, "target": "shell"})).json["code"]
                == "host_offline"
                and answer
            ),
            what="the end of its subscription",
        )
        self.assertEqual(refused.status, 503)
        until(lambda: not chain.hosts(), what="a list without the host")
        chain.relay.process.send_signal(signal.SIGTERM)
        chain.relay.wait_for("SIGTERM: stopping; nothing new is taken on, 2 streams still running")
        self.assert_closed(lone, 1001)
        beside.goes_on()
        health = ask(chain.relay_port, "GET", "/health")
        self.assertEqual((health.status, health.text), (503, "not ready\n"))
        self.assertEqual(self.refused(chain.pair()[0]), 503)
        chain.platform.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.status(chain.platform), 0)
        beside.goes_on()
        beside.finish()
        done = Work(read_exactly, leg, 5)
        leg.send(b"again")
        self.assertEqual(done.result(), b"again")
        leg.close()
        self.assertEqual([self.status(chain.agent), self.status(chain.relay)], [0, 0])
        for program in (chain.agent, chain.relay):
            self.assertIn("stopping: nothing runs any more", program.log)
        kept("drained", "agent, relay, platform: status 0")

    def test_second(self) -> None:
        """A second signal ends what drains at once, with status 0 and without a traceback; each stream that it cuts
        has its line in the log."""
        chain = self.chain(relay=("--drain=600",), agent="drain = 600\n", targets=SHELL)
        shell = self.websocket(self.open(chain, "shell"))
        for url in chain.pair():
            self.websocket(url)
        for program in (chain.agent, chain.relay):
            program.process.send_signal(signal.SIGTERM)
            program.wait_for(" 1 stream still running, until ")
            with promised("stopped again"):
                program.process.send_signal(signal.SIGTERM)
                self.assertEqual(self.status(program), 0)
            self.assertIn("SIGTERM again: ending now, with 1 stream", program.log)
            cut = program.log.partition("ending now")[2]
            self.assertRegex(cut, r"stream .* ended: (1001|4005) .* s, \d+ bytes? up, \d+ down")
            close_code(shell)
            chain.relay.wait_for(" ended: ")  # the agent's stream, at the relay, too

    def test_in_flight(self) -> None:
        """What was sent before the end comes whole: a client of a relay that stops without a drain gets each byte that
        its target's end has given, in order, up to the end, and then 1001."""
        chain = self.chain()
        leg, target = self.stream(chain)
        data = seeded(64 * MIB)
        sent = Counted(target, data)
        got = Work(read_all, leg)
        until(lambda: sent.count > 8 * MIB, what="the flow")
        chain.relay.process.send_signal(signal.SIGTERM)
        received, code = got.result()
        self.assertEqual(code, 1001)
        self.assertEqual(received, data[: len(received)])
        self.assertEqual(self.status(chain.relay), 0)
        chain.agent.wait_for(" ended: ")
        down = int(chain.agent.log.rpartition(" bytes up, ")[2].split()[0])
        self.assertEqual(down - len(received), 0)
        kept("stopped in flight", f"{len(received):,} bytes of {down:,}")


class StartedBySystemd(LiveTest):
    """Programs as systemd starts, looks at, reloads and stops them."""

    def test_told(self) -> None:
        """A relay tells by an abstract socket that it is ready, that its loop runs, that it reloads and that it stops;
        what it starts inherits nothing of that."""
        name = f"@streamrelay-test-{free_port()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.bind(f"\0{name[1:]}")
            wire.settimeout(WAIT)
            # Words of ten seconds find room in the socket: what comes then is lost, unlike systemd's own.
            more = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"}
            relay = self.twistd(
                "streamrelay", "--tokens=opaque", "--listen=tcp:0:interface=127.0.0.1", environment=more
            )

            def hear(words: str) -> None:
                while words not in wire.recv(4096).decode():
                    pass

            hear("READY=1\nSTATUS=ready")
            for _ in range(3):
                hear("WATCHDOG=1")
            relay.process.send_signal(signal.SIGHUP)
            for words in ("RELOADING=1\nMONOTONIC_USEC=", "READY=1\nSTATUS=ready"):
                hear(words)
            relay.process.send_signal(signal.SIGTERM)
            for words in ("STOPPING=1\nEXTEND_TIMEOUT_USEC=75000000", "STATUS=stopping"):
                hear(words)
        until(lambda: not relay.alive, what="the end of the relay")
        self.assertEqual(relay.process.returncode, 0, relay.log)

    def test_signals_at_the_start(self) -> None:
        """SIGHUP and SIGUSR1 kill no program that starts, nor one that runs, with a log that is a file or not."""
        for number, log in enumerate(((), ("--logfile=relay.log",))):
            options = ("--tokens=opaque", "--listen=tcp:0:interface=127.0.0.1")
            relay = self.program(f"relay-{number}", *twistd(), *log, "streamrelay", *options)

            def said(relay: Program = relay) -> str:
                return relay.log + "".join(map(text_of, self.folder.glob("relay.log*")))

            def runs(said: Callable[[], str] = said) -> bool:
                return "opaque tokens, patience" in said()

            def begins(relay: Program = relay, runs: Callable[[], bool] = runs) -> bool:
                return held(relay.pid, signal.SIGHUP) or runs()  # who looks late finds it running

            until(begins, what="the program's own code")
            for signalled in (signal.SIGHUP, signal.SIGUSR1):
                relay.process.send_signal(signalled)
            until(runs, what="the start")
            for signalled in (signal.SIGHUP, signal.SIGUSR1):
                relay.process.send_signal(signalled)
            if log:
                until(self.logs_are_for_the_group, what="a new log, for its group to read")
            else:
                relay.wait_for("SIGUSR1: no new log is begun")
            relay.process.send_signal(signal.SIGTERM)
            until(lambda relay=relay: not relay.alive, what="the end of the relay")
            self.assertEqual(relay.process.returncode, 0, said())

    def logs_are_for_the_group(self) -> bool:
        """Whether there are several, all of them 0640; not while one is renamed, or made and not yet open to it."""
        try:
            modes = [path.stat().st_mode & 0o777 for path in self.folder.glob("relay.log*")]
        except FileNotFoundError:
            return False
        return len(modes) > 1 and set(modes) == {0o640}


def text_of(log: Path) -> str:
    """What stands in a log, which may have got another name meanwhile."""
    try:
        return log.read_text()
    except FileNotFoundError:
        return ""


def held(pid: int, number: int) -> bool:
    """Whether a process holds a signal back."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def read_all(leg: ClientConnection) -> tuple[bytes, int]:
    """Whatever comes until the leg is closed, and the close code."""
    parts: list[bytes] = []
    try:
        while True:
            message = leg.recv(WAIT)
            parts += [message] if isinstance(message, bytes) else []
    except Exception:
        return b"".join(parts), leg.close_code or 0


class Counted(threading.Thread):
    """A sending to a target's connection, which counts what the kernel has taken."""

    def __init__(self, target: Any, data: bytes) -> None:
        super().__init__(daemon=True)
        self.target, self.data, self.count = target, data, 0
        self.start()

    def run(self) -> None:
        try:
            for start in range(0, len(self.data), 65536):
                self.target.sendall(self.data[start : start + 65536])
                self.count = start
        except OSError:
            pass
