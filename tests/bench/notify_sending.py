"""Sending what is due, in a process of its own, so that its memory is that of sending alone.

    python tests/bench/notify_sending.py SOCKETS DELIVERIES

Makes due what is due to the users of the comparison, and sends so many over a channel that takes
everything at once. SOCKETS is the folder PostgreSQL listens in. Reports as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_scores import LoopWatch
from fakes.notified import ScriptedChannel
from fakes.running import JOB, Running, draft
from notify_stage import LONG_SECONDS

from syncd.clock import SystemClock
from syncd.jobs.notify import Notify, NotifyOptions
from syncd.jobs.stop import Stop
from syncd.model.address import PostgresAddress
from syncd.model.notification import Message, Receipt
from syncd.model.run import RunOptions
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.store.database import Database
from syncd.store.pool import DatabaseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What sending took; memory in MB: before, and at its peak."""

    deliveries: int
    seconds: float
    longest_block: float
    resident: float
    peak: float


class Swallowing(ScriptedChannel):
    """Takes everything and keeps nothing."""

    async def send(self, message: Message) -> Receipt:
        del message
        await asyncio.sleep(0)
        return Receipt()


async def send(world: Running, deliveries: int) -> Sent:
    """Send so many of what is due."""
    channel = Swallowing("email", world.clock, world.bus, slots=100)
    object.__setattr__(world.around, "channels", {"email": channel})
    asked = draft(world.clock, RunOptions(limit=deliveries), kind="notify")
    run_id = await world.runs.create(asked)
    run = await world.runs.read(run_id)
    assert run is not None
    work = Job(name=JOB, kind="notify", work=Notify(JOB, NotifyOptions()))
    gc.collect()
    resident = megabytes("VmRSS")
    watch = LoopWatch()
    async with world.engine, asyncio.TaskGroup() as group:
        watching = group.create_task(watch.watch())
        begun = time.perf_counter()
        world.engine.start(Order(run=run, job=work, stop=Stop()))
        ended = await world.end_of(run_id, LONG_SECONDS)
        seconds = time.perf_counter() - begun
        watching.cancel()
    return Sent(
        deliveries=ended.report.created,
        seconds=seconds,
        longest_block=watch.longest,
        resident=resident,
        peak=megabytes("VmHWM"),
    )


def megabytes(what: str) -> float:
    """Return how much memory this process has (VmRSS), or had at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024


async def send_in_child(host: str, deliveries: int) -> Sent:
    """Send so many in a fresh process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, host, str(deliveries)), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, "its error stands above"
    return Sent(**json.loads(told))


async def main(host: str, deliveries: int) -> None:
    settings = DatabaseSettings(
        address=PostgresAddress(host=host), pool=4, command_timeout=timedelta(minutes=5)
    )
    clock = SystemClock()
    async with Database(settings, clock) as opened:
        print(json.dumps(asdict(await send(Running(opened, clock, "bench"), deliveries))))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
