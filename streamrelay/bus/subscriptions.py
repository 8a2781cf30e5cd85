"""Subscriptions of a bus, which outlive its connections."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from streamrelay.bus.message import Message
from streamrelay.logs import Logger

log = Logger()


@define(eq=False)
class Subscriptions:
    """Subjects that are listened to, at the client of now and at those that come behind it."""

    _wanted: dict[str, Callable[[Message], None]] = field(factory=dict)
    _held: dict[str, Subscription] = field(factory=dict)

    def add(self, subject: str, receive: Callable[[Message], None]) -> None:
        """Listen to a subject from the next `take_up` on."""
        self._wanted[subject] = receive

    async def take_up(self, client: Client) -> None:
        """Subscribe to all of them at a new client."""
        for subject, receive in tuple(self._wanted.items()):
            self._held[subject] = await client.subscribe(subject, cb=_callback(receive))

    async def drop(self, subject: str) -> None:
        """Listen to a subject no more, once what is on its way has been received."""
        self._wanted.pop(subject, None)
        held = self._held.pop(subject, None)
        try:
            if held is not None:
                await held.drain()
        except (TimeoutError, OSError, nats_errors.Error) as error:  # there is no connection, for instance
            log.debug("no subscription to {subject} is left to end: {error}", subject=subject, error=error)


def _callback(receive: Callable[[Message], None]) -> Callable[[Msg], Coroutine[Any, Any, None]]:
    async def callback(message: Msg) -> None:
        try:
            receive(Message(message.data, message.reply, message.subject))
        except Exception:
            log.failure("an error while a message on {subject} was read", subject=message.subject)

    return callback
