"""What most tests use: how many examples hypothesis makes, a stream's id, a thing that must be there."""

from typing import TypeVar

from hypothesis import settings

T = TypeVar("T")

STREAM = "s" * 22
"""A stream's id, and an opaque token."""


def there(thing: T | None) -> T:
    """A thing that must be there."""
    assert thing is not None
    return thing


def examples(most: int) -> settings:
    """How much a property test may try: the quick suite stays quick, and slow machines fail nothing."""
    return settings(max_examples=most, deadline=None, database=None)
