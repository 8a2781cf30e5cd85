"""A relay whose socket systemd keeps: who comes while it is started anew waits, and is let in by the next one."""

import http.client
import re
import signal
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from streamrelay.protocol.tokens import new_id
from tests.authority import Authority
from tests.live.support import activation
from tests.live.support.case import LiveTest
from tests.live.support.processes import Program, signal_pid, twistd
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT, until

COMERS = 100


class Activated(LiveTest):
    """A relay with a socket that was passed to it."""

    def relay(self, *options: str) -> Program:
        python, script, *more = twistd()
        keeper = (python, activation.__file__, "relay", python, script, *more)
        self.program_ = self.program("activated", *keeper, "streamrelay", "--tokens=opaque", *options)
        self.port = int(self.said(r"port (\d+)\n"))
        return self.program_

    def said(self, words: str, count: int = 1) -> str:
        """What the keeper has said so often, the last one."""
        found = until(
            lambda: len(found := re.findall(words, self.program_.log)) >= count and found, what=f"{count} times {words}"
        )
        return str(found[-1])

    def restart(self) -> None:
        """Until the relay has begun to stop: who is in the middle of a handshake then is answered 503."""
        signal_pid(int(self.said(r"started (\d+)\n")), signal.SIGTERM)
        self.said("SIGTERM: stopping")

    def test_restart(self) -> None:
        """Of a hundred who come one after the other while the relay is started anew, with a stream that it has to wait
        for, none is refused."""
        self.relay("--listen=systemd:relay", "--drain=2")
        token = SUITE.secret("token", new_id())
        for role in ("client", "agent"):
            self.websocket(f"ws://127.0.0.1:{self.port}/{role}/{token}")
        with ThreadPoolExecutor(10) as pool:
            answers = [pool.submit(self.come) for _ in range(COMERS // 4)]
            until(lambda: all(answer.done() for answer in answers), what="the first ones")
            self.restart()
            answers += [pool.submit(self.come) for _ in range(COMERS - len(answers))]
            found = [answer.result() for answer in answers]
        self.assertEqual(found, [200] * COMERS)
        self.assertEqual(self.said(r"ended (-?\d+)\n"), "0")
        self.said(r"started (\d+)", 2)

    def come(self, context: ssl.SSLContext | None = None) -> int:
        """The status of an answer."""
        kind = http.client.HTTPConnection if context is None else partial(http.client.HTTPSConnection, context=context)
        connection = kind("localhost", self.port, timeout=WAIT)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status
        finally:
            connection.close()

    def test_tls(self) -> None:
        """TLS is spoken on such a socket, too, across a restart."""
        pair = Authority(self.folder / "ca.pem").issue(self.folder / "a.pem", "localhost")
        self.relay("--listen=tls:systemd:relay", f"--certificate={pair}")
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        self.assertEqual(self.come(context), 200)
        self.restart()
        self.assertEqual([self.come(context) for _ in range(3)], [200] * 3)

    def test_nothing_passed(self) -> None:
        """A relay without the socket that it is told of ends with one line that names it."""
        relay = self.twistd("streamrelay", "--tokens=opaque", "--listen=systemd:relay")
        until(lambda: not relay.alive, what="its end")
        self.assertEqual((relay.process.returncode, relay.log.count("\n")), (1, 1), relay.log)
        self.assertIn("listen systemd:relay: systemd has passed no such socket", relay.log)
