"""A test of wrong settings: each ends the program with one clear line, and never with a traceback."""

import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import TimeoutExpired

from streamrelay.protocol.tokens import generate
from tests.live.support.case import LiveTest
from tests.live.support.processes import PROGRAMS, run_forked
from tests.live.support.waiting import WAIT

TWISTD = (sys.executable, str(PROGRAMS / "twistd"))
AT_ONCE = 4
"""Programs that are started side by side."""


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

    def end(self, arguments: tuple[str, ...]) -> tuple[int | None, str, str]:
        """How twistd ends with these arguments, None if it runs, and what it says on standard output and error."""
        try:
            done = run_forked(*TWISTD, *arguments, folder=self.folder, seconds=WAIT)
        except TimeoutExpired:
            return None, "", ""
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def refuses(self, program: str, *cases: tuple[tuple[str, ...], str]) -> None:
        """Each case ends with one line that holds these words."""
        wrong = []
        commands = [("-n", "--pidfile=", program, *options) for options, _ in cases]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ended = list(pool.map(self.end, commands))
        for (options, words), (status, log, text) in zip(cases, ended, strict=True):
            # A port is taken only when the log has begun, so that one's line is the last of the log.
            lines = text.splitlines() or [line for line in log.splitlines() if "#info]" not in line]
            well = status and len(lines) == 1 and words in lines[0] and len(lines[0]) < 400
            if not well or "Traceback" in log + text:
                wrong.append(
                    f"{' '.join(options)}\n    ended with {status}: {len(lines)} lines, the last: {lines[-1:]}"
                )
        self.assertEqual(wrong, [], "\n".join(wrong))
