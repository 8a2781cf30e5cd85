"""The whole chain: bytes through it both ways, who may come in, and what is answered when there is no stream."""

import hashlib
import socket
import statistics
import time
from typing import TYPE_CHECKING, Any

from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain, shared
from tests.live.support.pace import timed
from tests.live.support.promise import promised
from tests.live.support.sockets import MIB, give, seeded, take
from tests.live.support.waiting import WAIT, Work, until
from tests.live.support.websockets import RAW, V1, hang_up, read_all, read_exactly, send_all


class Bytes(LiveTest):
    """What comes out of one connection goes into the other, and vice versa."""

    def exchange(self, chain: Chain, size: int) -> float:
        """Send `size` bytes each way at once, and compare hashes; seconds that it took."""
        leg, target = self.stream(chain)
        up, down = seeded(size, 1), seeded(size, 2)
        with timed() as passed:
            works = [Work(send_all, leg, up), Work(give, target, down)]
            at_target, at_client = Work(take, target, size), Work(read_exactly, leg, size)
            for work in works:
                work.result()
            came_up, came_down = at_target.result(), at_client.result()
        self.assertEqual(hashlib.sha256(came_up).digest(), hashlib.sha256(up).digest())
        self.assertEqual(hashlib.sha256(came_down).digest(), hashlib.sha256(down).digest())
        return passed()

    def test_plain(self) -> None:
        """64 MiB go through unchanged, each way at the same time."""
        seconds = self.exchange(shared(), 64 * MIB)
        print(f"figure: 64 MiB each way at once over ws: {seconds:.1f} s")

    def test_tls(self) -> None:
        """64 MiB go through unchanged, each way at the same time, with TLS on both legs and a private CA."""
        seconds = self.exchange(shared(tls=True), 64 * MIB)
        print(f"figure: 64 MiB each way at once over wss: {seconds:.1f} s")

    def test_opaque(self) -> None:
        """The same with opaque tokens."""
        self.exchange(shared(tokens="opaque"), 8 * MIB)

    def test_both_masks(self) -> None:
        """An agent that masks over TLS, too, sends the same bytes."""
        self.exchange(self.chain(tls=True, agent='mask = "always"\n'), 8 * MIB)


if TYPE_CHECKING:
    Mixin = LiveTest
else:
    Mixin = object  # which trial doesn't take for tests of its own


class ArrivalTests(Mixin):
    """Both orders of arrival, whatever the tokens and the wire."""

    settings: dict[str, Any] = {}

    def meet(self, agent_first: bool, subprotocol: str | None) -> None:
        chain = shared(alone=True, **self.settings)
        client_url, agent_url = chain.pair()
        if agent_first:
            agent = self.websocket(agent_url, V1, ca=chain.ca)
            with promised("agent first"):
                client = self.websocket(client_url, subprotocol, ca=chain.ca)
                met = agent.recv(WAIT)
        else:
            client = self.websocket(client_url, subprotocol, ca=chain.ca)
            client.send(b"early ")
            with promised("client first"):
                agent = self.websocket(agent_url, V1, ca=chain.ca)
                met = agent.recv(WAIT)
        self.assertIn('"mode":"v1"' if subprotocol == V1 else '"mode":"raw"', met)
        client.send(b"up")
        self.assertEqual(read_exactly(agent, 2 if agent_first else 8), b"up" if agent_first else b"early up")
        agent.send(b"down")
        self.assertEqual(read_exactly(client, 4), b"down")
        client.close()
        self.assert_closed(agent, 1000)

    def test_agent_first(self) -> None:
        """The agent's leg waits, and the client's meets it."""
        self.meet(True, V1)

    def test_client_first(self) -> None:
        """The client's leg waits, and what it says early reaches the agent that comes."""
        self.meet(False, V1)

    def test_raw_agent_first(self) -> None:
        """A raw client meets an agent that waits."""
        self.meet(True, RAW)

    def test_raw_client_first(self) -> None:
        """A client that offers no subprotocol waits for its agent."""
        self.meet(False, None)


