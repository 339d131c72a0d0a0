"""A mirror run that is cut off, wherever that happens, is repeated and comes to the same."""

from __future__ import annotations

import asyncio

import pytest
from fakes.mirroring import Members, Mirror, connect
from fakes.waiting import until

from syncd.errors import AlreadyRunning
from syncd.model.run import Outcome

WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'syncd'"
)
# Where the run stands still: before it puts users, links them, deletes users, counts.
TABLES = ("users", "accounts", "sync_state", "item_outcomes", "runs")


async def change(members: Members) -> None:
    """Let one user come, one go, one be linked otherwise, and one claim a handle that cannot be."""
    await members.join(1, first=5)
    await members.tell("DELETE FROM members WHERE id = 'm00000'")
    await members.tell("UPDATE members SET github = 'moved' WHERE id = 'm00001'")
    await members.tell("UPDATE members SET github = 'not a name' WHERE id = 'm00002'")


@pytest.mark.parametrize("table", TABLES)
async def test_a_connection_that_is_lost_at_any_write_leaves_all_or_nothing(
    members: Members, mirror: Mirror, table: str
) -> None:
    await members.join(5)
    await mirror.run()
    await change(members)
    settings = mirror.core.database.settings
    blocker = await connect(settings.address)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute(f"LOCK TABLE {settings.schema}.{table} IN EXCLUSIVE MODE")
    starting = asyncio.create_task(mirror.start())
    [waiting] = await until(lambda: mirror.rows(WAITING), what=f"somebody to wait for {table}")
    await blocker.execute("SELECT pg_terminate_backend($1)", waiting["pid"])
    before = await mirror.handles()
    assert before == {f"m0000{number}": f"gh-{number}" for number in range(5)}

    await transaction.rollback()
    await blocker.close()
    # The order itself is given once more: nobody was told its number.
    run = await mirror.end(await starting)

    assert run["outcome"] == "succeeded"
    found = {name: run[name] for name in ("created", "updated", "unchanged", "skipped", "deleted")}
    assert found == {"created": 1, "updated": 1, "unchanged": 2, "skipped": 1, "deleted": 1}
    assert await mirror.handles() == {
        "m00001": "moved",
        "m00002": "gh-2",
        "m00003": "gh-3",
        "m00004": "gh-4",
        "m00005": "gh-5",
    }


async def test_a_run_that_had_committed_is_not_counted_twice(
    members: Members, mirror: Mirror
) -> None:
    await members.join(3)
    run = await mirror.run()
    await mirror.rows("UPDATE runs SET outcome = 'interrupted', finished_at = NULL RETURNING id")

    scheduling = asyncio.create_task(mirror.core.scheduler.run())
    again = await mirror.end(run["id"])
    scheduling.cancel()

    assert (again["outcome"], again["resumed"]) == ("succeeded", 1)
    assert (again["created"], again["seen"]) == (3, 3)


async def test_only_one_mirror_runs_and_a_person_may_end_it(
    members: Members, mirror: Mirror
) -> None:
    await members.join(3)
    await members.tell("ALTER TABLE members RENAME TO real_members")
    await members.tell(
        "CREATE VIEW members AS SELECT real_members.* FROM real_members, pg_sleep(60)"
    )
    run_id = await mirror.start()
    with pytest.raises(AlreadyRunning):
        await mirror.start()

    await mirror.control.cancel(run_id)
    run = await mirror.end(run_id)

    assert run["outcome"] == Outcome.CANCELLED
    assert await mirror.handles() == {}
