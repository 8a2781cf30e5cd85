"""Words of the log about a bus that isn't there: which server, why, and what mends it; each once until it is there."""

import errno
import os
import ssl
from typing import Final

from attrs import define, field

from streamrelay.bus import tls
from streamrelay.bus.nats_client import Hangs, Withheld, is_too_slow
from streamrelay.bus.settings import without_password
from streamrelay.logs import Logger

log = Logger()

_PLAIN: Final = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
"""OpenSSL's words about bytes that are no TLS."""
MOST_TOLD: Final = 1000
"""Words that are remembered; the server's may hold as many subjects as it likes."""
_TLS_FIRST: Final = "if it begins with TLS (handshake_first), set nats_handshake_first"


def words(error: Exception, handshake_first: bool = False) -> str:
    """Say in one line why there is no connection, with what is to be looked at where that is known."""
    if "expecting INFO" in str(error):
        return f"what listens there isn't NATS{'' if handshake_first else f'; {_TLS_FIRST}'}"
    if isinstance(error, TimeoutError):
        wrong = "does it begin with TLS, as nats_handshake_first says?" if handshake_first else _TLS_FIRST
        return f"no answer in time; {wrong}"
    if isinstance(error, ssl.SSLError) and error.reason in _PLAIN:
        wrong = "; is nats_handshake_first right?" if handshake_first else ""
        return f"it doesn't begin with TLS{wrong}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        known = error.errno in errno.errorcode
        return os.strerror(error.errno) if known else str(error.strerror)
    return without_password(tls.words(error)) or type(error).__name__


def is_login_refused(error: Exception) -> bool:
    text = str(error).lower()
    return "authorization violation" in text or "authentication" in text


def is_deafening(error: Exception) -> bool:
    """Tell whether the server forbids to hear what we must; discovery (``$SRV``) isn't that."""
    text = str(error).lower()
    return _is_forbidden(error) and "for subscription" in text and "$srv" not in text


def _is_forbidden(error: Exception) -> bool:
    return "permissions violation" in str(error).lower()


def _wants_certificate(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(error.reason)


@define(eq=False)
class Complaints:
    """The log's words about one bus."""

    handshake_first: bool = False
    _told: set[tuple[str, str]] = field(factory=set)
    _missed: set[str] = field(factory=set)  # servers of which it was told that and why they can't be had

    def forget(self) -> None:
        """Begin anew, as there is a connection."""
        self._told.clear()
        self._missed.clear()

    def tell_too_long(self, subject: str, size: int) -> None:
        """Say that a message is longer than the server takes, whatever its subject is only once."""
        if ("", "max_payload") not in self._told:
            self._told.add(("", "max_payload"))
            log.error("not sent on {subject}: {size} bytes, over NATS' max_payload", subject=subject, size=size)

    def hear(self, error: Exception, url: str) -> None:
        text = words(error, self.handshake_first)
        if (url, text) in self._told:
            return
        if not self._say(error, text, url):
            return
        if len(self._told) >= MOST_TOLD:
            self._told.clear()
        self._told.add((url, text))
        if is_deafening(error) or not (isinstance(error, Hangs) or is_too_slow(error) or _is_forbidden(error)):
            self._missed.add(url)

    def _say(self, error: Exception, text: str, url: str) -> bool:
        """Log what is worth it; return False if it wasn't."""
        if is_too_slow(error):
            log.error("NATS sent messages faster than this program takes them: {error}; some were dropped", error=text)
        elif _is_forbidden(error):
            log.error(
                "NATS refused a permission at {url}: {error}; check this user's permissions in nats-server",
                url=url,
                error=text,
            )
        elif is_login_refused(error):
            log.error(
                "NATS refused this user at {url}: {error}; check nats_nkey, nats_creds or the password in nats; "
                "trying again, at last every 30 s",
                url=url,
                error=text,
            )
        elif _wants_certificate(error):
            log.error(
                "NATS at {url} wants a certificate of this program; check nats_certificate; trying again", url=url
            )
        elif isinstance(error, Hangs):
            log.warn("NATS at {url} doesn't answer any more; connecting again", url=url)
        elif isinstance(error, Withheld):
            log.error("not logging in to NATS at {url}: {error}; trying again", url=url, error=text)
        elif url in self._missed:
            return False  # that this server can't be had was said already, and why
        else:
            log.warn("can't connect to NATS at {url}: {error}; trying again", url=url, error=text)
        return True
