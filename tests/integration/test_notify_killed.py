"""Processes that die at every step of a delivery: it arrives as often as its policy allows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes import notify_process
from fakes.clock import FakeClock
from fakes.notified import Notified, notified, resending

from syncd.clock import SystemClock
from syncd.errors import StoreUnavailable
from syncd.jobs.stop import Stop, StopReason
from syncd.model.delivery import Settled
from syncd.model.notification import Message, Receipt
from syncd.store.database import Database
from syncd.store.notifications import NotificationStore
from syncd.telemetry.events import DeliveryDoubted

STEPS = ("claimed", "sent", "storing", "stored")
# How often the first of two deliveries arrives, what it is then, and how often that was not known.
EXPECTED = {
    ("hold", "claimed"): (0, "unknown", 1),
    ("hold", "sent"): (1, "unknown", 1),
    ("hold", "storing"): (1, "unknown", 1),
    ("hold", "stored"): (1, "sent", 0),
    ("resend", "claimed"): (1, "sent", 1),
    ("resend", "sent"): (2, "sent", 1),
    ("resend", "storing"): (2, "sent", 1),
    ("resend", "stored"): (1, "sent", 0),
}


async def process(database: Database, policy: str, step: str, file: Path) -> int:
    at = database.settings.address
    words = (f"{at.host},{at.port},{at.user},{at.database}", database.settings.schema)
    if step == "none":
        # Nobody dies: as well here as in a process that takes seconds to begin.
        await notify_process.main(*words, policy, step, str(file))
        return 0
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fakes.notify_process"),
        *(*words, policy, step, str(file)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return await child.wait()


@pytest.mark.parametrize(("policy", "step"), EXPECTED)
async def test_a_process_that_dies_delivers_twice_only_under_resend_and_never_only_under_hold(
    database: Database, tmp_path: Path, policy: str, step: str
) -> None:
    arrived, state, unknowns = EXPECTED[policy, step]
    file = tmp_path / "arrived"
    async with notified(database, SystemClock()) as world:  # type: ignore[arg-type]
        await world.person("ada", 24)
        await world.contest(2, "first")
        await world.contest(3, "second")

        assert await process(database, policy, step, file) == -9
        assert await process(database, policy, "none", file) == 0
        await world.world.rows("UPDATE notifications SET next_attempt_at = now()")
        assert await process(database, policy, "none", file) == 0

        rows = await world.rows("contest_name, id, state, unknowns")
    numbers = {name: str(number) for name, number, _, _ in rows}
    keys = file.read_text().split()
    assert keys.count(numbers["first"]) == arrived
    assert keys.count(numbers["second"]) == 1
    assert [row[2:] for row in rows if row[0] == "first"] == [(state, unknowns)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Notified]:
    async with notified(database, clock) as world:
        await world.person("ada", 24)
        await world.contest(20)
        yield world


class LosingAnswers(NotificationStore):
    """Does what it is asked, and the answer is lost: once of each kind."""

    lost: set[str]

    async def settle(self, *values: object) -> list[Settled]:
        return self._lose("settle", await super().settle(*values))  # type: ignore[arg-type]

    async def claim(self, *values: object) -> object:  # type: ignore[override]
        return self._lose("claim", await super().claim(*values))  # type: ignore[arg-type]

    def _lose(self, what: str, answer: object) -> object:
        if what not in self.lost:
            self.lost.add(what)
            raise StoreUnavailable("the answer did not come")
        return answer


async def test_an_answer_of_postgresql_that_is_lost_costs_nothing_and_counts_once(
    world: Notified,
) -> None:
    store = LosingAnswers(world.world.database, world.world.runs)
    store.lost = set()
    object.__setattr__(world.world.around.stores, "notifications", store)

    run = await world.run()

    assert store.lost == {"settle", "claim"}
    assert (run.outcome, run.report.created, run.report.seen) == ("succeeded", 1, 1)
    assert await world.rows("state, attempts, unknowns") == [("sent", 1, 0)]
    assert len(world.email.taken) == 1


async def test_what_is_under_way_when_a_run_has_to_stop_is_finished_and_nothing_new_begins(
    world: Notified,
) -> None:
    await world.contest(21, "other")
    world.email.settings = world.email.settings.model_copy(update={"slots": 1})
    stop = Stop()

    async def slowly(message: Message) -> Receipt:
        stop.request(StopReason.DRAIN, 30.0)
        await world.clock.sleep(20)
        return await world.email.agree(message)

    world.email.sending = slowly
    run = await world.clock.run(world.world.end_of(await world.start(stop)))

    assert (run.outcome, run.report.created) == ("interrupted", 1)
    assert sorted(await world.rows()) == ["pending", "sent"]


@pytest.mark.parametrize(("policy", "state"), [("hold", "unknown"), ("resend", "pending")])
async def test_what_a_stop_cuts_off_may_have_arrived(
    world: Notified, policy: str, state: str
) -> None:
    if policy == "resend":
        resending(world.email)
    stop = Stop()

    async def too_slowly(message: Message) -> Receipt:
        stop.request(StopReason.DRAIN, 5.0)
        await world.clock.sleep(3_600)
        return await world.email.agree(message)

    world.email.sending = too_slowly
    await world.clock.run(world.world.end_of(await world.start(stop)))

    assert await world.rows("state, unknowns") == [(state, 1)]
    assert [event.is_resent for event in world.told(DeliveryDoubted)] == [policy == "resend"]
