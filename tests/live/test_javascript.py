"""The JavaScript client in Node, against the real chain: bytes, backpressure, outcomes and refusals."""

import hashlib
import json
import socket
import time
from itertools import pairwise
from typing import Any

from websockets.sync.client import ClientConnection

from streamrelay import wire
from tests.live.chain import (
    HOST,
    MIB,
    WAIT,
    Chain,
    LiveTest,
    Work,
    free_port,
    read_exactly,
    reset,
    seeded,
    shared,
    take_all,
)
from tests.live.node import Scenario, need_node

SIZE = 20 * MIB
SHELL = '[targets.shell]\nkind = "pty"\ncommand = ["/bin/sh"]\nenvironment = { PS1 = "ready> " }\n'
LOG = '[targets.log]\nkind = "log"\npath = "FOLDER/some.log"\n'


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class JavaScript(LiveTest):
    """A scenario of tests/javascript/client.mjs; the test is its target, or its agent."""

    def setUp(self) -> None:
        need_node()
        super().setUp()
        self.common = shared(targets=SHELL + LOG)

    def wanted(self, target: str, chain: Chain | None = None, **more: Any) -> dict[str, Any]:
        """What the client asks for."""
        common = chain or self.common
        platform = f"http://127.0.0.1:{common.platform_port}/"
        return {"host": HOST, "target": target, "platform": platform, "key": common.key, **more}

    def scenario(self, name: str, **given: Any) -> Scenario:
        scenario = Scenario(name, given)
        self.addCleanup(scenario.stop)
        return scenario

    def agent(self) -> tuple[str, ClientConnection]:
        """A client's URL, and the agent's leg that the test is itself."""
        client, agent = self.common.pair()
        return client, self.websocket(agent)


class Bytes(JavaScript):
    """What goes through a stream."""

    def test_both_ways(self) -> None:
        """20 MiB each way at once arrive unchanged; the ticket says what the target is, and the outcome that it ended."""
        listener = self.listen()
        down = seeded(SIZE)

        def serve() -> str:
            target = listener.accept()
            sending = Work(target.sendall, down)
            got = take_all(target)
            sending.result()
            target.close()
            return sha(got)

        serving = Work(serve)
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
        self.assertLess(result["grown"], 32)

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
        size = 40 * MIB
        scenario = self.scenario("steady", url=url, size=size)
        agent.recv(WAIT)
        times: list[float] = []
        held, sent, over = False, 0, time.monotonic() + 40
        piece = bytes(65536)
        while sent < size:
            self.assertLess(time.monotonic(), over)
            try:
                message = json.loads(agent.recv(WAIT if held else 0.002))
            except TimeoutError:
                agent.send(piece)
                sent += len(piece)
                continue
            self.assertEqual(message, {"hold": not held})
            held = not held
            times.append(time.monotonic())
        self.assertEqual(scenario.result(), {"count": size})
        self.assertGreater(len(times), 3)
        print(f"figure: {len(times)} holds and releases in {times[-1] - times[0]:.1f} s")
        self.assertGreater(min(later - earlier for earlier, later in pairwise(times)), 0.2)

    def test_never_holds(self) -> None:
        """A stream whose agent doesn't hold is given up when 64 MiB wait for its reader: the page isn't filled."""
        url, agent = self.agent()
        scenario = self.scenario("unread", url=url)
        agent.recv(WAIT)

        def flood() -> None:
            for _ in range(100):
                agent.send(bytes(MIB))

        flooding = Work(flood)
        result = scenario.result()
        self.assertEqual(result["outcome"]["code"], 1013)
        self.assertIn("64 MiB", result["outcome"]["reason"])
        self.assertIn("64 MiB", result["read"]["message"])
        self.assertRaises(Exception, flooding.result)


