"""A result that cannot be right changes nothing, and says what is wrong until it is mended."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.mirroring import QUERY, Members, Mirror, mirroring, url_of
from fakes.tcp_proxy import tcp_proxy

from syncd.model.address import PostgresAddress
from syncd.store.database import Database

BAD = {
    "no key": ("SELECT github FROM members", "there is no column key"),
    "another name": (
        "SELECT id, github FROM members",
        'there is no column key; unknown column "id"',
    ),
    "duplicate keys": (
        "SELECT id AS key FROM members CROSS JOIN generate_series(1, 2)",
        '5 keys stand there more than once: "m00000", "m00001", "m00002" and 2 more',
    ),
    "NULL keys": ("SELECT nullif(id, 'm00001') AS key FROM members", "NULL or empty in 1 row"),
    "empty keys": ("SELECT '' AS key FROM members", "NULL or empty in 5 rows"),
    "endless key": ("SELECT repeat('x', 129) AS key", "1 row with a key that is not 1 to 128"),
    "key with a line": ("SELECT e'a\\nb' AS key", r'not 1 to 128 printable .*: "a\\nb"'),
    "column twice": (
        "SELECT id AS key, github, github FROM members",
        'column "github" stands there twice',
    ),
    "misspelt": (
        "SELECT id AS key, 1 AS gitub FROM members",
        'column "gitub", did you mean "github"',
    ),
    "naive instant": (
        "SELECT id AS key, now()::timestamp AS last_login_at FROM members",
        "no time zone, write last_login_at AT TIME ZONE 'UTC' AS last_login_at",
    ),
    "key of a strange type": ("SELECT '{}'::jsonb AS key", "key is of type jsonb, write key::text"),
    "number for a handle": (
        "SELECT id AS key, 7 AS github FROM members",
        "of type int4, write github::text",
    ),
    "syntax": ("\nSELEC id", r'at character 2 \(line 2\): syntax error at or near "SELEC"'),
    "no such table": ("SELECT id AS key FROM nowhere", 'relation "nowhere" does not exist'),
    "two statements": ("SELECT id AS key FROM members; SELECT 1", "multiple commands"),
    "writing": (
        "DELETE FROM members RETURNING id AS key",
        "cannot execute DELETE in a read-only transaction",
    ),
    "writing without an answer": ("DELETE FROM members", "is not a SELECT"),
    "leaving the transaction": ("COMMIT", "is not a SELECT"),
    "a parameter": ("SELECT id AS key FROM members WHERE id > $1", r"has parameters such as \$1"),
    "an error with a value": ("SELECT (github::int)::text AS key FROM members", r"\(22P02\)"),
    "far future": (
        "SELECT id AS key, '20000-01-01Z'::timestamptz AS last_login_at FROM members",
        "read",
    ),
    "no time": (
        "SELECT id AS key, 'infinity'::timestamptz AS last_login_at FROM members",
        "is infinite",
    ),
    "no query": ("-- nothing", "is not a SELECT"),
    "no right": ("SELECT passwd AS key FROM pg_shadow", "permission denied"),
}


async def refused(mirror: Mirror, **options: Any) -> dict[str, Any]:
    """Run the mirror, which must fail without changing anything; return the run."""
    before = await mirror.rows("SELECT xmin::text, * FROM users ORDER BY id")
    linked = await mirror.rows("SELECT xmin::text, * FROM accounts ORDER BY id")

    run = await mirror.run(**options)

    assert (run["outcome"], run["seen"]) == ("failed", 0)
    assert await mirror.rows("SELECT xmin::text, * FROM users ORDER BY id") == before
    assert await mirror.rows("SELECT xmin::text, * FROM accounts ORDER BY id") == linked
    assert run["error"].count("\n") == 0
    assert run["hint"]
    return run


@pytest.mark.parametrize("case", BAD)
async def test_bad_queries_are_named_with_their_mend_and_change_nothing(
    database: Database, members: Members, tmp_path: Path, case: str
) -> None:
    query, sentence = BAD[case]
    await members.join(5)
    async with mirroring(database, tmp_path, members.address) as mirror:
        await mirror.run()
    source: PostgresAddress | str = members.address
    if case == "no right":
        await members.tell("DROP ROLE IF EXISTS reader")
        await members.tell("CREATE ROLE reader LOGIN")
        source = replace(members.address, user="reader")

    async with mirroring(database, tmp_path, source, query=query) as mirror:
        run = await refused(mirror)

    assert run["error"].startswith("[users] query")
    assert re.search(sentence, run["error"])
    assert "gh-" not in run["error"]


async def test_an_empty_result_is_refused_and_reported_until_it_is_mended(
    members: Members, mirror: Mirror
) -> None:
    await members.join(3)
    await mirror.run()
    await members.tell("ALTER TABLE members RENAME TO moved")
    await members.tell("CREATE TABLE members AS SELECT * FROM moved WITH NO DATA")

    run = await refused(mirror)

    said = "[users] query returned nobody, 3 users are mirrored; nothing was changed"
    problem = f"users: run {run['id']} was failed: {said}"
    assert run["error"] == said
    assert problem in await mirror.problems()
    await mirror.run(dry_run=True)
    assert problem in await mirror.problems()
    await members.tell("INSERT INTO members SELECT * FROM moved")
    await mirror.run()
    assert await mirror.problems() == []


async def test_a_first_result_that_is_empty_is_remarked(members: Members, mirror: Mirror) -> None:
    await members.tell("DELETE FROM members")

    run = await mirror.run()

    assert run["outcome"] == "succeeded"
    assert run["hint"].startswith("query returned nobody")


async def test_far_fewer_users_are_refused_until_a_person_names_the_number(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(3_000)
    async with mirroring(database, tmp_path, members.address) as mirror:
        await mirror.run()
        await members.tell("DELETE FROM members WHERE id < 'm00031'")
        await members.join(1, first=9_000)

        run = await refused(mirror)

        assert "would remove 31 of 3,000 users (at most 30 are allowed)" in run["error"]
        assert "max_removed = 31" in run["hint"]
    async with mirroring(database, tmp_path, members.address, max_removed=31) as mirror:
        assert (await mirror.run())["deleted"] == 31


@pytest.mark.parametrize(
    ("joined", "leaving", "outcome"),
    [
        (3, 2, "succeeded"),
        (6, 1, "succeeded"),
        (6, 2, "failed"),
        (50, 10, "succeeded"),
        (50, 11, "failed"),
        (500, 20, "succeeded"),
        (500, 21, "failed"),
    ],
)
async def test_twenty_may_leave_at_once_and_of_few_users_a_fifth(
    members: Members, mirror: Mirror, joined: int, leaving: int, outcome: str
) -> None:
    await members.join(joined)
    await mirror.run()
    await members.tell("DELETE FROM members WHERE id < $1", f"m{leaving:05}")

    run = await mirror.run()

    assert run["outcome"] == outcome
    assert len(await mirror.handles()) == joined - (leaving if outcome == "succeeded" else 0)


async def test_a_query_that_suddenly_opts_out_everybody_is_refused(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(100)
    async with mirroring(database, tmp_path, members.address) as mirror:
        await mirror.run()
    query = "SELECT id AS key, github, true AS opted_out FROM members"
    async with mirroring(database, tmp_path, members.address, query=query) as mirror:
        run = await refused(mirror)

        assert "would opt out 100 of 100 users (at most 20 are allowed)" in run["error"]
        assert "max_removed = 100" in run["hint"]
    async with mirroring(
        database, tmp_path, members.address, query=query, max_removed=100
    ) as mirror:
        assert (await mirror.run())["updated"] == 100


@pytest.mark.parametrize(
    "accident",
    [
        "UPDATE members SET github = NULL",
        "UPDATE members SET github = 'other-' || substr(id, 2)",
    ],
    ids=["emptied", "swapped"],
)
async def test_a_column_that_is_suddenly_another_one_is_refused(
    members: Members, mirror: Mirror, accident: str
) -> None:
    await members.join(100)
    await mirror.run()
    await members.tell(accident)

    run = await refused(mirror)

    assert "would remove 100 of 100 github links (at most 20 are allowed)" in run["error"]


async def test_max_removed_never_lets_an_empty_result_pass(
    database: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(3)
    async with mirroring(database, tmp_path, members.address, max_removed=1_000) as mirror:
        await mirror.run()
        await members.tell("DELETE FROM members")

        run = await refused(mirror)

        assert "returned nobody" in run["error"]


async def test_a_slow_query_is_ended_there_too(
    database: Database, members: Members, tmp_path: Path
) -> None:
    query = "SELECT pg_sleep(60)::text AS key"
    async with mirroring(
        database, tmp_path, members.address, query=query, timeout="500ms"
    ) as mirror:
        run = await refused(mirror)

        assert run["error"] == "[users] query was not through after 500ms; nothing was changed"
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
        assert await mirror.rows(sleeping, query) == []


async def test_an_unreachable_database_is_named_without_its_password(
    database: Database, members: Members, tmp_path: Path
) -> None:
    url = "postgresql://reader:Pass-2-Word@127.0.0.1:1/app"
    async with mirroring(database, tmp_path, url) as mirror:
        run = await refused(mirror)

        assert "cannot use PostgreSQL reader@127.0.0.1:1/app" in run["error"]
        assert "url of [users]" in run["hint"]
        shown = str(mirror.core.config.redacted()) + str(run) + str(await mirror.control.status())
        assert "Pass-2-Word" not in shown
        assert not mirror.core.database.trouble.is_set()


async def test_a_database_that_does_not_exist_is_named(
    database: Database, members: Members, tmp_path: Path
) -> None:
    async with mirroring(
        database, tmp_path, replace(members.address, database="nowhere")
    ) as mirror:
        run = await refused(mirror)

        assert "/nowhere refused the connection: InvalidCatalogNameError" in run["error"]


async def test_a_root_certificate_that_is_missing_is_named(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = "postgresql://reader@127.0.0.1:5432/app?sslmode=verify-full"
    async with mirroring(database, tmp_path, url) as mirror:
        run = await refused(mirror)

    assert run["error"].startswith("the users cannot be read: ")
    assert "root certificate" in run["hint"]
    assert "root.crt" in run["hint"]


@pytest.mark.parametrize("trouble", ["cut", "silent"])
async def test_a_line_that_breaks_in_the_middle_changes_nothing(
    database: Database, members: Members, tmp_path: Path, trouble: str
) -> None:
    await members.join(5)
    query = f"{QUERY} UNION ALL SELECT 'last', pg_sleep(1)::text, NULL"
    async with tcp_proxy(Path(members.address.host) / f".s.PGSQL.{members.address.port}") as proxy:
        near = replace(members.address, host="127.0.0.1", port=proxy.port)
        url = f"{url_of(near)}?sslmode=disable"
        async with mirroring(database, tmp_path, url, query=query, timeout="3s") as mirror:
            run_id = await mirror.start()
            await mirror.core.health.ready.wait()
            while not await mirror.rows(
                "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'active'", query
            ):
                pass
            if trouble == "cut":
                await proxy.cut()
            else:
                proxy.go_silent()

            run = await mirror.end(run_id)

            expected = "cannot use PostgreSQL" if trouble == "cut" else "was not through after 3s"
            assert (run["outcome"], run["seen"]) == ("failed", 0)
            assert expected in run["error"]
            assert await mirror.handles() == {}
            await proxy.mend()
            assert (await mirror.run())["created"] == 6
