"""terminals.py and open_request.py: kept terminals by the API, as grants allow them."""

import json
from typing import Any

from twisted.internet.defer import Deferred

from streamrelay.errors import Refused
from streamrelay.net.http_client import Fetched
from streamrelay.platform import Opened
from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key
from streamrelay.platform.auth.webhook import AskConfig, Asking
from streamrelay.platform.http import resume, terminals
from streamrelay.protocol.terminals import Attached, TerminalInfo
from tests.fakes.http import FakeFetch
from tests.fakes.logs import Heard
from tests.platform.http.test_api import Case

ANNS, BOBS, LOG, ODD = (letter * 22 for letter in "abcd")


def info(terminal: str, user: str, target: str = "shell", **more: Any) -> TerminalInfo:
    return TerminalInfo(terminal, "web-1", target, user, 60.5, (Attached(user, False, "s" * 22),), (80, 24), **more)


class TerminalCase(Case):
    """A host with terminals of two users, asked by holders of several grants."""

    grants = {
        "ann": (Grant("web-*", "shell"),),
        "bob": (Grant("*", "shell"),),
        "helper": (Grant("web-*", "shell", share=True),),
        "watcher": (Grant("web-*", "shell", view=True, share=True),),
        "both": (Grant("*", "*"), Grant("web-*", "shell", view=True, share=True)),
        "looks": (Grant("web-*", "*", view=True),),
        "other": (Grant("db", "*", share=True),),
        "elsewhere": (Grant("web-*", "log", share=True),),
    }

    def setUp(self) -> None:
        super().setUp()
        for module in (terminals, resume):
            self.patch(module, "as_deferred", Deferred.fromCoroutine)
        self.keys = {name: add_key(self.path, name, list(grants)) for name, grants in self.grants.items()}
        self.ring.files.refresh(force=True)
        self.platform.kept_there = [info(ANNS, "ann"), info(BOBS, "bob", detached=10.5)]
        self.platform.result = Opened("s" * 22, "u", "pty", 5.0, "terminal", terminal=ANNS)

    def listed(self, name: str) -> dict[str, Any]:
        status, _, body = self.ask("GET", "/v1/hosts/web-1/terminals", key=self.keys[name])
        self.assertEqual(status, 200, body)
        return {one["terminal"]: one for one in json.loads(body)["terminals"]}

    def attach(self, name: str, terminal: str = ANNS, **more: Any) -> tuple[int, Any]:
        """Status and body of an answer."""
        body = {"host": "web-1", "target": "shell", "terminal": terminal, **more}
        status, _, told = self.ask("POST", "/v1/streams", body, key=self.keys[name])
        return status, json.loads(told)

    def end(self, name: str, terminal: str, host: str = "web-1") -> tuple[int, str]:
        """Status and code of an answer."""
        path = f"/v1/hosts/{host}/terminals/{terminal}"
        status, _, body = self.ask("DELETE", path, key=self.keys[name])
        return status, json.loads(body)["code"] if body else ""


class Listed(TerminalCase):
    """GET /v1/hosts/HOST/terminals."""

    def test_told(self) -> None:
        """Each terminal is told with all that its agent tells, and what who asks may do there."""
        one = self.listed("bob")[BOBS]
        about = {"terminal": BOBS, "host": "web-1", "target": "shell", "user": "bob", "seconds": 60.5, "size": [80, 24]}
        about["people"] = [{"user": "bob", "view": False, "stream": "s" * 22}]
        self.assertEqual(one, {**about, "detached": 10.5, "view": False, "end": True, "own": True})
        self.assertNotIn("detached", self.listed("ann")[ANNS])

    def test_grants(self) -> None:
        """One's own terminals are listed as long as a grant allows the target; others' only by a grant that says so,
        for looks alone where that is all it is for."""
        for name, seen in (
            ("ann", {ANNS: False}),
            ("bob", {BOBS: False}),
            ("helper", {ANNS: False, BOBS: False}),
            ("watcher", {ANNS: True, BOBS: True}),
            ("both", {ANNS: True, BOBS: True}),
            ("looks", {}),
            ("elsewhere", {}),
        ):
            self.assertEqual({one["terminal"]: one["view"] for one in self.listed(name).values()}, seen, name)
        self.platform.kept_there = [info(ANNS, "looks"), info(BOBS, "both"), info(LOG, "ann", "log")]
        self.assertEqual([one["view"] for one in self.listed("looks").values()], [True])
        self.assertEqual(
            {one["terminal"]: one["view"] for one in self.listed("both").values()}, {ANNS: True, BOBS: False}
        )
        self.assertEqual(self.listed("ann"), {})  # her grant for its target is gone

    def test_no_grant(self) -> None:
        """Where no grant is for the host, it isn't asked; a name that can't be is none."""
        for host, name, told in (
            ("web-1", "other", (403, "not_granted")),
            ("x..y", "both", (404, "no_such_target")),
        ):
            self.assertEqual(self.problem("GET", f"/v1/hosts/{host}/terminals", key=self.keys[name]), told)
        self.assertEqual(self.platform.asked, 0)
        self.assertEqual(self.problem("GET", "/v1/hosts/web-1/terminals", key=None), (401, "no_key"))
        self.assertEqual(self.problem("POST", "/v1/hosts/web-1/terminals", {})[0], 405)

    def test_refused(self) -> None:
        """What the platform says of the host is the answer."""
        self.platform.untold = Refused(502, "too old", code="too_old")
        told = self.problem("GET", "/v1/hosts/web-1/terminals", key=self.keys["ann"])
        self.assertEqual(told, (502, "too_old"))


