"""All of streamrelay as its users run it: nats-server, relay, platform and agent, on loopback."""

import json
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from bench.certificate import Certificate
from bench.processes import UP_TIME, Bench, Program, Unusable, free_port, program
from streamrelay.protocol.tokens import generate

HOST = "bench-host"

_AGENT = """\
host = "{host}"
nats = ["{nats}"]
platform_key = ["{folder}/platform.pub"]
state = "{folder}/state"
{ca}
[targets.source]
kind = "tcp"
address = "127.0.0.1:{port}"

[targets.log]
kind = "log"
path = "{folder}/source.log"
"""
LINE = "the last line that was written"

_ANONYMOUS = """\
[anonymous]
grants = [{ host = "*", target = "*" }]
"""


class Fleet:
    """Signed tokens throughout; the target `source` of `HOST` is a TCP port of the load, `log` a file of 100 lines."""

    relay: Program
    agent: Program

    def __init__(self, bench: Bench, target_port: int, tls: bool) -> None:
        self._bench = bench
        folder = bench.folder / ("fleet-tls" if tls else "fleet")
        folder.mkdir(exist_ok=True)
        self.certificate = Certificate.make(bench.folder)
        if not (folder / "platform.key").exists():
            generate(folder / "platform.key", folder / "platform.pub")
        (folder / "keys.toml").write_text(_ANONYMOUS)
        nats_port, self.relay_port, self.platform_port = free_port(), free_port(), free_port()
        nats = f"nats://127.0.0.1:{nats_port}"
        ca = f'ca = "{self.certificate.certificate}"\n' if tls else ""
        (folder / "agent.toml").write_text(_AGENT.format(host=HOST, nats=nats, folder=folder, ca=ca, port=target_port))
        (folder / "source.log").write_text("a line\n" * 99 + LINE + "\n")
        server = program("nats-server", str(Path(sys.executable).parent))
        self._nats = bench.start("nats-server", [server, "-a", "127.0.0.1", "-p", str(nats_port)])
        self._nats.wait_until_listening(nats_port)
        self.relay = self._twistd(
            "streamrelay",
            f"--listen={'tls' if tls else 'tcp'}:{self.relay_port}:interface=127.0.0.1",
            *((f"--certificate={self.certificate.certificate},{self.certificate.key}",) if tls else ()),
            f"--platform-key={folder}/platform.pub",
            f"--origin={self.url}",
        )
        self.agent = self._twistd("streamagent", f"--config={folder}/agent.toml")
        self._platform = self._twistd(
            "streamplatform",
            f"--listen=tcp:{self.platform_port}:interface=127.0.0.1",
            f"--relay={'wss://localhost' if tls else 'ws://127.0.0.1'}:{self.relay_port}",
            *(f"--key={folder}/platform.key", f"--keys={folder}/keys.toml", f"--nats={nats}"),
        )
        self.relay.wait_until_listening(self.relay_port)
        self._wait_for_host()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.platform_port}"

    def connect(self) -> tuple[Program, int]:
        """``streamrelay connect … --listen``, and its port."""
        port = free_port()
        command = str(Path(sys.executable).with_name("streamrelay"))
        client = self._bench.start(
            "streamrelay-connect",
            [
                *(command, "connect", HOST, "source", f"--listen=127.0.0.1:{port}"),
                *(f"--platform={self.url}", f"--ca={self.certificate.certificate}"),
            ],
        )
        client.wait_until_listening(port)
        return client, port

    def cpu(self) -> float:
        return sum(running.cpu() for running in self._all())

    def stop(self) -> None:
        for running in self._all():
            running.stop()

    def _all(self) -> tuple[Program, ...]:
        return self.agent, self._platform, self.relay, self._nats

    def _twistd(self, name: str, *options: str) -> Program:
        twistd = str(Path(sys.executable).with_name("twistd"))
        return self._bench.start(name, [sys.executable, twistd, "-n", "--pidfile=", name, *options])

    def _wait_for_host(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + UP_TIME
        while time.monotonic() < end:
            with suppress(OSError, ValueError), opener.open(f"{self.url}/v1/hosts", timeout=3) as answer:
                if json.load(answer)["hosts"]:
                    return
            time.sleep(0.1)
        raise Unusable(f"the agent did not come up: {self.agent.last_words()}")