class Ends(JavaScript):
    """How streams end, and what the program is told."""

    def end(self, scenario: Scenario) -> dict[str, Any]:
        """The outcome, of which reader and writer were told the same."""
        result = scenario.result()
        outcome: dict[str, Any] = result["outcome"]
        self.assertEqual(result["read"]["outcome"], outcome)
        self.assertEqual(result["written"]["outcome"], outcome)
        self.assertIn(outcome["words"], result["written"]["message"])
        return outcome

    def ending(self, chain: Chain | None = None) -> tuple[Scenario, socket.socket]:
        listener = self.listen()
        scenario = self.scenario("ended", wanted=self.wanted(listener.target, chain))
        self.assertEqual(scenario.hear(), "open")
        target = listener.accept()
        self.assertEqual(target.recv(4), b"here")
        return scenario, target

    def test_target_resets(self) -> None:
        """4003: the target reset the connection."""
        scenario, target = self.ending()
        reset(target)
        outcome = self.end(scenario)
        self.assertEqual((outcome["code"], outcome["words"]), (4003, "the target reset the connection"))
        self.assertEqual((outcome["clean"], outcome["transient"]), (False, False))

    def test_operator(self) -> None:
        """4006: an operator ended it."""
        scenario, target = self.ending()
        (stream,) = (
            info["stream"]
            for info in self.common.ask("GET", "/v1/streams").json["streams"]
            if info["target"] == f"port/{target.getsockname()[1]}"
        )
        self.assertEqual(self.common.ask("DELETE", f"/v1/streams/{stream}").status, 204)
        outcome = self.end(scenario)
        self.assertEqual((outcome["code"], outcome["words"]), (4006, "ended by an operator"))
        self.assertFalse(outcome["transient"])

    def test_target_ends(self) -> None:
        """1000: in order; writing afterwards fails all the same."""
        url, agent = self.agent()
        scenario = self.scenario("ended", wanted={}, url=url)
        agent.recv(WAIT)
        self.assertEqual((scenario.hear(), read_exactly(agent, 4)), ("open", b"here"))
        agent.send(b"bye")
        agent.close(1000)
        result = scenario.result()
        self.assertEqual(result["read"], {"text": "bye"})
        self.assertEqual((result["outcome"]["code"], result["outcome"]["clean"]), (1000, True))
        self.assertEqual(result["written"]["outcome"], result["outcome"])

    def test_relay_killed(self) -> None:
        """1006: the connection to the relay broke, which is worth another try. A new one isn't let in, in words too."""
        chain = self.chain()
        scenario, _ = self.ending(chain)
        chain.relay.kill()
        outcome = self.end(scenario)
        self.assertEqual((outcome["code"], outcome["words"]), (1006, "the connection to the relay broke"))
        self.assertTrue(outcome["transient"])

    def test_cancelled(self) -> None:
        """Who cancels the reader, leaves its loop, or closes, closes the stream; its target reads the end."""
        listener = self.listen()

        def serve() -> None:
            for _ in range(3):
                target = listener.accept()
                target.sendall(b"hello")
                self.assertEqual(take_all(target), b"")

        serving = Work(serve)
        outcomes = self.scenario("cancelled", wanted=self.wanted(listener.target)).result()
        serving.result()
        self.assertEqual([(outcome["code"], outcome["clean"]) for outcome in outcomes], [(1000, True)] * 3)

    def test_aborted(self) -> None:
        """A signal ends the asking, the opening, and the stream, whose target reads the end."""
        listener = self.listen()
        serving = Work(lambda: take_all(listener.accept()))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            outcome = self.scenario("aborted", wanted=self.wanted(listener.target), silent=port).result()
        self.assertEqual((outcome["code"], outcome["reason"]), (1000, "aborted"))
        self.assertEqual(serving.result(), b"here")

    def test_unopened(self) -> None:
        """A websocket that can't be opened is told in words, whatever is wrong; never with its URL."""
        used = self.open(self.common, self.listen().target)
        self.websocket(used)
        nobody = f"ws://127.0.0.1:{free_port()}/client/secret-in-the-url"
        platform = f"ws://127.0.0.1:{self.common.platform_port}/client/secret-in-the-url"
        urls = [used, nobody, platform, "no url secret-in-the-url", "ftp://secret-in-the-url"]
        errors = self.scenario("unopened", urls=urls).result()
        for error in errors:
            self.assertEqual(error["outcome"]["code"], 1006)
            self.assertNotIn("secret-in-the-url", json.dumps(error))
            self.assertNotIn("/client/", json.dumps(error))
        unreached = "the relay can't be reached, or doesn't let this client in"
        self.assertEqual([error["message"] for error in errors[:3]], [unreached] * 3)
        self.assertEqual([error["outcome"]["transient"] for error in errors], [True, True, True, False, False])

    def test_words(self) -> None:
        """Every close code has the words that the other programs have for it, and another try is worth it for some."""
        codes = [int(code) for code in wire.Close]
        outcomes = self.scenario("outcomes", codes=[*codes, 1006, 4099]).result()
        self.assertEqual([outcome["words"] for outcome in outcomes[:-2]], [wire.EXPLAIN[code] for code in wire.Close])
        transient = {outcome["code"] for outcome in outcomes if outcome["transient"]}
        self.assertEqual(transient, {1001, 1006, 1013, 4004, 4005})
        self.assertEqual([outcome["clean"] for outcome in outcomes], [code == 1000 for code in [*codes, 1006, 4099]])
        self.assertIn("not known here", outcomes[-1]["words"])


class Refusals(JavaScript):
    """Why the platform opened none."""

    def test_refused(self) -> None:
        """Each refusal has HTTP's status, the API's code and detail, and says whether another try is worth it."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            closed = f"port/{taken.getsockname()[1]}"
            cases = {
                (403, "not_granted", False): self.wanted("shell", key=self.common.weak_key),
                (503, "host_offline", True): self.wanted("shell", host="nobody"),
                (502, "target_refused", False): self.wanted(closed),
                (404, "no_such_target", False): self.wanted("nothing"),
                (401, "no_key", False): self.wanted("shell", key="srk_wrong"),
                (0, "unreachable", True): self.wanted("shell", platform=f"http://127.0.0.1:{free_port()}"),
                (400, "", False): self.wanted("shell", platform=f"http://127.0.0.1:{self.common.relay_port}"),
            }
            errors = self.scenario("refused", cases=list(cases.values())).result()
        self.assertEqual([(error["status"], error["code"], error["transient"]) for error in errors], list(cases))
        self.assertEqual({error["name"] for error in errors}, {"Refused"})
        words = ("no grant", "host nobody is offline", "refused", "no such target", "not known", "can't be reached", "400")
        for error, expected in zip(errors, words, strict=True):
            self.assertIn(expected, error["message"])

    def test_no_key(self) -> None:
        """401 without a key; 429, and when to come back, for an address that sends many bad ones."""
        chain = self.chain()
        cases = [self.wanted("shell", chain, key=None), *[self.wanted("shell", chain, key="srk_bad")] * 25]
        errors = self.scenario("refused", cases=cases).result()
        self.assertEqual((errors[0]["status"], errors[0]["message"]), (401, "a key is needed"))
        self.assertEqual((errors[-1]["status"], errors[-1]["code"], errors[-1]["transient"]), (429, "too_many", True))
        self.assertGreater(errors[-1]["retryAfter"], 0)
