"""The three programs, for twistd to find."""

from typing import Any

from twisted.application import service

from streamrelay.program import early_signals


class ServiceMaker(service.ServiceMaker):
    """A program of ours, which may be signalled from the moment on that it is chosen."""

    @property
    def options(self) -> Any:
        """The class of its options; to import it takes most of a start."""
        early_signals.hold()
        return super().options


relay = ServiceMaker(
    "streamrelay relay",
    "streamrelay.relay.tap",
    "Pairs websocket legs by token and splices their bytes (the public process).",
    "streamrelay",
)

agent = ServiceMaker(
    "streamrelay agent",
    "streamrelay.agent.tap",
    "Connects targets of this host to a relay when it is summoned (the firewalled host's process).",
    "streamagent",
)

platform = ServiceMaker(
    "streamrelay platform",
    "streamrelay.platform.tap",
    "Authorises streams, mints tokens and summons agents (an HTTP API and a console page).",
    "streamplatform",
)
