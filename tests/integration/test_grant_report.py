"""How grants stand and what they brought, out of a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fakes.granted import entry, ids

from syncd.model.account import UserEntry
from syncd.store.database import Database
from syncd.store.grant_report import GrantReport
from syncd.store.grants import GrantStore
from syncd.store.users import UserStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STOP = "UPDATE accounts SET state = 'reauth_required' WHERE id = $1"
SUSPECT = "UPDATE oauth_tokens SET health = 'suspect', suspect_since = now() WHERE account_id = $1"
PLAY = """
INSERT INTO listening_data (user_id, artist_id, track_id, played_at, ingested_run)
SELECT user_id, 'a', 't', $2, 1 FROM accounts WHERE id = $1
"""


async def test_grants_are_counted_by_how_they_stand(grants: GrantStore, database: Database) -> None:
    soon = NOW - timedelta(days=160)
    entries = [entry("ada"), entry("bo"), entry("cy"), entry("di", granted_at=soon)]
    await grants.put(entries, dry_run=False)
    await UserStore(database).put([UserEntry(key="ed", accounts={"spotify": "ed-there"})])
    accounts = await ids(database)
    async with database.connection() as connection:
        await connection.execute(STOP, accounts["bo"])
        await connection.execute(SUSPECT, accounts["cy"])

    counts = await GrantReport(database).count(["spotify", "none"], NOW)

    told = counts["spotify"]
    first = told.pop("first_expires_at")
    assert counts.keys() == {"spotify"}
    assert told == {"ok": 2, "suspect": 1, "reauth_required": 1, "ungranted": 1, "expiring": 1}
    assert timedelta(days=15) < first - NOW < timedelta(days=30)


async def test_an_account_is_told_with_its_grant_and_its_plays(
    grants: GrantStore, database: Database
) -> None:
    await grants.put([entry("ada"), entry("bo")], dry_run=False)
    accounts = await ids(database)
    async with database.connection() as connection:
        for hours in range(7):
            await connection.execute(PLAY, accounts["ada"], NOW - timedelta(hours=hours))

    found = await GrantReport(database).of_accounts(list(accounts.values()))

    ada, bo = found[accounts["ada"]], found[accounts["bo"]]
    assert (ada["health"], ada["stored"], ada["newest_at"]) == ("ok", 7, NOW)
    assert (bo["stored"], bo["newest_at"]) == (0, None)
    assert "canary-" not in repr(found)


async def test_grants_that_end_soon_are_listed_alone(
    grants: GrantStore, database: Database
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=170)
    await grants.put([entry("ada"), entry("bo", granted_at=long_ago)], dry_run=False)

    found = await grants.read("", 10, "expiring")

    assert [grant.user_key for grant in found] == ["bo"]
