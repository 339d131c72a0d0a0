"""Fault 43: what `Retry-After` says is kept as given, up to seven days, and loses nobody."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from fakes.clock import FakeClock
from fakes.oracle import Books
from fakes.syncing import JOB, Syncing

from syncd.sandbox.answer import Answer
from syncd.sandbox.faults import Fault, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population

PEOPLE = {"ada": 1, "bo": 2}
TEN_YEARS = 3_650 * 86_400
# A request that waits for its turn leaves a moment after the pause; a date has whole seconds.
SOON = timedelta(seconds=2)


class Arrivals:
    """When requests came; the first one is refused."""

    def __init__(self, clock: FakeClock, refusal: Fault) -> None:
        self.at: list[datetime] = []
        self._clock = clock
        self._refusal = refusal

    def __call__(self, answer: Answer) -> Answer:
        self.at.append(self._clock.now())
        return self._refusal(answer) if len(self.at) == 1 else answer

    @property
    def gap(self) -> timedelta:
        """How long nobody came after the refusal."""
        late = [at for at in self.at if at > self.at[0] + SOON]
        return min(late) - self.at[0]


def our_tasks() -> int:
    """Count the tasks of syncd; the stand-in in this process has one for each connection."""
    names = [repr(task.get_coro()) for task in asyncio.all_tasks()]
    return sum("RequestHandler" not in name for name in names)


async def check_books(world: Syncing, population: Population, *people: str) -> None:
    """Ask the oracle, as far as virtual time lets it look."""
    books = Books(world.fetch)
    model = {("github", who): population.document(PEOPLE[who]) for who in people}
    await books.check_profiles(model)
    await books.check_counts()
    await books.check_running(JOB)
    gate = world.platform.client.gate
    assert (gate.in_flight, gate.waiting) == (0, 0)


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        pytest.param(too_many(120), 120, id="seconds"),
        pytest.param(too_many(45), 45, id="seconds that are waited for in place"),
        pytest.param(too_many(600, as_date=True), 600, id="date"),
        pytest.param(too_many(-5), 60, id="negative"),
        pytest.param(too_many(-600, as_date=True), 60, id="date that has passed"),
        pytest.param(too_many(None), 60, id="absent"),
        pytest.param(too_many(None, status=403), 60, id="absent, and 403"),
    ],
)
async def test_pause_is_as_long_as_it_was_asked_for_and_the_run_goes_on_after_it(
    world: Syncing,
    standin: GitHubStandIn,
    population: Population,
    clock: FakeClock,
    refusal: Fault,
    seconds: float,
) -> None:
    tasks = our_tasks()
    for index in PEOPLE.values():
        population.change(index)
    arrivals = Arrivals(clock, refusal)
    standin.faults.add(arrivals)

    run = await world.run()

    assert timedelta(seconds=seconds) <= arrivals.gap + SOON
    assert arrivals.gap <= timedelta(seconds=seconds) + SOON
    assert (run.outcome, run.report.updated, run.report.failed) == ("succeeded", 2, 0)
    await check_books(world, population, "ada", "bo")
    assert our_tasks() <= tasks


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_ten_years_are_seven_days_and_hold_neither_a_run_nor_a_request(
    world: Syncing,
    standin: GitHubStandIn,
    population: Population,
    clock: FakeClock,
    *,
    as_date: bool,
) -> None:
    for index in PEOPLE.values():
        population.change(index)
    before = {who: (await world.account(who))["raw"] for who in PEOPLE}
    standin.faults.add(too_many(TEN_YEARS, as_date=as_date))
    began = clock.now()

    run = await world.run()
    took = clock.now() - began
    standin.faults.clear()
    asked = standin.counters.requests
    await world.pass_time(days=7, hours=-2)
    too_soon = await world.run()
    asked_meanwhile = standin.counters.requests - asked
    kept = {who: (await world.account(who))["raw"] for who in PEOPLE}
    await world.pass_time(hours=2)
    again = await world.run()

    assert took < timedelta(minutes=1)
    for halted in (run, too_soon):
        assert (halted.outcome, halted.report.seen) == ("partial", 0)
    assert asked_meanwhile == 0
    assert kept == before
    assert (again.outcome, again.report.updated) == ("succeeded", 2)
    await check_books(world, population, "ada", "bo")
