"""The JavaScript client in Node, against the real chain: how streams end, and why there is none."""

import json
import socket
from typing import Any

from streamrelay.protocol.close import EXPLAIN, CloseCode
from tests.live.support.browser import ROOT
from tests.live.support.chain import Chain
from tests.live.support.node import JavaScript, Scenario
from tests.live.support.ports import free_port
from tests.live.support.pump import Pump
from tests.live.support.sockets import reset, take, take_all
from tests.live.support.waiting import WAIT, Work
from tests.live.support.websockets import read_exactly


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

    def test_silent(self) -> None:
        """1006: nothing comes any more, though nobody has closed the connection."""
        pump = Pump(self.common.relay_port)
        self.addCleanup(pump.close)
        listener = self.listen()
        url = self.open(self.common, listener.target)
        given = {"url": url.replace(f":{self.common.relay_port}/", f":{pump.port}/")}
        scenario = Scenario("silent", given, "silent.mjs")
        self.addCleanup(scenario.stop)
        listener.accept().sendall(b"here")
        self.assertEqual(scenario.hear(), "here")
        pump.stop()
        scenario.say()
        result = scenario.hear()
        pump.close()  # Node waits for the connection's end, as its WebSocket can't cut it
        scenario.result()
        print(f"figure: a link that died without a close was said after {result['seconds']:.1f} s")
        outcome = result["outcome"]
        self.assertEqual((outcome["code"], outcome["reason"]), (1006, "the relay does not answer"))
        self.assertEqual((outcome["words"], outcome["transient"]), ("the connection to the relay broke", True))
        self.assertEqual(result["read"], outcome)

    def test_operator(self) -> None:
        """4006: an operator ended it."""
        scenario, target = self.ending()
        (stream,) = (
            info["stream"] for info in self.common.streams() if info["target"] == f"port/{target.getsockname()[1]}"
        )
        self.common.end(stream)
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
        self.leave_three()

    def test_aborted(self) -> None:
        """A signal ends the asking, the opening, and the stream, whose target reads the end."""
        listener = self.listen()

        def serve() -> bytes:
            target = listener.accept()
            read = take(target, len(b"here"))
            target.sendall(b"it is read")
            return read + take_all(target)

        serving = Work(serve)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            outcome = self.scenario("aborted", wanted=self.wanted(listener.target), silent=port).result()
        self.assertEqual((outcome["code"], outcome["words"], outcome["clean"]), (1000, "aborted", False))
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
        unreached = "the relay {} can't be reached, or doesn't let this client in; its log says why"
        told = [unreached.format(url.partition("/client/")[0]) for url in urls[:3]]
        self.assertEqual([error["message"] for error in errors[:3]], told)
        self.assertEqual([error["outcome"]["transient"] for error in errors], [True, True, True, False, False])

    def test_words(self) -> None:
        """Every close code has the words that the other programs have for it, and another try is worth it for some."""
        codes = [int(code) for code in CloseCode]
        outcomes = self.scenario("outcomes", codes=[*codes, 1006, 4099]).result()
        self.assertEqual([outcome["words"] for outcome in outcomes[:-2]], [EXPLAIN[code] for code in CloseCode])
        table = (ROOT / "docs" / "javascript.rst").read_text()
        for outcome in outcomes[:-1]:
            row = f"{outcome['code']} {outcome['words']:<50}{' yes' if outcome['transient'] else ''}".rstrip()
            self.assertIn(f"\n{row}\n", table)
        transient = {outcome["code"] for outcome in outcomes if outcome["transient"]}
        self.assertEqual(transient, {1001, 1006, 1012, 1013, 4004, 4005})
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
        words = ("no grant", "host nobody is offline", "refused", "no such", "not known", "can't be reached", "400")
        for error, expected in zip(errors, words, strict=True):
            self.assertIn(expected, error["message"])

    def test_no_key(self) -> None:
        """401 without a key; 429, and when to come back, for an address that sends many bad ones."""
        chain = self.chain()
        cases = [self.wanted("shell", chain, key=None), *[self.wanted("shell", chain, key="srk_bad")] * 60]
        errors = self.scenario("refused", cases=cases).result()
        self.assertEqual((errors[0]["status"], errors[0]["message"]), (401, "a key is needed"))
        self.assertEqual((errors[-1]["status"], errors[-1]["code"], errors[-1]["transient"]), (429, "too_many", True))
        self.assertGreater(errors[-1]["retryAfter"], 0)
