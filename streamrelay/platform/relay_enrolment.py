"""The relays of a platform's bus: their users there, and their settings, in a folder for each.

`streamrelay relay` is to relays what `streamrelay host` is to hosts (`enrolment`). That an operator adds a relay is
what lets it draw streams: the bus lets nobody else tell the state of a relay of this name.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from attrs import define

from streamrelay.bus.permissions import Role
from streamrelay.errors import ConfigError
from streamrelay.platform.enrolment import Enrolment
from streamrelay.program.relay_urls import fits
from streamrelay.program.validation import check_encrypted, check_relay
from streamrelay.protocol.names import ZONE_WORDS, is_zone

RELAY: Final = """\
# The relay {name}: twistd -n streamrelay --config relay.toml
{settings}
# Where it listens, and what it shows there; without these it is for a proxy in front, on this machine (operations.rst).
#
# listen = ["tls:443"]
# certificates = ["/etc/streamrelay/relay.pem,/etc/streamrelay/relay.key"]
#
# Pages that may open streams: the platform's own, and others. None may without this.
#
# origin = ["https://platform.example"]
"""


@define(frozen=True)
class RelayEnrolment(Enrolment):
    """Settings of one relay to be added, beside those that all have."""

    role: ClassVar[Role] = "relay"
    url: str = ""
    zone: str = ""

    def toml(self, name: str) -> str:
        where = {"url": self.url, **({"zone": self.zone} if self.zone else {})}
        return RELAY.format(name=name, settings=self.rows({"id": name, **where, **self.bus_lines()}))

    def doubts(self, name: str) -> list[str]:
        doubts = super().doubts(name)
        if not any(fits(pattern, name, self.url) for pattern in self.settings.relays):
            doubts.append(f"{self.url}: setting relays of the platform doesn't allow it; until then it isn't picked")
        return doubts

    @property
    def urls(self) -> Mapping[str, str]:
        return {
            **dict.fromkeys(self.nats, "the relay would connect to its own machine"),
            self.url: "others could not connect it",
        }


def relay_enrolment(base: Enrolment, url: str, zone: str) -> RelayEnrolment:
    """Make a `RelayEnrolment` of the platform's settings, or raise `ConfigError`."""
    if base.settings.tokens == "opaque":
        raise ConfigError('relays on the bus need signed tokens; the platform has tokens = "opaque"')
    if not is_zone(zone):
        raise ConfigError(f"zone {zone!r}: expected {ZONE_WORDS}")
    try:
        check_relay(url)
        check_encrypted(url, base.settings.insecure)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return RelayEnrolment(base.settings, base.nats, base.at, url, zone)
