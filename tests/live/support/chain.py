"""The harness: the installed programs as processes of their own, on free ports of loopback, in a directory that goes.

Nothing sleeps for a process to be ready: each is asked until it answers. What a test starts ends with the test; a
`shared` chain ends when `STANDING` of other settings were wanted since, or with the run. If the run is killed, a guard
ends all of them.
"""

import atexit
import http.client
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from streamrelay.platform.auth.grants import Grant
from streamrelay.platform.auth.key_file import add_key
from streamrelay.protocol.tokens import Signer, generate, new_id
from tests.live.support.certificates import certificates
from tests.live.support.http import Answer, ask
from tests.live.support.nats import nats_command
from tests.live.support.ports import answers, free_port
from tests.live.support.processes import CLEARING, PROGRAMS, Program, run_forked, twistd
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import until

HOST = "host-1"


class Chain:
    """nats-server, relay, agent and platform. The agent's target ``port/N`` is the port N of this machine."""

    def __init__(
        self,
        folder: Path,
        tls: bool = False,
        tokens: str = "signed",
        relay: tuple[str, ...] = (),
        relay_port: int | None = None,
        targets: str = "",
        agent: str = "",
        space: tuple[str, ...] = (),
        address: str = "127.0.0.1",
        platform: str = "",
        platform_options: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.tls, self.tokens, self.address = folder, tls, tokens, address
        self.space = space
        """What is put before the agent's command, for example `ip netns exec NAME`."""
        self.ca = str(folder / "ca.pem") if tls else None
        self.nats_port, self.platform_port = free_port(), free_port()
        self.relay_port = relay_port or free_port()
        self.nats_url = f"nats://{address}:{self.nats_port}"
        name = "localhost" if tls and address == "127.0.0.1" else address
        self.relay_url = f"{'wss' if tls else 'ws'}://{name}:{self.relay_port}"
        self.relay_options, self.targets, self.agent_settings = relay, targets, agent
        self.platform_settings = platform
        self.admin = tls
        """Whether the programs have admin listeners: unix sockets, PROGRAM-admin.sock."""
        self.state = f'state = "{folder}/state"\n'
        """The agent's setting; empty: it keeps nothing over a restart."""
        self.platform_options = platform_options
        self.programs: list[Program] = []
        self.write_files()

    # -- files -----------------------------------------------------------------------------------------------

    def write_files(self) -> None:
        generate(self.folder / "platform.key", self.folder / "platform.pub")
        self.signer = Signer.load(str(self.folder / "platform.key"))
        if self.tls:
            self.authority = certificates(self.folder, self.address)
        self.keys = self.folder / "keys.toml"
        self.key = self.add_key("alice", Grant("*", "*"))
        self.weak_key = self.add_key("bob", Grant(HOST, "port/*"), Grant("other-*", "*"))
        self.write_agent(self.targets)

    def nats_urls(self) -> list[str]:
        """The servers that agent and platform are told."""
        return [self.nats_url]

    def add_key(self, name: str, *grants: Grant, drain: tuple[str, ...] = ()) -> str:
        """A new user's key."""
        return SUITE.secret("API key", add_key(self.keys, name, list(grants), drain=drain))

    def write_agent(self, targets: str) -> None:
        trust = f'ca = "{self.ca}"\n' if self.ca else ""
        own = f'tokens = "{self.tokens}"\nrelays = ["{self.relay_url}"]\n' if self.tokens == "opaque" else ""
        drain = "" if "drain" in self.agent_settings else "drain = 0\n"  # so that a test ends with its streams
        admin = f'admin = "unix:{self.folder}/agent-admin.sock"\n' if self.admin else ""
        new = self.folder / "agent.toml.new"
        new.write_text(
            f'host = "{HOST}"\nnats = {json.dumps(self.nats_urls())}\nplatform_key = ["{self.folder}/platform.pub"]\n'
            f"{self.state}{trust}{own}{drain}{admin}{self.agent_settings}\n"
            '[targets."port/{number}"]\nkind = "tcp"\naddress = "127.0.0.1:{number}"\n'
            'parts = { number = "[0-9]{1,5}" }\n\n'
            '[targets."port6/{number}"]\nkind = "tcp"\naddress = "[::1]:{number}"\n'
            'parts = { number = "[0-9]{1,5}" }\n\n' + targets.replace("FOLDER", str(self.folder))
        )
        new.replace(self.folder / "agent.toml")  # at once: an agent that runs may read it at any time

    # -- processes -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.start_nats()
        self.start_relay()
        self.start_agent()
        self.start_platform()
        self.wait()

    def add(self, name: str, *command: str) -> Program:
        program = Program(name, command, self.folder, forked=command[: len(twistd())] == twistd())
        self.programs.append(program)
        return program

    def start_nats(self) -> None:
        command = nats_command(self.nats_port, self.address)
        self.nats = self.add("nats-server", *command)

    def start_relay(self) -> None:
        self.relay = self.add("streamrelay", *twistd(), "streamrelay", *self.relay_arguments())

    def relay_arguments(self) -> tuple[str, ...]:
        where = f"{self.relay_port}:interface={self.address}"
        shown = (f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key",) if self.tls else ()
        plain = () if self.tls or self.address == "127.0.0.1" else ("--insecure",)
        tokens = ("--tokens=opaque",) if self.tokens == "opaque" else (f"--platform-key={self.folder}/platform.pub",)
        listen = f"--listen={'tls' if self.tls else 'tcp'}:{where}"
        drain = () if any(option.startswith("--drain") for option in self.relay_options) else ("--drain=0",)
        return (listen, *shown, *plain, *tokens, *drain, *self.admin_option("relay"), *self.relay_options)

    def admin_option(self, program: str) -> tuple[str, ...]:
        return (f"--admin=unix:{self.folder}/{program}-admin.sock",) if self.admin else ()

    def start_agent(self) -> Program:
        self.agent = self.add(
            "streamagent", *self.space, *twistd(), "streamagent", f"--config={self.folder}/agent.toml"
        )
        return self.agent

    def start_platform(self) -> None:
        self.platform = self.add("streamplatform", *twistd(), "streamplatform", *self.platform_arguments())

    def platform_arguments(self) -> tuple[str, ...]:
        tokens = ("--tokens=opaque",) if self.tokens == "opaque" else (f"--key={self.folder}/platform.key",)
        (self.folder / "platform.toml").write_text(self.platform_settings)
        own = any(option.startswith("--relay=") for option in self.platform_options)
        relay = () if own else (f"--relay={self.relay_url}",)
        return (
            f"--config={self.folder}/platform.toml",
            f"--listen=tcp:{self.platform_port}:interface=127.0.0.1",
            *relay,
            f"--keys={self.keys}",
            *(f"--nats={url}" for url in self.nats_urls()),
            *(() if self.address == "127.0.0.1" else ("--insecure",)),
            *tokens,
            *self.admin_option("platform"),
            *self.platform_options,
        )

    def wait(self) -> None:
        """Until all is up."""
        until(lambda: answers(self.relay_port, self.address), what="the relay")
        until(self.hosts, what="the agent")

    def stop(self) -> None:
        for program in reversed(self.programs):
            if program.alive:
                program.process.terminate()
        for program in reversed(self.programs):
            program.stop(CLEARING)

    @property
    def alive(self) -> bool:
        return all(program.alive for program in self.programs)

    # -- asking ----------------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: object = None, key: str | None = "", headers: dict[str, str] | None = None
    ) -> "Answer":
        """A request to the platform, with the key that may do everything unless another is given (None: no key)."""
        given = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            given["Authorization"] = f"Bearer {key or self.key}"
        text = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        return ask(self.platform_port, method, path, text, {**given, **(headers or {})})

    def hosts(self) -> list[str]:
        """Those that the platform sees; none while it isn't up."""
        try:
            return [host["host"] for host in self.ask("GET", "/v1/hosts").json["hosts"]]
        except (OSError, http.client.HTTPException, KeyError, ValueError):
            return []

    def streams(self) -> list[Any]:
        """Those that are open, once the platform can say so: its agents may not be back, or late to tell."""
        answer: Answer = until(lambda: self._whole("GET", "/v1/streams"), what="a whole list of streams")
        if answer.status != 200:
            raise AssertionError(f"no list of streams: {answer.status} {answer.text}")
        return list(answer.json["streams"])

    def opens(self, target: str) -> bool:
        """Whether a stream opens now; a host is listed as up before its agent is back on a bus that was away."""
        return self.ask("POST", "/v1/streams", {"host": HOST, "target": target}).status == 201

    def end(self, stream: str) -> None:
        """End a stream, as soon as its host has told of it."""
        answer = self.ask_to_end(stream)
        if answer.status != 204:
            raise AssertionError(f"{stream} was not ended: {answer.status} {answer.text}")

    def ask_to_end(self, stream: str, key: str = "") -> "Answer":
        """The answer to a stream's DELETE, once all hosts have told what they have."""
        path = f"/v1/streams/{stream}"
        answer: Answer = until(lambda: self._whole("DELETE", path, key), what="the end of a stream, or why not")
        return answer

    def _whole(self, method: str, path: str, key: str = "") -> "Answer | None":
        """An answer, unless some host hasn't told in the second that it has, as one of a busy machine."""
        answer = self.ask(method, path, key=key)
        return answer if answer.status != 503 and (not answer.text or answer.json.get("complete", True)) else None

    def leg_url(self, role: str, token: str) -> str:
        return f"{self.relay_url}/{role}/{token}"

    def pair(self, **claims: Any) -> tuple[str, str]:
        """A client's and an agent's URL of one new stream, with tokens minted here."""
        if self.tokens == "opaque":
            token = SUITE.secret("token", new_id())
            return self.leg_url("client", token), self.leg_url("agent", token)
        stream = new_id()
        mint = self.signer.mint
        client = mint("relay", role="client", sub=stream, **claims)
        return self.leg_url("client", client), self.leg_url("agent", mint("relay", role="agent", sub=stream, **claims))

    def streamrelay(self, *arguments: str, more: dict[str, str] | None = None, **options: Any) -> Any:
        """Run the native client's command to its end, with `more` in its environment; see `run_forked`."""
        extra = {
            "STREAMRELAY_PLATFORM": f"http://127.0.0.1:{self.platform_port}",
            "STREAMRELAY_KEY": self.key,
            **({"STREAMRELAY_CA": self.ca} if self.ca else {}),
            **(more or {}),
        }
        return run_forked(str(PROGRAMS / "streamrelay"), *arguments, folder=self.folder, more=extra, **options)


class RelayAlone(Chain):
    """Only the relay: the test is the agent and the platform."""

    def start(self) -> None:
        self.start_relay()
        until(lambda: answers(self.relay_port, self.address), what="the relay")


class Beside(Chain):
    """A platform of its own, with its own users, beside the one of another chain: all else is that one's."""

    def __init__(self, other: Chain, folder: Path, platform: str = "") -> None:
        self.other = other
        super().__init__(folder, platform=platform)

    def write_files(self) -> None:
        for name in ("platform.key", "platform.pub"):
            shutil.copy2(self.other.folder / name, self.folder)
        self.nats_url, self.relay_url = self.other.nats_url, self.other.relay_url
        self.keys = self.folder / "keys.toml"
        self.key = self.add_key("alice", Grant("*", "*"))

    def start(self) -> None:
        self.nats, self.relay, self.agent = self.other.nats, self.other.relay, self.other.agent
        self.start_platform()
        until(self.hosts, what="the platform")


STANDING = 4
"""Shared chains that stand at a time, of different settings."""
_standing: dict[str, Chain] = {}
"""The one that was wanted last is the last."""


def shared(**settings: Any) -> Chain:
    """A chain for several tests: one that stands if it has the same settings and is well."""
    name = repr(sorted(settings.items()))
    chain = _standing.pop(name, None)
    if chain is not None and chain.alive:
        _standing[name] = chain
        return chain
    if chain is not None:
        stop_chain(chain)
    while len(_standing) >= STANDING:
        stop_chain(_standing.pop(next(iter(_standing))))
    kind = settings.pop("kind", None) or (RelayAlone if settings.pop("alone", False) else Chain)
    chain = kind(Path(tempfile.mkdtemp(prefix="streamrelay-test-")), **settings)
    _standing[name] = chain
    chain.start()
    return chain


@atexit.register
def stop_shared() -> None:
    while _standing:
        stop_chain(_standing.popitem()[1])


def stop_chain(chain: Chain) -> None:
    chain.stop()
    SUITE.collect(chain.folder)
    shutil.rmtree(chain.folder, ignore_errors=True)
