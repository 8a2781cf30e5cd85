"""A chain whose agent root has started, and which has given root up."""

import pwd
import re
import shutil
import sys
from pathlib import Path

from tests.live.support.chain import Chain
from tests.live.support.processes import Program, need_program, twistd

UNIT = Path(__file__).resolve().parents[3] / "etc" / "streamagent.service"
CARELESS = """
import ctypes, os, resource, signal, sys
ctypes.CDLL(None).syscall({"x86_64": 250}.get(os.uname().machine, 219), 1, None)  # keyctl: a keyring of root's
os.umask(0o077)
os.setgroups([0, 4])
signal.signal(signal.SIGQUIT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
for what in resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC:
    resource.setrlimit(what, [resource.getrlimit(what)[1]] * 2)
os.environ["INHERITED"] = "x"
os.set_inheritable(os.open("/etc/shadow", os.O_RDONLY), True)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Whatever root's agent might have, and what it starts must not."""
OWN = "daemon"
"""The agent's user here."""


class Dropped(Chain):
    """A chain whose agent is started by root, with the capabilities of our unit, and becomes `OWN`, whose seed and key
    are for it alone."""

    def start_agent(self) -> Program:
        for name in ("host.nkey", "agent.key"):
            (self.folder / name).write_text(f"the secret {name}\n")
            (self.folder / name).chmod(0o600)
            shutil.chown(self.folder / name, OWN)
        (self.folder / "state").mkdir(0o700, exist_ok=True)
        shutil.chown(self.folder / "state", OWN)
        account = pwd.getpwnam(OWN)
        (self.folder / "agent.toml").chmod(0o640)
        shutil.chown(self.folder / "agent.toml", group=account.pw_gid)
        identity = (f"--uid={account.pw_uid}", f"--gid={account.pw_gid}")
        command = (*twistd(), *identity, "streamagent", f"--config={self.folder}/agent.toml")
        bounds = (need_program("setpriv"), f"--bounding-set=-all,{unit_allows()}")
        self.agent = self.add("streamagent", *bounds, sys.executable, "-c", CARELESS, *command)
        return self.agent


def unit_allows() -> str:
    """The capabilities that the sample of a unit leaves to the agent, as setpriv names them."""
    found = re.search(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None, UNIT
    return ",".join(name.lower().replace("cap_", "+") for name in found[1].split())
