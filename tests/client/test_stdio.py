"""stdio.py: standard input and output, here two pipes."""

import errno
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.client.escape import Escape
from streamrelay.client.log_place import LogPlace
from streamrelay.client.log_text import LogText
from streamrelay.client.stdio import WRITTEN, StdioConnection
from streamrelay.protocol.close import FINISHED
from tests.examples import there
from tests.fakes.connections import Ear


class Threads:
    """A reactor that only takes calls from threads, run by the test."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:
        self.calls.append((call, arguments))

    def run_until(self, done: Callable[[], object]) -> None:
        """Run what threads asked for until `done()`, a minute at most."""
        end = time.monotonic() + 60
        while not done():
            if self.calls:
                call, arguments = self.calls.pop(0)
                call(*arguments)
            elif time.monotonic() > end:
                raise AssertionError("it did not happen")
            else:
                time.sleep(0.001)


class Piped(SynchronousTestCase):
    """A connection between two pipes."""

    def setUp(self) -> None:
        source, self.keyboard = os.pipe()
        self.screen, destination = os.pipe()
        self.reactor, self.ear = Threads(), Ear()
        self.connection = StdioConnection(self.reactor, source, destination)
        self.open = True
        self.addCleanup(self.take_down, source, destination, set(threading.enumerate()))

    def close_keyboard(self) -> None:
        if self.open:
            self.open = False
            os.close(self.keyboard)

    def take_down(self, source: int, destination: int, before: set[threading.Thread]) -> None:
        """Close the ends; ours only once no thread looks at them any more, whose numbers would be others' files."""
        self.close_keyboard()
        os.close(self.screen)
        self.connection.resume()
        threads = set(threading.enumerate()) - before
        self.reactor.run_until(lambda: not any(thread.is_alive() for thread in threads))
        os.close(source)
        os.close(destination)

    def join(self) -> None:
        self.connection.join(self.ear, self.ear)

    def send(self, data: bytes) -> None:
        self.connection.send([memoryview(data)], len(data))