class SignedArrival(ArrivalTests, LiveTest):
    """With signed tokens, minted by a platform of one's own."""


class OpaqueArrival(ArrivalTests, LiveTest):
    """With opaque tokens."""

    settings = {"tokens": "opaque"}


class TlsArrival(ArrivalTests, LiveTest):
    """With signed tokens over TLS."""

    settings = {"tls": True}


LATE = 15.0
"""Seconds by which a busy machine may be late; half of the patience that a relay has where none is set."""


class Patience(LiveTest):
    """How long a leg waits."""

    def test_nobody_came(self) -> None:
        """A client without an agent is closed with 4004 after the patience."""
        chain = shared(alone=True, relay=("--patience=1",))
        with timed() as passed:
            leg = self.websocket(chain.pair()[0])
            self.assert_closed(leg, 4004)
        self.assertTrue(passed() > 0.9 and passed.fair < 1 + LATE, passed())

    def test_no_client_came(self) -> None:
        """An agent's leg without a client is closed with 4004 after the patience."""
        chain = shared(alone=True, relay=("--patience=1",))
        leg = self.websocket(chain.pair()[1])
        self.assert_closed(leg, 4004)

    def test_strict(self) -> None:
        """Without patience a client is closed with 4004 at once, and an agent may still be first."""
        chain = shared(alone=True, relay=("--patience=0",))
        leg = self.websocket(chain.pair()[0])
        with timed() as passed:
            self.assert_closed(leg, 4004)
        self.assertLess(passed.fair, LATE)
        client_url, agent_url = chain.pair()
        agent = self.websocket(agent_url)
        client = self.websocket(client_url)
        agent.recv(WAIT)
        agent.send(b"hello")
        self.assertEqual(client.recv(WAIT), b"hello")


class Refusals(LiveTest):
    """The truth at once: why there is no stream."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()

    def refusal(self, status: int, target: str, host: str = HOST, key: str | None = "") -> Any:
        answer = self.common.ask("POST", "/v1/streams", {"host": host, "target": target}, key)
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer.json["status"], status)
        return answer.json

    def test_offline(self) -> None:
        """A host that is offline is answered 503 within 100 ms."""
        times = []
        for _ in range(15):
            with timed() as passed:
                problem = self.refusal(503, "log", "nobody-here")
            times.append(passed.fair)
        self.assertEqual(problem["code"], "host_offline")
        self.assertIn("nobody-here is offline", problem["detail"])
        median = statistics.median(times)
        print(f"figure: host offline is answered in {median * 1000:.1f} ms (median of {len(times)})")
        self.assertLess(median, 0.1)

    def test_target_refused(self) -> None:
        """A target that refuses is answered 502 with the reason."""
        with socket.socket() as taken:  # bound, and not listening
            taken.bind(("127.0.0.1", 0))
            with promised("target refuses"):
                problem = self.refusal(502, f"port/{taken.getsockname()[1]}")
        self.assertEqual(problem["code"], "target_refused")
        self.assertIn("refused the connection", problem["detail"])

    def test_target_unreachable(self) -> None:
        """A target that answers nothing is answered 504 at 10 s."""
        with socket.socket() as hole:
            hole.bind(("127.0.0.1", 0))
            hole.listen(0)
            waiting = []
            for _ in range(4):  # the first fill the queue, and the kernel drops the rest
                probe = socket.socket()
                self.addCleanup(probe.close)
                probe.setblocking(False)
                probe.connect_ex(hole.getsockname())
                waiting.append(probe)
            with promised("target silent") as passed:
                problem = self.refusal(504, f"port/{hole.getsockname()[1]}")
        self.assertEqual(problem["code"], "target_unreachable")
        self.assertGreater(passed(), 9.5)

    def test_not_granted(self) -> None:
        """A host or target without a grant is answered 403, whether it exists or not."""
        for host, target in ((HOST, "log"), (HOST, "nothing"), ("host-2", "port/1"), (HOST, "port6/1")):
            self.assertEqual(
                self.refusal(403, target, host, self.common.weak_key)["code"], "not_granted", (host, target)
            )

    def test_unknown_target(self) -> None:
        """A target that is granted and doesn't exist is answered 404."""
        for target in ("nothing", "port/", "port/x", "port/1/2", "port/999999", "../etc", ""):
            self.assertEqual(self.refusal(404, target)["code"], "no_such_target", target)

    def test_no_key(self) -> None:
        """Without a key, or with one that nobody made, the answer is 401."""
        for key in (None, "srk_wrong", "x"):
            problem = self.refusal(401, "log", key=key)
            self.assertEqual(problem["code"], "no_key")

    def test_key_of_other_letters(self) -> None:
        """A header that is not UTF-8 is the client's fault, not an error of ours."""
        status = self.common.ask("GET", "/v1/hosts", key="\xe9").status
        self.assertIn(status, (400, 401))


