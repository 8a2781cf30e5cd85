"""What became of a schedule."""

from attrs import define


@define(frozen=True)
class Verdict:
    """What became of a schedule."""

    problem: str
    """What is wrong; empty if nothing is."""
    history: str
    steps: int
    seconds: float
    """Simulated ones."""
    pairs: int

    @property
    def kind(self) -> str:
        """The problem without its numbers, so that two of them can be compared."""
        first = self.problem.splitlines()[0] if self.problem else ""
        return "".join(mark for mark in first if not mark.isdigit())
