"""Shared answers: one question for all who ask it at about the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from attrs import define

T = TypeVar("T")

FRESH: Final = 2.0
"""Seconds for which an answer is good, from its question on."""


@define(eq=False)
class Shared(Generic[T]):
    """A question whose answer all get who ask at about the same time.

    A caller that leaves takes the answer from nobody; a failure is told to those who wait for it, and to nobody later.
    """

    ask: Callable[[], Coroutine[Any, Any, T]]
    clock: Callable[[], float]
    fresh: Callable[[], float] = lambda: FRESH
    """Returns the seconds for which an answer is good, from its question on."""
    rest: Callable[[], float] = lambda: 0.0
    """Returns the seconds from one question to the next at least, so that nobody keeps all who are asked busy."""
    asked: float = 0.0
    """Time at which the question of now was asked, by the clock."""
    _outdated: bool = False  # the answer of now, or that to come, may lack what has happened since it was asked
    _now: "asyncio.Task[T] | None" = None
    _next: "asyncio.Task[T] | None" = None

    async def answer(self) -> T:
        """Return an answer whose question is no older than `fresh`, or is under way."""
        task = self._now
        if task is None or _failed(task) or (task.done() and self._is_old()):
            task = self._begin()
        return await asyncio.shield(task)

    def _is_old(self) -> bool:
        return self.clock() - self.asked >= (self.rest() if self._outdated else self.fresh())

    def outdate(self) -> None:
        """Have it asked anew, for who wants the answer next, as soon as `rest` lets it be."""
        self._outdated = True

    def known(self, age: float) -> T | None:
        """Return what was answered to a question that is younger than `age`, or None; nothing is asked."""
        task = self._now
        old = task is None or not task.done() or _failed(task) or self.clock() - self.asked >= age
        return None if task is None or old else task.result()

    async def anew(self) -> T:
        """Return the answer to a question that is asked from now on; all who come before it is asked share it."""
        if self._next is None:
            self._next = _started(self._after(self._now))
        return await asyncio.shield(self._next)

    @property
    def is_asking(self) -> bool:
        """True while an answer is to come."""
        return self._now is not None and not self._now.done()

    def forget(self) -> None:
        """Let no later `answer` have what is known, or being asked: it is old by now."""
        self._now = None

    async def _after(self, now: "asyncio.Task[T] | None") -> T:
        if now is not None:  # one question at a time
            await asyncio.wait([now])
            if (left := self.asked + self.rest() - self.clock()) > 0:
                await asyncio.sleep(left)
        self._next = None  # before it is asked: who comes after that gets another one
        return await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[T]":
        self.asked, self._outdated = self.clock(), False
        self._now = _started(self.ask())
        return self._now


def _started(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start a task whose failure is nobody's if all who waited for it have left."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_failed)
    return task


def _failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
