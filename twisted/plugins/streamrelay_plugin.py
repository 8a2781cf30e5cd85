"""The three programs, for twistd to find."""

from twisted.application.service import ServiceMaker

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
