"""HTTP without a network."""

from collections.abc import Mapping

from attrs import define, field
from twisted.internet.defer import Deferred

from streamrelay.net.http_client import Fetch, Fetched, Line


@define(eq=False)
class FakeFetch:
    """Asks nobody: the answer, the failure, or the Deferred of one is what the test says.

    A Deferred's answer has its lines told once it is there.
    """

    result: "Fetched | Exception | Deferred[Fetched] | None" = None
    results: list[Fetched] = field(factory=list)
    """What is answered instead once the first was asked for, one after another."""
    asked: list[tuple[str, str, float, dict[str, str], bytes | None]] = field(factory=list)

    async def __call__(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        line: Line | None = None,
    ) -> Fetched:
        self.asked.append((method, url, seconds, dict(headers), body))
        if isinstance(self.result, Exception):
            raise self.result
        if self.results and len(self.asked) > 1:
            return self.results.pop(0)
        assert self.result is not None, "something was asked and nothing was to be"
        fetched = await self.result if isinstance(self.result, Deferred) else self.result
        if line is not None and 200 <= fetched.status < 300:
            for told in fetched.body.split(b"\n")[:-1]:
                line(told)
        return fetched


_fetch: type[Fetch] = FakeFetch
