"""A pidfile that is there before the start: twistd takes it for a running one's whenever any process has that number.

After a reboot, and in each new container, another has it, or we ourselves.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from streamrelay.errors import ConfigError
from streamrelay.logs import Logger

log = Logger()

_OPTION: Final = re.compile(r"--pi[a-z]*(?:=(.*))?", re.DOTALL)


def clear_stale(pidfile: str) -> None:
    """Remove a pidfile whose process lives and isn't the one that has written it; `ConfigError` if it is.

    What names nobody who lives is left to twistd, which removes it.
    """
    try:
        text = Path(pidfile).read_text()
    except (OSError, ValueError):
        return
    pid = int(text) if text.strip().isdecimal() else 0
    if text.strip() and (not pid or not Path(f"/proc/{pid}").exists()):
        return
    if pid and _has_written(pid, pidfile):
        raise ConfigError(
            f"{pidfile}: a twistd with this pidfile runs already, as process {pid}; end that, or give this one a "
            "--pidfile of its own"
        )
    why = f"its number, {pid}, is another's by now" if pid else "it is empty"
    log.warn("{pidfile} was left by a process that is gone ({why}); removed", pidfile=pidfile, why=why)
    with suppress(OSError):  # then twistd says why it can't be used
        os.unlink(pidfile)


def _has_written(pid: int, pidfile: str) -> bool:
    """Tell whether a living process is a twistd whose pidfile this is; yes if that isn't for us to know."""
    if pid == os.getpid():
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return True
    if not any(Path(word).name.startswith("twistd") for word in words[:3]):
        return False
    theirs = _pidfile_of(words)
    try:
        where = os.readlink(f"/proc/{pid}/cwd")
    except OSError:  # another user's
        return Path(theirs).name == Path(pidfile).name
    return bool(theirs) and os.path.realpath(Path(where, theirs)) == os.path.realpath(pidfile)


def _pidfile_of(words: list[str]) -> str:
    """Return the pidfile that a twistd's command line names, or its default."""
    for at, word in enumerate(words[:-1]):
        if option := _OPTION.fullmatch(word):
            return words[at + 1] if option[1] is None else option[1]
    return "twistd.pid"