class Pipes(Piped):
    """Two pipes, with other programs at their ends."""

    def test_in(self) -> None:
        """What comes on standard input is told, then its end, once."""
        self.join()
        os.write(self.keyboard, b"hello")
        self.reactor.run_until(lambda: self.ear.data == b"hello")
        self.close_keyboard()
        self.reactor.run_until(lambda: self.ear.named("eof"))
        self.assertEqual(self.ear.said, [("bytes", b"hello"), ("eof",)])

    def test_out(self) -> None:
        """What is sent comes out of standard output in order, and room is told when all of it is out."""
        self.join()
        self.send(b"one ")
        self.send(b"two")
        self.assertEqual(self.connection.unsent, 7)
        self.reactor.run_until(lambda: self.ear.named("drained"))
        self.assertEqual(self.connection.unsent, 0)
        self.assertEqual(os.read(self.screen, 100), b"one two")

    def test_log_on_a_terminal(self) -> None:
        """A log's text that is shown is decoded as its places tell, in order with its bytes."""
        self.connection.text = LogText()
        self.join()
        self.connection.send_control(b'{"place": "p", "encoding": "utf-16le"}')
        self.send("Grün\n".encode("utf-16-le"))
        self.connection.send_control(b'{"note": "words"}')
        self.send("\x1b[2Jß\n".encode("utf-16-le"))
        self.connection.send_control(b'{"place": "q"}')
        self.send("€\n".encode())
        self.reactor.run_until(lambda: self.ear.named("drained"))
        self.assertEqual(os.read(self.screen, 100).decode(), "Grün\nß\n€\n")

    def test_places(self) -> None:
        """A place counts once all before it was taken, and then the bytes behind it, one by one."""
        place = self.connection.place = LogPlace("web-1", "log")
        self.connection.send_control(b'{"place": "p"}')
        self.send(b"x" * 10)
        self.connection.send_control(b'{"note": "words"}')
        self.join()
        self.reactor.run_until(lambda: place.after == 10)
        self.send(bytes(1 << 20))
        self.connection.send_control(b'{"place": "q"}')
        size = len(os.read(self.screen, 10))
        while size < 10 + (1 << 20):
            if size < 1 << 19:  # the pipe holds 64 KiB of what was taken
                self.assertEqual(place.place, "p")
            size += len(os.read(self.screen, 1 << 16))
        self.reactor.run_until(lambda: place.place == "q")
        self.assertEqual(place.after, 0)

    def test_place_on_a_full_disk(self) -> None:
        """What an output that fails has taken counts, and no more."""
        place = self.connection.place = LogPlace("web-1", "log")
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        self.connection.destination = full
        self.connection.send_control(b'{"place": "p"}')
        self.send(b"x" * 10)
        self.join()
        self.reactor.run_until(lambda: self.ear.named("gone"))
        self.assertEqual((place.place, place.after), ("p", 0))

    def test_place_of_a_shown_log(self) -> None:
        """On a terminal the stream's bytes count, not those that are shown of them."""
        place = self.connection.place = LogPlace("web-1", "log")
        self.connection.text = LogText()
        self.connection.send_control(b'{"place": "p"}')
        self.send(b"a\x1b[2Jb\n")
        self.join()
        self.reactor.run_until(lambda: place.after == 7)
        self.assertEqual(os.read(self.screen, 100), b"ab\n")

    def test_backpressure(self) -> None:
        """Bytes that nobody reads from standard output stay unsent, and nothing blocks."""
        self.join()
        self.send(bytes(1 << 20))
        self.assertEqual(self.connection.unsent, 1 << 20)
        size = 0
        while size < 1 << 20:
            size += len(os.read(self.screen, 1 << 16))
        self.reactor.run_until(lambda: self.ear.named("drained"))
        self.assertEqual(self.connection.unsent, 0)

    def test_paused(self) -> None:
        """While it is paused, no more than what is being read already comes in."""
        self.join()
        self.connection.pause()
        for _ in range(3):
            os.write(self.keyboard, b"x" * 10)
            time.sleep(0.01)
            for call, arguments in list(self.reactor.calls):
                call(*arguments)
            self.reactor.calls.clear()
        self.assertLessEqual(len(self.ear.named("bytes")), 1)  # which is all of it, if the thread was late
        self.connection.resume()
        self.reactor.run_until(lambda: len(self.ear.data) == 30)

    def test_send_eof(self) -> None:
        """An end of file closes standard output behind all bytes; input goes on."""
        self.join()
        self.send(b"last")
        self.connection.send_eof()
        self.connection.send_eof()
        self.reactor.run_until(lambda: self.connection.phase == WRITTEN)
        self.assertEqual(os.read(self.screen, 100), b"last")
        self.assertEqual(os.read(self.screen, 100), b"")
        self.assertEqual(self.ear.named("over"), [])

    def test_close(self) -> None:
        """A close writes everything first, and is over once."""
        self.join()
        self.send(b"last")
        self.connection.close(FINISHED)
        self.connection.close(FINISHED)
        self.assertEqual(self.ear.named("over"), [])
        self.reactor.run_until(lambda: self.ear.named("gone"))
        self.assertEqual(os.read(self.screen, 100), b"last")
        self.assertEqual([event[0] for event in self.ear.said if event[0] != "drained"], ["over", "gone"])

    def test_close_after_eof(self) -> None:
        """A close after the end of output is over at once."""
        self.join()
        self.connection.send_eof()
        self.reactor.run_until(lambda: self.connection.phase == WRITTEN)
        self.connection.close(FINISHED)
        self.assertEqual([event[0] for event in self.ear.said], ["over", "gone"])

    def test_abort(self) -> None:
        """An abort is over at once, and what threads still bring is not told."""
        self.join()
        os.write(self.keyboard, b"late")
        self.connection.abort()
        self.reactor.run_until(lambda: self.reactor.calls)
        for call, arguments in self.reactor.calls:
            call(*arguments)
        self.assertEqual([event[0] for event in self.ear.said], ["over", "gone"])

    def test_aborted_before_joined(self) -> None:
        """A connection that is aborted before it is joined says so when it is, and starts nothing."""
        self.connection.abort()
        threads = set(threading.enumerate())
        self.join()
        self.assertEqual([event[0] for event in self.ear.said], ["over", "gone"])
        self.assertEqual(set(threading.enumerate()) - threads, set())

    def test_broken_output(self) -> None:
        """Output that nobody can read any more ends the connection, with the reason."""
        screen, destination = os.pipe()
        os.close(screen)
        self.addCleanup(os.close, destination)
        self.connection.destination = destination
        self.join()
        self.send(b"x")
        self.reactor.run_until(lambda: self.ear.named("gone"))
        self.assertEqual(self.ear.codes, [4005])
        self.assertIn("standard output", self.ear.named("over")[0][1].reason)
        self.assertIsInstance(self.connection.failure, BrokenPipeError)

    def test_reader_leaves(self) -> None:
        """Output that nobody can read any more ends the connection also while there is nothing to write."""
        self.join()
        self.send(b"x")
        self.reactor.run_until(lambda: self.ear.named("drained"))
        os.dup2(self.keyboard, self.screen)  # closes its only reading end
        self.reactor.run_until(lambda: self.ear.named("gone"))
        self.assertIsInstance(self.connection.failure, BrokenPipeError)

    def test_full(self) -> None:
        """An error that comes after the close is there when the connection is over."""
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        self.connection.destination = full
        self.send(b"x")
        self.connection.close(FINISHED)
        self.join()
        self.reactor.run_until(lambda: self.ear.named("gone"))
        self.assertEqual(there(self.connection.failure).errno, errno.ENOSPC)

    def test_unreadable(self) -> None:
        """Input that can't be read is known for that, not for its end; one that was closed from the start is empty."""
        broken = os.open("/proc/self/mem", os.O_RDONLY)
        self.addCleanup(os.close, broken)
        writable = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, writable)
        for source, expected in ((broken, errno.EIO), (writable, None)):
            with self.subTest(source):
                ear = Ear()
                connection = StdioConnection(self.reactor, source, self.connection.destination)
                connection.join(ear, ear)
                self.reactor.run_until(partial(ear.named, "eof"))
                failure = connection.input_failure
                self.assertEqual(failure.errno if failure else None, expected)
                connection.abort()


