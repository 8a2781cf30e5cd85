"""Settings of a log, apart from the target that has them, which makes connections by them."""

from typing import Protocol


class Settings(Protocol):
    """Settings of a log target, as far as its connections need them."""

    @property
    def path(self) -> str: ...

    @property
    def within(self) -> str: ...

    @property
    def rate(self) -> int: ...

    @property
    def behind(self) -> int: ...
