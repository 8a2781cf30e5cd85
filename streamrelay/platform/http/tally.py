"""The tally of answers of the API: how often which path said what, and how long those waited who opened a stream."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.web.server import Request

from streamrelay.errors import Refused
from streamrelay.platform.http.responses import code_of
from streamrelay.program.histogram import Histogram

OK: Final = "ok"
METHODS: Final = frozenset(("GET", "POST", "DELETE", "HEAD", "OPTIONS"))
CODES: Final = frozenset(
    (
        *("bad_request", "no_key", "not_granted", "not_allowed", "csrf", "no_such_target", "no_such_stream"),
        *("no_such_session", "not_found", "method_not_allowed", "unsupported_media_type", "too_many", "unavailable"),
        *("changed", "too_many_pages", "stream_over", "stale", "no_such_terminal"),
        *("internal_error", "target_refused", "dial_failed", "bad_summons", "bad_answer", "host_offline", "busy"),
        *("relay_busy", "no_relay", "bus_down", "incomplete", "issuer_down", "ask_failed", "target_unreachable"),
        *("host_slow", "no_such_relay", "relay_offline", "relay_slow", "too_old"),
    )
)
"""Codes of problems (protocol.rst, "The platform's API"). A host may answer a word of its own, which isn't counted as
such: there would be no end of them."""
OPENING: Final = "/v1/streams"
"""The path that opens streams."""
_LISTS: Final = (("GET", OPENING), ("GET", "/v1/hosts"), ("GET", "/v1/relays"))
_DRAIN: Final = "/v1/relays/ID/drain"
_TERMINALS: Final = "/v1/hosts/HOST/terminals"
_OTHERS: Final = (
    *(*_LISTS, ("DELETE", f"{OPENING}/ID"), ("POST", f"{OPENING}/ID/resume"), ("POST", "/v1/session")),
    *(("POST", _DRAIN), ("DELETE", _DRAIN), ("GET", _TERMINALS), ("DELETE", f"{_TERMINALS}/ID")),
)


def _nothing() -> Counter[tuple[str, str, str]]:
    """Return what is told from the start, as 0: of what comes later Prometheus doesn't see the first."""
    opening = {("POST", OPENING, code): 0 for code in (OK, *CODES)}
    others = {(*asked, code): 0 for asked in _OTHERS for code in (OK, "no_key", "too_many", "internal_error")}
    return Counter(opening | others)


@define(eq=False)
class AnswerTally:
    """Answers by method, path and code; `clock` gives monotonic seconds."""

    clock: Callable[[], float]
    count: Counter[tuple[str, str, str]] = field(factory=_nothing)
    opening: Histogram = field(factory=Histogram)
    """Seconds from a whole request to the answer that its stream is open."""

    def answered(self, request: Request, path: str, refusal: Refused | None, seconds: float) -> None:
        """Count one answer: a problem, or none."""
        method = request.method.decode("ascii", "replace")
        code = OK if refusal is None else code_of(refusal)
        known = code if code in CODES or code == OK else "other"
        self.count[method if method in METHODS else "other", path, known] += 1
        if (method, path, code) == ("POST", OPENING, OK):
            self.opening.observe(seconds)
