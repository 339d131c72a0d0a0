"""Fault 17: a failure that nobody foresaw, in the middle of a run and on its way in."""

from __future__ import annotations

from fakes.daemon_config import JOB
from fakes.oracle import PULSE
from fakes.storm import Storm, Storms
from fakes.waiting import until

# What no statement of ours is ready for, and back.
UNFIT = "ALTER TABLE profiles ALTER COLUMN raw_hash TYPE integer USING 0"
FIT = "ALTER TABLE profiles ALTER COLUMN raw_hash TYPE bytea USING ''::bytea"


async def counted(world: Storm) -> int:
    """Return how many failures of the job the metrics count."""
    for line in (await world.daemon.get("/metrics")).splitlines():
        if line.startswith(f'syncd_run_crashes_total{{job="{JOB}"}} '):
            return int(float(line.rpartition(" ")[2]))
    raise AssertionError("there is no such counter")


async def pulses(world: Storm) -> int:
    (row,) = await world.daemon.fetch(
        "SELECT count(*) FROM runs WHERE job = $1 AND outcome = 'succeeded'", PULSE
    )
    return int(row["count"])


async def test_failure_nobody_foresaw_ends_its_run_alone_with_its_stack_and_is_counted(
    storm: Storms,
) -> None:
    async with storm() as world:
        await world.calm()
        world.everybody_changes()
        before = await counted(world)
        await world.daemon.fetch(UNFIT)

        failed = await world.run()
        beats = await pulses(world)

        async def beats_on() -> bool:
            return await pulses(world) > beats

        await until(beats_on, what="the other job's next run")
        await world.daemon.fetch(FIT)
        healed = await world.heals()
        after = await counted(world)

    (crashed,) = world.daemon.said("run.crashed")
    assert failed["outcome"] == "failed"
    assert failed["error"].startswith(f"unforeseen DatatypeMismatchError in job {JOB}")
    assert (crashed["job"], crashed["level"]) == (JOB, "error")
    assert "Traceback" in crashed["stack"]
    assert (before, after) == (0, 1)
    assert healed["outcome"] == "succeeded"
