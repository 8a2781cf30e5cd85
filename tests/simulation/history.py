"""What happened in one schedule, as lines that people read and that are compared byte for byte."""

from attrs import define, field

from tests.simulation.scheduler import Scheduler


@define(eq=False)
class History:
    """Lines with their times. `kept`: False if nobody will read them."""

    scheduler: Scheduler
    kept: bool
    lines: list[str] = field(factory=list)

    def say(self, who: str, what: str) -> None:
        if self.kept:
            self.lines.append(f"{self.scheduler.now:11.6f}  {who:<10}  {what}")

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
