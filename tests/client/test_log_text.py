"""Logs on the user's terminal: colours stay, and nothing else that a terminal obeys."""

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.log_text import AGAIN, LogText


def shown(*pieces: bytes) -> str:
    """What a terminal has in the end of these, line by line."""
    text = LogText()
    lines = (b"".join(map(text.take, pieces)) + text.end()).decode().split("\n")
    return "\n".join(line.rpartition(AGAIN)[2] for line in lines)


CASES = (
    ("the clipboard", b"a\x1b]52;c;ZWNobyBoaQ==\x07b\n", "ab\n"),
    ("a title", b"a\x1b]0;root@safe\x1b\\b\n", "ab\n"),
    ("a link", b"\x1b]8;;http://x/\x1b\\text\x1b]8;;\x1b\\\n", "text\n"),
    ("a device control string", b'a\x1bP$q"p\x1b\\b\n', "ab\n"),
    ("cursor moves to other rows", b"a\x1b[1A\x1b[H\x1b[Jb\n", "ab\n"),
    ("a row that is deleted", b"a\x1b[1A\x1b[2Kb\n", " b \u21ba\n"),
    ("a question that the terminal answers", b"a\x1b[6n\x1b[cb\n", "ab\n"),
    ("a reset", b"a\x1bcb\x1b(0c\n", "abc\n"),
    ("escapes of eight bits", "a\x9b2Jb\x9d0;t\x9cc\n".encode(), "abc\n"),
    ("lines written over", b"rm -rf /\rls      \n", "ls       \u21ba\n"),
    ("steps back", b"evil\b\b\b\bgood\x07\x00\n", "good\u2407\u2400 \u21ba\n"),
    (
        "a progress bar",
        b"get\n 10%\r 55%\r\x1b[32m100%\x1b[m\r\ndone\n",
        "get\n\x1b[m\x1b[32m100%\x1b[m \u21ba\r\ndone\n",
    ),
    ("a spinner", b"wait /\b-\b\\\b \b\x1b[K ok\n", "wait  ok \u21ba\n"),
    ("a bar that only grows", b"[    ]\r[#   ]\r[##  ]\n", "[##  ]\n"),
    ("carriage returns that do nothing", b"one\r\r\ntwo\r\n", "one\r\ntwo\r\n"),
    ("moves in a line", b"abc\x1b[2D_\x1b[5G!\x1b[1P\n", "a_c ! \u21ba\n"),
    ("wide letters written over", "\u6f22\u5b57\rab\bc\n".encode(), "ac\u5b57 \u21ba\n"),
    ("byte order marks", "\ufefffirst\n\ufeffnext\na\ufeffb\n".encode(), "first\nnext\na<FEFF>b\n"),
    ("two byte order marks", "\ufeff\ufeffb\n\ufeff\ufeffc\n".encode(), "<FEFF>b\n<FEFF>c\n"),
    ("another direction", "a\u202eb\n".encode(), "a<202E>b\n"),
    ("a string without an end", b"\x1b]0;all\nmore\n", "0;all\nmore\n"),
    ("an escape without an end", b"a\x1b", "a\u241b"),
    ("bytes that aren't text", b"a\x9b2J\xff\n", "a\ufffd2J\ufffd\n"),
    ("concealed text", b"\x1b[8mhidden\x1b[0;08mtoo\x1b[38;5;1;8mand\n", "hiddentooand\n"),
    (
        "a colour that is none, where terminals disagree",
        b"\x1b[38;48;5;8mhidden\x1b[38;5mtoo\x1b[48mand\n",
        "hiddentooand\n",
    ),
    ("private modes", b"\x1b[>4;2ma\x1b[?1049h\x1b[1 mb\n", "ab\n"),
    ("text", "grüße\t€ 👍\r\n\n".encode(), "grüße\t€ 👍\r\n\n"),
    ("a colour", b"\x1b[1;31mred\x1b[0m\n", "\x1b[1;31mred\x1b[0m\n"),
    ("a colour over lines", b"\x1b[31mred\nstill\x1b[0m\nplain\n", "\x1b[31mred\nstill\x1b[0m\nplain\n"),
    ("a colour without an end", b"\x1b[38;5;8mgrey\ngrey\n", "\x1b[38;5;8mgrey\ngrey\n\x1b[m"),
    ("a colour at the end", b"\x1b[48:2::1:2:8mx", "\x1b[48:2::1:2:8mx\x1b[m"),
)


class Text(SynchronousTestCase):
    """Whoever writes to a log is no user of the terminal that shows it."""

    def test_encodings(self) -> None:
        """UTF-16 is shown as text from where the agent tells it, without its mark; what isn't known is UTF-8."""
        text = LogText()
        came = text.take("€\n".encode())
        text.switch("utf-16be")
        wide = b"\xfe\xff" + "Grün \U0001f4a1\x1b[2J\nnext\n".encode("utf-16-be")
        for at in range(len(wide)):
            text.switch("utf-16be")
            came += text.take(wide[at : at + 1])
        for encoding in ("", "ibm866", "zip"):
            text.switch(encoding)
            came += text.take("€uro\n".encode())
        self.assertEqual((came + text.end()).decode(), "€\nGrün \U0001f4a1\nnext\n€uro\n€uro\n€uro\n")

    def test_cases(self) -> None:
        """Colours and text stay, other escapes go, and what can't be seen is a symbol."""
        for name, data, expected in CASES:
            self.assertEqual(shown(data), expected, name)

    def test_pieces(self) -> None:
        """It is the same wherever the stream is cut."""
        for name, data, expected in CASES:
            for cut in range(len(data) + 1):
                self.assertEqual(shown(data[:cut], data[cut:]), expected, (name, cut))
            self.assertEqual(shown(*(data[at : at + 1] for at in range(len(data)))), expected, name)

    def test_at_once(self) -> None:
        """A line without its end is shown at once."""
        self.assertEqual(LogText().take(b"password? "), b"password? ")

    def test_endless(self) -> None:
        """A string without an end holds back 4096 characters at most, and is text from there on."""
        text = LogText()
        self.assertEqual(text.take(b"\x1b]" + b"x" * 4094), b"")
        self.assertEqual(text.take(b"x"), b"x" * 4095)
