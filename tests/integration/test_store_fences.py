"""Whoever led before writes nothing: every write of a run and every claim, one by one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fakes.batches import KIND
from fakes.clock import START as AT
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, draft, fire_at, profile_of, running

from syncd.errors import LeaseLost
from syncd.model.account import AccountId, UserEntry
from syncd.model.alert import AlertState, Condition, Topic
from syncd.model.gate import GateState
from syncd.model.item import Success
from syncd.model.lease import Candidate
from syncd.model.letter import Decision, Letters, LetterState
from syncd.model.override import Override
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Cause, Ending, Outcome, Report, RunId
from syncd.model.schedule import Registered
from syncd.store.accounts import START, AccountStore, Selection
from syncd.store.alerts import AlertStore
from syncd.store.database import Database
from syncd.store.gates import GateStore
from syncd.store.leases import LeaseStore
from syncd.store.letters import LetterStore
from syncd.store.overrides import OverrideStore
from syncd.store.pauses import PauseStore
from syncd.store.runs import RunStore
from syncd.store.scores import ScoreStore
from syncd.store.sync import Batch

READS = {
    *("read", "list_newest", "syncs_of", "last_of", "verdicts", "cycle_start", "items"),
    "platform_reports",
    *("anchors",),
    *("count_due", "claim_retries", "next_retry", "next_look", "freshness", "count_by_state"),
}
"""What writes nothing; claiming accounts does not either, see `test_store_claims`."""


ALERT = AlertState(
    job="job", topic=Topic.RUNS, condition=Condition.FAILED, run_id=1, first_run=1, since=AT
)
PAUSE = Pause(scope=PauseScope.JOB, key="job", why="x", until=None, paused_at=AT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A process that led before, in the middle of a run."""

    world: Running
    run: RunId
    waiting: RunId

    @property
    def runs(self) -> RunStore:
        return self.world.runs

    @property
    def accounts(self) -> AccountStore:
        return self.world.around.stores.accounts

    @property
    def pauses(self) -> PauseStore:
        return PauseStore(self.world.database, self.runs.fence)

    @property
    def overrides(self) -> OverrideStore:
        return OverrideStore(self.world.database, self.runs.fence)

    @property
    def selection(self) -> Selection:
        return Selection(kind=KIND, platforms=(PLAY,), began_at=self.world.clock.now())

    async def commit(self, *, dry_run: bool) -> None:
        claims = await self.accounts.claim(self.selection, PLAY, self.run, START, 10)
        items = [Success(account=each.account, answer=profile_of(each.account)) for each in claims]
        assert items
        batch = Batch(
            run_id=self.run,
            kind=KIND,
            platform=PLAY,
            mapper_version=1,
            items=items,
            calls=1,
            saved=0,
            at=self.world.clock.now(),
            dry_run=dry_run,
        )
        await self.world.around.stores.sync.commit(batch)

    @property
    def scores(self) -> ScoreStore:
        return self.world.around.stores.scores

    async def mark(self) -> None:
        """Let scores be due, as what a run commits does."""
        async with self.world.runs.fence.transaction(self.world.database) as connection:
            await self.scores.mark(connection, [AccountId(1)])

    async def mirror(self) -> None:
        async with self.world.around.stores.mirror.stage() as stage:
            await stage.add([("mirrored", None, None)], [])
            await stage.plan_links([PLAY])
            await stage.plan_users()
            await stage.apply(self.run, self.world.clock.now(), dry_run=False)

    async def add_report(self) -> None:
        async with self.world.database.transaction() as connection:
            report = Report(created=1)
            await self.runs.add_report(connection, self.run, report, self.world.clock.now())


def fire(old: Old) -> Any:
    return fire_at(old.world.clock.now())


Write = Callable[[Old], Awaitable[Any]]

