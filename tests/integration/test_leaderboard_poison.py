"""Users who cannot be stored: set aside with a reason, never deleted, healed by a mended value."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes.boards import NAMES
from fakes.upset import PROMPT, Upset, upset
from fakes.valkey import ValkeyServer

from syncd.model.run import Outcome
from syncd.store.database import Database

LONG = "x" * 200
"""Longer than an id may be."""
INTEGERS = """
    CREATE TABLE whole_scores (
        user_id varchar(128) PRIMARY KEY,
        daily_pomo integer NOT NULL DEFAULT 0,
        weekly_pomo smallint NOT NULL DEFAULT 0,
        monthly_pomo bigint NOT NULL DEFAULT 0,
        yearly_pomo numeric(6, 1) NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL DEFAULT now()
    )
"""


@pytest.fixture
async def world(database: Database, valkey: ValkeyServer) -> AsyncIterator[Upset]:
    """A guard that lets delete at once, and a table in which one user is to be deleted."""
    async with upset(database, valkey, guard=PROMPT) as world:
        yield world


@pytest.mark.parametrize(
    ("user", "score", "shown", "reason"),
    [
        ("ada", "inf", "ada", "the score on daily is inf"),
        ("ada", "-inf", "ada", "the score on daily is -inf"),
        ("ada", -1, "ada", "the score on daily is -1"),
        ("", 1, "", "the id is empty"),
        (LONG, 1, f"{'x' * 80}... (200 characters, ", "the id has 200 characters, more than 128"),
    ],
)
async def test_a_poisoned_user_is_set_aside_and_kept_while_the_others_sync(
    world: Upset, user: str, score: float | str, shown: str, reason: str
) -> None:
    # Of the users in the table one is poisoned, one is gone, one has another score, one is new.
    await world.fill(daily={user: 5, "bob": 2, "gone": 3})
    assert (await world.sync(world.job(id_length=400))).outcome in {
        Outcome.SUCCEEDED,
        Outcome.PARTIAL,
    }
    if not user:
        await world.world.rows("INSERT INTO pomo_leaderboard VALUES ('', 5, 0, 0, 0)")
    await world.tell("ZREM", "leaderboard:daily", "gone")
    await world.fill(daily={user: score, "bob": 4, "new": 1})

    for _ in range(2):
        run = await world.sync()

        assert run.outcome is Outcome.PARTIAL
        assert (run.report.failed, run.report.failures) == (1, {"poisoned": 1})
        table = await world.table()
        assert table == {user: (5, 0, 0, 0), "bob": (4, 0, 0, 0), "new": (1, 0, 0, 0)}
    assert await world.deleted() == {"gone"}
    [(key, letter)] = (await world.letters()).items()
    assert key.startswith(shown)
    assert letter == ("open", reason)

    if user in {"", LONG}:
        await world.tell("ZREM", "leaderboard:daily", user)
    else:
        await world.tell("ZADD", "leaderboard:daily", 7, user)
    healed = await world.sync()

    assert healed.outcome is Outcome.SUCCEEDED
    assert await world.table() == await world.boards()
    assert await world.letters() == {key: ("resolved", reason)}


@pytest.mark.parametrize(
    ("user", "shown", "reason"),
    [
        (b"nul\0", r"nul\x00", "the id holds a control character"),
        (b"bell\a", r"bell\x07", "the id holds a control character"),
        (b"latin\xe9", r"latin\udce9", "the id is not UTF-8"),
    ],
)
async def test_an_id_that_postgresql_could_not_hold_costs_nobody_else(
    world: Upset, user: bytes, shown: str, reason: str
) -> None:
    await world.fill(yearly={"ada": 1, user: 5, "tab\tnew\nline\\": 2})

    run = await world.sync()

    assert (run.outcome, run.report.created, run.report.failed) == (Outcome.PARTIAL, 2, 1)
    assert await world.table() == {"ada": (0, 0, 0, 1), "tab\tnew\nline\\": (0, 0, 0, 2)}
    assert await world.letters() == {shown: ("open", reason)}
    await world.tell("ZREM", "leaderboard:yearly", user)
    assert (await world.sync()).outcome is Outcome.SUCCEEDED
    assert await world.letters() == {shown: ("resolved", reason)}


@pytest.mark.parametrize(
    ("board", "score", "reason"),
    [
        ("daily", 1.5, "column daily_pomo cannot hold the score 1.5"),
        ("daily", 2**31, "column daily_pomo cannot hold the score 2147483648"),
        ("weekly", 40_000, "column weekly_pomo cannot hold the score 40000"),
        ("monthly", 1e300, "column monthly_pomo cannot hold the score 1e+300"),
        ("yearly", 0.25, "column yearly_pomo cannot hold the score 0.25"),
        ("yearly", 100_000, "column yearly_pomo cannot hold the score 100000"),
    ],
)
async def test_a_score_that_its_column_cannot_hold_sets_its_user_aside(
    database: Database, valkey: ValkeyServer, board: str, score: float, reason: str
) -> None:
    async with database.connection() as connection:
        await connection.execute(INTEGERS)
    async with upset(database, valkey, guard=PROMPT, table="whole_scores") as world:
        await world.fill(daily={"ada": 5, "gone": 3, "bob": 2}, yearly={"bob": 0.5})
        await world.sync()
        before = await world.table()
        await world.fill(**{board: {"ada": score}})
        await world.fill(monthly={"bob": 6})
        await world.tell("ZREM", "leaderboard:daily", "gone")

        run = await world.sync()

        assert run.outcome is Outcome.PARTIAL
        assert (run.report.failed, run.report.updated, run.report.deleted) == (1, 1, 1)
        assert await world.table() == {"ada": before["ada"], "bob": (2, 0, 6, 0.5)}
        assert await world.letters() == {"ada": ("open", reason)}
        await world.fill(**{board: {"ada": 9}})
        assert (await world.sync()).outcome is Outcome.SUCCEEDED
        assert await world.table() == await world.boards()
        assert await world.letters() == {"ada": ("resolved", reason)}


async def test_all_sorts_of_poison_at_once_leave_a_thousand_others_alone(world: Upset) -> None:
    many: dict[str | bytes, float | str] = {
        f"user{number:04}": number + 1 for number in range(1_000)
    }
    poison: dict[str | bytes, float | str] = {
        "user0001": "inf",
        "user0501": "-inf",
        b"n\0": 1,
        b"\xff": 1,
        LONG: 1,
    }
    await world.fill(daily=many, weekly=many)
    await world.sync()
    before = await world.table()

    await world.fill(**{name: {**many, **poison} for name in NAMES})
    run = await world.sync()

    assert run.outcome is Outcome.PARTIAL
    assert (run.report.failed, run.report.updated, run.report.deleted) == (5, 998, 0)
    table = await world.table()
    assert table.keys() == before.keys()
    assert {user: table[user] for user in ("user0001", "user0501")} == {
        user: before[user] for user in ("user0001", "user0501")
    }
    assert table["user0999"] == (1_000, 1_000, 1_000, 1_000)


async def test_letters_stay_open_while_redis_has_forgotten_everybody(world: Upset) -> None:
    await world.fill(daily={"ada": "inf", "bob": 1})
    await world.sync()
    world.server.flush()

    assert (await world.sync()).outcome is Outcome.HELD

    assert await world.letters() == {"ada": ("open", "the score on daily is inf")}


async def test_letters_stay_open_until_somebody_is_back_where_a_person_keeps_every_row(
    world: Upset,
) -> None:
    await world.fill(daily={"ada": "inf", "bob": 1})
    await world.sync()
    world.server.flush()
    await world.sync()
    await world.reject()

    assert (await world.sync()).outcome is Outcome.SUCCEEDED
    forgotten = await world.letters()
    await world.fill(daily={"bob": 1})
    await world.sync()

    assert forgotten == {"ada": ("open", "the score on daily is inf")}
    assert await world.letters() == {"ada": ("resolved", "the score on daily is inf")}


async def test_scores_beyond_what_a_double_tells_apart_are_stored_and_flagged(
    world: Upset,
) -> None:
    await world.fill(daily={"ada": str(2**53 + 1), "bob": 1})

    run = await world.sync()

    assert run.outcome is Outcome.SUCCEEDED
    assert await world.table() == {"ada": (2**53, 0, 0, 0), "bob": (1, 0, 0, 0)}
    told = await world.told(run)
    assert told.inexact == 1
    assert told.notes == ("1 scores are beyond 2^53: Redis cannot tell them exactly",)
