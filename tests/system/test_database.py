"""PostgreSQL that is somebody else's: how it is named; what it may do to us is in `faults/`."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fakes.daemon_config import Tables
from fakes.daemon_process import DaemonProcess, Start
from fakes.sandbox_process import SandboxProcess, sandbox_process
from fakes.tcp_proxy import TcpProxy

from syncd.model.address import PostgresAddress

PASSWORD = "p#s/s?w@rd%"
ENCODED = "p%23s%2Fs%3Fw%40rd%25"

_numbers = itertools.count(1)


@pytest.fixture
async def role(postgres: PostgresAddress) -> AsyncIterator[str]:
    """A role that must show its password, and owns a database of its name."""
    name = f"guest{next(_numbers)}"
    owner = await asyncpg.connect(host=postgres.host, user="syncd", database="syncd")
    try:
        await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        await owner.execute(f"CREATE DATABASE {name} OWNER {name}")
        with first_rule(
            Path(await owner.fetchval("SHOW hba_file")), f"local all {name} scram-sha-256"
        ):
            await owner.fetchval("SELECT pg_reload_conf()")
            yield name
    finally:
        await owner.close()


@contextlib.contextmanager
def first_rule(rules: Path, rule: str) -> Iterator[None]:
    """Put a rule before those of pg_hba.conf."""
    before = rules.read_text()
    rules.write_text(f"{rule}\n{before}")
    yield
    rules.write_text(before)


async def runs_once(daemon: DaemonProcess, sandbox: SandboxProcess) -> dict[str, Any]:
    await daemon.follow(sandbox)
    return await daemon.finished(await daemon.trigger())


async def test_database_is_named_part_by_part_with_a_password_from_a_file(
    external_daemon: Start, line: TcpProxy, role: str
) -> None:
    async with (
        sandbox_process(50) as sandbox,
        external_daemon(sandbox, at_once=False) as daemon,
    ):
        secret = daemon.folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        parts = {"host": "127.0.0.1", "port": line.port, "user": role, "database": role}
        daemon.configure({"database": {**parts, "password_file": str(secret)}})
        await daemon.start()

        run = await runs_once(daemon, sandbox)
        status = await daemon.get("/api/status")

    assert (run["outcome"], run["created"]) == ("succeeded", 50)
    assert status["database"]["address"] == f"{role}@127.0.0.1:{line.port}/{role}"
    assert PASSWORD not in str(daemon.lines) + daemon.errors()


async def test_database_is_named_by_a_url(
    external_daemon: Start, line: TcpProxy, role: str
) -> None:
    url = f"postgresql://{role}:{ENCODED}@127.0.0.1:{line.port}/{role}?sslmode=disable"
    async with (
        sandbox_process(50) as sandbox,
        external_daemon(sandbox, {"database": {"host": "", "url": url}}) as daemon,
    ):
        run = await runs_once(daemon, sandbox)

    assert (run["outcome"], run["created"]) == ("succeeded", 50)
    assert PASSWORD not in str(daemon.lines) + daemon.errors()


async def test_wrong_password_leaves_the_daemon_up_and_says_why(
    external_daemon: Start, line: TcpProxy, role: str
) -> None:
    wrong = {"host": "127.0.0.1", "port": line.port, "user": role, "password": "not-this-one"}
    async with external_daemon(tables={"database": wrong}, at_once=False) as daemon:
        await daemon.start(ready=False)
        lost = await daemon.told("store.lost")

        ready = await daemon.api("GET", "/ready")

    assert ready.status == 503
    assert "refused the connection: InvalidPasswordError" in ready.body["why"]
    assert "not-this-one" not in str(lost)


GRANTS = {
    "may not create a schema": (
        "ALTER DATABASE {role} OWNER TO syncd",
        "GRANT CREATE ON DATABASE {role} TO {role}",
    ),
    "may not use the schema": (
        "CREATE SCHEMA {schema} AUTHORIZATION syncd",
        "GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}",
    ),
}


def as_guest(line: TcpProxy, role: str) -> Tables:
    there = {"host": "127.0.0.1", "port": line.port, "user": role, "database": role}
    return {"database": {**there, "password": PASSWORD}}


async def as_owner(postgres: PostgresAddress, database: str, statement: str) -> None:
    owner = await asyncpg.connect(host=postgres.host, user="syncd", database=database)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()


@pytest.mark.parametrize("case", GRANTS)
async def test_role_that_lacks_a_right_ends_the_start_with_5_and_the_grant_to_give(
    external_daemon: Start, line: TcpProxy, role: str, postgres: PostgresAddress, case: str
) -> None:
    statement, grant = GRANTS[case]
    async with external_daemon(tables=as_guest(line, role), at_once=False) as daemon:
        names = {"role": role, "schema": daemon.schema}
        await as_owner(postgres, role, statement.format(**names))

        said = await daemon.command("run")

    sentence, hint = said.err.splitlines()
    assert said.code == 5
    assert sentence == f"syncd: this role may not create tables in schema {daemon.schema}"
    assert hint == f"  hint: as its owner run: {grant.format(**names)}"
    assert line.connections == 0


async def test_role_whose_search_path_was_emptied_finds_its_tables_all_the_same(
    external_daemon: Start, line: TcpProxy, role: str, postgres: PostgresAddress
) -> None:
    await as_owner(postgres, role, f"ALTER ROLE {role} SET search_path = ''")
    async with (
        sandbox_process(20) as sandbox,
        external_daemon(sandbox, as_guest(line, role)) as daemon,
    ):
        run = await runs_once(daemon, sandbox)

    assert (run["outcome"], run["created"]) == ("succeeded", 20)


async def test_status_answers_while_somebody_keeps_a_table_to_themselves(
    external_daemon: Start,
) -> None:
    async with external_daemon() as daemon:
        await daemon.told("job.registered")
        address = daemon.database
        other = await asyncpg.connect(
            host=address.host, port=address.port, user=address.user, database=address.database
        )
        async with other.transaction():
            await other.execute(f"LOCK TABLE {daemon.schema}.runs IN ACCESS EXCLUSIVE MODE")
            status = await daemon.command("status", "--json")
        await other.close()

    database = json.loads(status.out)["database"]
    assert status.err == ""
    assert (database["ok"], "LockNotAvailable" in database["error"]) == (False, True)
