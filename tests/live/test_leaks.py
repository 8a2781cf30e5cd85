"""Nothing is left behind: descriptors, timers, tables and memory after many streams."""

import json
import sys
import time
from pathlib import Path

import streamrelay
from tests.live.chain import (
    RAW,
    Chain,
    Listener,
    LiveTest,
    answers,
    free_port,
    generate,
    hang_up,
    nats_command,
    run,
    shared,
    timed,
    until,
    websocket,
)

MANY = 1000
TREE = Path(__file__).parents[2]


def one_stream(chain: Chain, listener: Listener, number: int) -> None:
    """A stream with a word each way, ended by the client, by the target, or by a lost connection in turn."""
    answer = chain.ask("POST", "/v1/streams", {"host": "host-1", "target": listener.target})
    leg = websocket(answer.json["url"], RAW)
    target = listener.accept()
    leg.send(b"up")
    if target.recv(10) != b"up":
        raise AssertionError("not what was sent")
    target.sendall(b"down")
    if leg.recv(10) != b"down":
        raise AssertionError("not what was sent")
    if number % 3 == 0:
        leg.close()
    elif number % 3 == 1:
        target.close()
        leg.close()
    else:
        hang_up(leg)
    target.close()
    leg.close()
    listener.accepted.clear()


class Leaks(LiveTest):
    """After a thousand streams all is as it was."""

    def test_descriptors(self) -> None:
        """1,000 streams, one after the other: relay, agent and platform hold the descriptors they held before."""
        chain, listener = shared(), self.listen()
        for number in range(30):
            one_stream(chain, listener, number)
        programs = (chain.relay, chain.agent, chain.platform)

        def held() -> list[list[str]]:
            return [program.descriptors() for program in programs]

        def settled() -> list[list[str]]:
            """The descriptors once they have been the same for a second."""
            until(lambda: chain.ask("GET", "/v1/streams").json == {"streams": []}, 5, "the end of all streams")
            looks = [held()]
            while len(looks) < 10 or any(look != looks[-1] for look in looks[-10:]):
                time.sleep(0.1)
                looks.append(held())
                self.assertLess(len(looks), 100, "the descriptors never come to rest")
            return looks[-1]

        before, memory = settled(), [program.rss() for program in programs]
        with timed() as passed:
            for number in range(MANY):
                one_stream(chain, listener, number)
        seconds = passed()
        self.assertEqual(settled(), before)
        grown = [program.rss() - was for program, was in zip(programs, memory, strict=True)]
        print(
            f"figure: {MANY} streams in {seconds:.1f} s: "
            f"relay {len(before[0])} descriptors as before and RSS {grown[0]:+.1f} MiB, "
            f"agent {len(before[1])} and {grown[1]:+.1f}, platform {len(before[2])} and {grown[2]:+.1f}"
        )

    def test_tables(self) -> None:
        """Every kind of end leaves no timer, no entry in any table, and no object behind."""
        generate(self.folder / "platform.key", self.folder / "platform.pub")
        port = free_port()
        self.program("nats-server", *nats_command(port))
        until(lambda: answers(port), what="nats-server")
        done = run(
            sys.executable,
            *("-m", "tests.live.tables", f"nats://127.0.0.1:{port}"),
            *(f"{self.folder}/platform.key", f"{self.folder}/platform.pub", "100"),
            cwd=TREE,
            seconds=60,
        )
        self.assertEqual(done.stderr.decode(), "")
        self.assertTrue(done.stdout.startswith(b"{"), done.stdout)
        sizes = json.loads(done.stdout)
        self.assertEqual(sizes.pop("meetings_before"), 101)
        self.assertEqual(
            {name: size for name, size in sizes.items() if size}, {}, f"left behind by {streamrelay.__file__}"
        )
