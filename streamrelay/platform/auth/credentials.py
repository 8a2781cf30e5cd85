"""Credentials: all of a request that says who sends it, as a value. `platform.http.credentials` reads it. No I/O."""

import hmac

from attrs import define, field

from streamrelay.platform.auth.session_token import csrf_of


@define(frozen=True)
class Credentials:
    """The credentials of one request, and whatever else its trust depends on. Secrets are in no `repr`."""

    address: str
    """The sender's address, as the connection or a trusted proxy tells it."""
    authorization: str | None = field(default=None, repr=False)
    """The header of this name; None if there is none."""
    session: str | None = field(default=None, repr=False)
    """The token in the cookie of the console's session."""
    cookies: str = field(default="", repr=False)
    """All cookies but ours."""
    csrf: str = field(default="", repr=False)
    """The header by which a page repeats what it was told of its session."""
    origin: str | None = None
    """The origin of the page that sends it, as a browser says."""
    own_page: bool = True
    """False if a browser says that it comes from another page than ours."""
    local: bool = False
    """True if it comes from this machine, through no proxy."""
    safe: bool = False
    """True if its method changes nothing."""

    @property
    def bearer(self) -> str:
        """The bearer token; empty if there is none."""
        scheme, _, token = (self.authorization or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def forged(self) -> bool:
        """True if it would change something, and could be another site's that only borrows our cookie."""
        if self.safe:
            return False
        told = csrf_of(self.session or "").encode()
        return not (self.own_page and hmac.compare_digest(self.csrf.encode("utf-8", "replace"), told))
