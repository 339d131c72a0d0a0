"""What a person who triggers a job is told before anything starts."""

from __future__ import annotations

from syncd.daemon.core import Core
from syncd.daemon.problems import pause_problem
from syncd.errors import BadInput, WrongState
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Run, RunOptions
from syncd.schedule.roster import Schedule

_SHOWN = 5


async def trigger(core: Core, job: str, options: RunOptions) -> Run:
    """Start a run of a job that a person asked for, and return it.

    Raises:
        BadInput: its kind cannot be narrowed in that way, or somebody in `only` is no user.
        WrongState: the job is paused, or all that it would ask: the run would only wait.
    """
    schedule = core.scheduler.schedule(job)
    schedule.job.work.check(options)
    pause = _holding(core, schedule, options)
    if pause is not None:
        problem = pause_problem(pause)
        raise WrongState(problem["what"], hint=f"`{problem['hint']}` ends that")
    if unknown := await core.users.unknown(options.only):
        names = ", ".join(map(repr, unknown[:_SHOWN])) + (", ..." if unknown[_SHOWN:] else "")
        hint = "`syncd users list` shows whom syncd knows; mind capitals"
        raise BadInput(f"only: there is no user {names}", hint=hint)
    return await core.scheduler.trigger(job, options)


def _holding(core: Core, schedule: Schedule, options: RunOptions) -> Pause | None:
    """Return a pause that keeps a run from asking anybody."""
    standing = core.around.admission.standing
    asked = (options.platform,) if options.platform else schedule.job.work.platforms
    pauses = [standing(PauseScope.PLATFORM, platform) for platform in asked]
    held = core.around.admission.holding_job(schedule.job.name)
    return held or (pauses[0] if pauses and all(pauses) else None)
