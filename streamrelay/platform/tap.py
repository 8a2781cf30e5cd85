"""``twistd -n streamplatform``"""

from typing import Any, Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall

from streamrelay import __version__
from streamrelay.bus.connection import as_deferred
from streamrelay.logs import Logger, steadily
from streamrelay.net.http_client import HttpFetch
from streamrelay.net.outbound import DIRECT, Outbound
from streamrelay.net.proxies import Proxies
from streamrelay.platform.auth.grants import KeyRing
from streamrelay.platform.auth.jwks import FetchedKeys, FileKeys, PublicKeys
from streamrelay.platform.auth.oidc import Issuer, OidcConfig
from streamrelay.platform.auth.sessions import Sessions
from streamrelay.platform.auth.throttle import Throttle
from streamrelay.platform.auth.webhook import Asking
from streamrelay.platform.config import LIVE, PlatformConfig
from streamrelay.platform.fleet.kept import EACH, Kept
from streamrelay.platform.http.api import Root
from streamrelay.platform.http.authenticate import Authenticator
from streamrelay.platform.http.changes import Watchers
from streamrelay.platform.http.limits import BoundedSite
from streamrelay.platform.http.room import Room
from streamrelay.platform.http.tally import AnswerTally
from streamrelay.platform.metrics import PlatformMetrics
from streamrelay.platform.platform import Platform
from streamrelay.program.admin import Told, add_admin, no_bus
from streamrelay.program.options import ConfigOptions, one_line
from streamrelay.program.readiness import Readiness
from streamrelay.program.service import Looped, Ports
from streamrelay.program.state_directory import find_state, why_unusable
from streamrelay.protocol.tokens import Signer

log = Logger()


class Options(ConfigOptions):
    """Options of the platform; each overrides the setting of the same name in the file."""

    settings = PlatformConfig
    synopsis = "--relay URL --key FILE --keys FILE"
    longdesc = "Authorises streams, mints tokens and summons agents: an HTTP API and a console page."


FINISH: Final = 19.0
"""Seconds for which requests under way go on at a stop: an answer takes 10.5 s at most, behind 7 s for other relays."""


class PlatformService(Service):
    """Starts and stops a platform with the reactor."""

    def __init__(self, platform: Platform, reactor: Any, readiness: Readiness, state: str) -> None:
        self._platform, self._reactor, self._readiness, self._state = platform, reactor, readiness, state
        self._kept: Kept | None = None
        self._writing = LoopingCall(steadily(self._write))
        self._writing.clock = reactor
        platform.up, platform.lost = readiness.ready, self._lost

    def _lost(self) -> None:
        self._readiness.wait("no connection to NATS")

    def privilegedStartService(self) -> None:
        """Say what starts here before the ports say anything."""
        super().privilegedStartService()
        log.info("streamrelay {version}: platform for {relay}", version=__version__, relay=self._platform.choice)
        self._platform.outbound.announce()

    def startService(self) -> None:
        super().startService()
        self._lost()
        self._take_up()
        self._reactor.callLater(0, self._platform.start)

    def _take_up(self) -> None:
        """Go on with what was known of hosts; not before, as its files must belong to the user who we are by now."""
        try:
            path = find_state(self._state, "platform") / "hosts.sqlite"
        except OSError as error:
            log.info(
                "hosts that are down at a start aren't known: {why}; see the setting state",
                why=why_unusable(error, self._state),
            )
            return
        self._kept = Kept(path, self._platform.inventory, self._platform.now)
        self._kept.open()
        self._writing.start(EACH, now=False)

    def _write(self) -> None:
        if self._kept is not None:
            self._kept.write()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        if self._writing.running:
            self._writing.stop()
        if self._kept is not None:
            self._kept.close()
        return as_deferred(self._platform.stop())


