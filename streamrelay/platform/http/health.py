"""The question of a balancer whether requests may come: ``/health``."""

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from streamrelay.errors import Refused
from streamrelay.platform.http.origin import SAFE
from streamrelay.platform.http.responses import send_health, send_problem
from streamrelay.platform.platform import Platform
from streamrelay.program.readiness import Readiness


class Health(Resource):
    """The path ``/health``: tells whoever asks if the platform takes requests and has its bus, and no more."""

    isLeaf = True

    def __init__(self, platform: Platform, readiness: Readiness) -> None:
        super().__init__()
        self.platform, self.readiness = platform, readiness

    def render(self, request: Request) -> int:
        if request.method not in SAFE:
            send_problem(request, Refused(405, "this path does not take this method"))
        else:
            send_health(request, self.platform.bus.connected and not self.readiness.draining)
        return NOT_DONE_YET
