"""The bus of a program, as its settings say how that is reached."""

from collections.abc import Callable

from streamrelay.bus.connection import Bus
from streamrelay.bus.settings import BusSettings
from streamrelay.net.outbound import Outbound


def bus_by(
    settings: BusSettings,
    name: str,
    outbound: Outbound,
    up: Callable[[], None],
    lost: Callable[[], None] = lambda: None,
) -> Bus:
    """Make the bus of a program that has this name there, and asks nobody; `up` and `lost` are as `Bus` has them."""
    return Bus(
        settings.nats,
        name,
        creds=settings.nats_creds,
        nkey=settings.nats_nkey,
        ca=settings.ca,
        certificate=settings.nats_certificate,
        handshake_first=settings.nats_handshake_first,
        outbound=outbound,
        up=up,
        lost=lost,
    )
