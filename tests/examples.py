"""What most tests use: how many examples hypothesis makes, a stream's id, a thing that must be there."""

from collections.abc import Generator
from typing import TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")

STREAM = "s" * 22
"""A stream's id, and an opaque token."""


def there(thing: T | None) -> T:
    """A thing that must be there."""
    assert thing is not None
    return thing


def finished(steps: Generator[None, None, T]) -> T:
    """The result of work that is done by steps."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def examples(most: int) -> settings:
    """How much a property test may try: the quick suite stays quick, and slow machines fail nothing."""
    return settings(max_examples=most, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
