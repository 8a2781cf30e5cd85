"""Lists of a platform: ``streamrelay hosts``."""

import argparse
from typing import Any

from streamrelay.client import access
from streamrelay.client.output import say, tell
from streamrelay.client.statuses import BROKE
from streamrelay.errors import printable
from streamrelay.protocol import codec


async def hosts(arguments: argparse.Namespace, reactor: Any) -> int:
    listing = await access.api(arguments, reactor).hosts()
    if not listing.complete:
        say("not all hosts answered; this may not be the whole list")
    cut = [host.host for host in listing.hosts if not host.complete]
    for name in cut:
        say(f"{name} has more targets than are listed; they can be opened by their names")
    status = 0 if listing.complete and not cut else BROKE
    if arguments.json:
        tell(codec.encode(listing).decode())
        return status
    if not listing.hosts:
        say("no host is up with a target that this key may open")
    for host in listing.hosts:
        for target in host.targets:
            tell("\t".join(map(printable, (host.host, target.name, target.kind))))
    return status