class Attaching(TerminalCase):
    """POST /v1/streams with a terminal, or of a target that keeps them."""

    def test_new(self) -> None:
        """A terminal that was started is named in the answer, and in the log."""
        heard = Heard(self)
        status, _, body = self.ask("POST", "/v1/streams", {"host": "web-1", "target": "shell"}, key=self.keys["ann"])
        self.assertEqual((status, json.loads(body)["terminal"]), (201, ANNS))
        self.assertEqual(self.platform.attached, [])
        self.assertIn(f"opened for ann: shell of web-1, new terminal {ANNS}", heard.lines[-1])

    def test_terms(self) -> None:
        """Of others a terminal is asked for only by a grant that says so, and for no more than that grant is for."""
        for name, asked in (
            ("ann", (False, False)),
            ("helper", (False, True)),
            ("watcher", (True, True)),
            ("looks", (True, False)),
        ):
            self.platform.attached.clear()
            self.assertEqual(self.attach(name)[0], 201)
            self.assertEqual(self.platform.attached, [(ANNS, *asked)], name)
        self.platform.attached.clear()
        self.attach("helper", view=True)
        self.assertEqual(self.platform.attached, [(ANNS, True, True)])

    def test_both(self) -> None:
        """Who may act on their own terminals and look at others' gets what there is: it isn't known whose one is
        before its host was asked."""
        self.platform.lets = ((True, True),)
        self.assertEqual(self.attach("both")[0], 201)
        self.assertEqual(self.platform.attached, [(ANNS, False, False), (ANNS, True, True)])
        self.assertEqual(self.platform.terms[-1].view, True)
        self.platform.attached.clear()
        self.assertEqual(self.attach("both", view=True)[0], 201)
        self.assertEqual(self.platform.attached, [(ANNS, True, True)])

    def test_none(self) -> None:
        """Whatever there isn't, or isn't theirs, is answered alike; what can't be an id is malformed."""
        self.platform.lets = ()
        for name in ("bob", "helper", "both"):
            status, told = self.attach(name)
            self.assertEqual((status, told["code"], told["detail"]), (410, "no_such_terminal", "no such terminal"))
        for wrong in ("x", "a" * 23, "a b" * 8, 5, None):
            self.assertEqual(self.attach("ann", wrong)[0], 400)  # type: ignore[arg-type]

    def test_not_granted(self) -> None:
        """Without a grant for the target nobody is asked, whoever has started it."""
        for name in ("elsewhere", "other"):
            self.assertEqual(self.attach(name)[1]["code"], "not_granted")
        self.assertEqual(self.platform.attached, [])

    def test_told(self) -> None:
        """The log says who has attached to which terminal."""
        heard = Heard(self)
        self.attach("helper")
        self.assertIn(f"opened for helper: shell of web-1, attached to terminal {ANNS}", heard.lines[-1])

    def test_resumed(self) -> None:
        """A stream of another's terminal goes on only while a grant still shares it; the host knows whose it is."""
        body = {"host": "web-1", "target": "shell", "received": 0, "try": 1}
        for name, view, share in (("ann", False, False), ("helper", False, True), ("watcher", True, True)):
            self.ask("POST", f"/v1/streams/{'s' * 22}/resume", {**body, "view": view}, key=self.keys[name])
            self.assertEqual(self.platform.resumed[-1].share, share, name)
        self.ask("POST", f"/v1/streams/{'s' * 22}/resume", body, key=self.keys["both"])
        self.assertFalse(self.platform.resumed[-1].share)


