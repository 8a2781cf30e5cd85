"""OpenSSL's reasons to give a connection up, in words that lead to the cause."""

import re
from typing import Final

ALERTS: Final = {
    "bad certificate": "the other end refused the certificate that it was shown; by its clock it may not be valid yet",
    "certificate expired": "to the other end the certificate that it was shown has expired",
    "certificate required": "the other end asks for a certificate, and was shown none",
    "certificate unknown": "the other end refused the certificate that it was shown; it may be for another name, or "
    "its issuer unknown to it",
    "internal error": "the other end has given up; our own programs do so where a certificate is for another host",
    "handshake failure": "the other end found no cipher or version of TLS that both speak",
    "protocol version": "the other end speaks no version of TLS from 1.2 on",
    "unknown ca": "the other end doesn't know the issuer of the certificate that it was shown, or an intermediate is "
    "missing",
}
"""Meaning of a peer's alert (RFC 8446 §6.2), by OpenSSL's name of it."""
REASONS: Final = {
    "http request": "a request in plain HTTP came to a port of TLS",
    "https proxy request": "a request to a proxy came to a port of TLS",
    "no protocols available": "the other end speaks no version of TLS from 1.2 on",
    "no shared cipher": "the other end offered no cipher that is spoken here",
    "unsupported protocol": "the other end speaks no version of TLS from 1.2 on",
    "wrong version number": "the other end doesn't speak TLS at this port",
}
"""Meaning of the most frequent of OpenSSL's other reasons."""
_ALERT: Final = re.compile(r"alert (.+)\Z")


def in_words(reason: str) -> str:
    """Say what one reason means, and keep OpenSSL's own word for it, which others have written about."""
    alert = _ALERT.search(reason)
    meant = ALERTS.get(alert[1].lower()) if alert else REASONS.get(reason.lower())
    return f"{meant} ({alert[0] if alert else reason})" if meant else reason