class Requests:
    """The work of a platform, as its stop sees it."""

    kind = "request"

    def __init__(self, ports: Ports, site: BoundedSite, watchers: Watchers) -> None:
        self._ports, self._site, self._watchers = ports, site, watchers

    @property
    def still_running(self) -> int:
        """Number of connections with a request under way."""
        return len(self._site.goodbye.here)

    def drain(self) -> "Deferred[None]":
        """Accept no connection any more, and answer what is under way."""
        self._ports.stop_listening()
        self._watchers.end()
        return self._site.goodbye.begin()

    def cut(self) -> "Deferred[None]":
        """Let the end of the process cut them; there is nothing to say of each."""
        return succeed(None)


def make_gate(config: PlatformConfig, reactor: Any, outbound: Outbound = DIRECT) -> Authenticator:
    """Make the authenticator of the API by the settings, or raise `ConfigError`."""
    ring = KeyRing(config.keys)
    ring.load()
    sessions = Sessions(reactor, config.sessions.idle, config.sessions.life)
    if config.tokens == "signed":  # so that sessions hold at all platforms with this key
        sessions.secret = Signer.load(config.key).derive("sessions")
    made = Authenticator(
        ring, sessions, Throttle(reactor), proxies=Proxies.named(config.proxies, config.proxy_protocol)
    )
    made.origins = config.origin
    if config.oidc is not None:
        made.issuer = Issuer(config.oidc, _public_keys(config.oidc, reactor, outbound))
    if config.ask is not None:
        made.asking = Asking(config.ask, HttpFetch(reactor, config.ask.ca, outbound=outbound))
    return made


def _public_keys(oidc: OidcConfig, reactor: Any, outbound: Outbound) -> PublicKeys:
    if "://" in oidc.jwks:
        fetch = HttpFetch(reactor, oidc.ca, outbound=outbound)
        return FetchedKeys(oidc.jwks, fetch, reactor, oidc.fresh, oidc.stale)
    keys = FileKeys(oidc.jwks)
    keys.load()
    return keys


def _platform(config: PlatformConfig, outbound: Outbound) -> Platform:
    return Platform(
        config.relay,
        config.nats,
        config.key if config.tokens == "signed" else "",
        config.relay_id,
        nats_creds=config.nats_creds,
        ca=config.ca,
        nats_nkey=config.nats_nkey,
        nats_certificate=config.nats_certificate,
        nats_handshake_first=config.nats_handshake_first,
        outbound=outbound,
        limits=config,
        early=config.early,
        relays=config.relays,
    )


def makeService(options: Options) -> MultiService:
    """The platform and its listening ports."""
    from twisted.internet import reactor

    clock: Any = reactor
    service = Looped(clock, options)
    with one_line():
        config = options.config(PlatformConfig)
        outbound = Outbound.of(config)
        platform = _platform(config, outbound)
        PlatformService(platform, clock, service.readiness, config.state).setServiceParent(service)
        most, handshakes = config.max_connections, config.max_handshakes
        room = Room(most, config.max_connections_per_address, handshakes, config.max_handshakes_per_address)
        authenticator = make_gate(config, clock, outbound)
        tally = AnswerTally(platform.clock)
        root = Root(platform, authenticator, config.viewers, tally, service.readiness)
        served = BoundedSite(root, clock, authenticator.proxies, room)
        ports = Ports(config, served, clock)
        ports.setServiceParent(service)
        service.drain(Requests(ports, served, root.watchers), FINISH)
        metrics = PlatformMetrics(platform, served, tally, authenticator.sessions, ports.tls)
        told = Told("platform", service.readiness, metrics.families, lambda: no_bus(platform.bus.connected))
        add_admin(service, config, told, clock)

        def take(now: PlatformConfig) -> None:
            platform.limits, platform.early, authenticator.origins = now, now.early, now.origin
            platform.choice.allowed = now.relays

        started = options.started(config, live=LIVE, take=take)
        started.load()
        service.watch(*ports.files, authenticator.ring.files, platform.bus.files, started.files)
        if authenticator.issuer is not None and isinstance(authenticator.issuer.keys, FileKeys):
            service.watch(authenticator.issuer.keys.files)
    return service
