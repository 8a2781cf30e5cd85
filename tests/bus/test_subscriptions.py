"""subscriptions.py: what is listened to, and no more."""

from typing import Any

from nats import errors as nats_errors
from twisted.trial.unittest import SynchronousTestCase

from streamrelay.bus.subscriptions import Subscriptions
from tests.fakes.reactors import awaited


class Held:
    """A subscription that a client holds."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.drained = error, 0

    async def drain(self) -> None:
        self.drained += 1
        if self.error is not None:
            raise self.error


class Client:
    """A client that holds what is subscribed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.held: dict[str, Held] = {}

    async def subscribe(self, subject: str, cb: object) -> Held:
        self.held[subject] = Held(self.error)
        return self.held[subject]


class SubscriptionsTests(SynchronousTestCase):
    def begin(self, client: Any) -> Subscriptions:
        subscriptions = Subscriptions()
        for subject in ("open", "end"):
            subscriptions.add(subject, lambda message: None)
        awaited(subscriptions.take_up(client))
        return subscriptions

    def test_dropped(self) -> None:
        """A subject that is dropped is drained, so that what is on its way comes, and no new client takes it up."""
        client, later = Client(), Client()
        subscriptions = self.begin(client)
        awaited(subscriptions.drop("open"))
        awaited(subscriptions.drop("open"))
        self.assertEqual([held.drained for held in client.held.values()], [1, 0])
        again: Any = later
        awaited(subscriptions.take_up(again))
        self.assertEqual(list(later.held), ["end"])

    def test_no_connection(self) -> None:
        """Without a connection nothing is drained, and nothing raised."""
        for error in (TimeoutError(), nats_errors.TimeoutError(), nats_errors.ConnectionClosedError(), OSError()):
            awaited(self.begin(Client(error)).drop("open"))
