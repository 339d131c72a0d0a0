"""The control port of a whole daemon: what reading changes (nothing), and what it tells."""

from __future__ import annotations

from typing import Any

from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess, Start
from fakes.sandbox_process import sandbox_process

TABLES = ("runs", "jobs", "pauses", "users", "accounts", "sync_state", "profiles", "item_outcomes")


async def everything_stored(daemon: DaemonProcess) -> dict[str, list[Any]]:
    return {
        table: [tuple(row) for row in await daemon.fetch(f"TABLE {table} ORDER BY 1, 2")]
        for table in TABLES
    }


async def test_reading_every_address_three_times_changes_nothing(
    external_daemon: Start,
) -> None:  # S8
    async with sandbox_process(20) as sandbox, external_daemon(sandbox) as daemon:
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await daemon.finished(run_id)
        names = {"job": JOB, "id": run_id, "key": "u0"}
        paths = (await daemon.get("/api/openapi.json"))["paths"]
        before = await everything_stored(daemon)
        config = daemon.config.read_bytes()

        answers = [
            await daemon.api("GET", path.format(**names))
            for path, operations in paths.items()
            if "get" in operations and path != "/api/events"  # that one does not end
            for _ in range(3)
        ]
        after = await everything_stored(daemon)

    assert len(answers) > 20
    assert {answer.status for answer in answers} == {200, 404}
    # There is no letter, no plan, no leaderboard, and no link to unsubscribe by.
    assert sum(answer.status == 404 for answer in answers) == 3 * 6
    assert after == before
    assert daemon.config.read_bytes() == config
