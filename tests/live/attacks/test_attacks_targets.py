"""Attacks on what a stream leads to: clients that name addresses, names whose address has changed, names in logs."""

import json
import time
from typing import Any

from streamrelay.errors import printable
from streamrelay.protocol.tokens import new_id
from tests.live.attacks.attack import AttackTest, Decoy
from tests.live.support.chain import HOST
from tests.live.support.http import ask
from tests.live.support.nats import NatsClient
from tests.live.support.waiting import Work, until

NASTY = ("\x1b[2J\x1b]0;owned\x07", "\r\n2026-01-01T00:00:00+0000 [-] forged line", "\0", "\u202e", "\x7f\x9b31m")
"""What would move a terminal, or forge a line, if a log held it."""


class Addresses(AttackTest):
    """A client names a target of the host's own list; no form of an address is one."""

    def test_addresses(self) -> None:
        """Addresses, paths, options and odd digits are no targets: 404, and no connection is made."""
        decoy = self.decoy()
        port = decoy.port
        wide = "".join(chr(0xFF10 + int(digit)) for digit in str(port))
        for target in (
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"[::1]:{port}",
            f"tcp://127.0.0.1:{port}",
            f"tcp:127.0.0.1:{port}",
            f"port/{port}@127.0.0.1",
            f"port/127.0.0.1:{port}",
            f"port/{port}/",
            f"port//{port}",
            f"/port/{port}",
            f"./port/{port}",
            f"x/../port/{port}",
            f"port/{port}/../{port}",
            f"port/+{port}",
            f"port/-{port}",
            f"port/0x{port:x}",
            f"port/{port} ",
            f" port/{port}",
            f"port/{port}\n",
            f"port/{port}\0",
            f"port/{port}\r\nX: y",
            f"port/{wide}",
            f"PORT/{port}",
            f"port%2f{port}",
            f"port\\{port}",
            f"port/{port},{port}",
            f"port/1{port}",
            "port/99999999999999999999",
            "port/{number}",
            "log",
            "../../../etc/passwd",
            "x" * 300,
            "",
        ):
            answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": target})
            self.assertEqual((answer.status, answer.json["code"]), (404, "no_such_target"), target)
        self.assert_reached(decoy, 0)

    def test_more_in_the_body(self) -> None:
        """A body that says more than host and target is refused, whatever it says."""
        decoy = self.decoy()
        good = {"host": HOST, "target": decoy.target}
        for more in ({"address": "127.0.0.1:1"}, {"relay": "ws://evil.example"}, {"user": "root"}, {"links": 9}):
            answer = self.common.ask("POST", "/v1/streams", {**good, **more})
            self.assertEqual((answer.status, answer.json["code"]), (400, "bad_request"))
        for body in ('{"host": "x", "target": ["a"]}', '{"host": 1}', "null", "[]", '"x"', "{" * 5000, b"\xff\xfe{}"):
            self.assertEqual(self.common.ask("POST", "/v1/streams", body).status, 400, body)
        self.assert_reached(decoy, 0)

    def test_hosts(self) -> None:
        """Names of hosts that would be other subjects of the bus are refused, and nobody is asked."""
        whole, bus = NatsClient(self.common.nats_port), NatsClient(self.common.nats_port)
        for client, subject in ((whole, "streamrelay.v1.host.>"), (bus, "streamrelay.v1.host.*.open")):
            self.addCleanup(client.close)
            client.subscribe(subject)
        decoy = self.decoy()
        for host in (
            "*",
            ">",
            f"{HOST}..open",
            f"{HOST}.",
            f"{HOST} ",
            f"{HOST}\r\nPUB x 0",
            "a\0b",
            "a\tb",
            "",
            "x" * 65,
            ".".join(["x" * 60] * 5),
        ):
            answer = self.common.ask("POST", "/v1/streams", {"host": host, "target": decoy.target})
            self.assertEqual((answer.status, answer.json["code"]), (404, "no_such_target"), host)
        while whole.message(0.3) is not None:
            self.assertEqual(whole.subject, f"streamrelay.v1.host.{HOST}.end")  # a knock, as lists are asked for
        body = {"host": f"{HOST}.open", "target": decoy.target}
        asking = Work(self.common.ask, "POST", "/v1/streams", body)  # its dot is none of a subject
        bus.answer(b'{"refused":"no_such_target"}')
        self.assertEqual(bus.subject, f"streamrelay.v1.host.{HOST}:open.open")
        self.assertEqual(asking.result().status, 404)
        self.assert_reached(decoy, 0)


