"""Fault 28: the disk of the table, or of what is staged, is full; then there is room."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.boarded import PROMPT, boarded
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.model.address import PostgresAddress
from syncd.model.run import Outcome
from syncd.store.database import Database
from syncd.telemetry.events import RunHeldUp

USERS = 40_000


class SmallDisk:
    """A file system of a megabyte that can be made larger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", options, "none", str(self.folder)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(postgres: PostgresAddress) -> Iterator[SmallDisk]:
    with tempfile.TemporaryDirectory(prefix="syncd-disk-") as name, contextlib.ExitStack() as life:
        folder = Path(name)
        folder.chmod(0o755)
        disk = SmallDisk(folder / "disk")
        disk.folder.mkdir()
        if not disk.mount("size=1m"):
            pytest.skip("this machine refuses to mount the small disk that PostgreSQL fills")
        life.callback(subprocess.run, ["umount", "--lazy", str(disk.folder)], check=True)
        owner = Path(postgres.host).joinpath(f".s.PGSQL.{postgres.port}").stat()
        (disk.folder / "space").mkdir()
        os.chown(disk.folder / "space", owner.st_uid, owner.st_gid)
        yield disk


SPACES = {
    "the table": ("ALTER TABLE pomo_leaderboard SET TABLESPACE tiny", "SELECT 1"),
    "what is staged": (
        "ALTER ROLE CURRENT_USER SET temp_tablespaces = tiny",
        "ALTER ROLE CURRENT_USER RESET temp_tablespaces",
    ),
}


@pytest.mark.parametrize("what", SPACES)
async def test_a_run_waits_for_room_on_the_disk_and_goes_on_by_itself(
    database: Database, valkey: ValkeyServer, small_disk: SmallDisk, what: str
) -> None:
    fill_it, leave_it = SPACES[what]
    async with database.connection() as connection:
        await connection.execute(f"CREATE TABLESPACE tiny LOCATION '{small_disk.folder}/space'")
        await connection.execute(fill_it)
    await database.disconnect()
    async with boarded(database, valkey, guard=PROMPT) as boards:
        await boards.put({"daily": {f"u{number:05}": number + 1.0 for number in range(USERS)}})
        run_id = await boards.world.start(boards.work)

        async def is_held_up() -> list[RunHeldUp]:
            return boards.world.told(RunHeldUp)

        held_up = await until(is_held_up, what="the disk to be full")
        half = await boards.world.value("SELECT count(*) FROM pomo_leaderboard")
        assert small_disk.mount("remount,size=200m")
        run = await boards.world.end_of(run_id)
        table = await boards.world.value("SELECT count(*) FROM pomo_leaderboard")
        again = await boards.run()
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE pomo_leaderboard SET TABLESPACE pg_default")
        await connection.execute(leave_it)
    await database.disconnect()
    async with database.connection() as connection:
        await connection.execute("DROP TABLESPACE tiny")

    assert "its disk is full" in held_up[0].error
    assert "free space on the disk of PostgreSQL" in held_up[0].hint
    assert half == 0
    assert (run.outcome, run.report.created, table) == (Outcome.SUCCEEDED, USERS, USERS)
    assert (again.report.unchanged, again.report.seen) == (USERS, USERS)
