"""The rendezvous: where legs wait under their stream's id, and who matches whom. No time, no I/O.

A token pairs once: every admission is counted, and beyond a stream's links there is none, however the others ended.
An agent's token may admit more legs than its stream needs; the client's token says how many there will be. So an
agent's leg after the first comes only once the client's token is known to admit so many.
"""

from collections import deque
from typing import Final, Generic, TypeVar

from attrs import define, field

from streamrelay.errors import Refused

Leg = TypeVar("Leg")

OTHER: Final = {"client": "agent", "agent": "client"}


@define(eq=False)
class Meeting(Generic[Leg]):
    """What is known of one stream."""

    links: dict[str, int]
    """Legs that may come, by the roles whose first token is known."""
    until: float
    """When its tokens expire; it is remembered at least until then, so that no token is used twice."""
    admitted: dict[str, int] = field(factory=lambda: {"client": 0, "agent": 0})
    present: int = 0
    """Legs that were admitted and have not left."""
    waiting: dict[str, deque[Leg]] = field(factory=lambda: {"client": deque(), "agent": deque()})


@define(eq=False)
class Rendezvous(Generic[Leg]):
    """Every stream by its id. `most` bounds how many are known at once."""

    most: int = 100_000
    meetings: dict[str, Meeting[Leg]] = field(factory=dict)

    def admit(self, stream: str, role: str, links: int, until: float) -> None:
        """Count a leg in before its 101, or raise `Refused` 401 if its token is used up, 503 if all is full."""
        meeting = self.meetings.get(stream)
        if meeting is None:
            if len(self.meetings) >= self.most:
                raise Refused(503, "full", detail="too many streams")
            meeting = self.meetings[stream] = Meeting({}, until)
        own = min(links, meeting.links.setdefault(role, links))
        others = meeting.links.get(OTHER[role], own if role == "client" else 1)
        if meeting.admitted[role] >= min(own, others):
            raise Refused(401, "token", detail="used already")
        meeting.admitted[role] += 1
        meeting.present += 1
        meeting.until = max(meeting.until, until)

    def meet(self, stream: str, role: str, leg: Leg) -> Leg | None:
        """The leg that has waited longest for one of this role; if none waits, this one does, and it is None."""
        waiting = self.meetings[stream].waiting
        if waiting[OTHER[role]]:
            return waiting[OTHER[role]].popleft()
        waiting[role].append(leg)
        return None

    def withdraw(self, stream: str, role: str, leg: Leg) -> None:
        """A leg waits no longer."""
        waiting = self.meetings[stream].waiting[role]
        if leg in waiting:
            waiting.remove(leg)

    def leave(self, stream: str) -> None:
        """An admitted leg is gone, whether it was paired or not, opened or not."""
        self.meetings[stream].present -= 1

    def forget(self, now: float) -> None:
        """Drop the streams that nobody is in and whose tokens have expired by `now`."""
        stale = [stream for stream, meeting in self.meetings.items() if not meeting.present and meeting.until < now]
        for stream in stale:
            del self.meetings[stream]

    @property
    def waiting(self) -> int:
        """Legs that wait."""
        return sum(len(legs) for meeting in self.meetings.values() for legs in meeting.waiting.values())
