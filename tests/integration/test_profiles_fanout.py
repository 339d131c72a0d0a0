"""A run of the profiles kind over a real store: what one item, one platform, one person can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fakes.running import PLAY, Running, profiles, running

from syncd.clock import SystemClock
from syncd.errors import (
    AccountNotFound,
    AccountUnsuitable,
    BadPayload,
    CredentialsRejected,
    PlatformDown,
    RateLimited,
)
from syncd.model.account import Account
from syncd.model.item import Claim
from syncd.model.profile import Fetched, Unchanged
from syncd.model.run import Outcome
from syncd.store.accounts import AccountStore
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.telemetry.events import ItemFailed, RunProgressed

STORED = "SELECT count(*) FROM profiles"


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, SystemClock()) as world:
        yield world


async def test_every_account_is_fetched_once_and_the_second_run_finds_nothing_new(
    world: Running,
) -> None:
    await world.link(230)

    first = await world.run()
    second = await world.run()

    assert (first.outcome, first.report.created, first.report.calls) == ("succeeded", 230, 230)
    assert (second.outcome, second.report.unchanged, second.report.created) == ("succeeded", 230, 0)
    assert set(world.platform.asked.values()) == {2}


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (AccountNotFound("h0003 does not exist"), "not_found"),
        (AccountUnsuitable("h0003 is an organization"), "unsuitable"),
        (BadPayload("h0003: the answer is odd"), "schema_error"),
        (ZeroDivisionError("a bug"), "error"),
    ],
)
async def test_one_items_failure_never_stops_another(
    world: Running, error: Exception, word: str
) -> None:
    await world.link(60)

    async def answer(account: Account) -> Fetched:
        if account.handle == "h0003":
            raise error
        return await world.platform.agree(account)

    world.platform.answering = answer

    run = await world.run()

    assert (run.outcome, run.report.created, run.report.failed) == ("partial", 59, 1)
    assert run.report.failures == {word: 1}
    assert await world.value(STORED) == 59


async def test_an_unforeseen_error_of_one_item_is_told_with_its_stack(world: Running) -> None:
    await world.link(1)

    async def answer(account: Account) -> Fetched:
        raise ZeroDivisionError

    world.platform.answering = answer

    await world.run()

    told = world.told(ItemFailed)
    assert [event.outcome for event in told] == ["error"]
    assert "ZeroDivisionError" in told[0].stack


async def test_an_account_that_fails_for_a_passing_reason_is_tried_again_in_the_same_run(
    world: Running,
) -> None:
    await world.link(30)

    async def answer(account: Account) -> Fetched:
        if account.handle == "h0007" and world.platform.asked[account.handle] == 1:
            raise PlatformDown("HTTP 502")
        return await world.platform.agree(account)

    world.platform.answering = answer

    run = await world.run()

    assert (run.outcome, run.report.created, run.report.failed) == ("succeeded", 30, 0)
    assert world.platform.asked["h0007"] == 2
    assert world.platform.asked.total() == 31


async def test_a_platform_that_is_down_is_given_up_after_twenty_in_a_row_and_the_rest_stays_due(
    world: Running,
) -> None:
    await world.link(200)

    async def answer(account: Account) -> Fetched:
        raise PlatformDown("HTTP 503")

    world.platform.answering = answer

    run = await world.run()

    assert run.outcome is Outcome.FAILED
    assert "play fails since" in run.error
    assert "tried again at" in run.error
    assert world.platform.asked.total() < 20 + world.platform.limits.slots
    assert run.report.failed == 0
    assert await world.value("SELECT count(*) FROM sync_state WHERE fail_streak > 0") == 0


async def test_a_refused_credential_stops_the_run_and_touches_no_user(world: Running) -> None:
    await world.link(50)

    async def answer(account: Account) -> Fetched:
        raise CredentialsRejected("HTTP 401", hint="renew the credential main")

    world.platform.answering = answer

    run = await world.run()

    assert (run.outcome, run.hint) == (Outcome.FAILED, "renew the credential main")
    assert run.report.seen == 0
    assert await world.value("SELECT count(*) FROM sync_state WHERE outcome <> ''") == 0


async def test_a_limit_caps_the_items_of_a_run(world: Running) -> None:
    await world.link(100)

    run = await world.run(limit=37)

    assert (run.report.seen, world.platform.asked.total()) == (37, 37)


async def test_the_progress_of_a_limited_run_ends_at_its_limit(world: Running) -> None:
    await world.link(300)

    await world.run(limit=50)

    assert {told.total for told in world.told(RunProgressed)} == {50}


async def test_a_platform_has_its_bar_before_its_first_answer(world: Running) -> None:
    await world.link(3)
    told_before: list[int] = []

    async def answer(account: Account) -> Fetched:
        told_before.append(len(world.told(RunProgressed)))
        return await world.platform.agree(account)

    world.platform.answering = answer

    await world.run()

    assert told_before[0] == 1
    first = world.told(RunProgressed)[0]
    assert (first.done, first.total) == (0, 3)


async def test_a_pause_is_told_in_the_words_of_the_platform_not_of_the_request_that_met_it(
    world: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.link(3)
    words = "play pause until 11:26:27 UTC (call limit exceeded)"
    monkeypatch.setattr(world.platform, "waits_for", lambda: words)

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() == 1:
            until = world.clock.now() + timedelta(milliseconds=50)
            raise RateLimited("cannot GET /api on play: call limit exceeded", until=until)
        return await world.platform.agree(account)

    world.platform.answering = answer

    await world.run()

    assert {told.waits_for for told in world.told(RunProgressed)} == {"", words}


async def test_a_limited_run_that_waits_for_the_platform_still_does_all_it_was_asked_for(
    world: Running,
) -> None:
    await world.link(100)

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() == 10:
            until = world.clock.now() + timedelta(milliseconds=50)
            raise RateLimited("quota", until=until)
        return await world.platform.agree(account)

    world.platform.answering = answer

    run = await world.run(limit=40)

    assert (run.outcome, run.report.created) == ("succeeded", 40)


async def test_a_dry_run_asks_and_counts_and_writes_nothing(world: Running) -> None:
    await world.link(40)

    run = await world.run(dry_run=True)

    assert (run.outcome, run.report.created, run.report.calls) == ("succeeded", 40, 40)
    assert await world.value(STORED) == 0
    assert await world.value("SELECT count(*) FROM item_outcomes") == 0
    assert await world.value("SELECT count(*) FROM accounts WHERE external_id IS NOT NULL") == 0
    assert await world.value("SELECT count(*) FROM sync_state WHERE outcome <> ''") == 0


async def test_a_dry_run_ends_at_a_pause_instead_of_asking_everybody_again(world: Running) -> None:
    await world.link(40)

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() == 30:
            until = world.clock.now() + timedelta(milliseconds=10)
            raise RateLimited("quota", until=until)
        return await world.platform.agree(account)

    world.platform.answering = answer

    run = await world.run(dry_run=True)

    assert run.outcome is Outcome.PARTIAL
    assert set(world.platform.asked.values()) == {1}


async def test_between_claim_and_commit_stand_never_more_accounts_than_a_claim(
    world: Running,
) -> None:
    await world.link(400)
    seen: list[int] = []

    async def answer(account: Account) -> Fetched:
        seen.append(len(world.around.in_flight["profiles"]))
        return await world.platform.agree(account)

    world.platform.answering = answer

    await world.run(profiles(claim=100))

    assert 50 < max(seen) <= 100
    assert not world.around.in_flight["profiles"]


class SlowAccounts(AccountStore):
    """Hands its first claim over only when told to, as a database without CPU does."""

    def __init__(self, database: Database, fence: Fence) -> None:
        super().__init__(database, fence)
        self.has_read = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def claim(self, *about: Any) -> list[Claim]:
        claims = await super().claim(*about)
        if not self.has_read.is_set():
            self.has_read.set()
            await self.goes_on.wait()
        return claims


async def test_whom_another_run_got_while_a_claim_was_read_is_not_asked_again(
    database: Database,
) -> None:
    async with running(database, SystemClock(), accounts=SlowAccounts) as world:
        accounts = world.around.stores.accounts
        assert isinstance(accounts, SlowAccounts)
        await world.link(20)
        slow = await world.start()
        await accounts.has_read.wait()
        quick = await world.run()
        accounts.goes_on.set()
        run = await world.end_of(slow)

    assert (quick.report.created, run.report.seen) == (20, 0)
    assert set(world.platform.asked.values()) == {1}


@pytest.mark.parametrize("claim", [1, 2, 3, 7, 9, 101])
async def test_any_size_of_claim_does_everybody_once(world: Running, claim: int) -> None:
    await world.link(50)

    run = await world.run(profiles(claim=claim))

    assert run.report.created == 50
    assert set(world.platform.asked.values()) == {1}


async def test_an_answer_that_says_unchanged_keeps_the_data_and_freshens_it(
    world: Running,
) -> None:
    await world.link(3)
    await world.run()
    before = await world.rows("SELECT account_id, raw, changed_at FROM profiles ORDER BY 1")

    async def answer(account: Account) -> Unchanged:
        return Unchanged()

    world.platform.answering = answer

    run = await world.run()

    assert run.report.unchanged == 3
    assert before == await world.rows("SELECT account_id, raw, changed_at FROM profiles ORDER BY 1")
    assert await world.value("SELECT bool_and(succeeded_at >= $1) FROM sync_state", run.started_at)


async def test_a_run_about_one_platform_too_many_says_what_the_job_reads(world: Running) -> None:
    run = await world.run(platform="elsewhere")

    assert (run.outcome, run.hint) == ("failed", f"it reads {PLAY}")


async def test_a_pause_that_outlasts_the_deadline_ends_the_run_and_the_rest_stays_due(
    world: Running,
) -> None:
    await world.link(100)

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() >= 30:
            raise RateLimited("quota", until=world.clock.now() + timedelta(hours=2))
        return await world.platform.agree(account)

    world.platform.answering = answer
    number = await world.start(deadline=world.clock.monotonic() + 3600)
    first = await world.end_of(number)
    world.platform.answering = world.platform.agree

    second = await world.run()

    assert (first.outcome, first.error) == (Outcome.PARTIAL, "quota")
    assert (first.report.created, first.report.failed) == (29, 0)
    assert (second.report.created, second.report.unchanged) == (71, 29)
