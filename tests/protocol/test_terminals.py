"""What is said on the bus, and to clients, of terminals that are kept."""

from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.protocol import codec
from streamrelay.protocol.control import Control, Person, decode_control
from streamrelay.protocol.names import is_terminal
from streamrelay.protocol.summons import Answer, Summons
from streamrelay.protocol.terminals import Attached, TerminalInfo, TerminalsAnswer

TERMINAL = "t" * 22
SUMMONS = {"stream": "s" * 22, "target": "shell", "relay": "wss://relay", "token": "t", "jti": "j" * 22, "exp": 1.0}


class Terminals(SynchronousTestCase):
    def test_names(self) -> None:
        """A terminal's id is 22 letters of a stream's id, or nothing where none is named; anything else is refused."""
        for name in (TERMINAL, "A-_" + "9" * 19):
            self.assertTrue(is_terminal(name))
            self.assertEqual(codec.convert({**SUMMONS, "terminal": name}, Summons).terminal, name)
        self.assertEqual(codec.convert(SUMMONS, Summons).terminal, "")
        for name in ("t" * 21, "t" * 23, "t" * 21 + ".", TERMINAL + "\n"):
            self.assertFalse(is_terminal(name))
            self.assertRaises(ValueError, codec.convert, {**SUMMONS, "terminal": name}, Summons)

    def test_nothing_more(self) -> None:
        """A stream of no terminal is told of as ever, so that an older platform reads it."""
        self.assertEqual(codec.encode(Answer(ready=True)), b'{"ready":true}')

    def test_list(self) -> None:
        """A list comes back as it was told; a terminal with streams has no `detached`."""
        people = (Attached("ann", False, "s" * 22),)
        info = TerminalInfo(TERMINAL, "web-1", "shell", "ann", 3.5, people, (80, 24))
        told = TerminalsAnswer((info,))
        self.assertEqual(codec.decode(codec.encode(told), TerminalsAnswer), told)
        self.assertIs(info.detached, UNSET)
        self.assertNotIn(b"detached", codec.encode(told))

    def test_words(self) -> None:
        """The words to clients are those of protocol.rst."""
        told = decode_control(b'{"people":[{"user":"ann","view":false},{"user":"bob","view":true}],"others":3}')
        self.assertEqual(told, Control(people=(Person("ann"), Person("bob", True)), others=3))
        self.assertEqual(codec.encode(Control(size=(120, 40))), b'{"size":[120,40]}')
