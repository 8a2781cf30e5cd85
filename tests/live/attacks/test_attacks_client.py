"""Attacks on a page's own code, in Node: agents that don't hold, messages and names that are made up."""

from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.node import Scenario


class Client(LiveTest):
    """What a host or a relay that lies may say to the JavaScript client and to the console's modules."""

    def scenario(self, name: str, **given: Any) -> Any:
        scenario = Scenario(name, given, "hostile.mjs")
        self.addCleanup(scenario.stop)
        return scenario.result()

    def test_tiny_messages(self) -> None:
        """400,000 small messages that wait for their reader are read in seconds, and the agent was asked to hold."""
        result = self.scenario("tiny", messages=400_000)
        self.assertEqual((result["count"], result["control"]), (300_000, 100_000))
        self.assertEqual(result["held"], '{"hold":true}')
        self.assertLess(result["took"], 8)  # 200 s and more while each was taken off the front of an array

    def test_control_messages(self) -> None:
        """Those that are none change nothing; one that is too long ends the stream."""
        outcome = self.scenario("controls")
        self.assertEqual((outcome["code"], outcome["clean"], outcome["transient"]), (1009, False, False))

    def test_names(self) -> None:
        """A pattern of 300 parts is compared at once; a link names what can be a target, or nothing."""
        good = ["#web-1/log", "#web-1/vm/a%2Bb/console", "web-1/a:b@c", "#web-1.example.com/log"]
        bad = [
            *("#web-1/Your%20session%20is%20over", "#web-1/a%E2%80%AEb", "#web-1/%0a", "#web-1/", "#/log"),
            *("#a..b/log", "#a./log", "#.a/log", "#a:b/log", f"#{'a.' * 127}b/log"),
            *("#web-1/<img src=x>", "#web-1/a//b", "#web-1/%", f"#web-1/{'a' * 257}", f"#{'h' * 65}/log", "#web-1/a\n"),
        ]
        result = self.scenario("names", links=good + bad)
        self.assertLess(result["took"], 0.5)
        self.assertEqual(result["fitting"], [False, False, True])
        self.assertEqual(result["some"], [True, False, False, True, False, True, True, False, True, True])
        self.assertEqual(result["words"], [["raw", word] for word in ("constructor", "__proto__", "toString")])
        parsed = result["parsed"]
        self.assertEqual(parsed[:3], [{"host": "web-1", "target": name} for name in ("log", "vm/a+b/console", "a:b@c")])
        self.assertEqual(parsed[3], {"host": "web-1.example.com", "target": "log"})
        self.assertEqual(parsed[4:], [None] * len(bad))
