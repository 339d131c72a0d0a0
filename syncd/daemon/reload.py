"""Reading config.toml again: checked first, then applied as a whole, or not at all."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.config.difference import Change, Difference, adopted, differences
from syncd.config.models import Config
from syncd.daemon.answers import Json
from syncd.daemon.core import Core, clients_of
from syncd.daemon.settings import load_config
from syncd.errors import ConfigError, SyncdError
from syncd.telemetry.events import ConditionNoticed, ConfigRefused, ConfigReloaded

_BY_SIGNAL = "SIGHUP"
_MEND = "mend it, then `syncd reload`"
_AGAIN = "try again in a moment: `syncd reload`"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of the last reload: nothing wrong, or nothing changed."""

    at: datetime
    actor: str
    problems: Sequence[str] = ()
    waiting: Sequence[Difference] = ()
    """What is different in config.toml and needs a restart."""


class Reload:
    """Applies config.toml to a running syncd, when asked over the control port or by SIGHUP.

    Args:
        core: what runs.
        environ: where variables come from.
    """

    def __init__(self, core: Core, environ: Mapping[str, str]) -> None:
        self._core = core
        self._environ = environ
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self.last: Attempt | None = None
        # For whoever tells a service manager.
        self.on_begin: Callable[[], None] = _nothing
        self.on_end: Callable[[], None] = _nothing

    @property
    def is_ok(self) -> bool:
        """Whether config.toml could be used when it was read last."""
        return self.last is None or not self.last.problems

    def listen(self) -> None:
        """Take note of SIGHUP from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)

    async def watch(self) -> None:
        """Reload for ever, each time SIGHUP came; what is wrong is told as an event."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.reload(dry_run=False, actor=_BY_SIGNAL)
            except ConfigError:
                continue  # told, and kept for `syncd status`
            except SyncdError as error:
                condition = f"config.toml was not reloaded: {error}"
                self._core.bus.emit(ConditionNoticed(condition=condition, hint=_AGAIN))

    async def reload(self, *, dry_run: bool, actor: str) -> Json:
        """Read config.toml, and apply it unless `dry_run`; return what is different in it.

        Raises:
            ConfigError: it cannot be used; nothing was changed.
        """
        async with self._turn:
            if dry_run:
                new, found = await self._read()
                return self._answer(new, found, dry_run=True)
            self.on_begin()
            try:
                new, found = await self._apply(actor)
            except ConfigError as error:
                self._refuse(error.problems, actor)
                raise
            finally:
                self.on_end()
            return self._answer(new, found, dry_run=False)

    async def _read(self) -> tuple[Config, Sequence[Difference]]:
        """Check and compare the file, beside the loop: a large one takes longer than it may block.

        Raises:
            ConfigError: it cannot be used.
        """
        running = self._core.config

        def read() -> tuple[Config, Sequence[Difference]]:
            new = load_config(running.path, self._environ)
            if running.jobs and not new.jobs:
                # Rather what an editor left half written than what anybody means.
                raise ConfigError(f"{running.path}: there is no job left in it")
            return new, differences(running, new)

        try:
            return await asyncio.to_thread(read)
        except ConfigError as error:
            raise ConfigError(*error.problems, hint=f"nothing was changed; {_MEND}") from error

    def _refuse(self, problems: Sequence[str], actor: str) -> None:
        now = self._core.clock.now()
        waiting = () if self.last is None else self.last.waiting
        self.last = Attempt(at=now, actor=actor, problems=problems, waiting=waiting)
        self._core.bus.emit(ConfigRefused(actor=actor, error="; ".join(problems), hint=_MEND))

    async def _apply(self, actor: str) -> tuple[Config, Sequence[Difference]]:
        """Let the file be what runs; return what was read, and what was different in it."""
        new, found = await self._read()
        config = adopted(self._core.config, new)
        outlets = self._core.outlets.prepare(self._core.config.platforms, config.platforms)
        channels = await self._core.channels.prepare(config)
        await self._core.changes.adopt(config)
        await self._core.outlets.switch(outlets)
        await self._core.channels.switch(channels)
        await self._core.gates.know(clients_of(self._core.around))
        waiting = [each for each in found if each.needs_restart]
        self.last = Attempt(at=self._core.clock.now(), actor=actor, waiting=waiting)
        self._core.bus.emit(
            ConfigReloaded(
                actor=actor,
                added=_keys(found, Change.ADDED),
                removed=_keys(found, Change.REMOVED),
                changed=_keys(found, Change.CHANGED),
                needs_restart=tuple(each.key for each in waiting),
            )
        )
        return new, found

    def _answer(self, new: Config, found: Sequence[Difference], *, dry_run: bool) -> Json:
        """Tell what is different, and which jobs run otherwise because somebody changed them."""
        return {
            "applied": not dry_run,
            "changed_jobs": [name for name in new.jobs if self._core.changes.is_changed(name)],
            "differences": [
                {
                    "change": each.change,
                    "key": each.key,
                    "old": each.old,
                    "new": each.new,
                    "needs_restart": each.needs_restart,
                }
                for each in found
            ],
        }

    def problems(self) -> list[Json]:
        """Say what a person should mend in config.toml."""
        if self.last is None or not self.last.problems:
            return []
        shown = list(self.last.problems[:_SHOWN])
        more = len(self.last.problems) - len(shown)
        shown += [f"and {more} more"] if more else []
        what = f"config.toml was not reloaded, what ran before goes on: {'; '.join(shown)}"
        return [{"what": what, "hint": _MEND}]

    def notes(self) -> list[Json]:
        """Say what config.toml holds and only a restart applies."""
        waiting = () if self.last is None else self.last.waiting
        if not waiting:
            return []
        keys = ", ".join(each.key for each in waiting)
        return [{"what": f"config.toml differs from what runs: {keys}", "hint": "restart syncd"}]

    def as_json(self) -> Json | None:
        """Return what came of the last reload; None before the first."""
        if self.last is None:
            return None
        return {
            "at": self.last.at,
            "actor": self.last.actor,
            "ok": self.is_ok,
            "problems": list(self.last.problems),
            "needs_restart": [each.key for each in self.last.waiting],
        }


def _nothing() -> None:
    """Tell nobody."""


def _keys(found: Sequence[Difference], change: Change) -> tuple[str, ...]:
    return tuple(each.key for each in found if each.change is change)
