"""A test of wrong settings: each ends the program with one clear line, and never with a traceback."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

from streamrelay.protocol.tokens import generate
from tests.live.support.case import LiveTest
from tests.live.support.processes import PROGRAMS, run
from tests.live.support.waiting import WAIT


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
        try:
            done = run(str(PROGRAMS / "twistd"), *arguments, cwd=self.folder, seconds=WAIT)
        except subprocess.TimeoutExpired:
            return 0, "", "it runs\n"
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def refuses(self, program: str, *cases: tuple[tuple[str, ...], str]) -> None:
        """Each case ends with one line that holds these words; two at a time, as they take a while to start."""
        commands = [("-n", "--pidfile=", program, *options) for options, _ in cases]
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(self.end, commands))
        wrong = []
        for (options, words), (status, log, text) in zip(cases, results, strict=True):
            # A port is taken only when the log has begun, so that one's line is the last of the log.
            lines = text.splitlines() or [line for line in log.splitlines() if "#info]" not in line]
            well = status != 0 and len(lines) == 1 and words in lines[0] and len(lines[0]) < 400
            if not well or "Traceback" in log + text:
                wrong.append(
                    f"{' '.join(options)}\n    ended with {status}: {len(lines)} lines, the last: {lines[-1:]}"
                )
        self.assertEqual(wrong, [], "\n".join(wrong))
