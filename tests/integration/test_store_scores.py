"""Scores: due with what changes them, computed out of what is stored, never lost, never a lie."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes.batches import AT, Desk, accounts_of, begin, changed, failure, success
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, profiles, running

from syncd.errors import AccountNotFound
from syncd.model.account import Account, UserEntry
from syncd.model.item import Retry, Success
from syncd.model.profile import Fetched, Unchanged
from syncd.model.score import Scale
from syncd.store.accounts import Selection
from syncd.store.database import Database
from syncd.store.scores import ScoreStore
from syncd.telemetry.events import ScoresComputed

SCALE = Scale(rating_from=0, rating_to=100, solved_full=100)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock(AT)) as world:
        yield world


@pytest.fixture
async def desk(world: Running) -> Desk:
    await world.link(3)
    return Desk(world, await begin(world), await accounts_of(world))


def rated(account: Account, rating: float | None = 50, **fields: Any) -> Success:
    """A good answer; 50 of the 100 that count are 300 points."""
    return changed(success(account, rating=rating, **fields), rating=rating, **fields)


def text_of(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


async def compute(world: Running) -> tuple[int, int, int]:
    """Compute what is due; return how many users were, and how many scores changed and went."""
    computed = await world.around.stores.scores.compute(world.clock.now())
    return computed.done, computed.changed, computed.removed


async def scores(world: Running) -> dict[str, float]:
    rows = await world.rows(
        "SELECT users.key, user_scores.total FROM user_scores JOIN users ON users.id = user_id"
    )
    return {row["key"]: row["total"] for row in rows}


async def part(world: Running, key: str = "u0000") -> dict[str, Any]:
    [row] = await world.rows(
        "SELECT parts FROM user_scores JOIN users ON users.id = user_id WHERE key = $1", key
    )
    found: dict[str, Any] = row["parts"][PLAY]
    return found


async def due(world: Running) -> int:
    return await world.value("SELECT count(DISTINCT user_id) FROM score_due")


async def test_a_batch_makes_the_scores_of_its_users_due_and_computing_writes_them(
    desk: Desk,
) -> None:
    first, second, _ = desk.accounts
    await desk.commit(rated(first), rated(second, 100, solved=100))

    computed = await compute(desk.world)

    assert computed == (2, 2, 0)
    assert await scores(desk.world) == {"u0000": 300.0, "u0001": 1000.0}
    assert await part(desk.world) == {
        "score": 300.0,
        "skill": 300.0,
        "volume": 0.0,
        "rating": 50.0,
        "weight": 1.0,
        "solved": None,
        "solved_by": None,
        "measure": None,
        "reason": "",
        "as_of": text_of(AT),
    }
    assert await compute(desk.world) == (0, 0, 0)


async def test_an_answer_that_says_nothing_new_makes_nothing_due(desk: Desk) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first))
    await compute(desk.world)

    await desk.commit(rated(first), at=AT + timedelta(hours=1))
    await desk.commit(Success(account=first, answer=Unchanged()), at=AT + timedelta(hours=2))

    assert await due(desk.world) == 0


async def test_numbers_once_told_are_not_taken_back_by_an_answer_without_them(desk: Desk) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first, 50, solved=7, solved_by={"easy": 7}))

    await desk.commit(changed(success(first, rating=None), rating=None, solved=None))

    [row] = await desk.profiles()
    assert (row["rating"], row["solved"], row["solved_by"]) == (50.0, 7, {"easy": 7})


async def test_a_failure_keeps_the_last_good_part_with_its_date_and_says_stale(
    desk: Desk,
) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first))
    await compute(desk.world)

    await desk.commit(failure(first, "blocked"), at=AT + timedelta(hours=1))
    await compute(desk.world)

    stale = await part(desk.world)
    assert (stale["score"], stale["reason"], stale["as_of"]) == (300.0, "stale", text_of(AT))


@pytest.mark.parametrize("again", ["the same answer", "not modified"])
async def test_the_next_good_answer_ends_a_stale_part_even_if_it_says_nothing_new(
    desk: Desk, again: str
) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first))
    await desk.commit(failure(first))
    await compute(desk.world)
    assert (await part(desk.world))["reason"] == "stale"

    answer = (
        rated(first) if again == "the same answer" else replace(rated(first), answer=Unchanged())
    )
    await desk.commit(answer, at=AT + timedelta(hours=1))
    await compute(desk.world)

    fresh = await part(desk.world)
    assert (fresh["reason"], fresh["score"]) == ("", 300.0)
    assert fresh["as_of"] == text_of(AT + timedelta(hours=1))


async def test_a_try_that_is_repeated_in_the_same_run_is_stale_no_longer_than_that(
    desk: Desk,
) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first))
    retry = Retry(account=first, outcome="transient", error="x", due_at=AT, attempts=1)
    await desk.commit(retry)
    await desk.world.around.stores.scores.mark_everybody()
    await compute(desk.world)

    await desk.commit(replace(rated(first), answer=Unchanged()))
    await compute(desk.world)

    assert (await part(desk.world))["reason"] == ""


@pytest.mark.parametrize("fails_before", [False, True])
async def test_a_try_that_is_to_be_repeated_says_nothing_about_the_numbers(
    desk: Desk, fails_before: bool
) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first))
    if fails_before:
        await desk.commit(failure(first))
    await desk.commit(Retry(account=first, outcome="transient", error="x", due_at=AT, attempts=1))
    await desk.world.around.stores.scores.mark_everybody()

    await compute(desk.world)

    assert (await part(desk.world))["reason"] == ("stale" if fails_before else "")


async def test_a_failure_of_an_account_without_an_answer_writes_no_score(desk: Desk) -> None:
    first, *_ = desk.accounts
    await desk.commit(failure(first))

    assert await compute(desk.world) == (1, 0, 0)
    assert await scores(desk.world) == {}


async def test_a_dry_run_makes_nothing_due(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts), dry_run=True)

    assert await due(desk.world) == 0


async def test_a_platform_that_does_not_count_makes_nothing_due(desk: Desk) -> None:
    desk.world.around.stores.scores.adopt({"elsewhere": SCALE})

    await desk.commit(*map(rated, desk.accounts))

    assert await due(desk.world) == 0


async def test_a_part_is_kept_until_its_account_is_gone_for_certain(world: Running) -> None:
    await world.link(2)
    [first, second] = await accounts_of(world)
    desk = Desk(world, await begin(world), [first, second])
    await desk.commit(rated(first), rated(second))
    await compute(world)
    selection = Selection(kind="profiles", platforms=(PLAY,), began_at=AT)

    states = []
    for hours in (1, 14):
        at = AT + timedelta(hours=hours)
        await desk.commit(failure(first, "not_found"), rated(second), at=at)
        since = replace(selection, began_at=at)
        await world.around.stores.accounts.confirm_missing(since, PLAY, timedelta(hours=12))
        await compute(world)
        states.append(await scores(world))

    assert states == [{"u0000": 300.0, "u0001": 300.0}, {"u0001": 300.0}]


async def test_an_account_that_comes_back_gives_its_part_again(desk: Desk) -> None:
    first, *_ = desk.accounts
    await desk.commit(rated(first))
    await desk.commit(failure(first, "not_found"))
    await desk.world.rows("UPDATE accounts SET state = 'gone' WHERE id = $1 RETURNING id", first.id)
    await compute(desk.world)
    assert await scores(desk.world) == {}

    await desk.commit(replace(rated(first), answer=Unchanged()))
    await compute(desk.world)

    assert await scores(desk.world) == {"u0000": 300.0}


@pytest.mark.parametrize("handle", ["", "somebody-else"])
async def test_a_disconnected_or_replaced_account_takes_its_part_with_it(
    desk: Desk, handle: str
) -> None:
    await desk.commit(*map(rated, desk.accounts))
    await compute(desk.world)

    await desk.world.relink("u0000", handle)

    assert await compute(desk.world) == (1, 0, 1)
    assert set(await scores(desk.world)) == {"u0001", "u0002"}


async def test_who_opted_out_keeps_their_score_until_they_opt_in_again(desk: Desk) -> None:
    first, *_ = desk.accounts
    world = desk.world
    await desk.commit(rated(first))
    await compute(world)
    await world.users.set_opted_out("u0000", opted_out=True)
    world.around.stores.scores.adopt({PLAY: replace(SCALE, weight=2)})

    await world.around.stores.scores.mark_everybody()
    out = await compute(world), await scores(world)
    await world.users.put([UserEntry(key="u0000", opted_out=False)])
    back = await compute(world), await scores(world)

    assert out == ((0, 0, 0), {"u0000": 300.0})
    assert back == ((1, 1, 0), {"u0000": 600.0})


async def test_a_deleted_user_takes_their_score_with_them(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))
    await compute(desk.world)
    await desk.commit(*(rated(each, 60) for each in desk.accounts))
    await desk.world.users.delete("u0000")

    assert (await compute(desk.world))[0] == 3
    assert await scores(desk.world) == {"u0001": 360.0, "u0002": 360.0}
    assert await due(desk.world) == 0


async def test_a_mirrored_user_who_opted_out_is_deleted_with_their_score(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))
    await compute(desk.world)
    await desk.world.rows("UPDATE users SET is_mirrored = true WHERE key = 'u0000' RETURNING id")
    await desk.world.users.set_opted_out("u0000", opted_out=True)

    await desk.world.users.delete("u0000")

    assert set(await scores(desk.world)) == {"u0001", "u0002"}


async def test_what_is_marked_while_a_page_is_computed_stays_due(desk: Desk) -> None:
    """Whoever reads before another commits must not take away that one's mark."""
    first, *_ = desk.accounts
    world = desk.world
    await desk.commit(rated(first))
    store = world.around.stores.scores
    async with world.database.connection() as connection:
        await connection.execute("BEGIN")
        # An answer that is stored but not committed: its mark has a smaller number than the next.
        await connection.execute("UPDATE profiles SET rating = 100")
        await store.mark(connection, [first.id])
        await store.mark_everybody()
        before = await compute(world), await scores(world)
        await connection.execute("COMMIT")

    assert before == ((1, 1, 0), {"u0000": 300.0})
    assert await compute(world) == (1, 1, 0)
    assert await scores(world) == {"u0000": 600.0}


