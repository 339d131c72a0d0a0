"""`syncd demo`: the daemon's real parts on this machine alone, against stand-ins for platforms.

Everything it needs lies in a temporary folder that goes with it, whichever way it ends; only the
logs stay. What the sync reports is held against what the stand-ins know to have happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from syncd.clock import SystemClock
from syncd.daemon.comparison import Pass
from syncd.daemon.control import Control
from syncd.daemon.core import Core, assemble
from syncd.daemon.findings import (
    Listened,
    Scores,
    listened_of,
    look,
    scores_of,
    shares_of,
)
from syncd.daemon.instance import only_instance
from syncd.daemon.rehearsal import Rehearsal
from syncd.daemon.reminding import Reminded, Reminding
from syncd.daemon.stage import (
    CODING_JOB,
    GITHUB_JOB,
    LISTENING_JOB,
    SCALE,
    DemoPlan,
    Stage,
    home_folder,
    log_folder,
    logs_in_files,
    move_control_port,
    serve_all,
    set_stage,
    start_servers,
)
from syncd.errors import PortTaken
from syncd.model.run import Run, RunOptions
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, RunProgressed
from syncd.web.server import ControlServer, ControlSettings
from syncd.web.token import load_or_create_token

_IMPORTED_AT_ONCE = 10_000
_JOBS = (GITHUB_JOB, CODING_JOB, LISTENING_JOB)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What came of it; `mismatches` is empty when all numbers add up.

    `most_in_a_minute` is the fullest minute of each stand-in; `address` is where the control port
    is served, if it is.
    """

    stage: Stage
    passes: tuple[Pass, ...]
    scores: Scores
    listened: Listened
    reminded: Reminded
    most_in_a_minute: Mapping[str, int]
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
        rehearsal = Rehearsal(self._plan.users, self._plan.seed, scale=SCALE)
        async with contextlib.AsyncExitStack() as stack:
            log_dir = stack.enter_context(log_folder())
            home = stack.enter_context(home_folder())
            served = await serve_all(rehearsal, stack)
            stage = set_stage(self._plan, home, log_dir, rehearsal, served)
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
            await control.import_tokens(rehearsal.grants_file(), format="json", dry_run=False)
            wanted = rehearsal.subscribers.import_file(served.hooks)
            await control.import_users(wanted, format="json", dry_run=False)
            passes, reminded = await self._sync_twice(core, rehearsal)
            scores = await scores_of(core, control, rehearsal)
            listened = await listened_of(core, passes, rehearsal)
            report = _to_report(stage, passes, (scores, listened, reminded), rehearsal)
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
        # Contests take a moment only: no bars for them.
        if isinstance(event, RunProgressed) and self._pass:
            self._audience.follow(self._pass, event)

    async def _sync_twice(
        self, core: Core, rehearsal: Rehearsal
    ) -> tuple[tuple[Pass, ...], Reminded]:
        ended: asyncio.Queue[Run] = asyncio.Queue()
        core.engine.on_end(ended.put_nowait)
        reminding = Reminding(core, rehearsal.subscribers, ended)
        passes: list[Pass] = []
        for name, happen, acts in zip(
            ("first pass", "second pass"),
            (rehearsal.happen_before_first, rehearsal.happen_before_second),
            rehearsal.subscribers.acts,
            strict=True,
        ):
            self._pass, expected, before = name, happen(), look(rehearsal)
            for job in _JOBS:
                await core.scheduler.trigger(job, RunOptions())
            runs = [await ended.get() for _ in _JOBS]
            shares = await shares_of(core, runs, expected, look(rehearsal, before))
            passes.append(Pass(name=name, runs=tuple(runs), shares=shares))
            self._pass = ""
            with self._bus.subscribed(reminding.note):
                for act in acts:
                    await reminding.look(act)
        return tuple(passes), await reminding.summed_up()

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


def _to_report(
    stage: Stage,
    passes: tuple[Pass, ...],
    found: tuple[Scores, Listened, Reminded],
    rehearsal: Rehearsal,
) -> DemoReport:
    scores, listened, reminded = found
    mismatches = [each for played in passes for each in played.mismatches()]
    return DemoReport(
        stage=stage,
        passes=passes,
        scores=scores,
        listened=listened,
        reminded=reminded,
        most_in_a_minute={
            name: standin.counters.most_in_a_minute for name, standin in rehearsal.standins.items()
        },
        mismatches=(*mismatches, *(words for each in found for words in each.mismatches())),
    )
