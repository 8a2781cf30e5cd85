"""Lists of the API: what a query asks for, and how one is answered, so that who has it already isn't sent it again."""

import gzip
import secrets
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from streamrelay.errors import Refused
from streamrelay.platform.http.assets import Sending, has_already, takes_gzip
from streamrelay.platform.http.origin import header
from streamrelay.platform.http.responses import secure_headers

Query = TypeVar("Query", bound=Struct)

MOST_LISTED: Final = 2000
"""Rows of one page at most."""
WORTH: Final = 1024
"""Bytes from which on an answer is compressed."""
_START: Final = secrets.token_bytes(16)
"""What tells this process' revisions from those of others, as numbers begin anew with each."""
FASTEST: Final = 1
"""Level of gzip: the list's words are alike, and more work makes it little shorter."""


def read_query(request: Request, kind: type[Query], several: str = "") -> Query:
    """Read a request's query, or raise `Refused`; of a name the last value counts, of that of `several` all do."""
    # Not `request.args`, which hasn't the names that stand without a value: `?limit` would be the whole list.
    texts = parse_qs(request.uri.partition(b"?")[2].decode("utf-8", "replace"), keep_blank_values=True)
    query = {name: values if name == several else values[-1] for name, values in texts.items()}
    try:
        return msgspec.convert(query, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, f"the query is wrong: {error}", code="bad_request") from None


def send_list(request: Request, revision: str, make: Callable[[], bytes]) -> None:
    """Answer with a list, unless who asks has that very one already (RFC 9110, 13.1.2)."""
    zipped = takes_gzip(header(request, "accept-encoding") or "")
    about = blake2b(request.uri, digest_size=8, key=_START).hexdigest()
    tag = f'W/"{revision}.{about}{".gzip" if zipped else ""}"'
    secure_headers(request)
    request.setHeader("Cache-Control", "private, no-cache")
    request.setHeader("ETag", tag)
    request.setHeader("Vary", "Accept-Encoding, Authorization, Cookie")
    if has_already(header(request, "if-none-match") or "", tag):
        request.setResponseCode(304)
        request.finish()
        return
    body = make()
    request.setHeader("Content-Type", "application/json")
    if zipped and len(body) >= WORTH:
        body = gzip.compress(body, FASTEST, mtime=0)
        request.setHeader("Content-Encoding", "gzip")
    request.setHeader("Content-Length", str(len(body)))
    Sending(request, body).start()