class Ended(TerminalCase):
    """DELETE /v1/hosts/HOST/terminals/ID."""

    def test_ended(self) -> None:
        """Its starter ends it, and who might end its streams; the log says who has."""
        heard = Heard(self)
        for name in ("ann", "bob", "helper"):
            self.assertEqual(self.end(name, ANNS), (204, ""), name)
        self.assertEqual(self.platform.ended, [("web-1", ANNS)] * 3)
        self.assertIn(f"terminal {ANNS} of web-1 ended by helper", heard.lines[-1])

    def test_looks(self) -> None:
        """Who may look at one is told that they may no more; one's own may be ended by who may look only."""
        self.assertEqual(self.end("watcher", ANNS), (403, "not_granted"))
        self.platform.kept_there = [info(ANNS, "looks")]
        self.assertEqual(self.end("looks", ANNS), (204, ""))

    def test_no_oracle(self) -> None:
        """One that there isn't, and one that who asks sees nothing of, are answered alike."""
        answers = [
            self.ask("DELETE", f"/v1/hosts/web-1/terminals/{terminal}", key=self.keys[name])[2]
            for name in ("looks", "elsewhere")
            for terminal in (ANNS, ODD, "x", "..")
        ]
        self.assertEqual(len(set(answers)), 1, answers)
        self.assertEqual(json.loads(answers[0])["code"], "no_such_terminal")
        self.assertEqual(self.end("other", ANNS), (403, "not_granted"))
        self.assertEqual(self.platform.ended, [])


class Asked(TerminalCase):
    """The system of the operator's that is asked, too."""

    def setUp(self) -> None:
        super().setUp()
        self.fetch = FakeFetch(Fetched(200, b""))
        self.authenticator.asking = Asking(AskConfig("https://panel.example/ask", forward=True), self.fetch)

    def asked(self) -> dict[str, Any]:
        question: dict[str, Any] = json.loads(self.fetch.asked[-1][4] or b"")
        return question

    def stranger(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and body of an answer to somebody whom the platform doesn't know."""
        more = {"Authorization": "Basic YTpi", "Origin": "http://platform.example"}
        status, _, told = self.ask(method, path, body, key=None, **more)
        return status, json.loads(told) if told else None

    def answer(self, **told: Any) -> None:
        self.fetch.result = Fetched(200, json.dumps(told).encode())

    def test_question(self) -> None:
        """It is told which terminal is to be attached to, or ended."""
        self.attach("ann")
        self.assertEqual((self.asked()["action"], self.asked()["terminal"]), ("open", ANNS))
        self.end("ann", ANNS)
        self.assertEqual((self.asked()["action"], self.asked()["terminal"]), ("end", ANNS))
        self.ask("POST", "/v1/streams", {"host": "web-1", "target": "shell"}, key=self.keys["ann"])
        self.assertNotIn("terminal", self.asked())

    def test_grants(self) -> None:
        """Grants of its yes to a stranger say whose terminals they see, attach to, and end."""
        shell = {"host": "web-1", "target": "shell"}
        for more, seen, asked in (
            ({}, [ANNS], (False, False)),
            ({"share": True}, [ANNS, BOBS], (False, True)),
            ({"share": True, "view": True}, [ANNS, BOBS], (True, True)),
        ):
            self.answer(user="ann", grants=[{**shell, **more}])
            status, told = self.stranger("GET", "/v1/hosts/web-1/terminals")
            self.assertEqual((status, [one["terminal"] for one in told["terminals"]]), (200, seen))
            self.assertEqual(self.stranger("POST", "/v1/streams", {**shell, "terminal": ANNS})[0], 201)
            self.assertEqual(self.platform.attached[-1], (ANNS, *asked))
        self.answer(user="ann")
        self.assertEqual(self.stranger("POST", "/v1/streams", {**shell, "terminal": ANNS})[0], 201)
        self.assertEqual(self.platform.attached[-1], (ANNS, False, False))

    def test_nameless(self) -> None:
        """Those whom it lets in without a name can't be told apart, so no terminal is any one's own."""
        self.platform.kept_there = [info(ANNS, "asked")]
        self.answer(grants=[{"host": "web-1", "target": "shell", "view": True}])
        self.assertEqual(self.stranger("GET", "/v1/hosts/web-1/terminals")[1], {"terminals": []})
        body = {"host": "web-1", "target": "shell", "terminal": ANNS}
        self.assertEqual(self.stranger("POST", "/v1/streams", body)[1]["code"], "not_granted")
        self.assertEqual(self.stranger("DELETE", f"/v1/hosts/web-1/terminals/{ANNS}")[0], 404)
        self.assertEqual((self.platform.attached, self.platform.ended), ([], []))
