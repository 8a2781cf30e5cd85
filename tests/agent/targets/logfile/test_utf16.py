"""Logs that begin with UTF-16's byte order mark: their encoding is named, and what is sent begins with a character."""

import json
import os

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.targets.logfile.file import CHUNK, last_lines
from tests.agent.targets.logfile.test_log import LogTest
from tests.examples import examples, finished
from tests.fakes.files import folder

FORMS = (("utf-16le", b"\xff\xfe", "utf-16-le"), ("utf-16be", b"\xfe\xff", "utf-16-be"))


class Named(LogTest):
    """A followed log in UTF-16."""

    @property
    def told(self) -> list[str | bytes]:
        """Bytes, and the encodings of places where they change."""
        told: list[str | bytes] = []
        encoding = ""
        for kind, *rest in self.reader.ear.said:
            if kind == "bytes":
                told.append(rest[0])
            elif "place" in (said := json.loads(*rest)) and said.get("encoding", "") != encoding:
                encoding = said.get("encoding", "")
                told.append(encoding)
        return told

    def test_last_lines(self) -> None:
        """The last lines of such a log are whole, and its encoding is told before them."""
        for name, mark, codec in FORMS:
            text = "eins\nzwei Ģ ਊ\ndrei \U0001f4a1\nfo"
            self.path.write_bytes(mark + text.encode(codec))
            self.follow(lines=2)
            self.append("ur\n".encode(codec))
            self.look()
            encoding, data = self.told[0], b"".join(each for each in self.told[1:] if isinstance(each, bytes))
            self.assertEqual((encoding, data.decode(codec)), (name, "drei \U0001f4a1\nfour\n"))
            self.reader.connection.abort()

    def test_torn(self) -> None:
        """A log whose last character is written in part is followed from the beginning of that character."""
        for _, mark, codec in FORMS:
            old, new = mark + "old\n".encode(codec), "new\n".encode(codec)
            self.path.write_bytes(old + new[:1])
            self.follow(lines=0)
            self.append(new[1:])
            self.look()
            self.assertEqual(self.reader.events, [new])
            self.reader.connection.abort()

    def test_new_file(self) -> None:
        """A file whose mark is written later, or that comes by rotation, is named before its first byte."""
        for name, mark, codec in FORMS:
            self.path.write_bytes(b"")
            self.follow()
            self.look()
            first = mark + "one\n".encode(codec)
            self.append(first)
            self.look()
            self.rotate()
            self.append(b"two\n")
            self.look()
            self.look()
            self.rotate()
            self.append(first)
            self.look()
            self.look()
            self.assertEqual(self.told, [name, first, "", b"two\n", name, first])
            self.reader.connection.abort()

    def test_comes_back(self) -> None:
        """Who comes back is told it with the first place."""
        name, mark, codec = FORMS[0]
        self.path.write_bytes(mark + "one\n".encode(codec))
        self.follow()
        self.reader.go_on()
        self.assertEqual(json.loads(self.reader.ear.said[0][1])["encoding"], name)

    def test_skipped(self) -> None:
        """Where lines are left out, what follows begins with a character, and a line."""
        for _, mark, codec in FORMS:
            lines = [f"{number:049}\n" for number in range(4000)]
            self.path.write_bytes(mark + "0\n".encode(codec))
            self.follow(lines=0, behind=CHUNK)
            self.append("".join(lines).encode(codec))
            self.look()
            skipped, *after = self.reader.events
            self.assertEqual(b"".join(after).decode(codec), "".join(lines[skipped:]))
            self.reader.connection.abort()

    def test_room_taken_in_advance(self) -> None:
        """The second byte of a character isn't taken for room that was taken in advance, nor is the first one."""
        for _, mark, codec in FORMS:
            content = mark + "one\ntwo\n".encode(codec)
            self.path.write_bytes(content + bytes(1 << 20))
            self.follow(lines=1)
            self.look()
            self.assertEqual(self.reader.data.decode(codec), "two\n")
            with self.path.open("r+b") as file:
                file.seek(len(content))
                file.write("three Ā\n".encode(codec))
            self.look()
            self.assertEqual(self.reader.data.decode(codec), "two\nthree Ā\n")
            self.reader.connection.abort()

    def test_hole(self) -> None:
        """Behind a hole the first character is whole."""
        for _, mark, codec in FORMS:
            self.path.write_bytes(mark + "one\n".encode(codec))
            self.follow(lines=1)
            self.look()
            with self.path.open("r+b") as file:
                file.seek(1 << 20)
                file.write("two\n".encode(codec))
            self.look()
            self.assertEqual(self.reader.data.removeprefix(mark).decode(codec), "one\ntwo\n")
            self.assertEqual(self.reader.nuls, [(1 << 20) - 10])
            self.reader.connection.abort()


class LastLines(SynchronousTestCase):
    """The last lines, of any text."""

    @examples(80)
    @given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))), st.integers(1, 5))
    @example(["one", "\U00012800 of a pair of surrogates with a line's end in it"], 1)
    def test_exact(self, lines: list[str], wanted: int) -> None:
        """No character is cut, and as many lines come; fewer only where a byte looks like an end."""
        path = folder(self) / "log"
        for _, mark, codec in FORMS:
            text = "".join(line + "\n" for line in lines)
            path.write_bytes(mark + text.encode(codec))
            descriptor = os.open(path, os.O_RDONLY)
            begin = finished(last_lines(descriptor, wanted, 1 << 20))
            data = os.pread(descriptor, 1 << 20, begin)
            os.close(descriptor)
            shown = data.removeprefix(mark).decode(codec)
            self.assertTrue(text.endswith(shown))
            self.assertLessEqual(shown.count("\n"), wanted)
            if b"\n" not in "".join(lines).encode(codec):
                self.assertEqual(shown, "".join(line + "\n" for line in lines[-wanted:]))
