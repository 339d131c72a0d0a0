"""One job, one migration or every score, without a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from syncd.clock import SystemClock
from syncd.config.models import Config
from syncd.daemon import manual
from syncd.daemon.answers import Json, reconciliation_answer, run_answer
from syncd.daemon.core import Core, assemble
from syncd.daemon.instance import introduce, only_instance
from syncd.daemon.listening import KIND, plays_answer
from syncd.daemon.process import logging_to
from syncd.daemon.shares import tell_shares
from syncd.daemon.signals import watch_signals
from syncd.errors import LeaseLost
from syncd.model.run import Run, RunOptions
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus, Subscriber
from syncd.telemetry.events import Event, RunProgressed

_T = TypeVar("_T")
_STDERR = 2


def run_once(
    config: Config,
    job: str,
    options: RunOptions,
    on_progress: Callable[[RunProgressed], None],
) -> Json:
    """Run a job once, embedded servers included, and return the run as the control port does.

    Logs go to standard error. Signals end the run as they end a daemon; a second one is raised as
    KeyboardInterrupt.

    Raises:
        SecondInstance: a daemon uses the state directory.
        NotLeading: another syncd leads on the same database.
        LeaseLost: another one took over before the run was through, and goes on with it.
        StartError, StoreUnavailable, NotKnown: it cannot be run here.
    """

    async def work(core: Core) -> Json:
        await migrate(core.database)
        introduce(core.leadership, config.daemon.state_dir)
        run = await core.leadership.lead_once(partial(_run_as_leader, core, job, options))
        stores = core.around.stores
        told = {
            **run_answer(run, {}, core.clock.now()),
            "reconciliation": reconciliation_answer(await stores.leaderboards.read(run.id)),
        }
        await tell_shares(stores, told)
        if run.kind == KIND:
            told["plays"] = plays_answer(await stores.listening.counts(run.id))
        return told

    def tell(event: Event) -> None:
        if isinstance(event, RunProgressed):
            on_progress(event)

    return _alone(config, work, tell)


async def _run_as_leader(core: Core, job: str, options: RunOptions) -> Run:
    """Run a job to its end; the first signal drains it, a second cancels this task."""
    await core.learn()
    started = await manual.trigger(core, job, options)
    drain = core.config.daemon.drain.total_seconds()
    here = asyncio.current_task()
    assert here is not None, "a coroutine runs in a task"
    watch_signals(lambda: core.engine.ask_to_drain(drain), here.cancel)
    try:
        ended = await core.engine.end_of(started.id)
    except asyncio.CancelledError:
        # While the lease is ours: nobody else could tell later what became of the run.
        await core.engine.cancel_and_leave()
        raise
    if ended is None:
        raise LeaseLost(
            f"run {started.id} was taken over by another syncd on the same database",
            hint=f"follow it there with `syncd show {started.id}`",
        )
    return ended


def rescore_once(config: Config, on_progress: Callable[[Json], None]) -> Json:
    """Compute every score again, embedded servers included; raises like `run_once`."""

    async def work(core: Core) -> Json:
        await migrate(core.database)
        introduce(core.leadership, config.daemon.state_dir)
        return await core.leadership.lead_once(partial(_rescore_as_leader, core, on_progress))

    return _alone(config, work, lambda _: None)


async def _rescore_as_leader(core: Core, on_progress: Callable[[Json], None]) -> Json:
    """Compute every score; a signal ends it between two pages, and the rest stays due."""
    here = asyncio.current_task()
    assert here is not None, "a coroutine runs in a task"
    watch_signals(here.cancel, here.cancel)
    await core.around.stores.scores.mark_everybody()
    return await core.scoring.compute(on_progress)


def migrate_once(config: Config, dry_run: bool) -> list[str]:
    """Bring the schema up to date (or only look), and name the migrations concerned."""

    async def work(core: Core) -> list[str]:
        found = await migrate(core.database, dry_run=dry_run)
        return [f"{migration.version:04d} {migration.name}" for migration in found]

    return _alone(config, work, lambda _: None)


def _alone(config: Config, work: Callable[[Core], Awaitable[_T]], subscriber: Subscriber) -> _T:
    """Do something with the parts of syncd while no daemon uses the state directory."""
    clock, bus = SystemClock(), Bus()

    async def live() -> _T:
        async with assemble(config, clock, bus, is_firing=False) as core:
            await core.servers.start()
            return await work(core)

    with (
        only_instance(config.daemon.state_dir),
        logging_to(config, clock, bus, output=_STDERR),
        bus.subscribed(subscriber),
        asyncio.Runner() as runner,
    ):
        try:
            return runner.run(live())
        except asyncio.CancelledError:  # by a second signal: nobody else cancels the main task
            raise KeyboardInterrupt from None
