"""Free ports, and whether one answers."""

import os
import socket
from random import sample

_first = 14_000 + 2000 * (int(os.environ.get("STREAMRELAY_WORKER", "0")) % 9)
_ports = iter(sample(range(_first, _first + 2000), 2000))


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on: each is given once, and none that the kernel gives to outgoing connections.

    Workers of a run have ranges of their own, so that none takes what another was just given.
    """
    for port in _ports:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port is left")


def answers(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True
