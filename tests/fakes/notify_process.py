"""A process that sends what is due and kills itself at a given step of a delivery.

    python -m fakes.notify_process ADDRESS SCHEMA POLICY STEP FILE

`ADDRESS` is the folder, port, user and database of PostgreSQL. Each message that arrives is a line
of FILE: its key. STEP is "claimed", "sent", "storing", "stored" or "none".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from fakes.notified import ScriptedChannel, resending
from fakes.running import JOB, Running, draft

from syncd.clock import SystemClock
from syncd.jobs.notify import Notify, NotifyOptions
from syncd.jobs.stop import Stop
from syncd.model.address import PostgresAddress
from syncd.model.notification import Message, Receipt
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.store.database import Database
from syncd.store.notifications import NotificationStore
from syncd.store.pool import DatabaseSettings
from syncd.store.runs import RunStore
from syncd.telemetry.events import DeliverySent, Event


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingRuns(RunStore):
    """Dies in the transaction that stores what came of deliveries, before it commits."""

    async def add_report(self, *values: Any, **more: Any) -> None:
        await super().add_report(*values, **more)
        die()


class FileChannel(ScriptedChannel):
    """Delivers into a file."""

    file: Path
    step: str

    async def send(self, message: Message) -> Receipt:
        if self.step == "claimed":
            die()
        with self.file.open("a") as lines:
            lines.write(f"{message.key}\n")
        if self.step == "sent":
            die()
        return Receipt()


async def main(address: str, schema: str, policy: str, step: str, file: str) -> None:
    host, port, user, name = address.split(",")
    where = PostgresAddress(host=host, port=int(port), user=user, database=name)
    clock = SystemClock()
    async with Database(DatabaseSettings(address=where, schema=schema), clock) as database:
        world = Running(database, clock, f"process {os.getpid()}")
        channel = FileChannel("email", clock, world.bus, slots=1)
        channel.file, channel.step = Path(file), step
        if policy == "resend":
            resending(channel)
        object.__setattr__(world.around, "channels", {"email": channel})
        if step == "storing":
            runs = DyingRuns(database, f"process {os.getpid()}", world.runs.fence)
            store = NotificationStore(database, runs)
            object.__setattr__(world.around.stores, "notifications", store)

        def note(event: Event) -> None:
            if step == "stored" and isinstance(event, DeliverySent):
                die()

        # As a start of the daemon does.
        await world.runs.recover()
        with world.bus.subscribed(note):
            async with world.engine:
                run_id = await world.runs.create(draft(clock, kind="notify"))
                run = await world.runs.read(run_id)
                assert run is not None
                job = Job(name=JOB, kind="notify", work=Notify(JOB, NotifyOptions()))
                world.engine.start(Order(run=run, job=job, stop=Stop()))
                await world.end_of(run_id)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
