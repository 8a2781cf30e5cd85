"""What counts against an agent's `max_streams`: a stream from its summons until nothing of it is left."""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.live.streams.test_leaks import children
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.http import Answer
from tests.live.support.pace import timed
from tests.live.support.processes import alive
from tests.live.support.sockets import held
from tests.live.support.waiting import Work, until

MOST = 5
OPENS = 30
SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/sh"]\n'


class Most(LiveTest):
    """An agent that may have five streams."""

    def agent_of(self, most: int = MOST, more: str = "", **settings: Any) -> Chain:
        return self.chain(agent=f"max_streams = {most}\n{more}", targets=SHELL, **settings)

    def many(self, chain: Chain, count: int, target: str = "shell") -> list[Answer]:
        """So many requests for a stream at once."""
        with ThreadPoolExecutor(count) as pool:
            body = {"host": HOST, "target": target}
            return list(pool.map(lambda _: chain.ask("POST", "/v1/streams", body), range(count)))

    def shells(self, chain: Chain) -> int:
        return len(children(chain.agent.pid))

    def test_waiting(self) -> None:
        """Shells that wait for their clients count, are listed and can be ended; then nothing of them is left."""
        chain = self.agent_of()
        self.many(chain, 1)  # whatever the first one loads
        self.end_all(chain)
        until(lambda: not (children(chain.agent.pid) or held(chain.relay_port)), what="the first one's end")
        before = chain.agent.descriptors()
        given = self.many(chain, OPENS)
        opened = [answer for answer in given if answer.status == 201]
        refused = [(answer.status, answer.json["code"]) for answer in given if answer.status != 201]
        self.assertEqual((len(opened), set(refused)), (MOST, {(503, "busy")}))
        self.assertEqual(self.shells(chain), MOST)
        listed = chain.streams()
        self.assertEqual({stream["stream"] for stream in listed}, {answer.json["stream"] for answer in opened})
        self.assertEqual({stream["waiting"] for stream in listed}, {True})
        said = [line for line in chain.agent.log.splitlines() if "max_streams = " in line]
        self.assertEqual(len(said), 1, said)
        with timed() as passed:
            self.end_all(chain)
            until(lambda: not self.shells(chain) and chain.agent.descriptors() == before, what="all that was taken")
        print(f"figure: {MOST} of {OPENS} shells were opened, and all of them gone {passed():.1f} s after their ends")
        self.assertEqual(sorted(answer.status for answer in self.many(chain, MOST)), [201] * MOST)

    def end_all(self, chain: Chain) -> None:
        for stream in chain.streams():
            chain.end(stream["stream"])
        until(lambda: not chain.streams(), what="the end of all streams")

    def test_late_client(self) -> None:
        """A client that comes for a stream which was ended while it waited is told so, and no shell runs for it."""
        chain = self.agent_of()
        (opened,) = self.many(chain, 1)
        self.end_all(chain)
        self.assert_closed(self.websocket(opened.json["url"]), 4006)
        self.assertEqual(self.shells(chain), 0)

    def test_patience(self) -> None:
        """A stream whose client never comes frees its place after the agent's patience, not after the relay's."""
        chain = self.agent_of(1, "patience = 3\n", relay=("--patience=600",))
        with timed() as passed:
            self.assertEqual(self.many(chain, 1)[0].status, 201)
            until(lambda: self.many(chain, 1)[0].status == 201, what="the place")
        self.assertGreaterEqual(passed(), 3)

    def test_stopped(self) -> None:
        """An agent that stops ends the streams that wait, so that a client who comes is told why there is none."""
        chain = self.agent_of()
        (opened,) = self.many(chain, 1)
        (shell,) = children(chain.agent.pid)
        chain.agent.stop()
        until(lambda: not alive(int(shell)), what="the end of the shell")
        leg = self.websocket(opened.json["url"])
        self.assert_closed(leg, 4005)
        self.assertEqual(leg.close_reason, "the agent is shutting down")

    def test_slow_target(self) -> None:
        """A stream whose target doesn't answer yet counts, is listed, and can be ended before it is opened."""
        chain = self.chain(agent="max_streams = 1\n")
        slow = self.full_port()
        opening = Work(chain.ask, "POST", "/v1/streams", {"host": HOST, "target": slow})
        (stream,) = until(lambda: chain.streams(), what="the stream that is being opened")
        self.assertTrue(stream["waiting"])
        self.assertEqual(self.many(chain, 1, slow)[0].json["code"], "busy")
        chain.end(stream["stream"])
        answer = opening.result()
        self.assertEqual((answer.status, answer.json["code"]), (403, "not_allowed"))
        self.assertIn("operator", answer.json["detail"])
        until(lambda: not chain.streams(), what="its end")

    def full_port(self) -> str:
        """A target that doesn't answer for as long as one may try: nobody accepts there, and no more can wait."""
        listener = self.listen()
        listener.socket.listen(0)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", listener.port))
        return listener.target


class Shares(LiveTest):
    """An agent whose users may have two streams each, and one target a single one."""

    def test_shares(self) -> None:
        """One user takes no more than that, and leaves the others theirs; so does a target. The log says which."""
        port = self.listen()
        one = f'[targets.one]\nkind = "tcp"\naddress = "127.0.0.1:{port.port}"\nmax_streams = 1\n'
        chain = self.chain(agent="max_streams_per_user = 2\n", targets=one)

        def opened(target: str, key: str = "") -> tuple[int, str]:
            answer = chain.ask("POST", "/v1/streams", {"host": HOST, "target": target}, key)
            return answer.status, answer.json.get("detail", "")

        user_full = (503, "too many streams of this user on this host (max_streams_per_user)")
        target_full = (503, "too many streams to this target (its max_streams)")
        self.assertEqual([opened("one") for _ in range(2)], [(201, ""), target_full])
        self.assertEqual([opened(port.target) for _ in range(3)], [(201, ""), user_full, user_full])
        self.assertEqual([opened(port.target, chain.weak_key) for _ in range(3)], [(201, "")] * 2 + [user_full])
        chain.agent.wait_for("max_streams_per_user = 2 allows no more streams")
        chain.agent.wait_for("a target's own max_streams allows no more streams")
        (stream, *_) = chain.streams()
        chain.end(stream["stream"])
        key = chain.key if stream["user"] == "alice" else chain.weak_key
        until(lambda: opened(port.target, key)[0] == 201, what="the place of a stream that has ended")
