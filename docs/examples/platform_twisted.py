"""A platform within a Twisted web server: each user gets the log of their own virtual machine, and nothing else.

    python platform_twisted.py RELAY NATS KEY PORT

    curl -X POST http://127.0.0.1:PORT/console/alice

answers with the URL of a websocket, or says why there is none. Who is who, and who has which machine, is what your own
program knows; here it is a dictionary.
"""

import asyncio
import sys

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)  # before anything imports the reactor

from twisted.internet import endpoints, reactor  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.logger import globalLogBeginner, textFileLogObserver  # noqa: E402
from twisted.web.resource import Resource  # noqa: E402
from twisted.web.server import NOT_DONE_YET, Request, Site  # noqa: E402

from streamrelay.platform import Platform, Refused, as_deferred  # noqa: E402

MACHINES = {"alice": ("web-1", "log"), "bob": ("web-2", "log")}


class Console(Resource):
    """POST /console/USER"""

    isLeaf = True

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform = platform

    def render_POST(self, request: Request) -> int:
        Deferred.fromCoroutine(self.answer(request))
        return NOT_DONE_YET

    async def answer(self, request: Request) -> None:
        user = request.postpath[0].decode("ascii", "replace")
        try:
            if user not in MACHINES:
                raise Refused(403, "who are you?")
            host, target = MACHINES[user]
            opened = await as_deferred(self.platform.open(user, host, target))
        except Refused as refused:
            request.setResponseCode(refused.status)
            request.write(f"{refused}\n".encode())
        else:
            request.setHeader("Cache-Control", "no-store")
            request.write(f"{opened.url}\n".encode())
        request.finish()


def main(relay: str, nats: str, key: str, port: str) -> None:
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)])
    platform = Platform(relay=relay, nats=(nats,), key=key)
    root = Resource()
    root.putChild(b"console", Console(platform))
    endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(Site(root))
    reactor.callLater(0, platform.start)  # inside the running loop; callWhenRunning is too early
    reactor.addSystemEventTrigger("before", "shutdown", lambda: as_deferred(platform.stop()))
    reactor.run()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
