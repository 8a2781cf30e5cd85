"""Responses of the platform: JSON, problems of RFC 9457, and the headers that all of them carry."""

from typing import Any, Final

import msgspec
from twisted.web.server import Request

from streamrelay.errors import Refused
from streamrelay.platform.http.origin import asked_name, header
from streamrelay.platform.refusals import StreamOver
from streamrelay.protocol.names import JSON_LINES, is_loopback

_TITLES: Final = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Changed",
    410: "Over",
    413: "Request too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Internal error",
    502: "Bad gateway",
    503: "Unavailable",
    504: "Unreachable",
}
_TITLES_BY_CODE: Final = {
    "target_refused": "The target refused",
    "dial_failed": "The host can't reach the relay",
    "bad_summons": "Who was asked takes the platform's request for invalid",
    "too_old": "The host's agent is too old",
    "bad_answer": "The answer to the platform is invalid",
    "host_offline": "The host is offline",
    "busy": "The host takes no more streams now",
    "relay_busy": "The relay takes no more streams now",
    "no_relay": "No relay takes streams now",
    "bus_down": "The platform has no connection to NATS",
    "incomplete": "Not all hosts answered",
    "issuer_down": "The issuer's keys aren't known",
    "ask_failed": "No decision about access",
    "target_unreachable": "The target can't be reached",
    "host_slow": "The host did not answer in time",
    "relay_offline": "The relay doesn't listen",
    "relay_slow": "The relay did not answer in time",
}
"""Titles of what one status has several of: who it is that can do something about it."""


def code_of(refusal: Refused) -> str:
    """Return the word of a problem for programs."""
    return refusal.code or _TITLES.get(refusal.status, "Error").lower().replace(" ", "_")


def problem_of(refusal: Refused) -> dict[str, Any]:
    """Return a problem as it becomes JSON (RFC 9457); `code` is the word of it for programs."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES_BY_CODE.get(refusal.code) or _TITLES.get(refusal.status, "Error"),
        "status": refusal.status,
        "detail": refusal.reason,
        "code": code_of(refusal),
    }
    if isinstance(refusal, StreamOver) and refusal.ended is not None:
        problem["ended"] = refusal.ended
    return problem


def send_problem(request: Request, refusal: Refused) -> None:
    """Answer a request with a problem."""
    if refusal.retry_after:
        request.setHeader("Retry-After", str(refusal.retry_after))
    send_json(request, refusal.status, problem_of(refusal))


def takes_lines(request: Request) -> bool:
    """Tell whether who asks takes an answer of several lines, each of which counts as it comes."""
    kinds = (header(request, "accept") or "").lower().split(",")
    return any(kind.split(";")[0].strip() == JSON_LINES for kind in kinds)


def send_early(request: Request, body: object) -> None:
    """Begin an answer of lines with its first; whatever is sent then, a problem too, is the last one."""
    request.setResponseCode(200)
    secure_headers(request)
    request.setHeader("Content-Type", JSON_LINES)
    request.setHeader("X-Accel-Buffering", "no")  # nginx would hold it back
    request.write(msgspec.json.encode(body) + b"\n")


def send_json(request: Request, status: int, body: object) -> None:
    if request.startedWriting:
        request.write(msgspec.json.encode(body) + b"\n")
        request.finish()
        return
    request.setResponseCode(status)
    secure_headers(request)
    if status == 401:
        request.setHeader("WWW-Authenticate", 'Bearer realm="streamrelay"')
    if status == 204:
        request.finish()
        return
    request.setHeader("Content-Type", "application/json" if status < 400 else "application/problem+json")
    request.write(msgspec.json.encode(body))
    request.finish()


def send_health(request: Request, ready: bool) -> None:
    """Answer a balancer's question: 200 if requests may come, else 503."""
    text = b"ready\n" if ready else b"not ready\n"
    request.setResponseCode(200 if ready else 503)
    secure_headers(request)
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    request.setHeader("Content-Length", str(len(text)))
    request.write(text)
    request.finish()


def secure_headers(request: Request, policy: str = "default-src 'none'") -> None:
    """Set the headers that every answer carries; not a word of Twisted's about who answers."""
    request.responseHeaders.removeHeader(b"Server")
    if request.isSecure() and (name := asked_name(request)) and not is_loopback(name):
        request.setHeader("Strict-Transport-Security", "max-age=31536000")  # a year
    request.setHeader("Cache-Control", "no-store")
    request.setHeader("X-Content-Type-Options", "nosniff")
    request.setHeader("Referrer-Policy", "no-referrer")
    request.setHeader("Cross-Origin-Resource-Policy", "same-origin")
    request.setHeader("Cross-Origin-Opener-Policy", "same-origin")  # whoever opened our page can't lead it elsewhere
    request.setHeader("Content-Security-Policy", f"{policy}; base-uri 'none'; frame-ancestors 'none'")
