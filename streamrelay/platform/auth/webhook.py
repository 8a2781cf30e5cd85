"""The webhook by which an operator's own system decides each request: one POST, and no answer is a no.

See protocol.rst, "Asking your own system".
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from attrs import define
from msgspec import UNSET, Meta, Struct, UnsetType

from streamrelay.errors import Refused
from streamrelay.logs import Logger
from streamrelay.net.http_client import Fetch, Fetched, FetchError
from streamrelay.platform.auth.grants import Grant, is_user
from streamrelay.protocol import codec


class AskConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of ``[ask]``: the system that decides each request."""

    url: str
    """URL to which each question is sent, by POST."""
    timeout: Annotated[float, Meta(gt=0, le=30)] = 2.0
    """Seconds for the answer, after which the request is refused."""
    forward: bool = False
    """True if Authorization and Cookie of those whom the platform doesn't know are sent along, to be recognised."""
    ca: str = ""
    """A file of certificates to trust for the URL, in place of the system's."""


log = Logger()

AT_ONCE: Final = 64
"""Questions that may wait for their answers, over which requests are refused."""

NAMELESS: Final = "asked"
"""Name of all users whom the system lets in without one."""

Action = Literal["open", "list", "end", "drain"]


class Question(Struct, frozen=True):
    """One question to the system that decides; nothing in it is a secret."""

    action: Action
    user: str | None
    """Name of the user; None for somebody whom the platform doesn't know: `forward` brings what they sent."""
    host: str | None
    target: str | None
    """Target that the request names; None for a list, as is the host."""
    stream: str | None
    """Id of the stream that is to be ended; None for other actions."""
    address: str
    """Address that the request came from."""
    view: bool = False
    """True if the target is to be opened for looking only."""
    relay: str | UnsetType = UNSET
    """Relay that is to be drained, or taken back; unset for other actions."""
    terminal: str | UnsetType = UNSET
    """Kept terminal that is to be attached to, or ended; unset for all else."""


class Verdict(Struct, frozen=True):
    """The body of a yes, if it has one. It counts for those whom the platform doesn't know."""

    user: str = NAMELESS
    grants: tuple[Grant, ...] = ()
    """Grants that say what they may see of a list."""


@define(eq=False)
class Asking:
    """The asking of one system, with at most `AT_ONCE` questions under way."""

    config: AskConfig
    fetch: Fetch
    _waiting: int = 0

    async def decide(self, question: Question, credentials: Mapping[str, str]) -> Verdict:
        """Return the system's yes, or raise `Refused`: 403 for its no, 503 if it gave no decision in time.

        `credentials` are headers of the request by which the system may know its user.
        """
        if self._waiting >= AT_ONCE:
            raise Refused(503, "too many requests are waiting for a decision", code="ask_failed", retry_after=1)
        self._waiting += 1
        try:
            headers = {**credentials, "Content-Type": "application/json", "Accept": "application/json"}
            answer = await self.fetch(
                "POST", self.config.url, self.config.timeout, headers, msgspec.json.encode(question)
            )
            return _read(answer)
        except FetchError as error:
            log.error(
                "no decision from {url}, the system to ask ([ask]): {error}; the request is refused",
                url=self.config.url,
                error=error,
            )
            raise Refused(
                503, "the system that decides gave no decision; see the platform's log", code="ask_failed"
            ) from None
        finally:
            self._waiting -= 1


def _read(answer: Fetched) -> Verdict:
    """Read an answer: 2xx is a yes, 403 a no. A yes with a body that isn't ours is neither: pages that greet
    everybody are 200, too."""
    if answer.status == 403:
        raise Refused(403, "not allowed", code="not_allowed")
    if not 200 <= answer.status < 300:
        raise FetchError(f"answered {answer.status}")
    try:
        verdict = codec.decode(answer.body, Verdict) if answer.body.strip() else Verdict()
    except ValueError:
        raise FetchError(f"answered {answer.status} with a body that is not the expected JSON object") from None
    if not is_user(verdict.user):
        raise FetchError("named an invalid user")
    return verdict
