"""A network that nothing leaves but through a proxy with a password: the chain works, agent and native client in it."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

from streamrelay.net.outbound import VARIABLES
from tests.live.support.case import LiveTest
from tests.live.support.chain import HOST, Chain
from tests.live.support.nats import nats_command
from tests.live.support.network import add_space, own_network
from tests.live.support.ports import answers
from tests.live.support.processes import PROGRAMS, Program, need_program, run
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import until

FIREWALL = """
table inet closed {
  chain in { type filter hook input priority 0; policy accept
    iifname "NEAR" tcp dport { 3128, 1080 } accept
    iifname "NEAR" ct state established accept
    iifname "NEAR" counter drop
  }
}
"""
TINYPROXY = """
Port 3128
Listen ADDRESS
Timeout 600
MaxClients 100
LogLevel Connect
ConnectPort 443
BasicAuth alice PASSWORD
"""
NATS = """
listen: "127.0.0.1:PORT"
websocket { listen: "ADDRESS:443", tls { cert_file: "FOLDER/relay.pem", key_file: "FOLDER/relay.key" } }
"""
ECHO = """
import socket
listener = socket.create_server(("127.0.0.1", 7))
print("listens", flush=True)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
"""
SOCKS_PASSWORD = "hush"  # microsocks takes it on its command line alone


class Outside(Chain):
    """All of the chain is outside and has one port for the world, 443, but the agent, which is inside. Names of the
    outside are known to nobody but the proxies."""

    def __init__(self, folder: Path, space: tuple[str, ...], addresses: dict[str, str]) -> None:
        self.addresses = addresses
        super().__init__(folder, tls=True, relay_port=443, space=space, address=addresses["relay.test"])
        self.relay_url = "wss://relay.test"

    def write_files(self) -> None:
        super().write_files()
        self.authority.issue(self.folder / "relay.pem", *self.addresses, *self.addresses.values())
        config = NATS.replace("PORT", str(self.nats_port)).replace("FOLDER", str(self.folder))
        (self.folder / "nats.conf").write_text(config.replace("ADDRESS", self.addresses["nats.test"]))

    def write_agent(self, targets: str) -> None:
        here, self.nats_url = self.nats_url, "wss://nats.test"
        super().write_agent(targets)
        self.nats_url = here

    def start_nats(self) -> None:
        self.nats_url = f"nats://127.0.0.1:{self.nats_port}"
        self.nats = self.add("nats-server", nats_command(0)[0], "-c", str(self.folder / "nats.conf"))

    def platform_arguments(self) -> tuple[str, ...]:
        shown = f"--certificate={self.folder}/relay.pem,{self.folder}/relay.key"
        return (*super().platform_arguments(), f"--listen=tls:443:interface={self.addresses['platform.test']}", shown)

    def start_agent(self, **environment: str) -> Program:
        command = (*self.space, sys.executable, str(PROGRAMS / "twistd"), "-n", "--pidfile=")
        self.agent = Program(
            "streamagent", (*command, "streamagent", f"--config={self.folder}/agent.toml"), self.folder, environment
        )
        self.programs.append(self.agent)
        return self.agent


class Closed(LiveTest):
    """Agent, target and native client are in a network namespace whose one neighbour lets nothing in but to proxies."""

    def setUp(self) -> None:
        super().setUp()
        self.ip, nft = own_network(self), need_program("nft")
        self.password = SUITE.secret("password", "a-password-of-tinyproxy")
        self.name, number = f"streamrelay-{os.getpid()}", os.getpid() % 250
        self.outside, near, far = f"10.215.{number}.1", f"sro{os.getpid()}", f"srh{os.getpid()}"
        add_space(self, self.ip, self.name)
        names = ("relay.test", "nats.test", "platform.test")
        addresses = {name: f"10.216.{number}.{last}" for last, name in enumerate(names, 1)}
        for command in (
            f"link add {near} type veth peer name {far} netns {self.name}",
            f"addr add {self.outside}/24 dev {near}",
            f"link set {near} up",
            f"-n {self.name} addr add 10.215.{number}.2/24 dev {far}",
            f"-n {self.name} link set lo up",
            f"-n {self.name} link set {far} up",
            f"-n {self.name} route add default via {self.outside}",
            *(f"addr add {address}/32 dev lo" for address in addresses.values()),
        ):
            run(self.ip, *command.split(), check=True)
        self.addCleanup(run, self.ip, "link", "del", near)
        run(nft, "-f", "-", input=FIREWALL.replace("NEAR", near).encode(), check=True)
        self.space = (self.ip, "netns", "exec", self.name)
        self.hosts = self.folder / "names"
        self.hosts.write_text("".join(f"{address} {name}\n" for name, address in addresses.items()))
        self.own = Outside(self.folder, self.space, addresses)
        self.addCleanup(self.own.stop)

    def proxy(self, name: str, port: int, *command: str) -> Program:
        """Start a proxy outside, where the names are known."""
        mounted = f"mount --bind {self.hosts} /etc/hosts && exec {shlex.join(command)}"
        started = self.program(name, need_program("unshare"), "-m", "sh", "-c", mounted)
        until(lambda: answers(port, self.outside), what=name)
        return started

    def tinyproxy(self) -> Program:
        program, config = need_program("tinyproxy"), self.folder / "tinyproxy.conf"
        config.write_text(TINYPROXY.replace("ADDRESS", self.outside).replace("PASSWORD", self.password))
        return self.proxy("tinyproxy", 3128, program, "-d", "-c", str(config))

    def microsocks(self) -> Program:
        login = ("-u", "bob", "-P", SOCKS_PASSWORD)
        return self.proxy("microsocks", 1080, need_program("microsocks"), "-i", self.outside, *login)

    def start(self, settings: str = "", **environment: str) -> None:
        """Start the chain with these settings of the agent, and a target beside it."""
        self.own.agent_settings = settings
        self.own.write_agent("")
        self.own.start_nats()
        self.own.start_relay()
        self.own.start_agent(**environment)
        self.own.start_platform()
        self.own.wait()
        self.program("echo", *self.space, sys.executable, "-c", ECHO).wait_for("listens")

    def streamrelay(self, *arguments: str, more: dict[str, str] | None = None, **options: Any) -> Any:
        """The native client inside, to its end."""
        extra = {
            "STREAMRELAY_PLATFORM": "https://platform.test",
            "STREAMRELAY_KEY": self.own.key,
            "STREAMRELAY_CA": str(self.own.ca),
            **(more or {}),
        }
        return run(*self.space, str(PROGRAMS / "streamrelay"), *arguments, more=extra, **options)

    def login(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.secret"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def works(self, *options: str, more: dict[str, str] | None = None) -> None:
        """The client lists the host, and bytes go to its target and back."""
        done = self.streamrelay("hosts", *options, more=more)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(HOST.encode(), done.stdout)
        sent = os.urandom(1 << 20)
        done = self.streamrelay("connect", HOST, "port/7", *options, more=more, input=sent)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout == sent)

    def fails(self, words: str, *options: str, more: dict[str, str] | None = None) -> None:
        """The client ends with one line that says this, and 6."""
        done = self.streamrelay("hosts", *options, more=more)
        lines = done.stderr.decode().splitlines()
        self.assertEqual((done.returncode, len(lines)), (6, 1), lines)
        self.assertIn(words, lines[0])
        self.assertNotIn(self.password, lines[0])

    def test_http(self) -> None:
        """By an HTTP proxy with a password, which lets nothing but 443 out: the agent by its settings, the client by
        the environment; what the proxy refuses is told by its name."""
        url = f"http://{self.outside}:3128"
        tinyproxy = self.tinyproxy()
        login = self.login("tinyproxy", f"alice:{self.password}\n")
        self.start(f'outbound_proxy = "{url}"\noutbound_login = "{login}"\n')
        self.own.agent.wait_for(f"dialling by the proxy {url}, which outbound_proxy names")
        self.own.agent.wait_for("connected to NATS at wss://nats.test")
        quoted = "".join(f"%{number:02X}" for number in self.password.encode())
        for name in VARIABLES[1::2]:
            self.works(more={name: f"http://alice:{quoted}@{self.outside}:3128"})
        self.works("--outbound-proxy", url, "--outbound-login", str(login))
        for name in ("relay.test", "nats.test", "platform.test"):
            tinyproxy.wait_for(f"CONNECT {name}:443")

        login.write_text("alice:wrong")  # read again at each connection
        self.own.nats.restart()
        refused = f"the proxy {url} answered 401: it refused this user and password; trying again"
        self.own.agent.wait_for(f"can't connect to NATS at wss://nats.test: {refused}")
        login.write_text(f"alice:{self.password}\n")
        self.own.agent.wait_for("connected to NATS at wss://nats.test", count=2)

        start = f"the platform https://platform.test can't be reached: the proxy {url} answered "
        self.fails(start + "407: it wants a user and password", more={"HTTPS_PROXY": url})
        wrong = self.login("wrong", "alice:wrong")
        self.fails(start + "401: it refused this", "--outbound-proxy", url, "--outbound-login", str(wrong))
        other = {"STREAMRELAY_PLATFORM": "https://platform.test:8443"}
        right = ("--outbound-proxy", url, "--outbound-login", str(login))
        self.fails("answered 403: it doesn't allow a connection to platform.test:8443", *right, more=other)
        unknown = {"STREAMRELAY_PLATFORM": "https://nobody.test"}
        self.fails(f"the proxy {url} answered 50", *right, more=unknown)
        self.fails("can't be reached: Connection was refused", "--outbound-proxy", f"http://{self.outside}:1080")

    def test_socks(self) -> None:
        """By SOCKS5 with a password: the agent by the environment, the client by options; what the proxy refuses is
        told by its name."""
        url = f"socks5h://{self.outside}:1080"
        self.microsocks()
        self.start(ALL_PROXY=f"socks5://bob:{SOCKS_PASSWORD}@{self.outside}:1080")
        self.own.agent.wait_for(f"dialling by the proxy socks5://{self.outside}:1080, which ALL_PROXY names")
        login = self.login("microsocks", f"bob:{SOCKS_PASSWORD}")
        right = ("--outbound-proxy", url, "--outbound-login", str(login))
        self.works(*right)
        start = f"the platform https://platform.test can't be reached: the proxy {url} "
        self.fails(start + "wants a user and password", "--outbound-proxy", url)
        wrong = self.login("wrong", "bob:wrong")
        self.fails(start + "refused this user", "--outbound-proxy", url, "--outbound-login", str(wrong))
        self.fails("is it a SOCKS proxy?", "--outbound-proxy", f"http://{self.outside}:1080")
        unknown = {"STREAMRELAY_PLATFORM": "https://nobody.test"}
        self.fails("https://nobody.test can't be reached: the proxy", *right, more=unknown)