async def test_other_parameters_are_found_and_everything_is_computed_with_them(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))
    await compute(desk.world)
    store = desk.world.around.stores.scores
    await store.mark_outdated()
    assert await due(desk.world) == 0

    store.adopt({PLAY: replace(SCALE, weight=2)})
    await store.mark_outdated()

    assert await compute(desk.world) == (3, 3, 0)
    assert set((await scores(desk.world)).values()) == {600.0}
    versions = await desk.world.rows("SELECT formula_version, parameters FROM score_formulas")
    weights = {row["formula_version"]: row["parameters"][PLAY]["weight"] for row in versions}
    assert sorted(weights.values()) == [1.0, 2.0]
    assert weights[store.version] == 2.0


async def test_profiles_that_were_stored_before_there_were_scores_are_found(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))
    await desk.world.rows("DELETE FROM score_due RETURNING id")

    await desk.world.around.stores.scores.mark_outdated()

    assert await compute(desk.world) == (3, 3, 0)


async def test_the_same_score_is_not_written_again(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))
    await compute(desk.world)

    await desk.world.around.stores.scores.mark_everybody()

    assert await compute(desk.world) == (3, 0, 0)


async def test_two_computations_at_once_do_the_work_of_one(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))

    both = await asyncio.gather(compute(desk.world), compute(desk.world))

    assert sorted(both) == [(0, 0, 0), (3, 3, 0)]


