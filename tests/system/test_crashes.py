"""A crash tells where code stood, never what it held; S25, FAULTS O5.

Every test here ends with its folder, standard output and standard error searched for canaries:
`fakes.canary`.
"""

from __future__ import annotations

import signal
from pathlib import Path

from fakes.daemon_process import Start
from fakes.echoing import CLIENT_ID, CLIENT_SECRET, USERS, echo, grants
from fakes.misbehaving import begin_mischief, mischief, with_mischief
from fakes.processes import processes_of
from fakes.sandbox_process import sandbox_process


def dumped(number: int) -> tuple[bool, str]:
    """Return whether a process may write no core file, and what a core dump would hold."""
    process = Path(f"/proc/{number}")
    limits = (process / "limits").read_text().splitlines()
    core = next(line.split()[4:6] for line in limits if line.startswith("Max core file size"))
    return core == ["0", "0"], (process / "coredump_filter").read_text()


def cores(folder: Path) -> list[Path]:
    return list(folder.glob("**/core*"))


async def test_run_that_crashes_with_a_token_at_hand_is_told_without_it(
    external_daemon: Start,
) -> None:
    tables = mischief("crash_with_a_secret")
    async with external_daemon(None, tables, environ=with_mischief()) as daemon:
        run = await daemon.finished(await begin_mischief(daemon))
        stacks = [line["stack"] for line in daemon.lines if "stack" in line]

    assert run["outcome"] == "failed"
    assert any("in crash_with_a_secret" in stack for stack in stacks), stacks
    assert any("ValueError: bad headers {'Authorization': 'Bearer ***'}" in each for each in stacks)


async def test_daemon_that_is_aborted_tells_where_it_stood_and_leaves_no_core(
    external_daemon: Start, tmp_path: Path
) -> None:
    tables = mischief("block_with_a_secret", seconds=60)
    async with external_daemon(None, tables, environ=with_mischief()) as daemon:
        await begin_mischief(daemon)
        await daemon.told("loop.blocked")
        daemon.kill(signal.SIGABRT)
        code = await daemon.ended()
        said = daemon.errors()

    assert code == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in said
    assert "in _block" in said
    assert cores(tmp_path) == []


async def test_neither_the_daemon_nor_its_servers_may_write_their_memory_to_disk(
    embedded_daemon: Start,
) -> None:
    async with embedded_daemon() as daemon:
        numbers = {daemon.pid, *processes_of(daemon.folder)}
        told = {number: dumped(number) for number in numbers}

    assert len(told) > 5
    assert set(told.values()) == {(True, "00000000\n")}


async def test_what_everybody_says_at_debug_level_holds_no_token(
    external_daemon: Start,
) -> None:
    environ = {"PYTHONASYNCIODEBUG": "1", "PYTHONTRACEMALLOC": "5"}
    tables = {"logging": {"level": "debug"}}
    async with (
        sandbox_process(20) as sandbox,
        external_daemon(sandbox, tables, environ=environ) as daemon,
    ):
        await daemon.follow(sandbox)
        run = await daemon.finished(await daemon.trigger())
        debug = [line for line in daemon.lines if line["level"] == "debug"]

    assert run["outcome"] in {"succeeded", "partial"}
    assert run["created"] >= 20
    assert debug


async def test_platform_that_sends_tokens_of_users_back_makes_nobody_tell_them(
    external_daemon: Start,
) -> None:
    app = {"name": "main", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    limits = {"allow_private": True, "rate": "1000/s", "burst": 10, "credentials": [app]}
    async with echo() as (world, address):
        tables = {
            "platforms.spotify": {**limits, "base_url": address, "urls": {"accounts": address}},
            "jobs.listening": {"kind": "listening", "attempts": 1},
            "logging": {"level": "debug", "dir": "logs"},
        }
        async with external_daemon(None, tables, environ={"PYTHONASYNCIODEBUG": "1"}) as daemon:
            (daemon.folder / "grants.jsonl").write_text(grants())
            imported = await daemon.command("tokens", "import", "grants.jsonl")
            run = await daemon.finished(await daemon.trigger_job("listening"))
            paths = [f"/api/runs/{run['id']}/items", "/api/tokens", "/api/dead-letters", "/metrics"]
            paths += ["/api/status", "/api/platforms", "/api/stale"]
            paths += [f"/api/users/u{user}/why" for user in USERS]
            for path in paths:
                await daemon.get(path)
            await daemon.restart(signal.SIGKILL)
            for words in (["tokens", "list"], ["status"], ["config", "show"], ["check"]):
                await daemon.command(*words)
            sealed = await daemon.fetch("SELECT key_id, refresh_ct FROM oauth_tokens")
            gone = await daemon.command("users", "forget", *(f"u{user}" for user in USERS))
            left = await daemon.fetch("SELECT FROM oauth_tokens")

    assert (imported.code, run["seen"]) == (0, len(USERS)), imported
    assert any("canary-access-5-new" in told for told in world.shown)
    assert (len(sealed), gone.code, left) == (len(USERS), 0, [])
