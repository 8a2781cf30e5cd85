"""api.py, authenticate.py and origin.py: pages of other origins that may use the API, and no more than by a key."""

import json

from streamrelay.platform import Opened
from streamrelay.platform.auth.grants import hash_key
from streamrelay.platform.http import cookies
from tests.platform.http.test_api import Case

PANEL = "https://panel.example"
WANTED = {"host": "web-1", "target": "log/nginx"}


class Elsewhere(Case):
    """A page of another origin, in a browser."""

    def setUp(self) -> None:
        super().setUp()
        self.authenticator.origins = (PANEL,)
        self.platform.result = Opened("s", "u", "log", 5.0)

    def test_asked(self) -> None:
        """A browser that asks is told that pages of an allowed origin may send a key, and never cookies."""
        status, headers, body = self.ask("OPTIONS", "/v1/streams", key=None, Origin=PANEL)
        self.assertEqual((status, body), (204, ""))
        self.assertEqual(headers["access-control-allow-origin"], PANEL)
        self.assertEqual(headers["access-control-allow-headers"], "authorization, content-type")
        self.assertEqual(headers["access-control-allow-methods"], "get, post, delete")
        self.assertNotIn("access-control-allow-credentials", headers)

    def test_opened(self) -> None:
        """Such a page opens a stream by a key, and may read the answer, a refusal too."""
        status, headers, _ = self.ask("POST", "/v1/streams", WANTED, Origin=PANEL, Sec_Fetch_Site="cross-site")
        self.assertEqual((status, headers["access-control-allow-origin"], headers["vary"]), (201, PANEL, "origin"))
        status, headers, _ = self.ask("POST", "/v1/streams", {**WANTED, "host": "db"}, Origin=PANEL)
        self.assertEqual((status, headers["access-control-allow-origin"]), (403, PANEL))

    def test_others(self) -> None:
        """Pages of other origins, or of none that can be told, may neither ask nor read."""
        for origin in ("https://evil.example", "null", "https://panel.example:444", "https://panel.example.evil", "*"):
            self.assertEqual(self.problem("OPTIONS", "/v1/streams", key=None, Origin=origin)[0], 405)
            _, headers, _ = self.ask("GET", "/v1/streams", Origin=origin)
            self.assertFalse([name for name in headers if name.startswith("access-control")], origin)

    def test_closed(self) -> None:
        """Without the setting nobody may."""
        self.authenticator.origins = ()
        self.assertEqual(self.problem("OPTIONS", "/v1/streams", key=None, Origin=PANEL)[0], 405)
        self.assertNotIn("access-control-allow-origin", self.ask("GET", "/v1/streams", Origin=PANEL)[1])

    def test_nothing_borrowed(self) -> None:
        """Neither the browser's session at the console nor the machine's anonymous user is lent to such a page."""
        self.path.write_text(self.path.read_text() + '\n[anonymous]\ngrants = [{ host = "*", target = "*" }]\n')
        self.ring.load()
        token = self.authenticator.sessions.begin("alice", hash_key(self.key))
        here = {"key": None, "Host": "localhost:8800"}
        for more in ({}, {"Cookie": f"{cookies.NAME}={token}"}):
            self.assertEqual(self.ask("GET", "/v1/streams", **here, **more)[0], 200)
            for method, body in (("GET", None), ("POST", WANTED)):
                status = self.ask(method, "/v1/streams", body, **here, Origin=PANEL, **more)[0]
                self.assertEqual(status, 401)
        self.assertEqual(self.platform.opened, [])

    def test_no_session(self) -> None:
        """Nor may it sign in: a key doesn't become a cookie there."""
        status, headers, _ = self.ask("POST", "/v1/session", {"key": self.key}, key=None, Origin=PANEL)
        self.assertEqual(status, 403)
        self.assertNotIn("access-control-allow-origin", headers)

    def test_own_page(self) -> None:
        """The console's own origin may stand among them without harm."""
        self.authenticator.origins = ("http://localhost:8800",)
        self.path.write_text(self.path.read_text() + '\n[anonymous]\ngrants = [{ host = "*", target = "*" }]\n')
        self.ring.load()
        answer = self.ask(
            "POST", "/v1/streams", WANTED, key=None, Host="localhost:8800", Origin="http://localhost:8800"
        )
        self.assertEqual((answer[0], json.loads(answer[2])["stream"]), (201, "s"))
