"""A chain on a bus that `streamrelay host` has set up, users of it by their seeds, and JWTs for one with accounts."""

import base64
import json
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import nkeys

from streamrelay.platform import enrolment
from streamrelay.platform.config import PlatformConfig
from streamrelay.platform.relay_enrolment import relay_enrolment
from streamrelay.program.settings import load
from streamrelay.protocol.tokens import new_id
from tests.live.support.case import LiveTest
from tests.live.support.certificates import certificates
from tests.live.support.chain import HOST, Chain
from tests.live.support.nats import nats_command
from tests.live.support.ports import answers
from tests.live.support.processes import PROGRAMS, Program, run, twistd
from tests.live.support.waiting import WAIT, until

OTHER = "host-2"
INBOX = "_INBOX_platform"
SERVER = """\
listen: "127.0.0.1:{port}"
pid_file: "{folder}/nats.pid"
tls {{ cert_file: "{folder}/relay.pem", key_file: "{folder}/relay.key"{more} }}
include "nats-users.conf"
"""
WEBSOCKET = """\
listen: "127.0.0.1:-1"  # whichever is free; 0 stands for 4222
websocket {{ listen: "127.0.0.1:{port}", tls {{ cert_file: "{folder}/relay.pem", key_file: "{folder}/relay.key" }} }}
pid_file: "{folder}/nats.pid"
include "nats-users.conf"
"""
PLATFORM = """\
relay = "{relay}"
nats = ["{scheme}://localhost:{port}"]
nats_nkey = "{folder}/platform.nkey"
key = "{folder}/platform.key"
keys = "{folder}/keys.toml"
ca = "{folder}/ca.pem"
"""


class LockedChain(Chain):
    """A chain whose bus is set up as by `streamrelay host add`, and whose agent starts with what that wrote."""

    enrolled: tuple[str, ...] = (HOST, OTHER)

    server, scheme = SERVER, "tls"
    settings = PLATFORM
    """The platform's."""

    def __init__(self, folder: Path, tls_more: str = "", own: str = "") -> None:
        self.tls_more, self.own = tls_more, own
        super().__init__(folder)

    def write_files(self) -> None:
        super().write_files()
        certificates(self.folder)
        values = {
            "scheme": self.scheme,
            "relay": self.relay_url,
            "port": self.nats_port,
            "folder": self.folder,
            "more": self.tls_more,
        }
        (self.folder / "platform.toml").write_text(self.settings.format(**values) + self.own)
        (self.folder / "nats-server.conf").write_text(self.server.format(**values))
        for host in self.enrolled:
            self.enrol(host)

    def enrol(self, host: str) -> None:
        """What `streamrelay host add` does, which takes a third of a second of CPU to start."""
        settings = load(PlatformConfig, str(self.folder / "platform.toml"), {})
        users = enrolment.Users(self.folder / "nats-users.conf")
        enrolment.add(users, self.home(host).parent, host, enrolment.enrolment(settings, (), at=str(self.home(host))))

    def host(self, *arguments: str) -> str:
        """`streamrelay host`, in the platform's directory."""
        done = run(str(PROGRAMS / "streamrelay"), "host", *arguments, cwd=self.folder)
        if done.returncode:
            raise AssertionError(done.stderr)
        return str(done.stdout.decode())

    def home(self, host: str) -> Path:
        return self.folder / "hosts" / host

    def enrol_relay(self, relay: str, url: str, zone: str = "") -> Path:
        """What `streamrelay relay add` does; the relay's folder."""
        settings = load(PlatformConfig, str(self.folder / "platform.toml"), {})
        users, home = enrolment.Users(self.folder / "nats-users.conf"), self.folder / "relays" / relay
        base = enrolment.enrolment(settings, (), at=str(home))
        enrolment.add(users, home.parent, relay, relay_enrolment(base, url, zone))
        return home

    def agent_file(self, host: str = HOST) -> Path:
        """An agent's settings as they were written, with a target."""
        path = self.home(host) / "agent.toml"
        if '[targets."port' not in path.read_text():
            target = '\n[targets."port/{number}"]\nkind = "tcp"\naddress = "127.0.0.1:{number}"\n'
            with path.open("a") as file:
                file.write(
                    f'{self.own}state = "{self.home(host)}/state"\n{target}parts = {{ number = "[0-9]{{1,5}}" }}\n'
                )
        return path

    def start_nats(self) -> None:
        server = nats_command(0)[0]
        self.nats = self.add("nats-server", server, "-c", str(self.folder / "nats-server.conf"))
        until(lambda: answers(self.nats_port), what="the bus")

    def start_agent(self, host: str = HOST) -> Program:
        self.agent = self.twistd(f"streamagent-{host[:64]}", "streamagent", f"--config={self.agent_file(host)}")
        return self.agent

    def start_platform(self) -> None:
        listen = f"--listen=tcp:{self.platform_port}:interface=127.0.0.1"
        config = f"--config={self.folder}/platform.toml"
        self.platform = self.twistd("streamplatform", "streamplatform", config, listen)

    def twistd(self, name: str, *arguments: str) -> Program:
        return self.add(name, *twistd(), *arguments)

    def reload(self) -> None:
        """Let the server read its files again, as the manual says."""
        reloaded = self.nats.log.count("Reloaded server configuration")
        command = (nats_command(0)[0], "--signal", f"reload={self.folder}/nats.pid")
        subprocess.run(command, check=True, capture_output=True, timeout=WAIT)
        self.nats.wait_for("Reloaded server configuration", count=reloaded + 1)

    def seed(self, who: str) -> bytes:
        places = (
            self.folder / f"{who}.nkey",
            self.folder / "relays" / who / "relay.nkey",
            self.home(who) / "host.nkey",
        )
        return next(place for place in places if place.exists()).read_bytes().strip()

    def user(self, who: str) -> "User":
        return User(self.nats_port, self.seed(who), self.folder / "ca.pem")


