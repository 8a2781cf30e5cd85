"""The platform: mints tokens, summons agents, knows what is up. As a library for any asyncio program, Twisted's too.

::

    from streamrelay.platform import Platform

    platform = Platform(relay="wss://relay.example", nats=("tls://nats.example",), key="platform.key")
    platform.start()                                   # inside the running loop
    opened = await platform.open("alice", "web-1", "log/nginx")
    opened.url                                         # for alice's browser, once, within 30 s

It decides nothing about who may open what; whoever calls it has done that (here `http.api`, by grants).
Its coroutines are asyncio's; a Twisted program on the asyncio reactor wraps them in `as_deferred`.
"""

from streamrelay.bus.connection import as_deferred
from streamrelay.errors import Refused
from streamrelay.platform.new_stream import Early, Opened
from streamrelay.platform.platform import Listing, Platform
from streamrelay.platform.refusals import StreamOver
from streamrelay.protocol.limits import Limits
from streamrelay.protocol.summons import Terms

__all__ = ["Early", "Limits", "Listing", "Opened", "Platform", "Refused", "StreamOver", "Terms", "as_deferred"]
