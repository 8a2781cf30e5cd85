"""A test of wrong settings: each ends the program with one clear line, and never with a traceback."""

import json
import sys
from pathlib import Path

from streamrelay.protocol.tokens import generate
from tests.live.support.case import LiveTest
from tests.live.support.processes import PROGRAMS, run
from tests.live.support.secrets import SUITE
from tests.live.support.waiting import WAIT

TREE = Path(__file__).resolve().parents[3]


class SettingsTest(LiveTest):
    """A program that is given them doesn't start, and says why."""

    def setUp(self) -> None:
        super().setUp()
        generate(self.folder / "platform.key", self.folder / "platform.pub")
        (self.folder / "keys.toml").write_text("")
        (self.folder / "keys.toml").chmod(0o600)

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def end(self, arguments: tuple[str, ...]) -> tuple[int, str, str]:
        """How twistd ends with these arguments, and what it says on standard output and error."""
        done = run(str(PROGRAMS / "twistd"), *arguments, cwd=self.folder)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def ends(self, commands: list[tuple[str, ...]]) -> list[tuple[int | None, str, str]]:
        """The same of many: status (None if it runs), standard output and error."""
        for command in commands:
            SUITE.command("\0".join(command).encode())
        lines = "".join(json.dumps(command) + "\n" for command in commands)
        program = (sys.executable, "-m", "tests.live.support.ends", str(self.folder))
        done = run(*program, cwd=TREE, input=lines.encode(), seconds=5 * WAIT)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(found), len(commands), done.stderr.decode())
        return [(each["status"], each["out"], each["err"]) for each in found]

    def refuses(self, program: str, *cases: tuple[tuple[str, ...], str]) -> None:
        """Each case ends with one line that holds these words."""
        results = self.ends([("-n", "--pidfile=", program, *options) for options, _ in cases])
        wrong = []
        for (options, words), (status, log, text) in zip(cases, results, strict=True):
            # A port is taken only when the log has begun, so that one's line is the last of the log.
            lines = text.splitlines() or [line for line in log.splitlines() if "#info]" not in line]
            well = status and len(lines) == 1 and words in lines[0] and len(lines[0]) < 400
            if not well or "Traceback" in log + text:
                wrong.append(
                    f"{' '.join(options)}\n    ended with {status}: {len(lines)} lines, the last: {lines[-1:]}"
                )
        self.assertEqual(wrong, [], "\n".join(wrong))
