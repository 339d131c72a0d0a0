"""`syncd selftest leaderboard`: the real job kind, run by the real runner, on data of its own.

It works in a schema and under keys that nobody else has, on the servers that are configured, or on
those that syncd starts itself. The lease, the runs and the table are in that schema too, so that a
daemon beside it neither notices nor is in the way. Whatever happens, both are removed in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from syncd.cache.scratch import ScratchBoards
from syncd.clock import SystemClock
from syncd.config.models import Config
from syncd.daemon.core import Core, assemble
from syncd.daemon.instance import introduce
from syncd.daemon.process import logging_to
from syncd.daemon.scratch import JOB, Scratch, servers_of, set_scratch
from syncd.daemon.settings import to_database
from syncd.errors import LeaseLost, SyncdError
from syncd.model.run import Outcome, Run, RunOptions
from syncd.store.database import Database
from syncd.store.migrate import migrate
from syncd.store.scratch import ScratchSchema
from syncd.telemetry.bus import Bus

STEPS = 7
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_COUNTS = ("created", "updated", "unchanged", "deleted")
_READY = "schema and keys are ready"
_CLEAN = "nothing is left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was tried, what was to come of it and what did."""

    number: int
    name: str
    expected: str
    found: str
    hint: str
    seconds: float

    @property
    def is_ok(self) -> bool:
        """Tell whether what came of it was expected."""
        return self.found == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where it was played, and its steps; after one that failed there is only the cleaning up."""

    scratch: Scratch
    steps: list[Step] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Tell whether every step came to what was expected."""
        return len(self.steps) == STEPS and all(step.is_ok for step in self.steps)


class Audience(Protocol):
    """Whom the trial tells what happens, in this order."""

    def begin(self, scratch: Scratch) -> None:
        """It is known where it is played."""

    def follow(self, step: Step) -> None:
        """A step is through."""


def run_selftest(config: Config, audience: Audience) -> Trial | None:
    """Play the trial; None when a signal ended it, which leaves nothing behind either.

    Raises:
        StartError: a server of our own cannot be started here.
        StoreUnavailable, LeaseLost: the database went away in the middle.
    """
    with asyncio.Runner() as runner:
        return runner.run(_SelfTest(config, audience).run())


class _SelfTest:
    """One trial: it is played once and leaves nothing behind."""

    def __init__(self, config: Config, audience: Audience) -> None:
        self._config = config
        self._audience = audience
        self._clock = SystemClock()
        self._bus = Bus()
        self._is_leaving = False

    async def run(self) -> Trial | None:
        """Play to the end, or to the first signal."""
        play = asyncio.create_task(self._play(), name="selftest")
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, play)
        await asyncio.wait([play])
        return None if play.cancelled() else play.result()

    def _on_signal(self, play: asyncio.Task[Trial]) -> None:
        """End the play; who cleans up is not disturbed."""
        if not self._is_leaving:
            self._is_leaving = True
            play.cancel()

    async def _play(self) -> Trial:
        with tempfile.TemporaryDirectory(prefix="syncd-selftest-") as folder:
            scratch = set_scratch(self._config, Path(folder), self._bus, self._clock)
            self._audience.begin(scratch)
            settings = to_database(scratch.config, scratch.database)
            async with (
                servers_of(self._config, self._bus, self._clock),
                Database(settings, self._clock) as database,
                ScratchBoards(scratch.redis, scratch.keys) as boards,
            ):
                acts = _Acts(
                    Trial(scratch=scratch), self._audience, boards, ScratchSchema(database)
                )
                try:
                    with self._in_silence(scratch.config):
                        await self._perform(acts, scratch)
                finally:
                    self._is_leaving = True
                    await acts.clean_up()
        return acts.trial

    async def _perform(self, acts: _Acts, scratch: Scratch) -> None:
        async with assemble(scratch.config, self._clock, self._bus, is_firing=False) as core:
            if await acts.prepare(core.database):
                introduce(core.leadership, scratch.config.daemon.state_dir)
                await core.leadership.lead_once(partial(acts.play, core))

    @contextlib.contextmanager
    def _in_silence(self, config: Config) -> Iterator[None]:
        """Let no log line in between: what matters is told by the steps."""
        with (
            Path(os.devnull).open("wb") as nowhere,
            logging_to(config, self._clock, self._bus, output=nowhere.fileno()),
        ):
            yield


