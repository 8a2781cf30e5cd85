"""The JavaScript client in Node, against the real chain: bytes, control messages, and backpressure."""

import json
import socket
import time
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.live.support.node import JavaScript
from tests.live.support.sockets import MIB, exchange, in_kernel, seeded, sha, take_all
from tests.live.support.waiting import WAIT, Work

SIZE = 20 * MIB


class Bytes(JavaScript):
    """What goes through a stream."""

    def test_both_ways(self) -> None:
        """20 MiB each way at once arrive unchanged; the ticket says what the target is, and the outcome how."""
        listener = self.listen()
        down = seeded(SIZE)

        serving = Work(exchange, listener, down)
        result = self.scenario("both_ways", wanted=self.wanted(listener.target), size=SIZE).result()
        self.assertEqual(result["got"], {"count": SIZE, "sum": sha(down)})
        self.assertEqual(result["sent"], serving.result())
        self.assertEqual((result["outcome"]["code"], result["outcome"]["clean"]), (1000, True))
        ticket = result["ticket"]
        self.assertEqual((ticket["kind"], ticket["viewer"], ticket["links"], ticket["view"]), ("tcp", "raw", 1, False))
        self.assertGreater(ticket["expires"], time.time())

    def test_half_close_here(self) -> None:
        """A writable that is closed is the target's end of file; what it says afterwards is read to its end."""
        listener = self.listen()

        def serve() -> bytes:
            target = listener.accept()
            got = take_all(target)
            target.sendall(b"and now " * 1000)
            target.close()
            return got

        serving = Work(serve)
        result = self.scenario("half_close_here", wanted=self.wanted(listener.target)).result()
        self.assertEqual(serving.result(), "grüße".encode())
        self.assertEqual((result["got"], result["outcome"]["code"]), ("and now " * 1000, 1000))

    def test_half_close_there(self) -> None:
        """The target's end of file ends the readable; what is written afterwards still arrives."""
        listener = self.listen()
        scenario = self.scenario("half_close_there", wanted=self.wanted(listener.target))
        target = listener.accept()
        target.sendall(b"the end")
        target.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        scenario.say()
        got = take_all(target)
        result = scenario.result()
        self.assertEqual((len(got), result["got"], result["outcome"]["code"]), (MIB, "the end", 1000))

    def test_controls(self) -> None:
        """Control messages stand between the bytes in their order; such as nobody knows break nothing."""
        url, agent = self.agent()
        scenario = self.scenario("controls", url=url)
        self.assertEqual(json.loads(agent.recv(WAIT))["met"]["mode"], "v1")
        said: list[Any] = [
            {"place": "a:0"}, b"one\n", {"skipped": 3}, {"place": "a:9"}, b"two\n", {"later": [1, {}]}, {"exit": 7}
        ]  # fmt: skip
        for message in said:
            agent.send(message if isinstance(message, bytes) else json.dumps(message))
        agent.send('{"eof":true}')
        agent.close(1000)
        result = scenario.result()
        heard = [item.encode() if isinstance(item, str) else item for item in result["items"]]
        self.assertEqual(heard, said)
        places = [(place["place"], place["after"]) for place in result["places"]]
        self.assertEqual(places, [("a:0", 0), ("a:0", 4), ("a:0", 4), ("a:9", 0), ("a:9", 4), ("a:9", 4), ("a:9", 4)])
        self.assertEqual(result["outcome"]["exit"], 7)

    def test_terminal(self) -> None:
        """Of 68 sizes in a row the terminal has the last one; its exit status is in the outcome, in words too."""
        result = self.scenario("terminal", wanted=self.wanted("shell")).result()
        self.assertIn({"exit": 3}, result["seen"])
        outcome = result["outcome"]
        self.assertEqual((outcome["code"], outcome["exit"]), (1000, 3))
        self.assertEqual(outcome["words"], "the command ended with status 3")

    def test_place(self) -> None:
        """A log goes on behind what the reader has had, wherever it stopped: no line is lost or doubled."""
        path = self.common.folder / "some.log"
        path.write_text("".join(f"line {number:05}\n" for number in range(9)))
        scenario = self.scenario("goes_on", wanted=self.wanted("log"), sizes=[50, 1000, 7, 30_000])
        lines = 9
        for _ in range(4):
            scenario.hear()
            with path.open("a") as log:
                for number in range(lines, lines + 3000):
                    log.write(f"line {number:05}\n")
            lines += 3000
        text = scenario.result()["text"]
        self.assertEqual(text, "".join(f"line {number:05}\n" for number in range(lines))[: len(text)])
        self.assertGreater(len(text), 31_000)

    def test_lines(self) -> None:
        """A log begins with as many of its last lines as the program asks for."""
        (self.common.folder / "some.log").write_text("".join(f"line {number:05}\n" for number in range(9)))
        scenario = self.scenario("goes_on", wanted={**self.wanted("log"), "lines": 2}, sizes=[22])
        self.assertEqual(scenario.result()["text"], "line 00007\nline 00008\n")


