"""Pages of other sites, at a platform that lets requests of its own machine in without a key."""

from tests.live.support.case import LiveTest
from tests.live.support.http import ask
from tests.live.support.ports import answers, free_port
from tests.live.support.waiting import until


class Anonymous(LiveTest):
    """A platform with an anonymous user."""

    def test_other_sites(self) -> None:
        """What a browser says to come from another site, or another port, is nobody's; all else is the machine's."""
        port, keys = free_port(), self.folder / "keys.toml"
        keys.write_text("[anonymous]\ngrants = [{}]\n")
        keys.chmod(0o644)
        self.twistd(
            "streamplatform",
            *("--tokens=opaque", f"--keys={keys}", f"--listen=tcp:{port}:interface=127.0.0.1"),
            *("--relay=ws://127.0.0.1:1", f"--nats=nats://127.0.0.1:{free_port()}"),
        )
        until(lambda: answers(port), what="the platform")
        own = f"http://127.0.0.1:{port}"
        for headers in ({}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin", "Origin": own}):
            self.assertEqual(ask(port, "GET", "/v1/session", None, headers).json["user"], "anonymous", headers)
            self.assertEqual(ask(port, "GET", "/v1/hosts", None, headers).status, 503, headers)  # there is no bus
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://127.0.0.1:{free_port()}"},
        ):
            self.assertIsNone(ask(port, "GET", "/v1/session", None, headers).json["user"], headers)
            self.assertEqual(ask(port, "GET", "/v1/hosts", None, headers).status, 401, headers)
            more = {**headers, "Content-Type": "application/json"}
            body = '{"host": "host-1", "target": "shell"}'
            self.assertEqual(ask(port, "POST", "/v1/streams", body, more).status, 401, headers)