RUN_WRITES: dict[str, Write] = {
    "settle": lambda old: old.runs.settle(
        [Registered(job="new", schedule="x", enabled=True)], old.world.clock.now()
    ),
    "claim": lambda old: old.runs.claim([fire(old)], old.world.clock.now()),
    "create": lambda old: old.runs.create(draft(old.world.clock)),
    "follow": lambda old: old.runs.follow(
        draft(old.world.clock, cause=Cause.RETRY, origin=old.run, attempt=2)
    ),
    "begin": lambda old: old.runs.begin(old.waiting, old.world.clock.now()),
    "add_report": lambda old: old.add_report(),
    "finish": lambda old: old.runs.finish(
        old.run, Ending(outcome=Outcome.SUCCEEDED), old.world.clock.now()
    ),
    "interrupt": lambda old: old.runs.interrupt(old.run),
    "abandon": lambda old: old.runs.abandon(old.waiting, old.world.clock.now(), "why"),
    "recover": lambda old: old.runs.recover(),
}
ACCOUNT_WRITES: dict[str, Write] = {
    "enroll": lambda old: old.accounts.enroll("another kind", [(PLAY, "main")]),
    "forget_ahead": lambda old: old.accounts.forget_ahead(old.world.clock.now()),
    "confirm_missing": lambda old: old.accounts.confirm_missing(
        old.selection, PLAY, timedelta(hours=12)
    ),
}
SCORE_WRITES: dict[str, Write] = {
    "mark": lambda old: old.mark(),
    "mark_everybody": lambda old: old.scores.mark_everybody(),
    "mark_outdated": lambda old: old.scores.mark_outdated(),
    "compute": lambda old: old.scores.compute(AT),
}
OTHER_WRITES: dict[str, Write] = {
    "a batch": lambda old: old.commit(dry_run=False),
    "a batch of a dry run": lambda old: old.commit(dry_run=True),
    "the mirror": lambda old: old.mirror(),
}
ORDERS: dict[str, Write] = {
    "put users": lambda old: old.world.users.put([UserEntry(key="new", accounts={PLAY: "new"})]),
    "opt out": lambda old: old.world.users.set_opted_out("u1", opted_out=True),
    "delete a user": lambda old: old.world.users.delete("u1"),
    "pause": lambda old: old.pauses.pause(PAUSE),
    "resume": lambda old: old.pauses.resume(PAUSE.scope, PAUSE.key),
    "keep an override": lambda old: old.overrides.keep(
        Override(job="job", enabled=False, changed_at=AT)
    ),
    "drop an override": lambda old: old.overrides.drop("job"),
    "decide about letters": lambda old: LetterStore(old.world.database, old.runs.fence).decide_all(
        Decision.DISCARD, Letters(states=(LetterState.OPEN,)), actor="a", at=AT
    ),
    "keep an alert": lambda old: AlertStore(old.world.database, old.runs.fence).keep(ALERT),
    "drop an alert": lambda old: AlertStore(old.world.database, old.runs.fence).drop(
        ALERT.job, ALERT.topic
    ),
    "a gate": lambda old: GateStore(old.world.database, old.runs.fence).write(
        [GateState(platform=PLAY, credential="main")]
    ),
}
WRITES = RUN_WRITES | ACCOUNT_WRITES | SCORE_WRITES | OTHER_WRITES | ORDERS


@pytest.fixture
async def old(database: Database) -> AsyncIterator[Old]:
    """A leader with a run under way and one that waits, which another one has followed."""
    leases = LeaseStore(database)
    async with running(database, FakeClock()) as world:
        first = Candidate(holder="first", instance="first", version="1")
        epoch = await leases.take(first, timedelta(minutes=5))
        assert epoch is not None
        world.runs.fence.open(epoch)
        await world.link(3)
        await world.around.stores.accounts.enroll(KIND, [(PLAY, "main")])
        await world.rows("INSERT INTO score_due (user_id) SELECT id FROM users RETURNING id")
        run = await world.start_nothing()
        await world.runs.begin(run, world.clock.now())
        yield Old(world=world, run=run, waiting=await world.start_nothing())


async def follow(old: Old) -> None:
    leases = LeaseStore(old.world.database)
    await leases.release(1)
    second = Candidate(holder="second", instance="second", listen="there:1", version="1")
    assert await leases.take(second, timedelta(minutes=5)) == 2


async def everything(world: Running) -> dict[str, list[str]]:
    """Return every row of every table, as text; `leases` is the new leader's."""
    tables = await world.rows(
        "SELECT table_name AS name FROM information_schema.tables "
        "WHERE table_schema = $1 AND table_name <> 'leases'",
        world.database.settings.schema,
    )
    return {
        table["name"]: sorted(
            row["line"]
            for row in await world.rows(f"SELECT t::text AS line FROM {table['name']} t")  # noqa: S608
        )
        for table in tables
    }


def public_methods(store: type) -> set[str]:
    return {
        name
        for name, _ in inspect.getmembers(store, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }


def test_every_method_of_the_ledger_is_known_as_a_write_or_as_a_read() -> None:
    # `claim` of accounts writes nothing; `drop_unsure` has a test of its own.
    assert public_methods(RunStore) == RUN_WRITES.keys() | (READS & public_methods(RunStore)) | {
        "drop_unsure"
    }
    assert public_methods(AccountStore) == (
        ACCOUNT_WRITES.keys() | (READS & public_methods(AccountStore)) | {"claim"}
    )
    assert public_methods(ScoreStore) == SCORE_WRITES.keys() | {
        "read",
        "highest",
        "find_failing",
    }


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_with_an_epoch_that_has_moved_leaves_no_row(old: Old, name: str) -> None:
    await follow(old)
    before = await everything(old.world)

    with pytest.raises(LeaseLost) as refused:
        await WRITES[name](old)

    if name in ORDERS:
        assert "second: its control port is there:1" in str(refused.value.hint)
    assert await everything(old.world) == before
    assert old.runs.fence.refused.is_set()


@pytest.mark.parametrize("name", WRITES)
async def test_the_same_write_of_the_one_that_leads_goes_through(old: Old, name: str) -> None:
    await WRITES[name](old)

    assert not old.runs.fence.refused.is_set()


async def test_a_process_that_leads_again_does_not_own_what_it_began_in_another_epoch(
    old: Old,
) -> None:
    await LeaseStore(old.world.database).release(1)
    again = Candidate(holder="first", instance="first", version="1")
    assert await LeaseStore(old.world.database).take(again, timedelta(minutes=5)) == 2
    old.runs.fence.open(2)

    with pytest.raises(LeaseLost):
        await old.add_report()

    assert [run.id for run in await old.runs.recover()] == [old.run, old.waiting]
