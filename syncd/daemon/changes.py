"""The configuration as it runs: config.toml, and over it what people changed of jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from syncd.clock import Clock
from syncd.config.models import Config
from syncd.config.models import Job as JobTable
from syncd.daemon.answers import Json
from syncd.daemon.overrides import (
    difference_answer,
    difference_in_words,
    is_usable,
    overridden,
    with_overrides,
)
from syncd.daemon.settings import to_schedules
from syncd.errors import BadInput, LeaseLost, StoreUnavailable
from syncd.model.override import JobChange, Override
from syncd.model.pause import Pause
from syncd.schedule.loop import Scheduler
from syncd.schedule.roster import Schedule
from syncd.store.overrides import OverrideStore
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import JobChanged


class Changes:
    """Owns what runs: `config` is config.toml as it was applied last.

    A change is written down before it is applied, one at a time, and reaches the scheduler as a
    whole new set of jobs. Runs that are under way keep the job that they began with.
    """

    def __init__(
        self, config: Config, scheduler: Scheduler, store: OverrideStore, clock: Clock, bus: Bus
    ) -> None:
        self.config = config
        self._scheduler = scheduler
        self._store = store
        self._clock = clock
        self._bus = bus
        self._schedules: Mapping[str, tuple[JobTable, Schedule]] = MappingProxyType({})
        # Those that apply, and those whose job is gone or that it does not fit any more.
        self._applied: Mapping[str, Override] = MappingProxyType({})
        self._unused: Mapping[str, Override] = MappingProxyType({})
        self._turn = asyncio.Lock()
        # Until they were read; while a change is written down, and after that if no reply came.
        self._is_unsure = True
        self._listeners: list[Callable[[Config], None]] = []

    async def load(self) -> None:
        """Read what was changed before this process began, and put it over config.toml."""
        async with self._turn:
            await self._read()

    async def change(self, job: str, change: JobChange, *, actor: str) -> None:
        """Change a job over config.toml; what it is already changes nothing.

        Raises:
            NotKnown: there is no such job.
            BadInput: it would not be right in config.toml either.
            StoreUnavailable: it cannot be written down.
        """
        async with self._turn:
            if self._is_unsure:
                await self._read()
            before = self._kept().get(job)
            if change.reset and before is not None:
                _check_alone(change)
                await self._write(None, job, change, actor)
                return
            self._scheduler.job(job)
            if change.reset:
                _check_alone(change)
                return
            before = self._applied.get(job)
            after = overridden(self.config, job, change, before, self._clock.now())
            after = replace(after, why=change.why, actor=actor)
            if not _is_same(before, after):
                await self._write(after, job, change, actor)

    async def adopt(self, config: Config) -> None:
        """Let another config.toml be what runs; the listeners hear of it first."""
        async with self._turn:
            with contextlib.suppress(StoreUnavailable, LeaseLost):
                await self._look(*self.config.jobs)
            for listener in self._listeners:
                listener(config)
            await self._set(config, self._kept().values())

    def on_adopt(self, listener: Callable[[Config], None]) -> None:
        """Tell `listener` of every configuration that is about to run."""
        self._listeners.append(listener)

    def differences(self, job: str, pause: Pause | None) -> list[Json]:
        """List how a job differs from config.toml, and who did that when and why."""
        return difference_answer(self.config.jobs[job], self._applied.get(job), pause)

    def is_changed(self, job: str) -> bool:
        """Tell whether something stands over config.toml for a job, used or not."""
        return job in self._kept()

    def notes(self) -> list[Json]:
        """Tell of what was changed of jobs and does not apply any more."""
        notes = []
        for name in self._unused:
            is_gone = name not in self.config.jobs
            why = "config.toml has no such job" if is_gone else "it does not fit config.toml"
            what = f"what was changed of job {name} is kept but does not apply: {why}"
            notes.append({"what": what, "hint": f"syncd reschedule {name} --reset"})
        return notes

    async def _read(self) -> None:
        await self._set(self.config, await self._store.read_all())
        self._is_unsure = False

    async def _write(self, after: Override | None, job: str, change: JobChange, actor: str) -> None:
        """Write down what stands over config.toml now, then let it be what runs."""
        await self._look(job)
        self._is_unsure = True
        if after is None or after.is_empty:
            await self._store.drop(job)
        else:
            await self._store.keep(after)
        others = {name: each for name, each in self._kept().items() if name != job}
        left = () if after is None else (after,)
        table = self.config.jobs.get(job)
        words = difference_in_words(table, self._applied.get(job), after)
        catch_up = (job,) if change.catch_up else ()
        await self._set(self.config, [*others.values(), *left], catch_up=catch_up)
        self._is_unsure = False
        self._bus.emit(JobChanged(job=job, change=words, actor=actor, why=change.why))

    async def _look(self, *jobs: str) -> None:
        """Let what is due by now be decided by what was right until now."""
        known = frozenset(self._scheduler.names())
        await self._scheduler.look(*(name for name in jobs if name in known))

    def _kept(self) -> dict[str, Override]:
        return {**self._applied, **self._unused}

    async def _set(
        self, config: Config, kept: Collection[Override], *, catch_up: Collection[str] = ()
    ) -> None:
        """Let a configuration run, with what fits it put over it."""
        given = {override.job: override for override in kept if not override.is_empty}
        fitting = {name for name, override in given.items() if is_usable(config, override)}
        applied = {name: each for name, each in given.items() if name in fitting}
        unused = {name: each for name, each in given.items() if name not in fitting}
        schedules = await self._built(with_overrides(config, applied))
        self.config, self._schedules = config, MappingProxyType(schedules)
        self._applied, self._unused = MappingProxyType(applied), MappingProxyType(unused)
        self._scheduler.apply([schedule for _, schedule in schedules.values()], catch_up=catch_up)

    async def _built(self, config: Config) -> dict[str, tuple[JobTable, Schedule]]:
        """Make the jobs ready to run, beside the loop, and only those that changed."""
        same = {
            name: known
            for name, known in self._schedules.items()
            if name in config.jobs and _is_equal(known[0], config.jobs[name])
        }
        left = {name: table for name, table in config.jobs.items() if name not in same}
        new = await asyncio.to_thread(to_schedules, config.model_copy(update={"jobs": left}))
        built = {schedule.job.name: (left[schedule.job.name], schedule) for schedule in new}
        return {name: same.get(name) or built[name] for name in config.jobs}


def _is_equal(known: JobTable, table: JobTable) -> bool:
    return known is table or known == table


def _check_alone(change: JobChange) -> None:
    given = (change.enabled, change.schedule, change.every, change.timezone)
    if given != (None,) * len(given):
        hint = "leave one of them; nothing was changed"
        raise BadInput("reset: cannot stand beside another change", hint=hint)


def _is_same(before: Override | None, after: Override) -> bool:
    """Tell whether a change changes nothing; another reason is a change as well."""
    if before is None:
        return after.is_empty
    same = replace(before, changed_at=after.changed_at, actor=after.actor)
    return after in (same, replace(same, why=""))