class _Acts:
    """The steps, one after the other, as long as each comes to what was expected."""

    def __init__(
        self, trial: Trial, audience: Audience, boards: ScratchBoards, schema: ScratchSchema
    ) -> None:
        self.trial = trial
        self._audience = audience
        self._boards = boards
        self._schema = schema
        self._clock = SystemClock()

    async def prepare(self, database: Database) -> bool:
        """Make the schema, and see whether Redis answers."""

        async def act() -> str:
            left = await self._boards.left()
            await migrate(database)
            return f"{left} of the keys are there already" if left else _READY

        return await self._try("prepare", _READY, act)

    async def play(self, core: Core) -> None:
        """Let the job run after everything that happens to the boards."""
        await core.learn()
        everybody = {"ada": 5.0, "bob": 3.0, "cleo": 8.0}
        script: Sequence[tuple[str, str, Callable[[], Awaitable[None]] | None]] = (
            ("three users", "3 created; daily 5 3 8", partial(self._boards.put, everybody)),
            ("the same again", "3 unchanged; daily 5 3 8", None),
            (
                "5 becomes 10",
                "1 updated, 2 unchanged; daily 10 3 8",
                partial(self._boards.put, {"ada": 10.0}),
            ),
            (
                "one user leaves",
                "2 unchanged, 1 deleted; daily 10 3",
                partial(self._boards.remove, "cleo"),
            ),
            ("flushed", "0 deleted, held; daily 10 3", self._boards.drop),
        )
        for name, expected, happen in script:
            if not await self._try(name, expected, partial(self._sync, core, happen)):
                return

    async def clean_up(self) -> None:
        """Remove schema and keys, and look whether they are gone."""
        scratch = self.trial.scratch

        async def act() -> str:
            problems = [
                problem
                for drop in (self._schema.drop, self._boards.drop)
                if (problem := await _problem(drop))
            ]
            if problems:
                return "; ".join(problems)
            is_left = await self._schema.is_there() or await self._boards.left()
            return f"some of {scratch.schema} or {scratch.prefix} is left" if is_left else _CLEAN

        await self._try("clean up", _CLEAN, act, number=STEPS)

    async def _sync(self, core: Core, happen: Callable[[], Awaitable[None]] | None) -> str:
        if happen is not None:
            await happen()
        started = await core.scheduler.trigger(JOB, RunOptions())
        ended = await core.engine.end_of(started.id)
        if ended is None:
            raise LeaseLost(f"run {started.id} was taken over by another syncd")
        return _told(ended, await self._schema.scores())

    async def _try(
        self, name: str, expected: str, act: Callable[[], Awaitable[str]], number: int = 0
    ) -> bool:
        """Take a step, tell what came of it, and return whether that was expected."""
        begun, hint = self._clock.monotonic(), ""
        try:
            found = await act()
        except SyncdError as error:
            found, hint = str(error), error.hint or ""
        step = Step(
            number=number or len(self.trial.steps) + 1,
            name=name,
            expected=expected,
            found=found,
            hint=hint,
            seconds=self._clock.monotonic() - begun,
        )
        self.trial.steps.append(step)
        self._audience.follow(step)
        return step.is_ok


async def _problem(drop: Callable[[], Awaitable[None]]) -> str:
    """Do it; what stood in the way must not keep the other from being dropped."""
    try:
        await drop()
    except SyncdError as error:
        return str(error)
    return ""


def _told(run: Run, scores: Sequence[float]) -> str:
    """Write what a run came to, and what the table says then: `3 created; daily 5 3 8`."""
    counts: Mapping[str, int] = {name: getattr(run.report, name) for name in _COUNTS}
    is_held = run.outcome is Outcome.HELD
    words = [f"{count} {name}" for name, count in counts.items() if count]
    words += ["0 deleted"] * (is_held and not counts["deleted"])
    if run.outcome is not Outcome.SUCCEEDED:
        words.append(f"{run.outcome}" if is_held else f"{run.outcome}: {run.error}")
    return f"{', '.join(words)}; daily {' '.join(f'{score:g}' for score in scores)}"
