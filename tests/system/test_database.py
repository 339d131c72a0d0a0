"""PostgreSQL that is somebody else's: how it is named, and what happens while it is away."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fakes.daemon_process import DaemonProcess, Start
from fakes.sandbox_process import SandboxProcess, sandbox_process
from fakes.tcp_proxy import TcpProxy, tcp_proxy

from syncd.model.address import PostgresAddress

PASSWORD = "p#s/s?w@rd%"
ENCODED = "p%23s%2Fs%3Fw%40rd%25"
IMPATIENT = {"connect_timeout": "1s", "command_timeout": "1s"}

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


@pytest.fixture
async def line(postgres: PostgresAddress) -> AsyncIterator[TcpProxy]:
    """A TCP port through which the PostgreSQL of the session is reached."""
    async with tcp_proxy(Path(postgres.host) / f".s.PGSQL.{postgres.port}") as proxy:
        yield proxy


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


@pytest.mark.parametrize("is_silent", [False, True], ids=["refused", "black hole"])
async def test_database_away_at_start_leaves_the_daemon_up_until_it_heals_by_itself(
    external_daemon: Start, line: TcpProxy, is_silent: bool
) -> None:
    there = {"host": "127.0.0.1", "port": line.port, "user": "syncd", **IMPATIENT}
    await fail(line, is_silent=is_silent)
    async with (
        sandbox_process(50) as sandbox,
        external_daemon(sandbox, {"database": there}, at_once=False) as daemon,
    ):
        await daemon.start(ready=False)
        await daemon.told("store.lost")
        stranger = await daemon.api("GET", "/ready", token=None)
        holder = await daemon.api("GET", "/ready")
        live = await daemon.api("GET", "/live", token=None)
        refused = await daemon.api("POST", "/api/jobs/github/trigger", {})
        status = await daemon.command("status")

        await line.mend()
        await daemon.told("store.recovered")
        await daemon.told("lease.taken")
        run = await runs_once(daemon, sandbox)

    why = f"cannot use PostgreSQL syncd@127.0.0.1:{line.port}/syncd"
    assert live.status == 200
    assert (stranger.status, stranger.body) == (503, {"status": "not ready"})
    assert holder.status == 503
    assert holder.body["why"].startswith(why)
    assert refused.status == 503
    assert status.code == 4
    assert "db DOWN" in status.out
    assert why in status.out
    assert (run["outcome"], run["created"]) == ("succeeded", 50)
    assert len(daemon.said("store.lost")) == 1


@pytest.mark.parametrize("is_silent", [False, True], ids=["cut", "black hole"])
async def test_database_away_in_mid_run_is_told_and_the_run_ends_with_right_counts(
    external_daemon: Start, line: TcpProxy, is_silent: bool
) -> None:
    users, claim = 1_000, 100
    there = {"host": "127.0.0.1", "port": line.port, "user": "syncd", **IMPATIENT}
    async with (
        sandbox_process(users) as sandbox,
        external_daemon(sandbox, {"database": there}) as daemon,
    ):
        pid = daemon.pid
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        before = await daemon.reached(run_id, users // 4)

        await fail(line, is_silent=is_silent)
        await daemon.told("store.lost")
        ready = await daemon.api("GET", "/ready")
        live = await daemon.api("GET", "/live", token=None)
        away = await sandbox.fetches()
        await line.mend()
        run = await daemon.finished(run_id)

        await daemon.told("store.recovered")
        fetches = await sandbox.fetches()
        stored = await daemon.fetch("SELECT count(*) AS n FROM profiles")

    assert daemon.pid == pid
    assert live.status == 200
    assert ready.status == 503
    assert before["seen"] <= sum(away.values()) < users
    assert (run["outcome"], run["resumed"]) == ("succeeded", 0)
    assert run["seen"] == run["created"] + run["updated"] + run["unchanged"] == users
    assert stored[0]["n"] == users
    assert sum(fetches.values()) <= users + claim
    assert daemon.said("run.crashed") == []


async def fail(line: TcpProxy, *, is_silent: bool) -> None:
    if is_silent:
        line.go_silent()
    else:
        await line.cut()
