"""A systemd in small, as a program of its own: it keeps a listening socket, passes it on, and starts another program
anew when that has ended.

``python activation.py NAME PROGRAM ARGUMENTS…``: tells the port, and each process.
"""

import os
import signal
import socket
import sys


def start(wire: socket.socket, name: str, command: list[str]) -> int:
    pid = os.fork()
    if pid:
        print(f"started {pid}", flush=True)
        return pid
    os.dup2(wire.fileno(), 3)
    os.set_inheritable(3, True)
    passed = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": name}
    os.execve(command[0], command, {**os.environ, **passed})


def main(name: str, *command: str) -> None:
    wire = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"port {wire.getsockname()[1]}", flush=True)
    current = 0

    def end(number: int, frame: object) -> None:
        os.kill(current, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        current = start(wire, name, list(command))
        _, status = os.waitpid(current, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
