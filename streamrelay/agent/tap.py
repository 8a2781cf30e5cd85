"""``twistd streamagent``"""

from typing import Any

from twisted.application.service import MultiService

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import AgentConfig
from streamrelay.agent.service import Agent
from streamrelay.program.options import ConfigOptions, one_line
from streamrelay.program.service import Looped


class Options(ConfigOptions):
    """Options of the agent; each overrides the setting of the same name in the file."""

    synopsis = "twistd [options] streamagent --config FILE"
    longdesc = "Connects targets of this host to a relay when it is summoned. Targets stand in the file alone."
    many = {"nats": "nats", "relay": "relays", "platform-key": "platform_key"}
    one = {
        "host": "host",
        "tokens": "tokens",
        "nats-creds": "nats_creds",
        "nats-nkey": "nats_nkey",
        "nats-certificate": "nats_certificate",
        "ca": "ca",
        "certificate": "certificate",
        "mask": "mask",
        "drop-in": "drop_in",
    }
    flags = ("insecure",)
    optParameters = [
        ["config", "c", None, "The TOML file of settings and targets."],
        ["host", None, None, "The name under which the platform knows this host."],
        ["tokens", None, None, "signed (summonses of a platform; the default) or opaque."],
        ["nats-creds", None, None, "A NATS credentials file."],
        ["nats-nkey", None, None, "A file with the seed of an NKEY."],
        ["nats-certificate", None, None, "What is shown to the bus if it asks: CERTIFICATE,KEY (PEM files)."],
        ["ca", None, None, "A file of certificates to trust in place of the system's."],
        ["certificate", None, None, "What is shown to relays that ask for one: CERTIFICATE,KEY (PEM files)."],
        ["mask", None, None, "auto (none needed over TLS; the default) or always."],
        ["drop-in", None, None, "A directory whose *.toml files hold more targets."],
    ]
    optFlags = [
        ["debug", None, "Log more."],
        ["insecure", None, "Allow ws:// and nats:// without TLS beyond this machine."],
    ]

    def opt_nats(self, url: str) -> None:
        """A URL of the bus, for example tls://nats.example; may be repeated."""
        self.add("nats", url)

    def opt_relay(self, url: str) -> None:
        """A relay that may be dialled, for example wss://relay.example; may be repeated."""
        self.add("relay", url)

    def opt_platform_key(self, file: str) -> None:
        """A file with a platform's public key; may be repeated."""
        self.add("platform-key", file)


def makeService(options: Options) -> MultiService:
    """The agent, once its files are found in order."""
    from twisted.internet import reactor

    clock: Any = reactor
    service = Looped(clock, options)
    with one_line():
        config = options.config(AgentConfig)
        catalogue = Catalogue(options["config"] or "", config.drop_in)
        catalogue.load()
        agent = Agent(config, catalogue, clock)
        agent.setServiceParent(service)
        service.watch(catalogue.files, agent.bus.files, *agent.streams.dialler.files)
    return service