class Stale(AttackTest):
    """What a name leads to is looked up when the connection is made, not when somebody was allowed to make it."""

    def relist(self, decoy: Decoy | None) -> None:
        """Let the target `console` be a decoy's port, or nothing."""
        self.common.relist(f'[targets.console]\nkind = "tcp"\naddress = "127.0.0.1:{decoy.port}"\n' if decoy else "")

    def summon(self, links: int) -> str:
        """A stream to the console as the platform opens it, with links; the path of its clients' legs."""
        stream = new_id()
        sign = self.common.signer.mint
        token = sign("relay", role="agent", sub=stream, links=links)
        about: dict[str, Any] = {
            "stream": stream,
            "target": "console",
            "relay": self.common.relay_url,
            "token": token,
            "links": links,
        }
        bus = NatsClient(self.common.nats_port)
        summons = sign(HOST, role="summons", **about).encode()
        answer = bus.ask(f"streamrelay.v1.host.{HOST}.open", summons)
        self.assertEqual(answer, {"ready": True, "kind": "tcp", "links": links})
        bus.close()
        return "/client/" + sign("relay", role="client", sub=stream, links=links)

    def test_moved(self) -> None:
        """A console that has moved is reached at its new address alone, also by the links of an older token."""
        old, new = self.decoy(), self.decoy()
        self.relist(old)
        path = self.summon(3)
        first = self.leg(path)
        self.assert_reached(old, 1)
        self.relist(new)
        self.leg(path)
        self.assert_reached(new, 1)
        self.assert_reached(old, 1)
        first.close()
        self.assertEqual(self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "console"}).status, 201)
        self.assert_reached(new, 2)
        self.assert_reached(old, 1)

    def test_removed(self) -> None:
        """A console that is gone from the list is refused, to the links of an older token as well."""
        decoy = self.decoy()
        self.relist(decoy)
        path = self.summon(2)
        self.leg(path)
        self.assert_reached(decoy, 1)
        self.relist(None)
        self.assertEqual(self.closed_with(self.leg(path)), 4001)
        answer = self.common.ask("POST", "/v1/streams", {"host": HOST, "target": "console"})
        self.assertEqual((answer.status, answer.json["code"]), (404, "no_such_target"))
        self.assert_reached(decoy, 1)


class Words(AttackTest):
    """What a stranger names stands in logs, answers and terminals as text of one line."""

    def logs(self) -> str:
        return "".join(program.log for program in self.common.programs)

    def test_names(self) -> None:
        """Control characters in names of hosts and targets, in keys, paths and headers: exact refusals, clean logs."""
        decoy = self.decoy()
        for nasty in NASTY:
            # One who may open everything gets 404, one with few grants 403, and one without any key 401.
            for host, target in ((HOST, f"shell{nasty}"), (f"{HOST}{nasty}", decoy.target)):
                body = {"host": host, "target": target}
                for key, status in ((self.common.key, 404), (self.common.weak_key, 403)):
                    answer = self.common.ask("POST", "/v1/streams", body, key)
                    self.assertEqual((answer.status, answer.headers.get("X")), (status, None))
                answer = self.ask_wrongly("srk_wrong", body)
                self.assertEqual((answer.status, answer.headers.get("X")), (401, None))
            quoted = json.dumps(nasty)[1:-1].replace("\\u", "%u")
            self.assertEqual(self.common.ask("GET", f"/{quoted.replace(' ', '%20')}").status, 404)
            self.assertEqual(self.common.ask_to_end(quoted.replace(" ", "%20")).status, 404)
        time.sleep(0.1)
        for line in self.logs().splitlines():
            self.assertTrue(line.replace("\t", " ").isprintable(), ascii(line))
            self.assertFalse(line.startswith("2026-01-01"), line)
        self.assert_reached(decoy, 0)

    def test_forwarded(self) -> None:
        """Whoever says that they come from elsewhere is believed nowhere: not by relay, agent or platform.

        Proxies in the settings, whose X-Forwarded-For and PROXY header do count, are tested where these are.
        """
        listener = self.listen()
        url = self.open(self.common, listener.target)
        headers = {"X-Forwarded-For": "192.0.2.77", "Forwarded": "for=192.0.2.77", "X-Real-IP": "192.0.2.77"}
        self.websocket(url, headers=headers)
        self.common.agent.wait_for(f"to {listener.target} opened for alice from 127.0.0.1:")
        self.assertEqual(self.refused(url, headers=headers), 401)
        with self.connect() as connection:
            connection.sendall(b"PROXY TCP4 192.0.2.77 192.0.2.1 1 2\r\n\r\n")
            self.assertIn(b" 400 ", connection.recv(4096))
        self.assertEqual(ask(self.common.platform_port, "GET", "/v1/hosts", headers=headers).status, 401)
        self.assertNotIn("192.0.2.77", self.logs())


class Liars(AttackTest):
    """A host may lie to those who ask for it; it can't do more than that."""

    watched = False

    def test_answers(self) -> None:
        """An agent that lies in escapes and HTML: the API's answer is JSON, and a terminal shows them as text."""
        lie = {"refused": "target_refused", "reason": f"<script>alert(1)</script>{NASTY[0]}{NASTY[1]}"}

        def answer_once() -> None:
            impostor = NatsClient(self.common.nats_port)
            impostor.subscribe("streamrelay.v1.host.liar.open")
            ready.append(True)
            for _ in range(2):
                impostor.answer(json.dumps(lie).encode())
            impostor.close()

        ready: list[bool] = []
        work = Work(answer_once)
        until(lambda: ready)
        answer = self.common.ask("POST", "/v1/streams", {"host": "liar", "target": "log"})
        self.assertEqual((answer.status, answer.json["detail"]), (502, printable(lie["reason"])))
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        done = self.common.streamrelay("connect", "liar", "log")
        work.result()
        self.assertEqual(done.returncode, 5)
        self.assertEqual((done.stdout, done.stderr.count(b"\n")), (b"", 1))
        self.assertTrue(done.stderr.decode().strip().isprintable(), done.stderr)
