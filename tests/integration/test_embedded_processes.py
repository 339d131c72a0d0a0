"""The embedded servers below a process of their own, which is killed; run as several users."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from syncd.embedded.process import serves

# Starts both servers, tells what happened line by line, stops them when its input ends.
DAEMON = """
import asyncio, dataclasses, json, os, sys
from pathlib import Path
from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.embedded.valkey import EmbeddedValkey
from syncd.errors import SyncdError
from syncd.telemetry.bus import Bus

def tell(**facts):
    print(json.dumps(facts), flush=True)

async def main(state_dir, bus, clock):
    async with EmbeddedPostgres(state_dir, bus, clock) as postgres:
        async with EmbeddedValkey(state_dir, bus, clock):
            tell(name="ready", pid=os.getpid(), host=postgres.address.host, uid=os.geteuid())
            await asyncio.to_thread(sys.stdin.read)

bus = Bus()
with bus.subscribed(lambda event: tell(name=event.name, **dataclasses.asdict(event))):
    try:
        asyncio.run(main(Path(sys.argv[1]), bus, SystemClock()))
    except SyncdError as error:
        tell(name="refused", error=str(error), hint=error.hint)
"""

# Runs a command as root of a namespace that knows every uid but allows no further namespace.
WITHOUT_NAMESPACES = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
if (inner := os.fork()) == 0:
    if ctypes.CDLL(None).unshare(0x10000000):
        os._exit(77)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(ready[1])
if os.read(ready[0], 1):
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{inner}/{name}", "w") as file:
            file.write("0 0 65536")
    os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
"""

# Not setpriv: below root's home no other user could start this Python.
ORDINARY_USER = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
NAMELESS_USER = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
ROOT_WITHOUT_NAMESPACES = (sys.executable, "-c", WITHOUT_NAMESPACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A running daemon: its servers, and the last line it told."""

    servers: dict[str, dict[str, Any]]
    last: dict[str, Any]


@contextlib.asynccontextmanager
async def daemon(state_dir: Path, prefix: tuple[str, ...] = ()) -> AsyncIterator[Daemon]:
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "-W", "error", "-c", DAEMON, str(state_dir)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C"},
    )
    assert process.stdout is not None
    try:
        servers: dict[str, dict[str, Any]] = {}
        last: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while last.get("name") not in {"ready", "refused"}:
                last = json.loads(await process.stdout.readline())
                if last["name"] == "server.started":
                    servers[last["server"]] = last
        yield Daemon(servers=servers, last=last)
    finally:
        # Not without input, which would leave its standard input open.
        await process.communicate(b"")


@contextlib.asynccontextmanager
async def connected(daemon: Daemon) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        host=daemon.last["host"], port=5432, user="syncd", database="syncd"
    )
    try:
        yield connection
    finally:
        connection.terminate()


def gone(daemon: Daemon, state_dir: Path) -> bool:
    """Wait until no server of a daemon is left; False when they stay for 5 s."""
    markers = {"postgres": ("-D", "postgres"), "valkey": ("--dir", "valkey")}
    waiting = [
        (facts["pid"], (markers[name][0], str(state_dir / markers[name][1])))
        for name, facts in daemon.servers.items()
    ]
    deadline = time.monotonic() + 5
    while any(serves(pid, marker) for pid, marker in waiting) and time.monotonic() < deadline:
        time.sleep(0.01)
    return time.monotonic() < deadline


def require(prefix: tuple[str, ...]) -> None:
    """Skip, saying why, where this machine cannot play the user of a test."""
    if prefix in {ORDINARY_USER, ROOT_WITHOUT_NAMESPACES} and os.geteuid() != 0:
        pytest.skip("only root can play another user; the other tests ran as an ordinary one")
    if prefix and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine refuses user namespaces")


@pytest.fixture
def open_state_dir() -> Iterator[Path]:
    """A state directory that others may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="syncd-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.mark.parametrize(
    "prefix",
    [(), ORDINARY_USER, NAMELESS_USER, ROOT_WITHOUT_NAMESPACES],
    ids=["as ourselves", "as an ordinary user", "as a uid without name", "root, no namespaces"],
)
async def test_kill_of_the_daemon_stops_both_servers_and_committed_rows_survive(
    prefix: tuple[str, ...], open_state_dir: Path
) -> None:
    require(prefix)
    async with daemon(open_state_dir, prefix) as first:
        async with connected(first) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
        os.kill(first.last["pid"], signal.SIGKILL)
        both_gone = gone(first, open_state_dir)

    async with daemon(open_state_dir, prefix) as second, connected(second) as connection:
        seven = await connection.fetchval("SELECT seven FROM kept")

    log = (open_state_dir / "postgres.log").read_text()
    assert both_gone
    assert seven == 7
    assert "received fast shutdown request" in log
    assert "automatic recovery" not in log
    assert gone(second, open_state_dir)


async def test_start_right_after_a_kill_waits_for_the_old_servers(tmp_path: Path) -> None:
    async with daemon(tmp_path) as first:
        os.kill(first.last["pid"], signal.SIGKILL)

        async with daemon(tmp_path) as second, connected(second) as connection:
            answer = await connection.fetchval("SELECT 1")
            first_gone = gone(first, tmp_path)

    assert answer == 1
    assert first_gone
    assert "lock file" not in (tmp_path / "postgres.log").read_text()


async def test_second_daemon_on_one_state_directory_is_told_the_pid_of_the_first(
    tmp_path: Path,
) -> None:
    async with daemon(tmp_path) as first, daemon(tmp_path) as second:
        pass

    pid = first.last["pid"]
    assert second.last["name"] == "refused"
    assert f"process {pid} already runs it in {tmp_path}" in second.last["error"]
    assert "state_dir of its own" in second.last["hint"]


async def test_root_without_namespaces_is_told_how_to_open_the_state_directory(
    tmp_path: Path,
) -> None:
    require(ROOT_WITHOUT_NAMESPACES)

    async with daemon(tmp_path, ROOT_WITHOUT_NAMESPACES) as refused:
        pass

    assert "Permission denied" in refused.last["error"]
    assert "chmod 711" in refused.last["hint"]
