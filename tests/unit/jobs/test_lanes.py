from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from syncd.jobs.lanes import Lanes
from syncd.model.account import Account, AccountId
from syncd.model.item import Claim, Item, Withdrawn


def claims(first: int, count: int) -> list[Claim]:
    return [
        Claim(
            account=Account(
                id=AccountId(n), user_key=f"u{n}", platform="github", handle=f"login-{n}"
            ),
            attempted_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for n in range(first, first + count)
    ]


class Desk:
    """Answers when told to; remembers who is being asked for and who was."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.two_at_once = asyncio.Event()
        self.asked: list[int] = []
        self.side_by_side = 0
        self.most = 0

    async def ask(self, claim: Claim) -> Item | None:
        self.asked.append(claim.account.id)
        self.side_by_side += 1
        self.most = max(self.most, self.side_by_side)
        if self.side_by_side == 2:
            self.two_at_once.set()
        try:
            await self.open.wait()
            await asyncio.sleep(0)
            return Withdrawn(account=claim.account)
        finally:
            self.side_by_side -= 1


async def test_what_came_of_each_claim_stands_in_its_place_and_no_more_are_asked_at_once() -> None:
    desk = Desk()
    lanes = Lanes(3, desk.ask)
    desk.open.set()

    async with asyncio.TaskGroup() as group:
        first = group.create_task(lanes.work_through(group, claims(0, 7)))
        second = group.create_task(lanes.work_through(group, claims(7, 5)))

    found = [item.account.id for item in [*first.result(), *second.result()] if item is not None]
    assert found == list(range(12))
    assert desk.asked == list(range(12))
    assert desk.most == 3


async def test_a_page_that_comes_when_the_lanes_have_just_ended_is_asked_too() -> None:
    desk = Desk()
    lanes = Lanes(2, desk.ask)
    desk.open.set()

    async with asyncio.TaskGroup() as group:
        for first in range(0, 20, 2):
            items = await lanes.work_through(group, claims(first, 2))
            assert None not in items

    assert desk.asked == list(range(20))


async def test_cancelling_breaks_off_requests_and_leaves_the_rest_unasked() -> None:
    desk = Desk()
    lanes = Lanes(2, desk.ask)

    async with asyncio.TaskGroup() as group:
        working = group.create_task(lanes.work_through(group, claims(0, 5)))
        await desk.two_at_once.wait()
        lanes.cancel()
        items = await working
        desk.open.set()
        after = await lanes.work_through(group, claims(5, 3))

    assert items == [None] * 5
    assert desk.asked == [0, 1, 5, 6, 7]
    assert None not in after


async def test_one_question_is_about_as_many_as_there_are_of_whichever_page() -> None:
    asked: list[list[int]] = []

    async def ask(claim: Claim) -> Item | None:
        raise AssertionError("nobody asks for one")

    async def ask_together(several: Sequence[Claim]) -> Sequence[Item | None]:
        asked.append([claim.account.id for claim in several])
        await asyncio.sleep(0)
        return [Withdrawn(account=claim.account) for claim in several]

    lanes = Lanes(1, ask, ask_together, 4)
    async with asyncio.TaskGroup() as group:
        pages = [
            group.create_task(lanes.work_through(group, claims(first, 3))) for first in (0, 3, 6)
        ]

    found = [item.account.id for page in pages for item in page.result() if item is not None]
    assert asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert found == list(range(9))


async def test_cancelling_a_question_leaves_all_it_was_about_unasked() -> None:
    reached = asyncio.Event()

    async def ask(claim: Claim) -> Item | None:
        raise AssertionError("nobody asks for one")

    async def ask_together(several: Sequence[Claim]) -> Sequence[Item | None]:
        reached.set()
        await asyncio.Event().wait()
        return []

    lanes = Lanes(1, ask, ask_together, 4)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(lanes.work_through(group, claims(0, 6)))
        await reached.wait()
        lanes.cancel()
        items = await working

    assert items == [None] * 6
