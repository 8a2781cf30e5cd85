"""Streams whose clients are at the relay before their agents: what is waited for, and what is left if nobody comes."""

import http.client
import json
from typing import Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import need_program
from tests.live.support.secrets import SUITE
from tests.live.support.sockets import inode
from tests.live.support.waiting import WAIT, Work, until

LINES = "application/x-ndjson"


class Early(LiveTest):
    """A client that asks for lines, and an agent that is stopped when it must not be first."""

    def ask(self, chain: Chain, host: str = HOST, target: str = "port/1", port: int = 0) -> http.client.HTTPResponse:
        """The answer to a request for a stream, of which nothing is read yet."""
        connection = http.client.HTTPConnection("127.0.0.1", port or chain.platform_port, timeout=WAIT)
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {chain.key}", "Content-Type": "application/json", "Accept": LINES}
        connection.request("POST", "/v1/streams", json.dumps({"host": host, "target": target}), headers)
        return connection.getresponse()

    def line(self, answer: http.client.HTTPResponse) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(answer.readline())
        SUITE.token(str(told.get("url", "")))
        return told

    def stop_agent(self, chain: Chain) -> None:
        chain.agent.freeze()
        self.addCleanup(chain.agent.thaw)

    def go_on(self, chain: Chain) -> None:
        chain.agent.thaw()

    def client_first(self, chain: Chain, port: int = 0) -> None:
        listener = self.listen()
        self.stop_agent(chain)
        answer = self.ask(chain, target=listener.target, port=port)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, LINES))
        early = self.line(answer)
        leg = self.websocket(early["url"], ca=chain.ca)
        leg.send(b"up")
        self.go_on(chain)
        target = listener.accept()
        self.assertEqual(target.recv(2), b"up")
        target.sendall(b"down")
        self.assertEqual(leg.recv(WAIT), b"down")
        opened = self.line(answer)
        self.assertEqual({name: opened[name] for name in early}, early)
        self.assertEqual((opened["kind"], opened["links"], answer.read()), ("tcp", 1, b""))

    def test_client_first(self) -> None:
        """Told where to go while the agent is stopped, the client waits at the relay; then all works, both ways."""
        for settings in ({}, {"tokens": "opaque"}, {"tls": True}):
            self.client_first(shared(**settings))

    def test_behind_a_proxy(self) -> None:
        """HAProxy passes the first line on at once."""
        haproxy, port, chain = need_program("haproxy"), free_port(), shared()
        times = "timeout connect 9s\ntimeout client 60s\ntimeout server 60s"
        where = f"bind 127.0.0.1:{port}\nserver platform 127.0.0.1:{chain.platform_port}"
        (self.folder / "haproxy.cfg").write_text(f"defaults\nmode http\n{times}\nlisten platform\n{where}\n")
        self.program("haproxy", haproxy, "-db", "-f", str(self.folder / "haproxy.cfg"))
        until(lambda: answers(port), what="haproxy")
        self.client_first(chain, port)

    def test_refused(self) -> None:
        """The refusal is the last line; the relay soon lets go of a leg that its client resets then."""
        chain = shared()
        answer = self.ask(chain, "nobody")
        leg = self.websocket(self.line(answer)["url"])
        accepted = inode(chain.relay_port, leg.socket.getsockname()[1])
        self.assertTrue(chain.relay.has_socket(accepted))
        problem = self.line(answer)
        self.assertEqual((problem["status"], problem["code"]), (503, "host_offline"))
        leg.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0: a reset, as our client's abort is
        leg.socket.close()
        until(lambda: not chain.relay.has_socket(accepted), what="the leg's end")

    def test_strict_relay(self) -> None:
        """With a relay that lets no client wait, and a platform that says so, our client comes behind its agent."""
        chain, listener = self.chain(relay=("--patience=0",), platform="early = false\n"), self.listen()
        answer = self.ask(chain, target=listener.target)
        self.assertEqual((answer.status, self.line(answer)["links"]), (201, 1))
        listener.accept()

        def greet() -> None:
            with listener.accept() as target:
                target.sendall(b"hello")

        greeting = Work(greet)
        done = chain.streamrelay("connect", HOST, listener.target, given=b"")
        greeting.result()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"hello", b""))
