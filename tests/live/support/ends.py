"""How `twistd` ends with wrong arguments, many times for the price of one start.

Run as `python -m tests.live.support.ends FOLDER`: it imports what the programs import, and forks a child for each line
of JSON, the arguments, on standard input. The child is `twistd` with these, a process as any other from there on; a
line of JSON tells its status and what it said on standard output and error.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from typing import IO, Any, NoReturn

from tests.live.support.waiting import WAIT


def main() -> None:
    from twisted.scripts import twistd

    import streamrelay.agent.tap
    import streamrelay.platform.tap
    import streamrelay.relay.tap  # noqa: F401

    assert "twisted.internet.reactor" not in sys.modules, "each child must install its own"
    os.chdir(sys.argv[1])
    for line in sys.stdin:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if not pid:
                be(twistd.run, json.loads(line), out, err)
            status = reap(pid)
            print(json.dumps({"status": status, "out": text(out), "err": text(err)}), flush=True)


def be(run: Any, arguments: list[str], out: IO[bytes], err: IO[bytes]) -> NoReturn:
    """Be the program, and end as the interpreter would."""
    status: Any = 1
    try:
        for descriptor, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out.fileno(), 1), (err.fileno(), 2)):
            os.dup2(descriptor, number)
        sys.argv = ["twistd", *arguments]
        run()
        status = 0
    except SystemExit as end:
        status = 0 if end.code is None else end.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def reap(pid: int) -> int | None:
    """Return a child's status, or None if it had to be killed because it runs."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    main()
