"""The last steps before a command runs: everything that it must not inherit from a daemon of root's is set here."""

import ctypes
import fcntl
import grp
import os
import pwd
import resource
import shutil
import signal
import termios
from contextlib import suppress
from typing import Final, NoReturn

from streamrelay.agent.targets.terminal.pty import Pty
from streamrelay.agent.targets.terminal.surroundings import VARIABLES

SOFT: Final = {resource.RLIMIT_NOFILE: 1024, resource.RLIMIT_CORE: 0}
"""Descriptors and bytes of a core dump; the hard limits stay."""
HARD: Final = {resource.RLIMIT_NPROC: 4096}
"""Processes of the user, so that none takes all that there may be: the agent's are among them."""
PATH: Final = "/usr/local/bin:/usr/bin:/bin"
ROOTS_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

HANG_UP: Final = (signal.SIGHUP, signal.SIGCONT)
"""Signals that hang a command up: a stopped one takes no SIGHUP before it goes on."""

_NO_NEW_PRIVS: Final = 38
_KEYCTL: Final = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
"""The number of Linux's call on keyrings, by machine."""
_JOIN_SESSION_KEYRING: Final = 1

_libc: Final = ctypes.CDLL(None, use_errno=True)
prctl: Final = _libc.prctl


def run(settings: Pty, terminal: int, complaints: int) -> NoReturn:
    """Become the target's user in a new session on this terminal, and the command; what fails is told by a pipe."""
    try:
        _take(terminal)
        close_all(3, complaints)
        account = _account(settings.user)
        os.fchown(0, account.pw_uid, -1)
        _set_limits(settings.mask)
        _become(account, settings)
        _execute(settings, account)
    except OSError as error:
        os.write(complaints, f"{error.filename or settings.command[0]}: {error.strerror}".encode())
    except BaseException as error:
        os.write(complaints, str(error).encode())
    finally:
        os._exit(127)


def close_all(lowest: int, *kept: int) -> None:
    """Close every descriptor from `lowest` on but these, whether or not it would survive an exec."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor >= lowest and descriptor not in kept:
            with suppress(OSError):  # the list's own
                os.close(descriptor)


def send_signal(command: int, number: int) -> None:
    """Send a signal to a command's group, and to itself while it has none of its own yet."""
    for send in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            send(command, number)


def shell_status(waited: int) -> int:
    """Return what `waitpid` gave as a shell tells it: the command's own status, or 128 and the signal."""
    code = os.waitstatus_to_exitcode(waited)
    return code if code >= 0 else 128 - code


def _take(terminal: int) -> None:
    """Make the terminal the one of a new session."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for descriptor in range(3):
        os.dup2(terminal, descriptor)


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise ValueError(f"{user}: no such user on this host") from None


def _groups(names: tuple[str, ...], own: int) -> list[int]:
    found = [own]
    for name in names:
        try:
            found.append(grp.getgrnam(name).gr_gid)
        except KeyError:
            raise ValueError(f"{name}: no such group on this host") from None
    return found


def _set_limits(umask: int) -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.umask(umask)
    for what, most in (SOFT | HARD).items():
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least if what in HARD else hard))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _become(account: pwd.struct_passwd, settings: Pty) -> None:
    """Give root up for good; in this order, as each step needs what the next one takes away."""
    if settings.groups:
        os.setgroups(_groups(settings.groups, account.pw_gid))
    else:
        os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(*[account.pw_gid] * 3)
    os.setresuid(*[account.pw_uid] * 3)
    if number := _KEYCTL.get(os.uname().machine):  # whoever started us may keep keys in the session's ring
        _libc.syscall(number, _JOIN_SESSION_KEYRING, None)
    if not settings.sudo and prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "can't set no_new_privs")


def _environment(settings: Pty, account: pwd.struct_passwd) -> dict[str, str]:
    return {
        **VARIABLES,
        "PATH": PATH if account.pw_uid else ROOTS_PATH,
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **settings.environment,
    }


def _execute(settings: Pty, account: pwd.struct_passwd) -> None:
    """Be the command; the pipe for complaints closes by this, without a word."""
    environment = _environment(settings, account)
    os.chdir(settings.directory)
    program = shutil.which(settings.command[0], path=environment["PATH"])
    if program is None:
        raise ValueError(f"{settings.command[0]}: no such program for {account.pw_name}")
    os.execve(program, settings.command, environment)
