"""shared_answer.py: one question for all who ask."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamrelay.platform.shared_answer import Shared
from tests.documented import LIST_FRESH
from tests.fakes.reactors import awaited


class Case(SynchronousTestCase):
    """A question whose answers are numbers, given when the test says so."""

    def setUp(self) -> None:
        self.asked, self.time = 0, 0.0
        self.gates: list[asyncio.Event] = []
        self.failing = False
        self.shared = Shared(self.question, lambda: self.time)

    async def question(self) -> int:
        self.asked += 1
        number, authenticator = self.asked, asyncio.Event()
        self.gates.append(authenticator)
        await authenticator.wait()
        if self.failing:
            raise ValueError(number)
        return number

    async def asking(self, *askers: Coroutine[Any, Any, int]) -> list[asyncio.Task[int]]:
        """Tasks that have come as far as they can."""
        tasks = [asyncio.ensure_future(asker) for asker in askers]
        await self.settle()
        return tasks

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def give(self, number: int) -> None:
        self.gates[number - 1].set()
        await self.settle()


class Answers(Case):
    """Who gets which answer."""

    def test_known(self) -> None:
        """What was answered is known for as long as is said, but no failure and nothing that was forgotten."""

        async def work() -> None:
            self.assertIsNone(self.shared.known(10))
            (first,) = await self.asking(self.shared.answer())
            self.assertIsNone(self.shared.known(10))  # it is being asked
            await self.give(1)
            self.time = 9.9
            self.assertEqual((await first, self.shared.known(10)), (1, 1))
            self.time = 10
            self.assertIsNone(self.shared.known(10))
            self.time = 5
            self.shared.forget()
            self.assertIsNone(self.shared.known(10))
            self.failing = True
            (failed,) = await self.asking(self.shared.answer())
            await self.give(2)
            self.assertIsInstance(failed.exception(), ValueError)
            self.assertIsNone(self.shared.known(10))

        awaited(work())
        self.assertEqual(self.asked, 2)

    def test_one(self) -> None:
        """Twenty who ask at once, and one who asks before the answer is old, share one question; later ones don't."""

        async def work() -> None:
            tasks = await self.asking(*(self.shared.answer() for _ in range(20)))
            await self.give(1)
            self.assertEqual({task.result() for task in tasks}, {1})
            self.time = LIST_FRESH - 0.1
            self.assertEqual(await self.shared.answer(), 1)
            self.time = LIST_FRESH
            (task,) = await self.asking(self.shared.answer())
            await self.give(2)
            self.assertEqual(task.result(), 2)

        awaited(work())
        self.assertEqual(self.asked, 2)

    def test_leaving(self) -> None:
        """One who asked first and leaves takes the answer from nobody, and all may leave."""

        async def work() -> None:
            first, second = await self.asking(self.shared.answer(), self.shared.answer())
            first.cancel()
            await self.settle()
            self.assertTrue(first.cancelled())
            await self.give(1)
            self.assertEqual(second.result(), 1)

        awaited(work())

    def test_failure(self) -> None:
        """A failure is told to all who wait for that answer, and the next one asks again."""

        async def work() -> None:
            self.failing = True
            tasks = await self.asking(self.shared.answer(), self.shared.answer())
            await self.give(1)
            self.assertEqual([str(task.exception()) for task in tasks], ["1", "1"])
            self.failing = False
            (task,) = await self.asking(self.shared.answer())
            await self.give(2)
            self.assertEqual(task.result(), 2)

        awaited(work())

    def test_anew(self) -> None:
        """Who needs a new answer gets that of a question which is asked after they came, all of them the same one."""

        async def work() -> None:
            old, *new = await self.asking(self.shared.answer(), self.shared.anew(), self.shared.anew())
            self.assertEqual(self.asked, 1)
            await self.give(1)
            await self.give(2)
            self.assertEqual([task.result() for task in (old, *new)], [1, 2, 2])
            self.assertEqual(await self.shared.answer(), 2)

        awaited(work())

    def test_anew_after_failure(self) -> None:
        """The failure of an older question isn't that of a newer one."""

        async def work() -> None:
            self.failing = True
            old, new = await self.asking(self.shared.answer(), self.shared.anew())
            await self.give(1)
            self.failing = False
            await self.give(2)
            self.assertEqual((str(old.exception()), new.result()), ("1", 2))

        awaited(work())

    def test_forgotten(self) -> None:
        """What is old before its time is asked again, though an answer to it is still under way."""

        async def work() -> None:
            (old,) = await self.asking(self.shared.answer())
            self.shared.forget()
            (new,) = await self.asking(self.shared.answer())
            await self.give(2)
            await self.give(1)
            self.assertEqual((old.result(), new.result()), (1, 2))
            self.assertEqual(await self.shared.answer(), 2)

        awaited(work())
