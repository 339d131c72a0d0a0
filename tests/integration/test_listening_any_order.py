"""Pages in any order, any overlap and any number of times, by two runs beside each other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fakes.batches import AT, Desk, accounts_of, begin
from fakes.clock import FakeClock
from fakes.running import running
from fakes.spotify_world import DOUBLES, RECORDED, recorded_items
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.clock import SystemClock
from syncd.model.account import Account
from syncd.model.item import Success
from syncd.model.play import Heard, PlayCounts
from syncd.platforms.spotify_plays import read_page
from syncd.sandbox.spotify_tracks import KINDS, Item, make_item
from syncd.store.database import Database

USERS = 3
LAST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
# Plays of a year beside those of an hour; a few of the same millisecond.
INSTANTS = [
    LAST - step for step in (0, 1, 2, 1_000, 200_000, 3_600_000, 86_400_000, 31_536_000_000)
]

generated = st.lists(
    st.builds(
        make_item,
        seed=st.just(7),
        index=st.integers(0, 2),
        at_ms=st.sampled_from(INSTANTS),
        kind=st.sampled_from([*KINDS]),
    ),
    max_size=12,
)
parts = st.tuples(st.sampled_from(RECORDED), st.integers(0, 40), st.integers(1, 50))
"""Which of a recorded page: a part of it, in its own order or turned around."""
# What one run stores: batches of pages, each of one user.
batches = st.lists(
    st.dictionaries(st.integers(0, USERS - 1), generated | parts, min_size=1), max_size=4
)
EXAMPLES = 300 if os.environ.get("SYNCD_FULL") == "1" else 20
once = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])

STORED = """
    SELECT users.key, listening_data.artist_id, listening_data.track_id, listening_data.played_at,
        listening_data.isrc, listening_data.artist_ids
    FROM listening_data JOIN users ON users.id = listening_data.user_id
"""


def items_of(page: Any) -> list[Item]:
    """Return the items of a page; of a recorded one, by its begin and length, a part."""
    if isinstance(page, list):
        return page
    file, start, most = page
    items = recorded_items(file)[start : start + most]
    return items[::-1] if start % 2 else items


def heard(page: Any) -> Heard:
    return read_page({"items": items_of(page), "limit": 50}, "somebody", AT)


async def store(desk: Desk, said: Sequence[dict[int, Any]]) -> PlayCounts:
    """Commit batch after batch; return what this came to in plays."""
    total = PlayCounts()
    for batch in said:
        items = [
            Success(account=desk.accounts[index], answer=heard(page))
            for index, page in batch.items()
        ]
        committed = await desk.commit(*items, kind="listening")
        total += sum((each.counts for each in committed.heard), PlayCounts())
    return total


def wanted(accounts: Sequence[Account], said: Sequence[dict[int, Any]]) -> set[tuple[Any, ...]]:
    """Return what must be stored in the end."""
    return {
        (accounts[index].user_key, play.artist_id, play.track_id, play.played_at)
        for batch in said
        for index, page in batch.items()
        for play in heard(page).plays
    }


@given(one=batches, other=batches)
@once
def test_every_play_is_stored_once_whatever_two_runs_bring_and_the_counts_are_true(
    database: Database, one: list[dict[int, Any]], other: list[dict[int, Any]]
) -> None:
    async def compare() -> None:
        async with (
            Database(database.settings, SystemClock()) as near,
            Database(database.settings, SystemClock()) as far,
            running(near, FakeClock(AT)) as world,
            running(far, FakeClock(AT), holder="two") as beside,
        ):
            await world.rows("TRUNCATE users, runs, listening_data CASCADE")
            await world.link(USERS)
            accounts = await accounts_of(world)
            desks = [Desk(each, await begin(each), accounts) for each in (world, beside)]

            counts = await asyncio.gather(store(desks[0], one), store(desks[1], other))
            stored = await world.rows(STORED)
            again = await store(desks[0], [*other, *one])
            told = [await listened(desk) for desk in desks]

            found = {tuple(row.values())[:4] for row in stored}
            assert await world.rows(DOUBLES) == []
            assert len(stored) == len(found)
            assert found == wanted(accounts, [*one, *other])
            # Every play of every page was either new or there before, in one of the two.
            plays = [heard(page) for batch in (*one, *other) for page in batch.values()]
            assert sum(each.inserted for each in counts) == len(stored)
            assert sum(each.inserted + each.repeated for each in counts) == sum(
                len(page.plays) for page in plays
            )
            assert sum(each.skipped for each in counts) == sum(page.skipped for page in plays)
            assert again.inserted == 0
            assert await world.rows(STORED) == stored
            assert told == [counts[0] + again, counts[1]]

    asyncio.run(compare())


async def listened(desk: Desk) -> PlayCounts:
    """Return what the run's own row says."""
    return await desk.world.around.stores.listening.counts(desk.number)
