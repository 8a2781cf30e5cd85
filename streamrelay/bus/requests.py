"""Requests on the bus: who waits for an answer, and what becomes of that when a connection is lost.

A server of NATS that ends loses what it had to carry, to the host or back, and nobody is told. So a request of which a
copy does no harm is sent again once there is a connection again, ours or the host's own (`Requests.repeat`). The first
answer to any of its copies counts.
"""

import asyncio
from typing import Any, Final

from attrs import define, field
from nats import errors as nats_errors
from nats.aio.msg import Msg

from streamrelay.bus.message import Down, Nobody, TooSlow
from streamrelay.bus.nats_client import NatsClient

GRACE: Final = 2.0
"""Seconds that an answer is waited for once the connection was lost, as it may be back before the host has answered;
and seconds after a loss in which another server may be had."""
AGAIN: Final = 0.05
"""Seconds after which a copy that nobody has heard, or that couldn't be sent, is followed by another."""


@define(eq=False)
class Waiting:
    """One request that waits for its answer."""

    subject: str
    copies: bool
    """True if copies may be sent."""
    timeout: asyncio.Timeout
    end: float
    """The loop's time until which it waits, if no connection is lost."""
    due: asyncio.Event = field(factory=asyncio.Event)
    """Set when a copy is to be sent."""

    def end_at(self, when: float) -> None:
        if not self.timeout.expired():
            self.timeout.reschedule(when)


@define(eq=False)
class Requests:
    """Requests of one program, and the losses of its connection."""

    losses: int = 0
    lost_at: float | None = None
    """The loop's time when the connection was lost; None while there is one, or has been none."""
    waiting: dict[int, Waiting] = field(factory=dict)
    _number: int = 0

    def lose(self) -> None:
        """Have nobody wait much longer for answers that may have been on their way."""
        self.losses += 1
        self.lost_at = asyncio.get_running_loop().time()
        for each in self.waiting.values():
            each.end_at(min(each.end, self.lost_at + GRACE))

    def stand(self) -> None:
        """Take note that there is a connection: copies are sent by it, whose answers may take their time."""
        if self.lost_at is None:
            return
        self.lost_at = None
        for each in self.waiting.values():
            if each.copies:
                each.end_at(each.end)
                each.due.set()

    def repeat(self, subject: str) -> None:
        """Send copies of what waits on a subject, as who listens there was away and is back."""
        for each in self.waiting.values():
            if each.copies and each.subject == subject:
                each.due.set()

    def may_be_back(self, client: NatsClient | None) -> bool:
        """Tell whether a connection that was lost just now may be made to another server at any moment."""
        if client is None or not client.has_others:
            return False
        return self.lost_at is None or asyncio.get_running_loop().time() < self.lost_at + GRACE

    async def ask(self, client: NatsClient, subject: str, data: bytes, timeout: float, copies: bool = False) -> bytes:
        """Return the answer to a request, or raise `Nobody`, `Down`, or after `timeout` seconds `TooSlow`."""
        losses, end = self.losses, asyncio.get_running_loop().time() + timeout
        waiting = Waiting(subject, copies, asyncio.timeout(timeout), end)
        self._number += 1
        number = self._number
        self.waiting[number] = waiting
        try:
            async with waiting.timeout:
                with client.pulse.felt():
                    message = await _first_answer(client, waiting, data, timeout + 1)  # `waiting` ends before
        except nats_errors.NoRespondersError:
            raise Nobody(subject) from None
        except (TimeoutError, nats_errors.TimeoutError):
            raise (TooSlow if self.losses == losses else Down)(f"no answer within {timeout:g} s") from None
        except nats_errors.Error as error:
            raise Down(str(error)) from None
        finally:
            del self.waiting[number]
        return message.data


async def _first_answer(client: NatsClient, waiting: Waiting, data: bytes, timeout: float) -> Msg:
    """Return the first answer to a request or to a copy of it. That nobody has heard the first is the answer, too; of a
    copy it isn't, as the host that has heard the first may be away still, or hear no more than that one."""
    now = asyncio.get_running_loop().time

    def send() -> "asyncio.Future[Any]":
        return asyncio.ensure_future(client.request(waiting.subject, data, timeout=timeout))

    first, due = send(), asyncio.ensure_future(waiting.due.wait())
    sent, until, retry = [first], 0.0, False
    try:
        while True:
            patience = AGAIN if retry else None
            done, _ = await asyncio.wait([*sent, due], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            failed = [each for each in sent if each in done and each.exception() is not None]
            for each in sent:
                if each in done and (each is first or each not in failed):
                    answer: Msg = each.result()
                    return answer
            sent = [each for each in sent if each not in failed]
            if due in done:
                waiting.due.clear()
                due, until = asyncio.ensure_future(waiting.due.wait()), now() + GRACE
                sent.append(send())
            elif not done:
                sent.append(send())
            retry = bool(failed) and now() < until
    finally:
        for pending in (*sent, due):
            pending.cancel()