class User:
    """A raw connection to the server by somebody's seed; the server answers every command."""

    def __init__(self, port: int, seed: bytes, ca: Path) -> None:
        plain = socket.create_connection(("127.0.0.1", port), WAIT)
        about = b""
        while not about.endswith(b"\r\n"):
            about += plain.recv(1)
        pair = nkeys.from_seed(bytearray(seed))
        signature = base64.b64encode(pair.sign(json.loads(about.removeprefix(b"INFO "))["nonce"].encode()))
        context = ssl.create_default_context(cafile=str(ca))
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")
        options = {"nkey": pair.public_key.decode(), "sig": signature.decode(), "verbose": True}
        self.welcome = self.say(f"CONNECT {json.dumps({**options, 'headers': True, 'no_responders': True})}")
        self.number = 0
        self.early: list[tuple[str, str, str]] = []
        """Messages that came before the answer to a command."""

    def say(self, command: str) -> str:
        self.socket.sendall(f"{command}\r\n".encode())
        return self.hear()

    def hear(self) -> str:
        """The next line of the server, but for what keeps the connection; empty at its end."""
        while line := self.lines.readline().decode():
            if line.startswith("PING"):
                self.socket.sendall(b"PONG\r\n")
            elif line.strip() and not line.startswith("INFO"):
                return line.strip()
        return ""

    def may_hear(self, subject: str) -> bool:
        self.number += 1
        return self._allowed(f"SUB {subject} {self.number}", subject)

    def may_say(self, subject: str, text: str = "", reply: str = "") -> bool:
        return self._allowed(f"PUB {subject} {reply} {len(text)}\r\n{text}", subject)

    def _allowed(self, command: str, subject: str) -> bool:
        """Only the two answers that there are count as one."""
        answer = self.say(command)
        while answer.startswith("MSG "):
            self.early.append(self._read(answer))
            answer = self.hear()
        if answer == "+OK":
            return True
        if answer.lower().startswith("-err 'permissions violation for"):
            return False
        raise AssertionError(f"{subject}: {answer!r}")

    def catch_up(self) -> None:
        """Forget the messages that have come so far."""
        answer = self.say("PING")
        while answer.startswith("MSG "):
            self._read(answer)
            answer = self.hear()
        self.early.clear()

    def events(self, *kinds: str) -> list[str]:
        """The subjects of as many events of these kinds as there are; an agent may tell that it is up in between."""
        told: list[str] = []
        while len(told) < len(kinds):
            subject = self.message()[0]
            told += [subject] if subject.rpartition(".")[2] in kinds else []
        return told

    def message(self) -> tuple[str, str, str]:
        """The next message: its subject, its reply subject and its text."""
        return self.early.pop(0) if self.early else self._read(self.hear())

    def asked(self, question: bytes) -> str:
        """The inbox for answers to the next message with this text; a platform asks others by itself."""
        while (message := self.message())[2] != question.decode():
            pass
        return message[1]

    def _read(self, line: str) -> tuple[str, str, str]:
        words = line.split()
        assert words[0] == "MSG", words
        text = self.lines.read(int(words[-1]) + 2)[:-2].decode()
        return words[1], words[3] if len(words) == 5 else "", text

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


class LockedTest(LiveTest):
    """A bus of two hosts."""

    def setUp(self) -> None:
        super().setUp()
        self.own = LockedChain(self.folder)
        self.addCleanup(self.own.stop)

    def user(self, who: str) -> User:
        user = self.own.user(who)
        self.addCleanup(user.close)
        self.assertEqual(user.welcome, "+OK", who)
        return user


def public(seed: bytes) -> str:
    return str(nkeys.from_seed(bytearray(seed)).public_key.decode())


def jwt_of(issuer: bytes, subject: bytes, nats: dict[str, Any], expires: int = 0) -> str:
    """A JWT as NATS has them: signed by an NKEY."""
    claims = {"jti": new_id(), "iat": int(time.time()), "iss": public(issuer), "sub": public(subject), "nats": nats}
    parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, {**claims, **({"exp": expires} if expires else {})}]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    signature = nkeys.from_seed(bytearray(issuer)).sign(text.encode())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