async def test_more_users_than_a_page_are_all_computed(world: Running) -> None:
    await world.link(2_500)
    await world.rows(
        """
        INSERT INTO profiles
            (account_id, rating, raw, raw_hash, mapper_version, fetched_at, changed_at)
        SELECT id, 50, '{}', '', 1, now(), now() FROM accounts RETURNING account_id
        """
    )
    told: list[int] = []

    await world.around.stores.scores.mark_everybody()
    computed = await world.around.stores.scores.compute(AT, lambda page: told.append(page.done))

    assert (computed.total, computed.changed) == (2_500, 2_500)
    assert told == [0, 1_000, 2_000, 2_500]


async def test_a_user_whose_marks_are_on_two_pages_is_counted_once(world: Running) -> None:
    await world.link(2)
    await world.rows(
        """
        INSERT INTO score_due (user_id) SELECT users.id FROM users, generate_series(1, 700)
        RETURNING user_id
        """
    )
    told: list[int] = []

    await world.around.stores.scores.compute(AT, lambda page: told.append(page.done))

    assert told == [0, 2, 2]


async def test_scores_that_a_dead_process_left_due_are_computed_by_the_next(desk: Desk) -> None:
    await desk.commit(*map(rated, desk.accounts))

    again = ScoreStore(desk.world.database, {PLAY: SCALE})

    assert (await again.compute(AT)).changed == 3
    assert len(await scores(desk.world)) == 3


async def answer(account: Account) -> Fetched:
    found = rated(account).answer
    assert isinstance(found, Fetched)
    if account.handle == "h0001":
        raise AccountNotFound("nobody is called that")
    return found


async def test_a_run_has_computed_the_scores_of_its_users_when_it_ends(world: Running) -> None:
    await world.link(3)
    world.platform.answering = answer

    await world.run(profiles())

    assert await scores(world) == {"u0000": 300.0, "u0002": 300.0}
    [told] = world.told(ScoresComputed)
    assert (told.users, told.changed, told.removed) == (3, 2, 0)


async def test_a_dry_run_computes_nothing(world: Running) -> None:
    await world.link(3)
    world.platform.answering = answer

    await world.run(profiles(), dry_run=True)

    assert await scores(world) == {}
    assert world.told(ScoresComputed) == []


async def test_highest_totals_come_first_and_ties_in_the_order_of_sign_up(desk: Desk) -> None:
    first, second, third = desk.accounts
    await desk.commit(rated(first), rated(second, 100), rated(third))
    await compute(desk.world)

    highest = await desk.world.around.stores.scores.highest(None)

    assert list(highest.items()) == [("u0001", 600.0), ("u0000", 300.0), ("u0002", 300.0)]
    assert list(await desk.world.around.stores.scores.highest(1)) == ["u0001"]
