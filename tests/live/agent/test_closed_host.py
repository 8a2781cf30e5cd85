"""A host whose firewall drops everything inbound: what the product is for."""

import os
import socket

from tests.live.support.case import LiveTest
from tests.live.support.network import add_space, own_network
from tests.live.support.processes import need_program, run
from tests.live.support.promise import promised
from tests.live.support.sockets import MIB, seeded
from tests.live.support.waiting import Work, until
from tests.live.support.websockets import read_exactly, send_all

FIREWALL = """
table inet closed {
  chain in { type filter hook input priority 0; policy drop
    iif lo accept
    ct state established,related accept
    counter name dropped drop
  }
  counter dropped { }
}
"""

ECHO = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
"""


class ClosedHost(LiveTest):
    """The agent runs in a network namespace that drops all inbound packets; all else is outside of it."""

    def setUp(self) -> None:
        super().setUp()
        self.ip, self.nft, self.ss = own_network(self), need_program("nft"), need_program("ss")
        self.name = f"streamrelay-{os.getpid()}"
        number = os.getpid() % 250
        self.outside, self.inside = f"10.213.{number}.1", f"10.213.{number}.2"
        near, far = f"sro{os.getpid()}", f"srh{os.getpid()}"
        add_space(self, self.ip, self.name)
        for command in (
            f"link add {near} type veth peer name {far} netns {self.name}",
            f"addr add {self.outside}/24 dev {near}",
            f"link set {near} up",
            f"-n {self.name} addr add {self.inside}/24 dev {far}",
            f"-n {self.name} link set lo up",
            f"-n {self.name} link set {far} up",
        ):
            run(self.ip, *command.split(), check=True)
        self.addCleanup(run, self.ip, "link", "del", near)
        self.space = (self.ip, "netns", "exec", self.name)
        run(*self.space, self.nft, "-f", "-", input=FIREWALL.encode(), check=True)

    def test_stream(self) -> None:
        """A stream works over TLS, the host has no socket that listens for others, and no port of it answers."""
        port = 7007
        self.program("echo", *self.space, "python3", "-c", ECHO, str(port)).wait_for("listens")
        own = self.chain(tls=True, space=self.space, address=self.outside, agent="insecure = true\n")
        leg = self.websocket(self.open(own, f"port/{port}"), ca=own.ca)
        data = seeded(4 * MIB)
        sending = Work(send_all, leg, data)
        self.assertEqual(read_exactly(leg, len(data)), data)
        sending.result()

        listening = run(*self.space, self.ss, "-Hltn", check=True).stdout.decode().split("\n")
        addresses = [line.split()[3] for line in listening if line]
        self.assertEqual(addresses, [f"127.0.0.1:{port}"])
        for number in (22, 80, 443, port, own.relay_port, own.nats_port, own.platform_port):
            with socket.socket() as probe:
                probe.settimeout(0.2)
                self.assertRaises(TimeoutError, probe.connect, (self.inside, number))
        until(lambda: self.dropped() >= 7, what="the count of what was dropped")
        leg.send(b"still here")
        self.assertEqual(read_exactly(leg, 10), b"still here")

    def dropped(self) -> int:
        """Packets that the firewall has dropped."""
        told = run(*self.space, self.nft, "list", "counters", check=True).stdout.decode()
        return int(told.split("packets ")[1].split()[0])

    def test_vanished(self) -> None:
        """The host's link goes down without a word: the platform answers 503 or 504, and never hangs; another host's
        stream goes on."""
        own = self.chain(tls=True, space=self.space, address=self.outside, agent="insecure = true\n")
        beside = self.neighbour(*self.both_legs(own))
        run(self.ip, "-n", self.name, "link", "set", f"srh{os.getpid()}", "down", check=True)
        with promised("host unreachable"):
            answer = own.ask("POST", "/v1/streams", {"host": "host-1", "target": "port/7"})
        self.assertIn(answer.status, (503, 504), answer.text)
        beside.goes_on()