class Backpressure(JavaScript):
    """Whoever is slow is waited for, and costs nobody memory."""

    def test_slow_reader(self) -> None:
        """A reader that doesn't read for 4 s holds its target: no program grows by more, and nothing is lost after."""
        size, most = 96 * MIB, 8.0
        data = seeded(MIB, 3) * (size // MIB)
        listener = self.listen()
        scenario = self.scenario("slow_reader", wanted=self.wanted(listener.target), size=size)
        scenario.hear()
        target = listener.accept()
        before = self.common.relay.rss(), self.common.agent.rss()
        target.settimeout(60)
        flooding = Work(target.sendall, data)
        time.sleep(4)
        self.assertTrue(flooding.is_alive(), "the target wasn't held back")
        grown = [now.rss() - then for now, then in zip((self.common.relay, self.common.agent), before, strict=True)]
        scenario.say()
        result = scenario.result()
        flooding.result()
        print(f"figure: a reader that doesn't read: relay, agent {grown} MiB, Node +{result['grown']:.1f} MiB")
        self.assertEqual(result["got"], {"count": size, "sum": sha(data)})
        self.assertLess(max(grown), most)
        self.assertLess(result["grown"], 64)

    def test_slow_target(self) -> None:
        """A target that doesn't read makes writes wait; the websocket holds no more than it may."""
        size = 112 * MIB
        listener = self.listen()
        scenario = self.scenario("slow_target", wanted=self.wanted(listener.target), size=size)
        target = listener.accept()
        target.settimeout(60)
        still = scenario.hear()
        self.assertLess(still["sent"], 80 * MIB, "the writer wasn't held back")
        got = take_all(target)
        target.close()
        result = scenario.result()
        print(f"figure: a target that doesn't read: {still['sent'] / MIB:.1f} MiB were taken, {result['most']} unsent")
        self.assertEqual((len(got), sha(got)), (size, result["sum"]))
        self.assertLess(result["most"], 1.2 * MIB)
        self.assertEqual(result["outcome"]["code"], 1000)

    def test_holds(self) -> None:
        """A reader that is somewhat slower than its agent holds it in time, at most four times a second."""
        url, agent = self.agent()
        size = 80 * MIB
        scenario = self.scenario("steady", url=url, size=size)
        agent.recv(WAIT)
        times: list[float] = []
        began = time.monotonic()  # before the first: that may be read late, and the last in time
        held, sent, over = False, 0, began + 3 * WAIT
        pieces = [bytes(MIB // 2)] * 8  # so many that a busy machine sends faster, too, than is read
        while sent < size:
            self.assertLess(time.monotonic(), over)
            try:
                message = json.loads(agent.recv(WAIT if held else 0.002))
            except TimeoutError:
                for piece in pieces:
                    agent.send(piece)
                    sent += len(piece)
                continue
            self.assertEqual(message, {"hold": not held})
            held = not held
            times.append(time.monotonic())
        self.assertEqual(scenario.result(), {"count": size})
        self.assertGreater(len(times), 3)
        print(f"figure: {len(times)} holds and releases in {times[-1] - times[0]:.1f} s")
        self.assertGreater((times[-1] - began) / (len(times) - 1), 0.2)

    def test_never_holds(self) -> None:
        """A stream whose agent doesn't hold is given up when 64 MiB wait for its reader: the page isn't filled."""
        url, agent = self.agent()
        scenario = self.scenario("unread", url=url)
        agent.recv(WAIT)

        def flood() -> None:
            for _ in range(64 + in_kernel() // MIB + 16):
                agent.send(bytes(MIB))

        flooding = Work(flood)
        result = scenario.result()
        self.assertEqual(result["outcome"]["code"], 1013)
        self.assertIn("64 MiB", result["outcome"]["reason"])
        self.assertIn("64 MiB", result["read"]["message"])
        self.assertRaises(ConnectionClosed, flooding.result)
