"""What the query of [users] says about the platform's own users becomes syncd's users."""

from __future__ import annotations

import datetime as dt
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pytest
from fakes.mirroring import Members, Mirror, mirroring
from fakes.waiting import until

from syncd.errors import BadInput
from syncd.model.account import UserEntry
from syncd.store.database import Database

COUNTS = ("created", "updated", "unchanged", "deleted", "skipped", "failed")

# As VACUUM leaves tables whose last row was deleted.
TAKE_FOR_EMPTY = """
    WITH emptied AS (
        UPDATE pg_class SET reltuples = 0, relpages = 5
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' RETURNING oid
    )
    SELECT pg_stat_reset_single_table_counters(oid) FROM emptied
"""
ROWS_READ = """
    SELECT sum(seq_tup_read + idx_tup_fetch) AS read, sum(n_tup_ins) AS made
    FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND relname IN ('users', 'accounts')
"""


def counts(run: dict[str, Any]) -> dict[str, int]:
    """What a run counted, without zeros."""
    assert run["seen"] == sum(run[name] for name in COUNTS)
    return {name: run[name] for name in COUNTS if run[name]}


async def test_sign_ups_come_with_their_links_and_logins(members: Members, mirror: Mirror) -> None:
    await members.join(2)
    await members.tell("INSERT INTO members VALUES ('unlinked', NULL, NULL), ('empty', ' ', NULL)")

    run = await mirror.run()

    assert (run["outcome"], counts(run)) == ("succeeded", {"created": 4})
    assert await mirror.handles() == {
        "m00000": "gh-0",
        "m00001": "gh-1",
        "unlinked": None,
        "empty": None,
    }
    user = await mirror.control.user("m00001")
    assert user["last_login_at"] == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert user["mirrored"]


async def test_a_second_run_changes_nothing(members: Members, mirror: Mirror) -> None:
    await members.join(30)
    await mirror.run()
    before = await mirror.rows("SELECT xmin::text, ctid::text, * FROM users ORDER BY id")

    run = await mirror.run()

    assert counts(run) == {"unchanged": 30}
    assert await mirror.rows("SELECT xmin::text, ctid::text, * FROM users ORDER BY id") == before


async def test_a_sign_up_is_due_for_the_profiles_job_at_once(
    members: Members, mirror: Mirror
) -> None:
    await members.join(1)

    await mirror.run()

    why = await mirror.control.why("m00000", 1)
    assert why["accounts"][0]["state"] == "active"
    assert "trigger sync --only m00000" in why["accounts"][0]["next"]["text"]


async def test_logins_links_disconnects_and_leavers_are_followed(
    members: Members, mirror: Mirror
) -> None:
    await members.join(6)
    await mirror.run()
    await members.tell("UPDATE members SET seen_at = '2026-02-02T00:00Z' WHERE id = 'm00000'")
    await members.tell("UPDATE members SET github = NULL WHERE id = 'm00001'")
    await members.tell("UPDATE members SET github = 'another' WHERE id = 'm00002'")
    await members.tell("DELETE FROM members WHERE id = 'm00003'")
    await members.tell("UPDATE members SET seen_at = NULL WHERE id = 'm00004'")
    await members.join(1, first=10)

    run = await mirror.run()

    assert counts(run) == {"created": 1, "updated": 3, "unchanged": 2, "deleted": 1}
    assert await mirror.handles() == {
        "m00000": "gh-0",
        "m00001": None,
        "m00002": "another",
        "m00004": "gh-4",
        "m00005": "gh-5",
        "m00010": "gh-10",
    }
    logins = [(await mirror.control.user(key))["last_login_at"] for key in ("m00000", "m00004")]
    assert [login.isoformat()[:10] for login in logins] == ["2026-02-02", "2026-01-01"]


async def test_a_disconnect_takes_the_profile_along_and_a_new_link_begins_afresh(
    members: Members, mirror: Mirror
) -> None:
    await members.join(1)
    await mirror.run()
    await mirror.rows(
        "INSERT INTO profiles (account_id, raw, raw_hash, mapper_version, fetched_at, changed_at) "
        "SELECT id, '{}', '', 1, now(), now() FROM accounts"
    )
    [before] = await mirror.rows("SELECT id FROM accounts")
    await members.tell("UPDATE members SET github = ''")
    await mirror.run()
    assert await mirror.rows("SELECT * FROM profiles") == []

    await members.tell("UPDATE members SET github = 'gh-0'")
    await mirror.run()

    [after] = await mirror.rows("SELECT id, state FROM accounts")
    assert (after["id"] != before["id"], after["state"]) == (True, "active")


