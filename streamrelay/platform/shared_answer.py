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
    _now: "asyncio.Task[T] | None" = None
    _next: "asyncio.Task[T] | None" = None
    _asked: float = 0.0

    async def answer(self) -> T:
        """Return an answer whose question is no older than `FRESH`."""
        task = self._now
        if task is None or self.clock() - self._asked >= FRESH or _failed(task):
            task = self._begin()
        return await asyncio.shield(task)

    def known(self, age: float) -> T | None:
        """Return what was answered to a question that is younger than `age`, or None; nothing is asked."""
        task = self._now
        old = task is None or not task.done() or _failed(task) or self.clock() - self._asked >= age
        return None if task is None or old else task.result()

    async def anew(self) -> T:
        """Return the answer to a question that is asked from now on; all who come before it is asked share it."""
        if self._next is None:
            self._next = _started(self._after(self._now))
        return await asyncio.shield(self._next)

    def forget(self) -> None:
        """Let no later `answer` have what is known, or being asked: it is old by now."""
        self._now = None

    async def _after(self, now: "asyncio.Task[T] | None") -> T:
        if now is not None:  # one question at a time
            await asyncio.wait([now])
        self._next = None  # before it is asked: who comes after that gets another one
        return await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[T]":
        self._asked = self.clock()
        self._now = _started(self.ask())
        return self._now


def _started(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start a task whose failure is nobody's if all who waited for it have left."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_failed)
    return task


def _failed(task: "asyncio.Task[Any]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
