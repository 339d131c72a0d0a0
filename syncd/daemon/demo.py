"""`syncd demo`: the daemon's real parts on this machine alone, against a stand-in for GitHub.

Everything it needs lies in a temporary folder that goes with it, whichever way it ends; only the
logs stay. What the sync reports is held against what the stand-in knows to have happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from copy import copy
from dataclasses import dataclass, replace
from typing import Protocol

from syncd.clock import SystemClock
from syncd.daemon.control import Control
from syncd.daemon.core import Core, assemble
from syncd.daemon.instance import only_instance
from syncd.daemon.rehearsal import Pass, Rehearsal
from syncd.daemon.stage import (
    JOB,
    SCALE,
    DemoPlan,
    Stage,
    home_folder,
    log_folder,
    logs_in_files,
    move_control_port,
    set_stage,
    start_servers,
)
from syncd.errors import PortTaken
from syncd.model.run import Run, RunOptions
from syncd.sandbox.counters import Counters
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.server import serve
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, RunProgressed
from syncd.web.server import ControlServer, ControlSettings
from syncd.web.token import load_or_create_token

_IMPORTED_AT_ONCE = 10_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What came of it; `mismatches` is empty when all numbers add up.

    `refused` counts the requests that exceeded a limit of the stand-in, `most_in_a_minute` is its
    fullest minute; `address` is where the control port is served, if it is.
    """

    stage: Stage
    passes: tuple[Pass, ...]
    refused: int
    most_in_a_minute: int
    mismatches: tuple[str, ...]
    address: str = ""


class Audience(Protocol):
    """Whom the demo tells what happens, in this order."""

    def begin(self, stage: Stage) -> None:
        """Everything is prepared; the servers are about to be started."""

    def follow(self, name: str, progress: RunProgressed) -> None:
        """A pass has come further."""

    def end(self, report: DemoReport) -> None:
        """The sync is done; the control port is served, if it was asked for."""


def run_demo(plan: DemoPlan, audience: Audience) -> DemoReport | None:
    """Play the demo; None when a signal ended it before its time.

    Raises:
        StartError: it cannot be played here.
    """
    with asyncio.Runner() as runner:
        return runner.run(_Demo(plan, audience).run())


class _Demo:
    """One performance: it is shown once and leaves nothing behind."""

    def __init__(self, plan: DemoPlan, audience: Audience) -> None:
        self._plan = plan
        self._audience = audience
        self._clock = SystemClock()
        self._bus = Bus()
        self._pass = ""
        self._is_synced = False
        self._leave = asyncio.Event()

    async def run(self) -> DemoReport | None:
        """Play to the end, or to the first signal; further ones change nothing."""
        loop = asyncio.get_running_loop()
        play = asyncio.create_task(self._play(), name="demo")
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal, play)
        await asyncio.wait([play])
        return None if play.cancelled() else play.result()

    def _on_signal(self, play: asyncio.Task[DemoReport]) -> None:
        if not self._is_synced and not self._leave.is_set():
            play.cancel()
        self._leave.set()

    async def _play(self) -> DemoReport:
        rehearsal = Rehearsal(self._plan.users, self._plan.seed)
        standin = GitHubStandIn(rehearsal.population, scale=SCALE)
        async with contextlib.AsyncExitStack() as stack:
            log_dir = stack.enter_context(log_folder())
            home = stack.enter_context(home_folder())
            base_url = await stack.enter_async_context(serve(standin))
            stage = set_stage(self._plan, home, log_dir, base_url)
            config = stage.config
            core = assemble(config, self._clock, self._bus, is_firing=True)
            control = Control(core)
            stack.enter_context(only_instance(config.daemon.state_dir))
            stack.enter_context(logs_in_files(core))
            for subscriber in (control.note, self._tell):
                stack.enter_context(self._bus.subscribed(subscriber))
            self._audience.begin(stage)
            await stack.enter_async_context(core)
            await start_servers(core, stage)
            await migrate(core.database)
            for text in rehearsal.import_files(_IMPORTED_AT_ONCE):
                await control.import_users(text, format="csv", dry_run=False)
            passes = await self._sync_twice(core, rehearsal, standin.counters)
            report = _to_report(stage, passes, standin.counters)
            self._is_synced = True
            if self._plan.stays:
                address = await self._go_on_air(stack, control, core)
                report = replace(report, address=address)
            self._audience.end(report)
            if self._plan.stays:
                await self._leave.wait()
                await core.engine.drain(config.daemon.drain.total_seconds())
        return report

    def _tell(self, event: Event) -> None:
        if isinstance(event, RunProgressed):
            self._audience.follow(self._pass, event)

    async def _sync_twice(
        self, core: Core, rehearsal: Rehearsal, counters: Counters
    ) -> tuple[Pass, ...]:
        ended: asyncio.Queue[Run] = asyncio.Queue()
        core.engine.on_end(ended.put_nowait)
        passes: list[Pass] = []
        for name, happen in (
            ("first pass", rehearsal.happen_before_first),
            ("second pass", rehearsal.happen_before_second),
        ):
            self._pass, expected = name, happen()
            before = copy(counters)
            await core.scheduler.trigger(JOB, RunOptions())
            run = await ended.get()
            played = Pass(
                name=name,
                expected=expected,
                run=run,
                requests=counters.requests - before.requests,
                quota_used=counters.quota_used - before.quota_used,
                sweeps=counters.graphql - before.graphql,
            )
            passes.append(played)
        return tuple(passes)

    async def _go_on_air(
        self, stack: contextlib.AsyncExitStack, control: Control, core: Core
    ) -> str:
        """Fire what is due and serve the control port from now on; return its address."""
        roots = await asyncio.TaskGroup().__aenter__()
        # Without the body's exception, which the group would wrap into one of its own.
        stack.push_async_callback(roots.__aexit__, None, None, None)
        for work in (core.health.watch(), core.scheduler.run(), control.scraper.keep()):
            stack.callback(roots.create_task(work).cancel)
        await core.health.ready.wait()
        web = core.config.web
        token = load_or_create_token(web.token_file)
        settings = ControlSettings(host=web.host, port=web.port, token=token)
        try:
            server = await self._listen(stack, control, settings)
        except PortTaken:
            server = await self._listen(stack, control, replace(settings, port=0))
        control.listen = f"{settings.host}:{server.port}"
        move_control_port(core.config, control.listen)
        return control.listen

    async def _listen(
        self, stack: contextlib.AsyncExitStack, control: Control, settings: ControlSettings
    ) -> ControlServer:
        server = ControlServer(control, settings, bus=self._bus, clock=self._clock)
        return await stack.enter_async_context(server)


def _to_report(stage: Stage, passes: tuple[Pass, ...], counters: Counters) -> DemoReport:
    refused = counters.refused.total()
    mismatches = [each for played in passes for each in played.mismatches()]
    if refused:
        mismatches.append(f"the stand-in refused {refused:,} requests beyond its limits")
    return DemoReport(
        stage=stage,
        passes=passes,
        refused=refused,
        most_in_a_minute=counters.most_in_a_minute,
        mismatches=tuple(mismatches),
    )
