"""Requests on the bus: who waits for an answer, and what becomes of that when the connection is lost.

A server of NATS that ends loses what it had to carry, to the host or back, and nobody is told. So a request of which a
copy does no harm is sent again while there is no answer: the first answer to any of its copies counts.
"""

import asyncio
from typing import Final

from attrs import define, field
from nats import errors as nats_errors
from nats.aio.msg import Msg

from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.bus.nats_client import NatsClient

GRACE: Final = 2.0
"""Seconds that an answer is waited for once the connection was lost, as it may be back before the host has answered;
and seconds after a loss in which another server may be had."""
RARER: Final = 1.5
"""Factor by which the wait before each copy is longer than the one before."""


@define(eq=False)
class Requests:
    """Requests of one program, and the losses of its connection."""

    losses: int = 0
    lost_at: float | None = None
    """The loop's time when the connection was lost; None while there is one, or has been none."""
    waiting: dict[asyncio.Timeout, float] = field(factory=dict)
    """Waits for answers, each with its end if copies are sent, which is its own again once there is a connection."""

    def lose(self) -> None:
        """Have nobody wait much longer for answers that may have been on their way."""
        self.losses += 1
        self.lost_at = asyncio.get_running_loop().time()
        for waiting in self.waiting:
            _end(waiting, min(waiting.when() or 0.0, self.lost_at + GRACE))

    def stand(self) -> None:
        """Take note that there is a connection: copies are sent by it, whose answers may take their time."""
        self.lost_at = None
        for waiting, end in self.waiting.items():
            if end:
                _end(waiting, end)

    def may_be_back(self, client: NatsClient | None) -> bool:
        """Tell whether a connection that was lost just now may be made to another server at any moment."""
        if client is None or not client.has_others:
            return False
        return self.lost_at is None or asyncio.get_running_loop().time() < self.lost_at + GRACE

    async def ask(self, client: NatsClient, subject: str, data: bytes, timeout: float, again: float = 0.0) -> bytes:
        """Return the answer to a request, or raise `Nobody`, `Down`, or after `timeout` seconds `TooSlow`.

        With `again` it is sent once more after so many seconds without an answer, and then more and more seldom.
        """
        losses, end = self.losses, asyncio.get_running_loop().time() + timeout
        waiting = asyncio.timeout(timeout)
        self.waiting[waiting] = end if again else 0.0
        try:
            async with waiting:
                with client.pulse.felt():
                    message = await _first_answer(client, subject, data, timeout + 1, again)  # `waiting` ends before
        except nats_errors.NoRespondersError:
            raise Nobody(subject) from None
        except (TimeoutError, nats_errors.TimeoutError):
            raise (TooSlow if self.losses == losses else Down)(f"no answer within {timeout:g} s") from None
        except nats_errors.Error as error:
            raise Down(str(error)) from None
        finally:
            del self.waiting[waiting]
        return message.data


def _end(waiting: asyncio.Timeout, when: float) -> None:
    if not waiting.expired():
        waiting.reschedule(when)


async def _first_answer(client: NatsClient, subject: str, data: bytes, timeout: float, again: float) -> Msg:
    """Return the first answer to a request or to a copy of it. Who doesn't hear a copy, or that it can't be sent, is no
    answer: the host that has heard the first may be on the way to another server, or hear no more than that one."""

    def send() -> "asyncio.Future[Msg]":
        return asyncio.ensure_future(client.request(subject, data, timeout=timeout))

    sent = [send()]
    first = sent[0]
    try:
        while True:
            done, _ = await asyncio.wait(sent, timeout=again or None, return_when=asyncio.FIRST_COMPLETED)
            failed = {each for each in done if each.exception() is not None}
            for each in sent:
                if each in done and (each is first or each not in failed):
                    return each.result()
            sent = [each for each in sent if each not in failed]
            if not done:
                again *= RARER
                sent.append(send())
    finally:
        for each in sent:
            each.cancel()
