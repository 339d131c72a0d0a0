"""The calendar of grants: six months to the day, two notices, and who granted nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.granted import CONSENT, NOW, change, entry, given, one, renewed, states, store_of, values

from syncd.clock import SystemClock
from syncd.model.account import UserEntry
from syncd.model.grant import Health
from syncd.store.database import Database
from syncd.store.grants import GrantStore
from syncd.store.users import UserStore

END = datetime(2027, 5, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("granted", "ends"),
    [
        ("2026-11-01T09:30:00+00:00", "2027-05-01T09:30:00+00:00"),
        # A month is what the calendar says, and the calendar is UTC's.
        ("2026-08-31T12:00:00+00:00", "2027-02-28T12:00:00+00:00"),
        ("2026-08-31T23:30:00-02:00", "2027-03-01T01:30:00+00:00"),
        ("2027-08-29T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
    ],
)
async def test_a_consent_lasts_six_months_of_the_calendar(
    grants: GrantStore, granted: str, ends: str
) -> None:
    await grants.put([entry("ada", granted_at=datetime.fromisoformat(granted))], dry_run=False)

    [standing] = await grants.read()

    assert standing.refresh_expires_at == datetime.fromisoformat(ends)


async def test_a_consent_ends_at_its_instant_whatever_was_refreshed(
    grants: GrantStore, database: Database
) -> None:
    ada, bob = await given(grants, database, "ada", "bob")
    await grants.put([entry("bob", granted_at=CONSENT + timedelta(days=1))], dry_run=False)
    await grants.commit_refresh(ada, 1, renewed(), END - timedelta(hours=1))
    assert (await grants.settle("spotify", END - timedelta(seconds=1))).expired == []

    settled = await grants.settle("spotify", END)

    [expired] = settled.expired
    reason = "the consent of 2026-11-01 ended after six months"
    assert (expired["account_id"], expired["user_key"], expired["reason"]) == (ada, "ada", reason)
    assert await states(database) == {"ada": ("reauth_required", reason), "bob": ("active", "")}
    assert set(await grants.load([ada, bob])) == {bob}
    again = await grants.settle("spotify", END)
    assert (again.expired, again.ungranted) == ([], 0)


async def test_notices_are_given_at_thirty_and_seven_days_once_each(
    grants: GrantStore, database: Database
) -> None:
    await given(grants, database, "ada", "bob")
    await grants.put([entry("bob", granted_at=CONSENT + timedelta(days=3))], dry_run=False)
    told = []

    for days in range(35, 0, -1):
        for _ in range(2):
            at = END - timedelta(days=days)
            notices = (await grants.settle("spotify", at)).notices
            told += [(days, each["user_key"], each["days"]) for each in notices]

    assert told == [(30, "ada", 30), (27, "bob", 30), (7, "ada", 7), (4, "bob", 7)]
    assert await values(database, "SELECT noticed_days FROM oauth_tokens") == [7, 7]


async def test_who_was_away_at_thirty_days_tells_how_many_are_left(grants: GrantStore) -> None:
    await grants.put([entry("ada")], dry_run=False)

    [notice] = (await grants.settle("spotify", END - timedelta(days=5, hours=1))).notices

    assert (notice["days"], notice["handle"]) == (6, "ada-there")
    assert notice["refresh_expires_at"] == END
    assert (await grants.settle("spotify", END - timedelta(days=1))).notices == []


async def test_a_linked_account_without_a_grant_is_not_asked_for_until_there_is_one(
    grants: GrantStore, database: Database
) -> None:
    await given(grants, database, "ada")
    users = UserStore(database)
    await users.put([UserEntry(key="bob", accounts={"spotify": "b", "github": "b"})])

    assert (await grants.settle("spotify", NOW)).ungranted == 1
    assert (await grants.settle("spotify", NOW)).ungranted == 0

    found = await values(database, "SELECT state FROM accounts WHERE platform = 'github'")
    assert found == ["active"]
    reasons = "SELECT state_reason FROM accounts WHERE state = 'reauth_required'"
    assert await values(database, reasons) == ["no grant yet: import one"]
    await grants.put([entry("bob", handle="")], dry_run=False)
    assert await values(database, reasons) == []


async def test_an_account_that_is_active_by_mistake_stops_where_its_grant_is_dead(
    grants: GrantStore, database: Database
) -> None:
    [ada] = await given(grants, database, "ada")
    await grants.mark_dead(ada, 1, "refused twice", NOW)
    await change(database, "UPDATE accounts SET state = 'active', state_reason = ''")

    settled = await grants.settle("spotify", NOW)

    assert (settled.expired, settled.ungranted) == ([], 0)
    assert (await states(database))["ada"] == ("reauth_required", "refused twice")


async def test_a_grant_that_was_stored_while_its_user_opted_out_goes(
    grants: GrantStore, database: Database
) -> None:
    await given(grants, database, "ada", "bob")
    await change(
        database,
        "UPDATE accounts SET state = 'opted_out' WHERE handle = 'ada-there'",
    )

    await grants.settle("spotify", NOW)

    assert [each.user_key for each in await grants.read()] == ["bob"]


async def test_right_after_an_import_of_thousands_the_calendar_costs_no_more_than_a_moment(
    grants: GrantStore, database: Database, key_file: Path
) -> None:
    await grants.put([entry(f"u{number}") for number in range(5_000)], dry_run=False)
    # PostgreSQL knows nothing of the tables yet: comparing all with all would take longer.
    settings = replace(database.settings, command_timeout=timedelta(seconds=2))

    async with Database(settings, SystemClock()) as hasty:
        settled = await store_of(hasty, key_file).settle("spotify", NOW)

    assert (settled.expired, settled.ungranted, settled.notices) == ([], 0, [])


async def test_what_was_given_up_under_a_clock_that_was_ahead_is_good_again(
    grants: GrantStore, database: Database
) -> None:
    ada, bob, eve = await given(grants, database, "ada", "bob", "eve")
    await grants.mark_dead(eve, 1, "refused twice", NOW)
    ahead = NOW + timedelta(days=3650)
    await grants.mark_suspect(bob, 1, "refused", ahead)
    assert len((await grants.settle("spotify", ahead)).expired) == 2

    settled = await grants.settle("spotify", NOW)

    assert (settled.taken_back, settled.expired) == (2, [])
    stopped = {key: state for key, (state, _) in (await states(database)).items()}
    assert stopped == {"ada": "active", "bob": "active", "eve": "reauth_required"}
    assert {(await one(grants, each)).health for each in (ada, bob)} == {Health.OK}
    notices = (await grants.settle("spotify", END - timedelta(days=30))).notices
    assert [each["user_key"] for each in notices] == ["ada", "bob"]
    await grants.mark_suspect(ada, 1, "refused", END + timedelta(days=3650))
    await grants.settle("spotify", NOW)
    assert (await one(grants, ada)).health is Health.OK
