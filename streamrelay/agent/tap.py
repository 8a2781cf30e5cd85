"""``twistd streamagent``"""

import encodings.idna  # noqa: F401  # for names, once root is given up and its Python perhaps out of reach
import os
from typing import Any

from twisted.application.service import MultiService

from streamrelay.agent.catalogue import Catalogue
from streamrelay.agent.config import LIVE, AgentConfig
from streamrelay.agent.launcher.service import Launching
from streamrelay.agent.metrics import AgentMetrics
from streamrelay.agent.service import Agent
from streamrelay.agent.target_files import in_thread
from streamrelay.program.admin import Told, add_admin, no_bus
from streamrelay.program.options import ConfigOptions, one_line
from streamrelay.program.service import Looped


class Options(ConfigOptions):
    """Options of the agent; each overrides the setting of the same name in the file."""

    settings = AgentConfig
    synopsis = "--config FILE"
    longdesc = "Connects targets of this host to a relay when it is summoned. Targets stand in the file alone."
    file = "The TOML file of settings and targets."


def makeService(options: Options) -> MultiService:
    """The agent, once its files are found in order."""
    from twisted.internet import reactor

    clock: Any = reactor
    service = Looped(clock, options)
    with one_line():
        config = options.config(AgentConfig)
        catalogue = Catalogue(options["config"] or "", config.drop_in, may_change_users=os.geteuid() == 0)
        catalogue.load()
        catalogue.files.apart = in_thread(clock)
        Launching(catalogue, config.max_streams + config.max_terminals, clock).setServiceParent(service)
        agent = Agent(config, catalogue, clock, readiness=service.readiness)
        agent.setServiceParent(service)
        service.drain(agent, config.drain)

        def take(now: AgentConfig) -> None:
            agent.take(now)
            service.drain(agent, now.drain)

        catalogue.settings_read = options.started(config, "targets", live=LIVE, take=take).compare
        service.watch(catalogue.files, agent.keys.files, agent.bus.files, *agent.streams.legs.dialler.files)
        told = Told("agent", service.readiness, AgentMetrics(agent).families, lambda: no_bus(agent.bus.connected))
        add_admin(service, config, told, clock)
    return service
