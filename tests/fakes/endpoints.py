"""Endpoints and connected transports in memory."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from tests.fakes.channels import FakeTransport


@implementer(IStreamClientEndpoint)
class Endpoint:
    """An endpoint that connects at once, or when the test says so, to a transport in memory."""

    def __init__(self, later: bool = False) -> None:
        self.transport = FakeTransport()
        self.attempt: Deferred[Any] = Deferred(lambda _: None)
        self._later = later

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        if not self._later:
            self.protocol = connect(protocolFactory, self.transport)
            self.attempt.callback(self.protocol)
        return self.attempt


def connect(factory: IProtocolFactory, transport: FakeTransport) -> Any:
    """Build a factory's protocol, of whatever class, on a transport."""
    protocol: Any = factory.buildProtocol(transport.getPeer())
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return protocol


def exchange(one: FakeTransport, other: FakeTransport) -> None:
    """Carry bytes both ways until none are left."""
    while data := (one.take(), other.take()):
        if not any(data):
            return
        for transport, sent in ((other, data[0]), (one, data[1])):
            if sent:
                transport.receive(sent)
