"""Dead letters: written with the quarantine or not at all, decided about once, then settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fakes.batches import AT, Desk, accounts_of, begin, failure, success
from fakes.clock import FakeClock
from fakes.running import PLAY, profile_of, profiles, running

from syncd.errors import (
    AccountUnsuitable,
    LeaseLost,
    NotKnown,
    PlatformBlocked,
    PlatformDown,
    PlatformTrouble,
    StoreUnavailable,
    WrongState,
)
from syncd.model.account import Account, UserEntry
from syncd.model.item import Failure, Success
from syncd.model.letter import Decision, Letters, LetterState
from syncd.model.profile import Alike, Fetched, Unchanged
from syncd.model.run import Ending, Outcome
from syncd.store.accounts import START, Selection
from syncd.store.database import Database
from syncd.store.letters import LetterStore
from syncd.telemetry.events import AccountChanged, DeadLetterWritten

HOUR = timedelta(hours=1)
EVERY = Letters(states=tuple(LetterState))


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with running(database, FakeClock(AT)) as world:
        await world.link(8)
        yield Desk(world, await begin(world), await accounts_of(world))


@pytest.fixture
def letters(database: Database) -> LetterStore:
    return LetterStore(database)


def worn(account: Account, **changes: Any) -> Failure:
    return failure(account, "schema_error", wears_out=True, **changes)


def unsuitable(account: Account, **changes: Any) -> Failure:
    return failure(account, "unsuitable", quarantine=True, **changes)


async def fail(desk: Desk, account: Account, *hours: float) -> None:
    """Let an account fail at these hours, each time while the platform answers somebody else."""
    for hour in hours:
        at = AT + hour * HOUR
        await desk.commit(news(desk, hour), worn(account), at=at)


def news(desk: Desk, hour: float) -> Success:
    """An answer about somebody else that is new, so that it is read and stored."""
    return success(desk.accounts[-1], hour=hour)


async def find_missing(desk: Desk, account: Account, *hours: float) -> None:
    """Let a run at each of these hours be told that there is no such account."""
    for hour in hours:
        at = AT + hour * HOUR
        await desk.commit(news(desk, hour), failure(account, "not_found"), at=at)
        selection = Selection(kind="profiles", platforms=(PLAY,), began_at=at)
        await desk.world.around.stores.accounts.confirm_missing(selection, PLAY, 12 * HOUR)


async def state_of(letters: LetterStore, number: int) -> str:
    return str((await letters.read(number))["state"])


async def test_five_failures_over_a_day_use_an_account_up(desk: Desk, letters: LetterStore) -> None:
    account = desk.accounts[0]

    await fail(desk, account, 0, 6, 12, 18)
    before = (await desk.state(account))["state"], await letters.read_page(EVERY, None, 10)
    told = await desk.commit(news(desk, 24), worn(account, sample='{"a": 1}'), at=AT + 24 * HOUR)

    assert before == ("active", [])
    assert (await desk.state(account))["state"] == "quarantined"
    [letter] = await letters.read_page(EVERY, None, 10)
    assert [(each.id, each.attempts) for each in told.letters] == [(letter["id"], 5)]
    assert (letter["kind"], letter["job"], letter["run_id"]) == ("profiles", "sync", desk.number)
    assert (letter["user_key"], letter["handle"], letter["platform"]) == ("u0000", "h0000", PLAY)
    assert (letter["error_class"], letter["error"]) == ("schema_error", "schema_error!")
    assert (letter["attempts"], letter["payload"], letter["state"]) == (5, '{"a": 1}', "open")
    assert (letter["first_at"], letter["last_at"]) == (AT, AT + 24 * HOUR)


async def test_many_failures_within_minutes_use_nothing_up(
    desk: Desk, letters: LetterStore
) -> None:
    await fail(desk, desk.accounts[0], *(minute / 60 for minute in range(9)))

    assert await letters.read_page(EVERY, None, 10) == []


async def test_nobody_is_set_aside_while_the_platform_answers_nobody(
    desk: Desk, letters: LetterStore
) -> None:
    await desk.commit(success(desk.accounts[-1]))
    for hour in range(1, 100, 8):
        told = await desk.commit(*(worn(account) for account in desk.accounts), at=AT + hour * HOUR)

        assert told.letters == []
    assert await letters.read_page(EVERY, None, 10) == []


async def test_a_good_answer_in_between_starts_the_count_anew(
    desk: Desk, letters: LetterStore
) -> None:
    account = desk.accounts[0]
    await fail(desk, account, 0, 6, 12, 18)
    await desk.commit(success(account), at=AT + 20 * HOUR)

    await fail(desk, account, 24, 30)

    assert await letters.read_page(EVERY, None, 10) == []


async def test_answers_that_are_only_confirmed_do_not_prove_that_answers_can_be_read(
    desk: Desk, letters: LetterStore
) -> None:
    account, well = desk.accounts[0], desk.accounts[-1]
    await desk.commit(news(desk, 0))
    for answer in (Unchanged(), Alike()):
        for hour in range(1, 50, 8):
            confirmed = Success(account=well, answer=answer)
            await desk.commit(confirmed, worn(account), at=AT + hour * HOUR)

    assert await letters.read_page(EVERY, None, 10) == []


async def test_what_another_credential_reads_proves_nothing_for_this_one(
    desk: Desk, letters: LetterStore
) -> None:
    account = desk.accounts[0]
    await desk.world.rows(
        "UPDATE sync_state SET credential = 'other' WHERE account_id = $1", account.id
    )

    await fail(desk, account, *range(0, 50, 8))

    assert await letters.read_page(EVERY, None, 10) == []


async def test_not_found_uses_nothing_up(desk: Desk, letters: LetterStore) -> None:
    for hour in range(0, 200, 20):
        missing = failure(desk.accounts[0], "not_found")
        await desk.commit(news(desk, hour), missing, at=AT + hour * HOUR)

    assert await letters.read_page(EVERY, None, 10) == []


async def test_a_single_failure_about_an_account_that_is_gone_writes_nothing(
    desk: Desk, letters: LetterStore
) -> None:
    account = desk.accounts[0]
    await find_missing(desk, account, *range(0, 200, 24))

    await fail(desk, account, 224)

    assert await letters.read_page(EVERY, None, 10) == []
    assert (await desk.state(account))["state"] == "gone"


@pytest.mark.parametrize("error", [PlatformDown("HTTP 502"), PlatformBlocked("HTTP 451")])
async def test_an_account_that_the_platform_alone_fails_for_becomes_a_letter_too(
    desk: Desk, letters: LetterStore, error: PlatformTrouble
) -> None:
    world, clock = desk.world, desk.world.clock
    assert isinstance(clock, FakeClock)

    async def trouble(account: Account) -> Fetched:
        if account.handle == "h0000":
            raise error
        return profile_of(account, at=clock.now().isoformat())

    world.platform.answering = trouble
    for _ in range(5):
        clock.jump_wall(6 * HOUR)
        await world.run(profiles(attempts=1))

    [letter] = await letters.read_page(Letters(), None, 10)
    assert (letter["user_key"], letter["error_class"]) == ("u0000", error.outcome)


async def test_a_bug_that_strikes_one_account_becomes_a_letter_too(
    desk: Desk, letters: LetterStore
) -> None:
    world, clock = desk.world, desk.world.clock
    assert isinstance(clock, FakeClock)

    async def stumble(account: Account) -> Fetched:
        if account.handle == "h0000":
            raise ZeroDivisionError
        return profile_of(account, at=clock.now().isoformat())

    world.platform.answering = stumble
    for _ in range(5):
        clock.jump_wall(6 * HOUR)
        await world.run()

    [letter] = await letters.read_page(Letters(), None, 10)
    assert (letter["user_key"], letter["error_class"], letter["attempts"]) == ("u0000", "error", 5)
    assert letter["error"] == "unforeseen ZeroDivisionError while reading 'h0000'"
    assert [told.letter for told in world.told(DeadLetterWritten)] == [letter["id"]]


async def test_an_open_letter_is_brought_up_to_date_and_told_once(
    desk: Desk, letters: LetterStore
) -> None:
    account = desk.accounts[0]
    first = await desk.commit(unsuitable(account))
    later = AT + timedelta(days=7)

    second = await desk.commit(unsuitable(account, rest_seconds=1.0), at=later)

    assert (len(first.letters), second.letters) == (1, [])
    [letter] = await letters.read_page(EVERY, None, 10)
    assert (letter["attempts"], letter["first_at"], letter["last_at"]) == (2, AT, later)


@pytest.mark.parametrize("table", ["accounts", "dead_letters", "sync_state", "item_outcomes"])
async def test_a_commit_that_dies_leaves_neither_quarantine_nor_letter(
    desk: Desk, letters: LetterStore, table: str
) -> None:
    account = desk.accounts[0]
    when = "WHEN (NEW.state = 'quarantined')" if table == "accounts" else ""
    async with desk.world.database.connection() as connection:
        await connection.execute(
            f"CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;"
            f"CREATE TRIGGER die AFTER INSERT OR UPDATE ON {table} "
            f"FOR EACH ROW {when} EXECUTE FUNCTION die()"
        )

    with pytest.raises(StoreUnavailable):
        await desk.commit(unsuitable(account))

    state = await desk.state(account)
    assert (state["state"], state["fail_streak"]) == ("active", 0)
    assert await letters.read_page(EVERY, None, 10) == []

    await desk.world.value("DROP FUNCTION die() CASCADE")
    await desk.commit(unsuitable(account))

    assert (await desk.state(account))["state"] == "quarantined"
    assert len(await letters.read_page(EVERY, None, 10)) == 1


async def test_a_batch_of_a_run_that_was_taken_over_leaves_neither(
    desk: Desk, letters: LetterStore
) -> None:
    await desk.world.runs.finish(desk.number, Ending(outcome=Outcome.FAILED), AT)

    with pytest.raises(LeaseLost):
        await desk.commit(unsuitable(desk.accounts[0]))

    assert (await desk.state(desk.accounts[0]))["state"] == "active"
    assert await letters.read_page(EVERY, None, 10) == []


async def test_a_dry_run_writes_no_letter(desk: Desk, letters: LetterStore) -> None:
    told = await desk.commit(unsuitable(desk.accounts[0]), dry_run=True)

    assert told.letters == ()
    assert await letters.read_page(EVERY, None, 10) == []


async def test_a_dry_run_tells_nobody_of_what_it_did_not_write(desk: Desk) -> None:
    async def refuse(account: Account) -> Fetched:
        raise AccountUnsuitable(f"{account.handle} is an organization")

    desk.world.platform.answering = refuse
    run = await desk.world.run(dry_run=True)

    assert run.report.failed == len(desk.accounts)
    assert desk.world.told(DeadLetterWritten) == desk.world.told(AccountChanged) == []


async def only_letter(desk: Desk, letters: LetterStore) -> int:
    await desk.commit(unsuitable(desk.accounts[0]))
    [letter] = await letters.read_page(EVERY, None, 10)
    return int(letter["id"])


async def test_requeue_makes_the_account_due_and_a_good_answer_settles_it(
    desk: Desk, letters: LetterStore
) -> None:
    account, number = desk.accounts[0], await only_letter(desk, letters)

    for _ in range(2):
        letter = await letters.decide(Decision.REQUEUE, number, actor="ada", at=AT + HOUR)
        assert (letter["state"], letter["actor"]) == ("requeued", "ada")
    state = await desk.state(account)
    assert (state["state"], state["fail_streak"], state["due_at"]) == ("active", 0, None)

    await desk.commit(success(account), at=AT + 2 * HOUR)
    assert await state_of(letters, number) == "resolved"


@pytest.mark.parametrize("word", ["schema_error", "not_found", "transient"])
async def test_the_first_failure_after_a_requeue_opens_the_letter_again(
    desk: Desk, letters: LetterStore, word: str
) -> None:
    account, number = desk.accounts[0], await only_letter(desk, letters)
    await letters.decide(Decision.REQUEUE, number, actor="ada", at=AT)

    told = await desk.commit(failure(account, word), at=AT + HOUR)

    assert [each.id for each in told.letters] == [number]
    letter = await letters.read(number)
    assert (letter["state"], letter["attempts"]) == ("open", 2)
    assert letter["error_class"] == word
    assert (await desk.state(account))["state"] == "quarantined"


async def test_no_sweep_settles_a_letter_that_was_requeued(
    desk: Desk, letters: LetterStore
) -> None:
    account, accounts = desk.accounts[0], desk.world.around.stores.accounts
    await desk.commit(success(account))
    await desk.world.rows("UPDATE sync_state SET sweep_key = 'k', sweep_digest = 'd'")

    async def is_sweepable(hour: float) -> bool:
        at = AT + hour * HOUR
        selection = Selection(kind="profiles", platforms=(PLAY,), began_at=at)
        claims = await accounts.claim(selection, PLAY, 0, START, 1_000)
        return next(c.account.mark is not None for c in claims if c.account.id == account.id)

    before = await is_sweepable(1)
    await desk.commit(unsuitable(account), at=AT + HOUR)
    [letter] = await letters.read_page(EVERY, None, 10)
    await letters.decide(Decision.REQUEUE, letter["id"], actor="ada", at=AT + HOUR)
    requeued = await is_sweepable(2)
    await desk.commit(success(account), at=AT + 2 * HOUR)

    assert (before, requeued, await is_sweepable(3)) == (True, False, True)


async def test_discarded_letter_is_left_alone_and_its_account_stays_set_aside(
    desk: Desk, letters: LetterStore
) -> None:
    account, number = desk.accounts[0], await only_letter(desk, letters)

    letter = await letters.decide(Decision.DISCARD, number, actor="bo", at=AT)
    told = await desk.commit(unsuitable(account), at=AT + timedelta(days=7))

    assert (letter["state"], letter["actor"]) == ("discarded", "bo")
    assert told.letters == []
    assert await letters.read_page(Letters(), None, 10) == []
    assert (await desk.state(account))["state"] == "quarantined"


async def test_discarding_can_be_taken_back(desk: Desk, letters: LetterStore) -> None:
    number = await only_letter(desk, letters)
    await letters.decide(Decision.DISCARD, number, actor="bo", at=AT)

    await letters.decide(Decision.REQUEUE, number, actor="ada", at=AT)

    assert (await desk.state(desk.accounts[0]))["state"] == "active"


async def test_an_item_never_has_two_letters_that_wait(desk: Desk, letters: LetterStore) -> None:
    account, old = desk.accounts[0], await only_letter(desk, letters)
    await letters.decide(Decision.DISCARD, old, actor="bo", at=AT)
    await desk.commit(success(account))
    await desk.commit(unsuitable(account))

    with pytest.raises(WrongState, match="its item has another one by now"):
        await letters.decide(Decision.REQUEUE, old, actor="ada", at=AT)

    [waiting] = await letters.read_page(Letters(), None, 10)
    assert waiting["id"] != old


@pytest.mark.parametrize("decision", list(Decision))
async def test_nothing_can_be_decided_about_a_settled_letter(
    desk: Desk, letters: LetterStore, decision: Decision
) -> None:
    number = await only_letter(desk, letters)
    await desk.commit(success(desk.accounts[0]))

    with pytest.raises(WrongState, match=f"dead letter {number} is resolved"):
        await letters.decide(decision, number, actor="ada", at=AT)
    with pytest.raises(NotKnown):
        await letters.decide(decision, number + 1, actor="ada", at=AT)


@pytest.mark.parametrize("leaving", ["opts out", "is deleted", "disconnects", "links another"])
async def test_who_leaves_has_no_letter_that_waits(
    desk: Desk, letters: LetterStore, leaving: str
) -> None:
    number, user = await only_letter(desk, letters), desk.accounts[0].user_key
    match leaving:
        case "opts out":
            await desk.world.users.put([UserEntry(key=user, opted_out=True)])
        case "is deleted":
            await desk.world.users.delete(user)
        case "disconnects":
            await desk.world.relink(user, "")
        case _:
            await desk.world.relink(user, "somebody-else")

    left = [(letter["id"], letter["state"]) for letter in await letters.read_page(EVERY, None, 10)]

    assert left == ([(number, "resolved")] if leaving == "opts out" else [])


async def test_who_opts_in_again_has_a_new_letter_with_the_next_failure(
    desk: Desk, letters: LetterStore
) -> None:
    number, user = await only_letter(desk, letters), desk.accounts[0].user_key
    for opted_out in (True, False):
        await desk.world.users.set_opted_out(user, opted_out=opted_out)

    await desk.commit(unsuitable(desk.accounts[0]))

    [waiting] = await letters.read_page(Letters(), None, 10)
    assert waiting["id"] > number


@pytest.mark.parametrize("is_requeued", [True, False])
async def test_an_account_that_is_gone_has_no_letter_that_waits(
    desk: Desk, letters: LetterStore, *, is_requeued: bool
) -> None:
    account, number = desk.accounts[0], await only_letter(desk, letters)
    if is_requeued:
        await letters.decide(Decision.REQUEUE, number, actor="ada", at=AT)

    await find_missing(desk, account, 1, 14)

    assert (await desk.state(account))["state"] == "gone"
    assert await state_of(letters, number) == "resolved"


@pytest.mark.parametrize("state", ["opted_out", "gone"])
async def test_nobody_who_is_not_followed_is_requeued(
    desk: Desk, letters: LetterStore, state: str
) -> None:
    account, number = desk.accounts[0], await only_letter(desk, letters)
    await letters.decide(Decision.DISCARD, number, actor="bo", at=AT)
    if state == "gone":
        await find_missing(desk, account, 1, 14)
    else:
        await desk.world.users.set_opted_out(account.user_key, opted_out=True)

    with pytest.raises(WrongState, match=f"is discarded, and its account is {state}: it cannot"):
        await letters.decide(Decision.REQUEUE, number, actor="ada", at=AT)

    assert await state_of(letters, number) == "discarded"


async def test_letters_are_paged_newest_first_and_narrowed(
    desk: Desk, letters: LetterStore
) -> None:
    first, second, third, *_ = desk.accounts
    await desk.commit(unsuitable(first), unsuitable(second))
    await desk.commit(failure(third, "schema_error", quarantine=True))

    page = await letters.read_page(Letters(), None, 2)
    rest = await letters.read_page(Letters(), page[-1]["id"], 2)

    numbers = [letter["id"] for letter in [*page, *rest]]
    assert numbers == sorted(set(numbers), reverse=True)
    assert {letter["user_key"] for letter in [*page, *rest]} == {"u0000", "u0001", "u0002"}
    assert (len(page), len(rest), page[0]["user_key"]) == (2, 1, "u0002")
    assert await letters.read_page(Letters(platform="other"), None, 10) == []
    assert await letters.read_page(Letters(job="other"), None, 10) == []
    narrowed = await letters.read_page(Letters(error_class="schema_error"), None, 10)
    assert [letter["user_key"] for letter in narrowed] == ["u0002"]
    assert [(row["error_class"], row["letters"]) for row in await letters.count_open()] == [
        ("schema_error", 1),
        ("unsuitable", 2),
    ]


async def test_a_choice_is_decided_about_at_once_and_only_what_is_open(
    desk: Desk, letters: LetterStore
) -> None:
    first, second, third, *_ = desk.accounts
    await desk.commit(*map(unsuitable, (first, second)))
    await desk.commit(failure(third, "schema_error", quarantine=True))
    await letters.decide(Decision.DISCARD, await _number_of(letters, "u0000"), actor="bo", at=AT)
    chosen = Letters(error_class="unsuitable")

    counts = [
        await letters.decide_all(Decision.REQUEUE, chosen, actor="ada", at=AT) for _ in range(2)
    ]

    assert counts == [1, 0]
    states = {letter["user_key"]: letter["state"] for letter in await _all(letters)}
    assert states == {"u0000": "discarded", "u0001": "requeued", "u0002": "open"}


async def _all(letters: LetterStore) -> list[dict[str, Any]]:
    return await letters.read_page(EVERY, None, 1_000)


async def _number_of(letters: LetterStore, user: str) -> int:
    return next(int(each["id"]) for each in await _all(letters) if each["user_key"] == user)


async def test_deciding_while_runs_commit_loses_nothing(desk: Desk, letters: LetterStore) -> None:
    await desk.commit(*map(unsuitable, desk.accounts))

    async def requeue() -> None:
        for _ in range(10):
            await letters.decide_all(Decision.REQUEUE, Letters(), actor="ada", at=AT)

    async def commit() -> None:
        for _ in range(10):
            await desk.commit(*map(unsuitable, reversed(desk.accounts)))

    await asyncio.gather(requeue(), commit(), requeue(), commit())

    rows = await desk.world.rows(
        "SELECT accounts.state AS account, dead_letters.state AS letter FROM accounts "
        "JOIN dead_letters ON dead_letters.account_id = accounts.id"
    )
    assert len(rows) == len(desk.accounts)
    assert {(row["account"], row["letter"]) for row in rows} <= {
        ("active", "requeued"),
        ("quarantined", "open"),
    }