class Tokens(LiveTest):
    """A token is good once, for its role, at its relay."""

    def setUp(self) -> None:
        super().setUp()
        self.common = shared()

    def test_twice(self) -> None:
        """A token that was used is refused with 401, while its stream lives and after it has ended."""
        listener = self.listen()
        url = self.open(self.common, listener.target)
        leg = self.websocket(url)
        listener.accept()
        self.assertEqual(self.refused(url), 401)
        leg.send(b"still alive")
        self.assertEqual(listener.accepted[0].recv(100), b"still alive")
        leg.close()
        self.assertEqual(listener.accepted[0].recv(100), b"")
        self.assertEqual(self.refused(url), 401)

    def test_twice_unpaired(self) -> None:
        """A token whose leg left without having met anybody is used up, too."""
        client, agent = self.common.pair()
        for url in (client, agent):
            hang_up(self.websocket(url))
            self.assertEqual(self.refused(url), 401)

    def test_other_role(self) -> None:
        """A client's token on the agent's path is refused with 401, and vice versa."""
        client, agent = self.common.pair()
        self.assertEqual(self.refused(client.replace("/client/", "/agent/")), 401)
        self.assertEqual(self.refused(agent.replace("/agent/", "/client/")), 401)

    def test_foreign(self) -> None:
        """Tokens of another relay, another key, or another time are refused with 401."""
        mint = self.common.signer.mint
        about: dict[str, Any] = {"role": "client", "sub": "s" * 22}
        other = self.common.signer.__class__.load(str(self.common.folder / "platform.key"))
        other.now = lambda: time.time() - 60
        future = self.common.signer.__class__.load(str(self.common.folder / "platform.key"))
        future.now = lambda: time.time() + 60
        good = mint("relay", **about)
        for what, token in {
            "relay": mint("relay-2", **about),
            "expired": other.mint("relay", **about),
            "future": future.mint("relay", **about),
            "life": mint("relay", 7200, **about),
            "signature": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
            "opaque": "x" * 32,
            "summons": mint(HOST, role="summons", sub="s" * 22),
        }.items():
            self.assertEqual(self.refused(self.common.leg_url("client", token)), 401, what)
        self.websocket(self.common.leg_url("client", mint("relay", **about)))

    def test_places(self) -> None:
        """A token may come in the path, as a subprotocol or as a header, and is never chosen as the subprotocol."""
        bare = f"{self.common.relay_url}/client"
        token = self.common.pair()[0].rpartition("/")[2]
        leg = self.websocket(bare, (f"token.{token}", RAW))
        self.assertEqual(leg.subprotocol, RAW)
        token = self.common.pair()[0].rpartition("/")[2]
        self.websocket(bare, headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(self.refused(bare), 401)

    def test_not_logged(self) -> None:
        """No log of any program holds a token."""
        listener = self.listen()
        url = self.open(self.common, listener.target)
        token = url.rpartition("/")[2]
        leg = self.websocket(url)
        listener.accept()
        self.refused(url)
        leg.close()
        self.common.relay.wait_for("used already")
        for program in self.common.programs:
            self.assertNotIn(token, program.log, program.name)


class Origins(LiveTest):
    """Which pages may connect."""

    PAGE = "https://panel.example"

    def setUp(self) -> None:
        super().setUp()
        self.common = shared(alone=True, relay=(f"--origin={self.PAGE}", "--origin=http://127.0.0.1:8800"))

    def test_allowed(self) -> None:
        """An allowed origin, or none at all, comes in."""
        for origin in (self.PAGE, "http://127.0.0.1:8800", None):
            self.websocket(self.common.pair()[0], origin=origin)

    def test_not_allowed(self) -> None:
        """Any other origin is refused with 403, and the token stays good."""
        url = self.common.pair()[0]
        for origin in (
            "https://evil.example",
            "http://panel.example",
            "https://panel.example:444",
            "https://panel.example.evil.example",
            "https://sub.panel.example",
            "https://panel.exampl",
            "HTTPS://PANEL.EXAMPLE",
            "null",
            "",
        ):
            self.assertEqual(self.refused(url, origin=origin or None, headers=None if origin else {"Origin": ""}), 403)
        self.websocket(url, origin=self.PAGE)


class Addresses(LiveTest):
    """Unix sockets and IPv6, as targets and for the relay."""

    def test_unix_target(self) -> None:
        """A unix socket is a target."""
        path = str(self.folder / "target.sock")
        chain = self.chain(targets=f'[targets.local]\nkind = "unix"\npath = "{path}"\n')
        self.assertEqual(chain.ask("POST", "/v1/streams", {"host": HOST, "target": "local"}).status, 502)
        listener = self.listen(path)
        leg = self.websocket(self.open(chain, "local"), RAW)
        target = listener.accept()
        leg.send(b"up")
        self.assertEqual(target.recv(10), b"up")
        target.sendall(seeded(3 * MIB))
        target.close()
        self.assertEqual(read_all(leg)[0], seeded(3 * MIB))

    def test_ipv6_target(self) -> None:
        """An IPv6 port is a target."""
        listener = self.listen("::1")
        leg = self.websocket(self.open(shared(), listener.target))
        listener.accept().sendall(b"over six")
        self.assertEqual(leg.recv(WAIT), b"over six")

    def relay_on(self, endpoint: str) -> Chain:
        """A relay with another endpoint beside its own."""
        chain = Chain(self.folder, relay=(f"--listen={endpoint}",))
        self.addCleanup(chain.stop)
        chain.start_relay()
        return chain

    def test_ipv6_relay(self) -> None:
        """The relay listens on IPv6, beside its other port."""
        from tests.live.support.ports import answers, free_port

        port = free_port("::1")
        chain = self.relay_on(f"tcp6:{port}:interface=\\:\\:1")
        until(lambda: answers(port, "::1"))
        client_url, agent_url = chain.pair()
        client = self.websocket(client_url.replace(f"127.0.0.1:{chain.relay_port}", f"[::1]:{port}"))
        agent = self.websocket(agent_url)
        self.assertIn("[::1]", agent.recv(WAIT))
        agent.send(b"hello")
        self.assertEqual(client.recv(WAIT), b"hello")

    def test_unix_relay(self) -> None:
        """The relay listens on a unix socket, beside its port."""
        path = self.folder / "relay.sock"
        chain = self.relay_on(f"unix:{path}")
        near = socket.socket(socket.AF_UNIX)
        self.addCleanup(near.close)
        until(lambda: path.exists() and near.connect_ex(str(path)) == 0)  # it is bound before it listens
        client_url, agent_url = chain.pair()
        client = self.websocket(client_url, sock=near)
        agent = self.websocket(agent_url)
        self.assertIn("unix", agent.recv(WAIT))
        agent.send(seeded(MIB))
        self.assertEqual(read_exactly(client, MIB), seeded(MIB))
