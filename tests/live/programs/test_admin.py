"""Admin listeners of the three programs: who may ask, and what they tell while streams run."""

import stat
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, shared
from tests.live.support.http import ask_socket
from tests.live.support.sockets import take
from tests.live.support.waiting import until
from tests.program.test_admin import golden, shape

PROGRAMS = ("relay", "agent", "platform")
SIZE = 100_000


class Watched(LiveTest):
    """A chain with certificates, whose programs have admin listeners."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(tls=True)

    def told(self, program: str) -> str:
        answer = ask_socket(self.common.folder / f"{program}-admin.sock", "/metrics")
        self.assertEqual(answer.status, 200)
        return answer.text

    def value(self, program: str, name: str, **labels: str) -> float:
        """One sample of a program's metrics."""
        for metric in text_string_to_metric_families(self.told(program)):
            for sample in metric.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        raise AssertionError(f"{program} tells no {name} of {labels}")

    def test_places(self) -> None:
        """The sockets are for their owner and group, and /health says that all three are ready."""
        for program in PROGRAMS:
            path = self.common.folder / f"{program}-admin.sock"
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
            until(lambda path=path: ask_socket(path, "/health").text == "ready\n", what=f"{program} to be ready")
            self.assertEqual(ask_socket(path, "/v1/streams").status, 404)

    def test_streams(self) -> None:
        """A stream is told of while it lives and when it has ended, with its bytes, by all that it goes through."""
        asked = (
            ("relay", "streamrelay_relay_streams_ended_total", "outcome", "finished"),
            ("relay", "streamrelay_relay_pairing_seconds_count"),
            ("agent", "streamrelay_agent_streams_ended_total", "outcome", "finished"),
            ("agent", "streamrelay_agent_summonses_total", "answer", "ready"),
            ("agent", "streamrelay_agent_opening_seconds_count"),
            ("platform", "streamrelay_platform_opening_seconds_count"),
        )
        before = {each: self.now(*each) for each in asked}
        up = self.value("relay", "streamrelay_relay_bytes_total", direction="up")
        leg, target = self.stream(self.common)
        leg.send(b"u" * SIZE)
        take(target, SIZE)
        self.assertGreaterEqual(self.value("relay", "streamrelay_relay_bytes_total", direction="up"), up + SIZE)
        self.assertGreaterEqual(self.value("relay", "streamrelay_relay_streams"), 1)
        self.assertGreaterEqual(self.value("agent", "streamrelay_agent_streams", state="live"), 1)
        leg.close()
        for each in asked:
            until(lambda each=each: self.now(*each) > before[each], what=f"one more of {each}")
        self.assertGreaterEqual(self.value("relay", "streamrelay_relay_bytes_total", direction="up"), up + SIZE)

    def now(self, program: str, name: str, label: str = "", value: str = "") -> float:
        return self.value(program, name, **({label: value} if label else {}))

    def test_golden(self) -> None:
        """All that real programs tell are the metrics of the golden file, and no word of who, where and which."""
        listener = self.listen()
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": listener.target})
        self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "secret-target"})
        self.common.ask("POST", "/v1/streams", {"host": "secret-host", "target": "x"})
        self.assertEqual(self.common.ask("GET", "/v1/hosts", key="srk_wrong").status, 401)
        self.refused(self.common.leg_url("client", "secret-token"), ca=self.common.ca)
        expected, seen = golden(), dict[str, tuple[str, str]]()
        for program in PROGRAMS:
            text = self.told(program)
            told = shape(text)
            self.assertEqual(set(told), {name for name, (_, _, of) in expected.items() if program in of}, program)
            seen |= {name: one for name, one in told.items() if one[1] != "-" or name not in seen}
            samples = [sample for metric in text_string_to_metric_families(text) for sample in metric.samples]
            values = {value for sample in samples for value in sample.labels.values()}
            for word in ("alice", HOST, "secret", answer.json["stream"], "127.0.0.1", "localhost", listener.target):
                self.assertFalse([value for value in values if word in value], program)
        self.assertEqual(seen, {name: (kind, labels) for name, (kind, labels, _) in expected.items()})

    def test_refused(self) -> None:
        """A leg and a request that are refused are counted by their reason."""
        url: Any = self.common.leg_url("client", "nonsense")
        refused = self.value("relay", "streamrelay_relay_refusals_total", reason="token")
        self.refused(url, ca=self.common.ca)
        until(
            lambda: self.value("relay", "streamrelay_relay_refusals_total", reason="token") > refused,
            what="the refusal to be counted",
        )
        self.common.ask("POST", "/v1/streams", {"host": "nobody", "target": "x"})
        asked = {"method": "POST", "path": "/v1/streams", "code": "host_offline"}
        self.assertGreaterEqual(self.value("platform", "streamrelay_platform_answers_total", **asked), 1)
        self.assertGreater(self.value("relay", "streamrelay_certificate_expiry_timestamp_seconds", use="listen"), 1.6e9)