async def test_a_rename_on_the_platform_is_no_change_of_the_link(
    members: Members, mirror: Mirror
) -> None:
    await members.join(1)
    await mirror.run()
    await mirror.rows("UPDATE accounts SET handle = 'renamed', external_id = '7'")

    await members.tell("UPDATE members SET github = 'GH-0'")
    assert counts(await mirror.run()) == {"unchanged": 1}
    await members.tell("UPDATE members SET github = 'renamed'")
    assert counts(await mirror.run()) == {"unchanged": 1}

    assert await mirror.rows("SELECT handle, external_id FROM accounts") == [
        {"handle": "renamed", "external_id": "7"}
    ]


async def test_who_opted_out_stays_so_also_with_a_new_link(
    members: Members, mirror: Mirror
) -> None:
    await members.join(1)
    await mirror.run()
    await mirror.control.opt_out("m00000", opted_out=True)
    await members.tell("UPDATE members SET github = 'another', seen_at = now()")

    await mirror.run()

    assert (await mirror.control.user("m00000"))["opted_out"]
    assert await mirror.rows("SELECT handle, state FROM accounts") == [
        {"handle": "another", "state": "opted_out"}
    ]


async def test_a_column_opted_out_opts_out_and_never_in_again(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(2)
    query = "SELECT id AS key, github, id = 'm00000' AS opted_out FROM members"
    async with mirroring(database, tmp_path, members.address, query=query) as mirror:
        await mirror.run()
        await mirror.control.opt_out("m00001", opted_out=True)

        run = await mirror.run()

        assert counts(run) == {"unchanged": 2}
        users = await mirror.control.users("", 10)
        assert [user["opted_out"] for user in users] == [True, True]


async def test_users_of_the_api_stay_until_the_query_names_them(
    members: Members, mirror: Mirror
) -> None:
    await mirror.control.put_user(UserEntry(key="by-hand", accounts={"github": "hand"}))
    await mirror.control.put_user(UserEntry(key="m00000", accounts={"github": "gh-0"}))
    await members.join(2)

    first = await mirror.run()
    await members.tell("DELETE FROM members WHERE id = 'm00000'")
    second = await mirror.run()

    assert counts(first) == {"created": 1, "updated": 1}
    assert counts(second) == {"unchanged": 1, "deleted": 1}
    assert set(await mirror.handles()) == {"by-hand", "m00001"}


async def test_a_platform_without_a_column_is_left_alone(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(3)
    query = "SELECT id AS key FROM members"
    async with mirroring(database, tmp_path, members.address, query=query) as mirror:
        await mirror.control.put_user(UserEntry(key="m00001", accounts={"github": "told"}))

        await mirror.run()

        assert await mirror.handles() == {"m00000": None, "m00001": "told", "m00002": None}


@pytest.mark.parametrize(
    ("kind", "key"), [("int", 7), ("bigint", 2**40), ("uuid", uuid.UUID(int=5)), ("varchar", "x")]
)
async def test_keys_may_be_numbers_and_uuids(
    database: Database, members: Members, tmp_path: Path, kind: str, key: Any
) -> None:
    query = f"SELECT '{key}'::{kind} AS key"
    async with mirroring(database, tmp_path, members.address, query=query) as mirror:
        await mirror.run()

        assert list(await mirror.handles()) == [str(key)]


async def test_a_handle_that_cannot_be_is_skipped_and_listed(
    members: Members, mirror: Mirror
) -> None:
    await members.join(3)
    await mirror.run()
    await members.tell("UPDATE members SET github = 'no spaces!' WHERE id = 'm00001'")
    await members.tell("INSERT INTO members VALUES ('new', 'me@example.org')")

    run = await mirror.run()

    assert (run["outcome"], counts(run)) == ("succeeded", {"unchanged": 2, "skipped": 2})
    assert run["failures"] == {"refused_handle": 2}
    assert "2 users have a handle" in run["hint"]
    items = await mirror.control.run_items(run["id"], None, 10)
    assert {(each["user_key"], each["handle"], each["error"]) for each in items} == {
        ("m00001", "no spaces!", "cannot be a name on github"),
        ("new", "me@example.org", "cannot be a name on github"),
    }
    handles = await mirror.handles()
    assert (handles["m00001"], handles["new"]) == ("gh-1", None)


async def test_one_user_who_claims_anothers_account_does_not_stop_the_mirror(
    members: Members, mirror: Mirror
) -> None:
    await members.tell("INSERT INTO members VALUES ('a', 'torvalds'), ('b', 'torvalds')")

    run = await mirror.run()

    # As with the API: who is fetched second is set aside then, with the other's key as the reason.
    assert counts(run) == {"created": 2}
    assert await mirror.handles() == {"a": "torvalds", "b": "torvalds"}


async def test_a_dry_run_counts_and_changes_nothing(members: Members, mirror: Mirror) -> None:
    await members.join(3)
    await mirror.run()
    await members.tell("DELETE FROM members WHERE id = 'm00000'")
    await members.join(2, first=5)

    run = await mirror.run(dry_run=True)

    assert counts(run) == {"created": 2, "unchanged": 2, "deleted": 1}
    assert list(await mirror.handles()) == ["m00000", "m00001", "m00002"]


async def test_a_dry_run_names_no_list_that_it_does_not_keep(
    members: Members, mirror: Mirror
) -> None:
    await members.tell("INSERT INTO members VALUES ('new', 'me@example.org')")

    run = await mirror.run(dry_run=True)

    assert run["hint"] == "1 user has a handle that cannot exist on its platform"
    assert await mirror.control.run_items(run["id"], None, 10) == []


@pytest.mark.parametrize("options", [{"only": ("m00000",)}, {"platform": "github"}, {"limit": 1}])
async def test_the_mirror_cannot_be_narrowed(mirror: Mirror, options: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="job users cannot be narrowed"):
        await mirror.start(**options)

    assert await mirror.control.runs("users", None, 10) == []


async def test_a_column_that_is_no_longer_there_is_pointed_out(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(3)
    async with mirroring(database, tmp_path, members.address) as mirror:
        assert (await mirror.run())["hint"] == ""
    query = "SELECT id AS key FROM members"
    async with mirroring(database, tmp_path, members.address, query=query) as mirror:
        run = await mirror.run()

        assert (run["outcome"], counts(run)) == ("succeeded", {"unchanged": 3})
        assert "no column github, 3 mirrored users are linked there" in run["hint"]


async def test_the_query_may_be_about_syncds_own_database(
    database: Database, tmp_path: Path
) -> None:
    query = "SELECT 'me' AS key, 'gh-me' AS github -- with a remark;\n;"
    async with mirroring(database, tmp_path, "", query=query) as mirror:
        await mirror.run()

        assert await mirror.handles() == {"me": "gh-me"}


async def test_twenty_thousand_users_are_never_held_at_once(
    members: Members, mirror: Mirror
) -> None:
    await members.join(20_000)
    assert counts(await mirror.run()) == {"created": 20_000}
    await members.tell("UPDATE members SET github = 'moved' WHERE id = 'm00005'")
    tracemalloc.start()

    run = await mirror.run()

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts(run) == {"updated": 1, "unchanged": 19_999}
    # All rows as tuples of three texts are more than that.
    assert peak < 4_000_000
    assert (await mirror.control.user("m00005"))["accounts"][0]["handle"] == "moved"


async def test_tables_that_postgres_takes_for_empty_are_not_read_whole_for_each_user(
    members: Members, mirror: Mirror
) -> None:
    await mirror.rows(TAKE_FOR_EMPTY)
    await members.join(20_000)

    await mirror.run()

    async def figures() -> dict[str, Any] | None:
        [found] = await mirror.rows(ROWS_READ)
        return found if found["made"] == 40_000 else None

    found = await until(figures, what="PostgreSQL to have counted")
    assert found is not None
    # Each user beside each other one is 180 millions.
    assert found["read"] < 4_000_000
