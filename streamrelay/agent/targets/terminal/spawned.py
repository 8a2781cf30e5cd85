"""A command that the agent's own user runs, begun as the launcher begins those of others."""

import os
from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.process import PTYProcess

from streamrelay.agent.targets.terminal.surroundings import prepare
from streamrelay.errors import first_line

NOT_BEGUN: Final = 126
"""Exit status of a command that the system refused, as shells have it."""


class Spawned(PTYProcess):
    """Twisted's process in a terminal, which is ready before the command begins.

    Twisted itself tells what the system refuses by a traceback on the terminal.
    """

    def __init__(
        self,
        reactor: Any,
        protocol: Any,
        program: str,
        command: Sequence[str],
        environment: dict[str, str],
        directory: str,
        size: tuple[int, int],
        mask: int,
    ) -> None:
        self._size, self._mask = size, mask
        super().__init__(reactor, program, list(command), environment, directory, protocol, usePTY=True)

    def _fork(self, *arguments: Any, **descriptors: int) -> None:
        """Begin the command, on a terminal that is ready: whoever tells a size from now on is not overtaken by ours."""
        prepare(descriptors["slavefd"], self._size)
        super()._fork(*arguments, **descriptors)

    def _execChild(self, path: Any, uid: Any, gid: Any, executable: str, args: list[str], environment: Any) -> None:
        """Be the command, in the process that was forked for it."""
        try:
            os.umask(self._mask)
            super()._execChild(path, uid, gid, executable, args, environment)
        except Exception as error:
            os.write(2, f"{args[0]}: {first_line(error)}\n".encode(errors="replace"))
            os._exit(NOT_BEGUN)
