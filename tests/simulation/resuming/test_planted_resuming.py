"""Faults that are planted where streams resume: the simulation of one stream finds each."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.agent.resuming import HeldStream
from streamrelay.protocol.close import Outcome
from streamrelay.protocol.control import FIN_MESSAGE, Word
from streamrelay.resume import buffers
from streamrelay.resume.connection import ResumableConnection
from streamrelay.resume.incoming import Incoming
from streamrelay.resume.leg import Attached
from streamrelay.resume.outgoing import Outgoing, Piece
from tests.simulation.campaign import campaign
from tests.simulation.models import ONE_STREAM

MOST = 10_000
"""Schedules within which each must be found."""


class Planted(SynchronousTestCase):
    """Production classes with one fault each."""

    def plant(self, where: Any, name: str, work: Callable[..., Any]) -> str:
        """Plant a fault, and return what the simulation says of the first schedule that fails."""
        self.patch(where, name, work)
        tally = campaign(range(MOST), lambda tally: not tally.failed, ONE_STREAM)
        self.flushLoggedErrors()
        what = self.id().rpartition(".")[2]
        print(f"figure: simulation: {what}: found after {tally.schedules} schedules", file=sys.stderr)
        self.assertTrue(tally.failed, f"nothing was found in {tally}")
        return tally.failed[0][1].problem

    # -- confirmations ---------------------------------------------------------------------------------------

    def test_not_taken(self) -> None:
        """What has come is confirmed at once, though it is still held, or its program has no room."""

        def confirm_soon(incoming: Incoming) -> None:
            if incoming.received > incoming._told:
                incoming._told = incoming.received
                incoming.tell(incoming.received)

        self.assertIn("taken at most", self.plant(Incoming, "_confirm_soon", confirm_soon))

    def test_not_said_again(self) -> None:
        """A confirmation that was lost with its leg isn't said by the next one."""
        self.plant(Incoming, "attached", lambda incoming: None)

    # -- positions -------------------------------------------------------------------------------------------

    def test_wrong_byte(self) -> None:
        """A new leg goes on a byte too late within a piece."""
        honest = Outgoing.rewind

        def rewind(outgoing: Outgoing, position: int) -> None:
            start = outgoing._start
            honest(outgoing, position)
            if outgoing._kept and start < position == outgoing._start and not outgoing._kept[0].is_control:
                piece = outgoing._kept[0]
                outgoing._kept[0] = evolve(piece, data=bytes(piece.data[1:]) + b"\0")

        self.assertIn("aren't what was said there", self.plant(Outgoing, "rewind", rewind))

    def test_whole_piece(self) -> None:
        """A new leg begins with the whole of a piece, of which the other end has a part."""
        honest = Outgoing.rewind

        def rewind(outgoing: Outgoing, position: int) -> None:
            piece = next((each for each in outgoing._kept), None)
            honest(outgoing, position)
            if piece is not None and outgoing._kept and outgoing._kept[0].buffer is None and not piece.is_control:
                outgoing._kept[0] = piece

        self.plant(Outgoing, "rewind", rewind)

    def test_control_uncounted(self) -> None:
        """The receiver doesn't count a control message."""
        honest = Incoming.said

        def said(incoming: Incoming, message: bytes, word: Word) -> None:
            honest(incoming, message, word)
            incoming.received -= 1

        self.plant(Incoming, "said", said)

    # -- legs ------------------------------------------------------------------------------------------------

    def test_old_leg(self) -> None:
        """What an older leg brings counts as if it were the stream's."""
        self.plant(Attached, "counts", property(lambda attached: True))  # type: ignore[arg-type]

    def test_stale_try(self) -> None:
        """A request that was overtaken is followed when it comes late."""
        honest = HeldStream.resume

        async def resume(held: HeldStream, asked: Any) -> Any:
            held._newest = 0
            return await honest(held, asked)

        self.plant(HeldStream, "resume", resume)

    # -- ends ------------------------------------------------------------------------------------------------

    def test_end_of_file(self) -> None:
        """An end of file goes out, and isn't kept until it is confirmed."""

        def send_eof(connection: ResumableConnection) -> None:
            if connection.attached is not None:
                connection.attached.leg.send_control(FIN_MESSAGE)
                connection.outgoing.put(Piece(b'{"note":""}', is_control=True))
                connection.outgoing.next()

        self.plant(ResumableConnection, "send_eof", send_eof)

    def test_end_unkept(self) -> None:
        """An end is taken for heard as soon as it is said."""
        honest = ResumableConnection.close

        def close(connection: ResumableConnection, outcome: Outcome) -> None:
            honest(connection, outcome)
            if outcome.clean:
                connection._leave(outcome)

        self.plant(ResumableConnection, "close", close)

    def test_end_unheard(self) -> None:
        """A stream is told as finished, though the other end was gone before it had all."""
        found = self.plant(Outgoing, "is_delivered", property(lambda outgoing: True))  # type: ignore[arg-type]
        self.assertIn("the client is told that all is well", found)

    def test_end_overtakes(self) -> None:
        """An end in order is told before what is held."""
        honest = ResumableConnection.leg_said

        def leg_said(connection: ResumableConnection, message: bytes, word: Word) -> None:
            if b'"end"' in message:
                connection.incoming.drop()
            honest(connection, message, word)

        self.plant(ResumableConnection, "leg_said", leg_said)

    # -- windows ---------------------------------------------------------------------------------------------

    def test_leaking_window(self) -> None:
        """A part of what was confirmed still fills the window."""
        honest = Outgoing._forget

        def forget(outgoing: Outgoing, position: int) -> None:
            kept = len(outgoing._kept)
            honest(outgoing, position)
            if len(outgoing._kept) < kept:
                outgoing._weigh(1)

        self.plant(Outgoing, "_forget", forget)

    def test_window_of_received(self) -> None:
        """What a resumption tells was received frees the window, though nobody has taken it."""
        honest = Outgoing.rewind

        def rewind(outgoing: Outgoing, position: int) -> None:
            honest(outgoing, position)
            outgoing.taken = max(outgoing.taken, position)

        self.assertIn("taken at most", self.plant(Outgoing, "rewind", rewind))

    def test_no_window(self) -> None:
        """A source is read on whatever is under way."""
        self.assertIn("over", self.plant(Outgoing, "is_full", property(lambda outgoing: False)))  # type: ignore[arg-type]

    def test_lent(self) -> None:
        """What is kept is the caller's own memory, which it uses again."""

        def kept(data: Sequence[memoryview], size: int) -> tuple[bytes | memoryview, bytearray | None]:
            return (data[0], None) if len(data) == 1 else (b"".join(data), None)

        self.assertIn("aren't what was said there", self.plant(buffers, "kept", kept))

    def test_released_early(self) -> None:
        """A buffer is given to the next piece while what lies in it is still kept."""
        honest = buffers.kept

        def kept(data: Sequence[memoryview], size: int) -> tuple[bytes | memoryview, bytearray | None]:
            piece, buffer = honest(data, size)
            if buffer is not None:
                buffers._spare[len(buffer)].append(buffer)
            return piece, None

        self.assertIn("aren't what was said there", self.plant(buffers, "kept", kept))
