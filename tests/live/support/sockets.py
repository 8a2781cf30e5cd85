"""Targets that are plain sockets, and bytes for them."""

import hashlib
import socket
import struct
from pathlib import Path
from random import Random
from typing import Final

from tests.live.support.waiting import WAIT, Work, until

MIB = 1 << 20
CONNECTED, LISTENING = "01", "0A"
"""States of a socket, as the kernel's table has them."""


def seeded(size: int, seed: int = 1) -> bytes:
    """Bytes that look random and are the same in every run."""
    return Random(seed).randbytes(size)


def in_kernel() -> int:
    """Most bytes that the kernel holds of a stream whose reader has stopped: both buffers of each of its three hops."""
    return 3 * sum(int(Path(f"/proc/sys/net/ipv4/tcp_{way}mem").read_text().split()[2]) for way in "rw")


def inode(local: int, remote: int) -> str:
    """Number of the socket that is connected from port `local` to port `remote` of 127.0.0.1."""
    ends = [f"0100007F:{port:04X}" for port in (local, remote)]

    def look() -> list[str]:
        return [number for near, far, _, number in table() if [near, far] == ends]

    # A table that others change while it is read may lack a line.
    return str(until(look, what=f"a connection from port {local} to port {remote}")[0])


def held(port: int) -> int:
    """How many sockets that are connected from a port, or to it, some program still holds."""
    end = f":{port:04X}"
    return sum(
        end in (near[-5:], far[-5:]) and state != LISTENING and number != "0" for near, far, state, number in table()
    )


def table(text: str = "") -> list[tuple[str, str, str, str]]:
    """Both ends, state and inode of each TCP socket of IPv4 (proc(5), net/tcp), of this network or by a text of it."""
    lines = (text or Path("/proc/net/tcp").read_text()).splitlines()[1:]
    return [(near, far, state, fields[5]) for _, near, far, state, *fields in map(str.split, lines)]


class Listener:
    """A port, or a unix socket, to which an agent connects."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        if address.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(address)
            self.port = 0
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            self.socket.bind((address, 0))
            self.port = self.socket.getsockname()[1]
        self.socket.listen(100)
        self.socket.settimeout(WAIT)
        self.target = f"port6/{self.port}" if ":" in address else f"port/{self.port}"
        self.accepted: list[socket.socket] = []

    def accept(self) -> socket.socket:
        connection, _ = self.socket.accept()
        connection.settimeout(WAIT)
        self.accepted.append(connection)
        return connection

    def close(self) -> None:
        for connection in (self.socket, *self.accepted):
            connection.close()


def take(connection: socket.socket, size: int) -> bytes:
    """So many bytes of a socket."""
    taken = bytearray(size)
    view = memoryview(taken)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise AssertionError(f"an end of file with {len(view)} bytes to come")
        view = view[count:]
    return bytes(taken)


def give(connection: socket.socket, data: bytes) -> None:
    """Send all of it, in pieces that each have the connection's time, which `sendall` has for all that it is given."""
    view = memoryview(data)
    for begin in range(0, len(view), MIB):
        connection.sendall(view[begin : begin + MIB])


RESET: Final = (ConnectionResetError, BrokenPipeError)
"""What a connection fails with that was reset: the second one if its end had come before, and nobody has read that. One
that is reset at once may fail so while it is connected."""


def take_all(connection: socket.socket) -> bytes:
    """Everything until the end of file."""
    parts = []
    while data := connection.recv(1 << 18):
        parts.append(data)
    return b"".join(parts)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def exchange(listener: "Listener", data: bytes) -> str:
    """Be a target that sends something while it reads all that comes; the hash of that."""
    target = listener.accept()
    sending = Work(give, target, data)
    got = take_all(target)
    sending.result()
    target.close()
    return sha(got)


def reset(connection: socket.socket) -> None:
    """Close with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
