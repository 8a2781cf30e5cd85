"""The rendezvous of legs, which wait under their stream's name, and the matching of one with another. No time, no I/O.

A token pairs once: every admission is counted, and beyond a stream's links there is none, however the others ended.
An agent's token may admit more legs than its stream needs; the client's token says how many there will be. So an
agent's leg after the first comes only once the client's token is known to admit so many.
"""

from collections import Counter, deque
from typing import Final, Generic, TypeVar

from attrs import define, field

from streamrelay.errors import Refused

Leg = TypeVar("Leg")

OTHER: Final = {"client": "agent", "agent": "client"}


@define(eq=False)
class Meeting(Generic[Leg]):
    """One stream as the rendezvous knows it."""

    links: dict[str, int]
    """Legs that may come, by the roles of which a token is known."""
    until: float
    """Seconds since the epoch when the stream's tokens expire; it is remembered at least until then, so that no token
    is used twice."""
    admitted: dict[str, int] = field(factory=lambda: {"client": 0, "agent": 0})
    present: int = 0
    """Legs that were admitted and have not left."""
    lost: Counter[str] = field(factory=Counter)
    """Legs, by their roles, that were lost while they waited, and that no other one has come for since."""
    waiting: dict[str, deque[Leg]] = field(factory=lambda: {"client": deque(), "agent": deque()})


@define(eq=False)
class Rendezvous(Generic[Leg]):
    """Streams by their names, of which at most `most` are known at once (protocol.rst, "Rendezvous")."""

    most: int = 100_000
    meetings: dict[str, Meeting[Leg]] = field(factory=dict)
    waiting_by_role: dict[str, int] = field(factory=lambda: {"client": 0, "agent": 0})
    """Number of legs that wait."""

    def admit(self, stream: str, role: str, links: int, until: float) -> None:
        """Count a leg in before its 101, or raise `Refused` 401 if its token is used up, 503 if all is full."""
        meeting = self.meetings.get(stream)
        if meeting is None:
            if len(self.meetings) >= self.most:
                raise Refused(503, "full", detail="too many streams")
            meeting = self.meetings[stream] = Meeting({}, until)
        # The first token of a role counts, and a later one may only ask for less: two admit no more than one does.
        own = min(links, meeting.links.setdefault(role, links))
        others = meeting.links.get(OTHER[role], own if role == "client" else 1)
        if meeting.admitted[role] >= min(own, others):
            raise Refused(401, "token", detail="used already")
        meeting.admitted[role] += 1
        meeting.present += 1
        meeting.until = max(meeting.until, until)

    def is_awaited(self, stream: str, role: str) -> bool:
        """Tell whether a leg waits for one of this role."""
        meeting = self.meetings.get(stream)
        return meeting is not None and bool(meeting.waiting[OTHER[role]])

    def is_expected(self, stream: str, role: str) -> bool:
        """Tell whether a leg was admitted, be it open by now or not, for which none of this role has come yet."""
        meeting = self.meetings.get(stream)
        return meeting is not None and meeting.admitted[OTHER[role]] > meeting.admitted[role]

    def meet(self, stream: str, role: str, leg: Leg) -> Leg | None:
        """Return the leg that has waited longest for one of this role; if none waits, let this one wait: None."""
        waiting = self.meetings[stream].waiting
        if waiting[OTHER[role]]:
            self.waiting_by_role[OTHER[role]] -= 1
            return waiting[OTHER[role]].popleft()
        waiting[role].append(leg)
        self.waiting_by_role[role] += 1
        return None

    def withdraw(self, stream: str, role: str, leg: Leg) -> None:
        """Let a leg wait no longer."""
        waiting = self.meetings[stream].waiting[role]
        if leg in waiting:
            waiting.remove(leg)
            self.waiting_by_role[role] -= 1

    def lose(self, stream: str, role: str, leg: Leg) -> None:
        """Let a leg wait no longer, as it is lost."""
        self.withdraw(stream, role, leg)
        self.meetings[stream].lost[role] += 1

    def is_late(self, stream: str, role: str) -> bool:
        """Tell one who has met nobody whether a leg that waited for it is lost; of each lost one that is told once."""
        lost, other = self.meetings[stream].lost, OTHER[role]
        was_lost = lost[other] > 0
        lost[other] -= was_lost
        return was_lost

    def leave(self, stream: str) -> None:
        """Count an admitted leg out, as it is gone, whether it was paired or not, opened or not."""
        self.meetings[stream].present -= 1

    def forget(self, now: float) -> None:
        """Drop the streams that nobody is in and whose tokens have expired by `now`."""
        stale = [stream for stream, meeting in self.meetings.items() if not meeting.present and meeting.until < now]
        for stream in stale:
            del self.meetings[stream]

    @property
    def waiting(self) -> int:
        """Number of legs that wait, of both roles."""
        return sum(self.waiting_by_role.values())

    def lone_legs(self) -> list[Leg]:
        """Return all legs that wait."""
        return [leg for meeting in self.meetings.values() for legs in meeting.waiting.values() for leg in legs]
