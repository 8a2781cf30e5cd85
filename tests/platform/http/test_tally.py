"""What the platform counts of its answers."""

from streamrelay.errors import Refused
from streamrelay.platform import Opened
from tests.platform.http.test_api import Case


class Answers(Case):
    """Requests by method, path and code."""

    def counted(self) -> dict[tuple[str, str, str], int]:
        return {asked: count for asked, count in self.tally.count.items() if count}

    def setUp(self) -> None:
        super().setUp()
        self.tally = self.site.resource.tally

    def open(self) -> None:
        self.ask("POST", "/v1/streams", {"host": "web-1", "target": "log/x"})

    def test_opened(self) -> None:
        """A stream that is opened counts as ok, and how long it took is told; of one that isn't, why."""
        self.platform.result = Opened("s", "wss://r/client/t", "log", 5.0)
        self.open()
        self.assertEqual(self.tally.opening.buckets[-1], ("+Inf", 1.0))
        self.platform.result = Refused(503, "host web-1 is offline", code="host_offline")
        self.open()
        self.ask("GET", "/v1/hosts", key="srk_wrong")
        expected = {
            ("POST", "/v1/streams", "ok"): 1,
            ("POST", "/v1/streams", "host_offline"): 1,
            ("GET", "/v1/hosts", "no_key"): 1,
        }
        self.assertEqual(self.counted(), expected)
        self.assertEqual(self.tally.opening.buckets[-1], ("+Inf", 1.0))

    def test_closed_lists(self) -> None:
        """Words of a host's own, methods and ids of streams that somebody makes up give no new labels."""
        before = len(self.tally.count)
        for at in range(5):
            self.platform.result = Refused(502, "x", code=f"word_{at}")
            self.open()
            self.ask(f"M{at}", "/v1/hosts")
            self.ask("DELETE", f"/v1/streams/id-{at}")
        expected = {
            ("POST", "/v1/streams", "other"): 5,
            ("other", "/v1/hosts", "method_not_allowed"): 5,
            ("DELETE", "/v1/streams/ID", "no_such_stream"): 5,
        }
        self.assertEqual(self.counted(), expected)
        self.assertEqual(len(self.tally.count), before + 3)
