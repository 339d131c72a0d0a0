"""The control port's orders: pause and resume, changes of jobs, reload, a test of alerts."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime

from syncd.daemon.answers import Json, pause_answer
from syncd.daemon.core import Core
from syncd.daemon.reaching import ReachDesk
from syncd.daemon.reload import Reload
from syncd.errors import BadInput
from syncd.jobs.base import Surroundings
from syncd.model.override import JobChange
from syncd.model.pause import Pause, PauseScope
from syncd.telemetry.events import PauseChanged


class OrderDesk(ReachDesk):
    """What a person decided stays decided over a restart: each is written down, then applied."""

    _core: Core
    _around: Surroundings
    reloading: Reload

    async def pause(
        self, scope: PauseScope, key: str, *, why: str, until: datetime | None, actor: str
    ) -> Json:
        """Keep something from going on; what runs holds at its next item.

        Raises:
            BadInput: another job covers this one, and no reason is given.
        """
        self._check_target(scope, key)
        if scope is PauseScope.JOB and not why.strip():
            self._check_covered(key)
        await self._look(scope, key)
        pause = Pause(
            scope=scope,
            key=key,
            why=why,
            until=until,
            actor=actor,
            paused_at=self._core.clock.now(),
        )
        await self._core.pauses.pause(pause)
        self._around.admission.pause(pause)
        end = "" if until is None else f" until {until.isoformat()}"
        self._tell(pause, f"paused{end}", actor)
        return pause_answer(pause) or {}

    async def resume(
        self, scope: PauseScope, key: str, *, actor: str, credential: str = ""
    ) -> Json:
        """End a pause; of a platform also what holds its requests: pauses it asked for, a breaker.

        With `credential` nothing but the latter, for this credential. `still` tells what else
        keeps a job from running.
        """
        if self._around.admission.standing(scope, key) is None:  # else its job may be gone
            self._check_target(scope, key)
        is_platform = scope is PauseScope.PLATFORM
        lifted = self._core.gates.lift(key, credential) if is_platform else []
        if credential:
            return {"scope": scope, "key": key, "was_paused": bool(lifted), "lifted": lifted}
        await self._look(scope, key)
        stood = self._around.admission.standing(scope, key)
        await self._core.pauses.resume(scope, key)
        self._around.admission.resume(scope, key)
        if stood is not None:
            self._tell(stood, "resumed", actor)
        still = self._around.admission.standing(PauseScope.ALL)
        return {
            "scope": scope,
            "key": key,
            "was_paused": stood is not None or bool(lifted),
            "lifted": lifted,
            "still": pause_answer(still),
        }

    async def change_job(self, job: str, change: JobChange, *, actor: str) -> Json:
        """Change a job over config.toml, and return it as it is then."""
        await self._core.changes.change(job, change, actor=actor)
        if job not in self._core.scheduler.names():
            return {"name": job, "differs_from_config": []}
        cron = self._core.scheduler.schedule(job).cron
        return {**await self.job(job), "remark": "" if cron is None else cron.remark}

    def covering(self, job: str) -> list[str]:
        """Name the other jobs of the same kind that read a platform of this one."""
        schedules = self._core.scheduler.schedules()
        wanted = self._core.scheduler.schedule(job).job
        platforms = set(wanted.work.followed)
        return [
            other.job.name
            for other in schedules
            if other.job.name != job
            and other.job.kind == wanted.kind
            and not platforms.isdisjoint(other.job.work.followed)
        ]

    def _check_covered(self, job: str) -> None:
        if others := self.covering(job):
            raise BadInput(
                f"why: a pause of {job} needs a reason: it and {' and '.join(others)} stand in "
                "for each other, and nobody would notice that one is missing",
                hint=f'syncd pause {job} --why "..."; it is shown wherever the pause is',
            )

    @abstractmethod
    async def job(self, job: str) -> Json:
        """Return one job."""

    async def test_alert(self) -> Json:
        """Try the webhook of [alerts] and return what came back."""
        return await self._core.alerts.test()

    async def reload(self, *, dry_run: bool, actor: str) -> Json:
        """Read config.toml again and apply it, or only tell what is different in it."""
        return await self.reloading.reload(dry_run=dry_run, actor=actor)

    def _check_target(self, scope: PauseScope, key: str) -> None:
        if scope is PauseScope.JOB:
            self._core.scheduler.job(key)
        elif scope is PauseScope.PLATFORM:
            self._core.check_platform(key)

    async def _look(self, scope: PauseScope, key: str) -> None:
        """Let what is due by now be decided by the pauses as they are now."""
        known = frozenset(self._core.scheduler.names())
        names = {PauseScope.ALL: known, PauseScope.JOB: known & {key}}
        await self._core.scheduler.look(*names.get(scope, ()))

    def _tell(self, pause: Pause, change: str, actor: str) -> None:
        self._core.bus.emit(
            PauseChanged(
                scope=pause.scope, key=pause.key, change=change, actor=actor, why=pause.why
            )
        )