class Typed(Piped):
    """The same where a person sits before the keyboard."""

    def setUp(self) -> None:
        super().setUp()
        self.connection.typed = True
        self.ended = 0

    def end(self) -> None:
        self.ended += 1

    def test_send_eof(self) -> None:
        """Once all output is out, input has ended, too: nobody needs to press a key."""
        self.join()
        self.send(b"last")
        self.assertEqual(self.ear.named("eof"), [])
        self.connection.send_eof()
        self.reactor.run_until(lambda: self.ear.named("eof"))
        self.assertEqual(os.read(self.screen, 100), b"last")
        self.assertEqual(self.connection.phase, WRITTEN)

    def test_send_eof_untaken(self) -> None:
        """Output that isn't taken keeps it open."""
        self.join()
        self.send(bytes(1 << 20))
        self.connection.send_eof()
        os.write(self.keyboard, b"x")
        self.reactor.run_until(lambda: self.ear.data == b"x")
        self.assertEqual(self.ear.named("eof"), [])
        self.connection.abort()

    def test_escape(self) -> None:
        """Keys for the client are not told, also those that come while the target takes nothing."""
        self.connection.escape = Escape("~", self.end, lambda lines: None)
        self.join()
        self.connection.pause()
        for keys in (b"a\r", b"~", b"."):
            os.write(self.keyboard, keys)
        self.reactor.run_until(lambda: self.ended)
        self.assertEqual(self.ear.said, [("bytes", b"a\r")])
