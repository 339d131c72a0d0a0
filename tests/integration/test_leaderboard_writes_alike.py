"""For any two states of Redis and PostgreSQL: a run makes them alike, wherever it was cut off."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
from fakes.boarded import PROMPT, Boarded, boarded
from fakes.boards import NAMES
from fakes.postgres_proxy import Point, PostgresProxy, When, postgres_proxy
from fakes.running import JOB
from fakes.valkey import ValkeyServer
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from syncd.cache.lines import shown
from syncd.model.run import Outcome, Run
from syncd.store.database import Database

# The world outlives an example: each begins with everything forgotten.
anew = settings(
    deadline=None,
    max_examples=150 if os.environ.get("SYNCD_FULL") == "1" else 15,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

IDS = [
    "ada",
    "bob",
    "cyd",
    "a\tb",
    "\\N",
    "\\.",
    "it's",
    '"q"',
    "NULL",
    "ключ",
    "e\u0301",
    "x" * 128,
]
USERS = st.sampled_from(IDS)
GOOD = st.sampled_from([0.0, 1.0, 2.0, 0.1, 1e-300, 1.5e300, 2.0**53, 2.0**53 + 2])
BAD = st.sampled_from([-1.0, math.inf])
SCORES = st.one_of(GOOD, GOOD, GOOD, GOOD, BAD)
BOARDS = st.fixed_dictionaries(
    {}, optional={name: st.dictionaries(USERS, SCORES, max_size=6) for name in NAMES}
)
ROWS = st.dictionaries(USERS, st.fixed_dictionaries(dict.fromkeys(NAMES, GOOD)), max_size=8)
POINTS = st.one_of(
    st.builds(Point, nth=st.integers(1, 60)),
    st.builds(Point, sql=st.just("^COMMIT"), when=st.just(When.COMMITTED), nth=st.integers(1, 12)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is in Redis and in PostgreSQL, and what earlier runs left there."""

    names: tuple[str, ...]
    boards: Mapping[str, Mapping[str, float]]
    rows: Mapping[str, Mapping[str, float]]
    kept: frozenset[str]
    missing: frozenset[str]
    letters: frozenset[str]

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Who is on a board, with the scores there."""
        found: dict[str, dict[str, float]] = {}
        for name in self.names:
            for user, score in self.boards.get(name, {}).items():
                found.setdefault(user, {})[name] = score
        return found

    @property
    def poisoned(self) -> set[str]:
        return {
            user
            for user, scores in self.scores.items()
            if not all(0 <= score < math.inf for score in scores.values())
        }

    @property
    def gone(self) -> set[str]:
        return {user for user in self.rows if user not in self.scores and user not in self.kept}

    @property
    def open_letters(self) -> set[str]:
        """Whose letters have to be open.

        Where Redis holds nobody and a person keeps every row, it forgot: no letter is settled.
        """
        has_forgotten = bool(self.rows) and not self.scores and not self.gone
        return set(self.letters) if has_forgotten else self.poisoned

    def expected(self) -> dict[str, dict[str, float]]:
        """What the table has to be."""
        table = {user: dict(row) for user, row in self.rows.items() if user not in self.gone}
        for user, scores in self.scores.items():
            if user not in self.poisoned:
                table.setdefault(user, dict.fromkeys(NAMES, 0.0))
                table[user] |= {name: scores.get(name, 0.0) for name in self.names}
        return table


STATES = st.builds(
    State,
    names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple),
    boards=BOARDS,
    rows=ROWS,
    kept=st.frozensets(USERS, max_size=2),
    missing=st.frozensets(USERS, max_size=3),
    letters=st.frozensets(USERS, max_size=2),
)


KEPT = State(
    names=("yearly",),
    boards={},
    rows={"cyd": {"daily": 0.0, "weekly": 1.0, "monthly": 0.0, "yearly": 1e-300}},
    kept=frozenset({"cyd"}),
    missing=frozenset({"cyd"}),
    letters=frozenset({"bob"}),
)
"""Redis was emptied, a person would have no row deleted, and a letter is open."""


@pytest.fixture
async def line(database: Database) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(database.settings.address) as proxy:
        yield proxy


async def lay(boards: Boarded, state: State) -> None:
    await boards.forget()
    await boards.put(state.boards)
    await boards.fill_table(state.rows)
    for user in sorted(state.kept | state.missing):
        await boards.sql(
            "INSERT INTO leaderboard_missing (job, user_id, missing_since, kept_by)"
            " VALUES ($1, $2, now(), $3)",
            JOB,
            user,
            1 if user in state.kept else None,
        )
    for user in sorted(state.letters):
        await boards.sql(
            "INSERT INTO dead_letters (kind, item_key, job, error_class, error, attempts, first_at,"
            " last_at, changed_at) VALUES ('leaderboard', $1, $2, 'poisoned', 'x', 1, now(), now(),"
            " now())",
            f"{JOB}/{shown(user.encode())}",
            JOB,
        )


async def consent(boards: Boarded) -> Run | None:
    """Let an emptied Redis be meant so, where a run asks; return the run that does it."""
    plan = await boards.plan()
    if plan is None:
        return None
    await boards.approve(plan, plan.deletes)
    return await boards.run(full=True)


def assert_counted(run: Run, state: State, created: int, deleted: int) -> None:
    """What a run says of itself adds up."""
    report = run.report
    new = {user for user in state.expected() if user not in state.rows}
    aside = {user for user in state.poisoned if user not in state.rows}
    assert report.created == len(new) == created
    assert report.deleted == deleted
    assert report.failed == len(state.poisoned)
    assert report.seen == len(state.rows) + len(new) + len(aside), report


async def check(boards: Boarded, state: State) -> None:
    assert await boards.table() == state.expected()
    letters = await boards.sql("SELECT item_key FROM dead_letters WHERE state = 'open'")
    assert {row["item_key"].split("/", 1)[1] for row in letters} == {
        shown(user.encode()) for user in state.open_letters
    }


async def check_again(boards: Boarded, state: State) -> None:
    """Another run changes nothing, and says so."""
    before = await boards.versions()
    run = await boards.run(full=True)
    report = run.report
    assert await boards.versions() == before
    assert (report.created, report.updated, report.deleted) == (0, 0, 0)
    assert report.failed == len(state.poisoned)
    kept = {user for user in state.kept if user in state.rows and user not in state.scores}
    markers = await boards.sql(
        "SELECT user_id, kept_by FROM leaderboard_missing JOIN pomo_leaderboard USING (user_id)"
    )
    assert {row["user_id"]: row["kept_by"] for row in markers} == dict.fromkeys(kept, 1)
    aside = state.poisoned & set(state.rows)
    assert report.unchanged == len(before) - len(kept) - len(aside), (report, state)


@anew
@given(state=STATES)
@example(state=KEPT)
async def test_any_two_states_become_alike_and_stay_so(
    database: Database, valkey: ValkeyServer, state: State
) -> None:
    async with boarded(database, valkey, boards=state.names, guard=PROMPT) as boards:
        await lay(boards, state)

        run = await boards.run()
        approved = await consent(boards)

        await check(boards, state)
        assert_counted(run, state, run.report.created, 0 if approved else len(state.gone))
        if approved:
            assert run.outcome is Outcome.HELD
            assert approved.report.deleted == len(state.gone)
        assert (run.outcome is Outcome.PARTIAL) <= bool(state.poisoned)
        await check_again(boards, state)


@anew
@given(state=STATES, point=POINTS)
@example(state=KEPT, point=Point(nth=1))
async def test_a_run_killed_at_any_statement_and_repeated_comes_to_the_same(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, state: State, point: Point
) -> None:
    async with boarded(database, valkey, boards=state.names, guard=PROMPT) as boards:
        await lay(boards, state)

        await boards.killed(line, point)
        run = await boards.goes_on()
        approved = await consent(boards)

        await check(boards, state)
        assert_counted(run, state, run.report.created, 0 if approved else len(state.gone))
        await check_again(boards, state)
