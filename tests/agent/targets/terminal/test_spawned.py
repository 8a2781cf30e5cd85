"""spawned.py: commands that the agent's own user runs, with real processes in real terminals."""

import os
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from streamrelay.agent.targets.terminal.pty import Pty
from streamrelay.agent.targets.terminal.spawned import Spawned
from streamrelay.protocol import codec
from streamrelay.protocol.control import Control
from streamrelay.protocol.summons import Terms
from tests.fakes.connections import Ear
from tests.fakes.files import folder


class Gone(Ear):
    """What a client hears, until the end."""

    def __init__(self) -> None:
        super().__init__()
        self.end: Deferred[None] = Deferred()

    def gone(self) -> None:
        super().gone()
        self.end.callback(None)


class Commands(TestCase):
    """One command each."""

    timeout = 60

    def setUp(self) -> None:
        self.addCleanup(os.umask, os.umask(0o077))  # a daemon's

    async def said(self, *command: str, **settings: object) -> tuple[str, bytes]:
        """What a command says, and its exit status as a control message."""
        ear = Gone()
        connection = await Pty(command, **settings).connect(reactor, Terms())  # type: ignore[arg-type]
        connection.join(ear, ear)
        await ear.end
        [exit_status] = [told[1] for told in ear.said if told[0] == "control"]
        return ear.data.decode(), exit_status

    async def test_size_is_told_early(self) -> None:
        """A size that is told at once holds, also where the new process comes to run only after that."""
        execute = Spawned._execChild

        def late(*arguments: Any) -> None:
            time.sleep(0.5)
            execute(*arguments)

        self.patch(Spawned, "_execChild", late)
        ear = Gone()
        connection = await Pty(("/bin/sh", "-c", "stty size"), size=(80, 24)).connect(reactor, Terms())
        connection.join(ear, ear)
        connection.send_control(codec.encode(Control(resize=(101, 33))))
        await ear.end
        self.assertEqual(ear.data, b"33 101\r\n")

    async def test_surroundings(self) -> None:
        """It begins in its directory, in a terminal of its size that knows UTF-8, with its umask and variables; the
        agent keeps its own umask."""
        where = str(folder(self))
        script = "pwd; stty size; stty -a | grep -o -w -e -*iutf8; umask; echo $TERM $COLORTERM $A"
        for settings, umask in (({}, "0022"), ({"umask": "027"}, "0027")):
            said = await self.said(
                "sh", "-c", script, directory=where, size=(81, 25), environment={"A": "$x; y"}, **settings
            )
            words = f"{where}\n25 81\niutf8\n{umask}\nxterm-256color truecolor $x; y\n"
            self.assertEqual(said, (words.replace("\n", "\r\n"), b'{"exit":0}'))
        self.assertEqual(os.umask(0o077), 0o077)

    async def test_not_begun(self) -> None:
        """What the system refuses is said in one line on the terminal, as a shell says it, with a shell's status."""
        script = Path(folder(self)) / "script"
        script.write_text("echo without a first line that names its shell\n")
        script.chmod(0o755)
        for command, settings, words in (
            ([str(script)], {}, f"{script}: Exec format error\r\n"),
            (["echo", "x" * 200_000], {}, "echo: Argument list too long\r\n"),
            (["echo", "a\0b"], {}, "echo: embedded null byte\r\n"),
            (["echo"], {"environment": {"A": "\0"}}, "echo: embedded null byte\r\n"),
            (["echo"], {"environment": {"A=B": "c"}}, "echo: illegal environment variable name\r\n"),
        ):
            with self.subTest(words):
                self.assertEqual(await self.said(*command, **settings), (words, b'{"exit":126}'))
