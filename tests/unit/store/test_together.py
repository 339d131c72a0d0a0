from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from syncd.errors import StoreUnavailable
from syncd.store.together import Together
from syncd.store.translation import RowRefused

BAD = 13


class Statements:
    """A database that doubles numbers, once the test lets it, and refuses a bad one."""

    def __init__(self) -> None:
        self.asked: list[Sequence[int]] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self.is_down = False

    async def double(self, numbers: Sequence[int]) -> Sequence[int]:
        self.asked.append(numbers)
        await self.ready.wait()
        if self.is_down:
            raise StoreUnavailable("no answer in time", hint="look at it")
        if BAD in numbers:
            raise RowRefused("PostgreSQL refused a value")
        return [2 * number for number in numbers]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_call_alone_is_a_statement_alone() -> None:
    statements = Statements()

    assert await Together(statements.double).ask(4) == 8

    assert statements.asked == [[4]]


async def test_calls_of_one_turn_are_one_statement() -> None:
    statements = Statements()
    together = Together(statements.double)

    answers = await asyncio.gather(*(together.ask(number) for number in range(10)))

    assert answers == [2 * number for number in range(10)]
    assert statements.asked == [list(range(10))]


async def test_calls_that_come_while_one_is_under_way_go_together_after_it() -> None:
    statements = Statements()
    together = Together(statements.double)
    statements.ready.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(together.ask(0))
        await turns()
        rest = [group.create_task(together.ask(number)) for number in range(1, 5)]
        await turns()
        statements.ready.set()

    assert [task.result() for task in (first, *rest)] == [0, 2, 4, 6, 8]
    assert statements.asked == [[0], [1, 2, 3, 4]]


async def test_more_than_fit_go_in_several_statements() -> None:
    statements = Statements()
    together = Together(statements.double, most=4)

    answers = await asyncio.gather(*(together.ask(number) for number in range(10)))

    assert answers == [2 * number for number in range(10)]
    assert [len(asked) for asked in statements.asked] == [4, 4, 2]


async def test_a_value_that_is_refused_fails_its_own_call_only() -> None:
    together = Together(Statements().double)

    answers = await asyncio.gather(
        *(together.ask(number) for number in (1, BAD, 2)), return_exceptions=True
    )

    assert (answers[0], answers[2]) == (2, 4)
    assert isinstance(answers[1], RowRefused)


async def test_a_database_that_is_down_is_told_to_everybody_and_asked_again_later() -> None:
    statements = Statements()
    statements.is_down = True
    together = Together(statements.double)

    answers = await asyncio.gather(
        *(together.ask(number) for number in range(3)), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert {answer.hint for answer in answers if isinstance(answer, StoreUnavailable)} == {
        "look at it"
    }
    assert len({id(answer) for answer in answers}) == 3
    statements.is_down = False
    assert await together.ask(1) == 2


async def test_whoever_acts_for_others_may_be_cancelled() -> None:
    statements = Statements()
    together = Together(statements.double)
    statements.ready.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(together.ask(number)) for number in range(4)]
        await turns()
        tasks[0].cancel()
        await turns()
        statements.ready.set()

    assert tasks[0].cancelled()
    assert [task.result() for task in tasks[1:]] == [2, 4, 6]


@pytest.mark.parametrize("gone", [1, 2, 3])
async def test_who_waits_may_be_cancelled_at_any_time(gone: int) -> None:
    statements = Statements()
    together = Together(statements.double, most=1)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(together.ask(number)) for number in range(4)]
        await turns(gone)
        tasks[1].cancel()

    assert [tasks[number].result() for number in (0, 2, 3)] == [0, 4, 6]
    assert await together.ask(9) == 18
