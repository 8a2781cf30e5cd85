"""All of streamrelay as its users run it: nats-server, relay, platform and agent, on loopback."""

import hashlib
import json
import secrets
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle, starmap
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
max_streams = 2000
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


USERS = 50


def _user(number: int, key: str) -> str:
    """An entry in the file of keys."""
    hashed = hashlib.sha256(key.encode()).hexdigest()
    return f'\n[keys.user{number}]\nhash = "sha256:{hashed}"\ngrants = [{{ host = "*", target = "*" }}]\n'


class Fleet:
    """Signed tokens throughout; the target `source` of `HOST` is a TCP port of the load, `log` a file of 100 lines.

    `tls`: everywhere, to the bus and to the platform as well. `reach`: by which port host and user get to a public one.
    """

    def __init__(self, bench: Bench, target_port: int, tls: bool, reach: Callable[[int], int] = int) -> None:
        self._bench, self._tls = bench, tls
        folder = self._folder = bench.folder / ("fleet-tls" if tls else "fleet")
        folder.mkdir(exist_ok=True)
        self.certificate = Certificate.make(bench.folder)
        if not (folder / "platform.key").exists():
            generate(folder / "platform.key", folder / "platform.pub")
        keys = [f"srk_{secrets.token_urlsafe(32)}" for _ in range(USERS)]
        (folder / "keys.toml").write_text(_ANONYMOUS + "".join(starmap(_user, enumerate(keys))))
        self._keys = cycle(self._write_key(number, key) for number, key in enumerate(keys))
        (folder / "source.log").write_text("a line\n" * 99 + LINE + "\n")
        self._nats_port, self.relay_port, self.platform_port = free_port(), free_port(), free_port()
        self._nats = self._start_nats()
        self._relay = self._twistd(
            "streamrelay",
            "--drain=0",
            *self._listen(self.relay_port),
            f"--platform-key={folder}/platform.pub",
            f"--origin={self.url}",
        )
        self._relay.wait_until_listening(self.relay_port)
        ca = f'ca = "{self.certificate.certificate}"\n' if tls else ""
        nats = self._bus(reach(self._nats_port))
        (folder / "agent.toml").write_text(_AGENT.format(host=HOST, nats=nats, folder=folder, ca=ca, port=target_port))
        self._agent = self._twistd("streamagent", f"--config={folder}/agent.toml", "--drain=0")
        self._platform = self._start_platform(reach(self.relay_port))
        self._platform.wait_until_listening(self.platform_port)
        self._user_url = self.url.replace(str(self.platform_port), str(reach(self.platform_port)))
        self._wait_for_host()

    def _write_key(self, number: int, key: str) -> Path:
        path = self._folder / f"{number}.key"
        path.touch(0o600)
        path.write_text(key)
        return path

    def key(self) -> Path:
        """The file with the key of another user."""
        return next(self._keys)

    def _start_nats(self) -> Program:
        server = program("nats-server", str(Path(sys.executable).parent))
        files = (f"--tlscert={self.certificate.certificate}", f"--tlskey={self.certificate.key}")
        secure = ("--tls", *files) if self._tls else ()
        nats = self._bench.start("nats-server", [server, "-a", "127.0.0.1", "-p", str(self._nats_port), *secure])
        nats.wait_until_listening(self._nats_port)
        return nats

    def _start_platform(self, relay_port: int) -> Program:
        return self._twistd(
            "streamplatform",
            *self._listen(self.platform_port),
            f"--relay={'wss://localhost' if self._tls else 'ws://127.0.0.1'}:{relay_port}",
            *(f"--key={self._folder}/platform.key", f"--keys={self._folder}/keys.toml"),
            *(f"--nats={self._bus(self._nats_port)}", *self._trust()),
        )

    def _bus(self, port: int) -> str:
        return f"{'tls' if self._tls else 'nats'}://127.0.0.1:{port}"

    def _listen(self, port: int) -> tuple[str, ...]:
        if not self._tls:
            return (f"--listen=tcp:{port}:interface=127.0.0.1",)
        pair = f"{self.certificate.certificate},{self.certificate.key}"
        return f"--listen=tls:{port}:interface=127.0.0.1", f"--certificate={pair}"

    def _trust(self) -> tuple[str, ...]:
        return (f"--ca={self.certificate.certificate}",) if self._tls else ()

    @property
    def url(self) -> str:
        return f"{'https://localhost' if self._tls else 'http://127.0.0.1'}:{self.platform_port}"

    def connect(self, port: int = 0) -> list[str]:
        """The command ``streamrelay connect``, with a port to listen on or by standard input and output."""
        command = str(Path(sys.executable).with_name("streamrelay"))
        listen = [f"--listen=127.0.0.1:{port}"] if port else []
        return [command, "connect", HOST, "source", *listen, f"--platform={self._user_url}", *self._trust()]

    def parts(self) -> dict[str, Program]:
        return {"host": self._agent, "public": self._relay, "platform": self._platform, "bus": self._nats}

    def cpu(self) -> float:
        return sum(running.cpu() for running in self.parts().values())

    def stop(self) -> None:
        for running in self.parts().values():
            running.stop()

    def _twistd(self, name: str, *options: str) -> Program:
        twistd = str(Path(sys.executable).with_name("twistd"))
        return self._bench.start(name, [sys.executable, twistd, "-n", "--pidfile=", name, *options])

    def _wait_for_host(self) -> None:
        context = ssl.create_default_context(cafile=str(self.certificate.certificate))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        end = time.monotonic() + UP_TIME
        while time.monotonic() < end:
            with suppress(OSError, ValueError), opener.open(f"{self.url}/v1/hosts", timeout=3) as answer:
                if json.load(answer)["hosts"]:
                    return
            time.sleep(0.1)
        raise Unusable(f"the agent did not come up: {self._agent.last_words()}")
