"""What people change of jobs over config.toml: checked as the file is, and put over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.config.duration import format_duration
from syncd.config.models import Config
from syncd.config.models import Job as JobTable
from syncd.config.place import Problem
from syncd.config.rules import check_jobs
from syncd.config.validation import Validation
from syncd.daemon.answers import Json
from syncd.daemon.settings import check_schedules
from syncd.errors import BadInput
from syncd.model.override import JobChange, Override
from syncd.model.pause import Pause

_KEYS = ("enabled", "schedule", "every", "timezone")
_NOTHING_CHANGED = "nothing was changed"


def with_overrides(config: Config, overrides: Mapping[str, Override]) -> Config:
    """Return the config with what was changed in place of what the file says."""
    jobs = {
        name: _changed(table, overrides[name]) if name in overrides else table
        for name, table in config.jobs.items()
    }
    return config.model_copy(update={"jobs": jobs})


def is_usable(config: Config, override: Override) -> bool:
    """Tell whether what was changed of a job still is right in this config."""
    table = config.jobs.get(override.job)
    if table is None:
        return False
    return not _problems_of(config, override.job, _changed(table, override))


def overridden(
    config: Config, name: str, change: JobChange, before: Override | None, now: datetime
) -> Override:
    """Return what stands over config.toml after a change, checked by the rules of the file.

    What comes to be as the file says is left out again.

    Raises:
        BadInput: one sentence for each key that is wrong, the same as for config.toml.
    """
    table = config.jobs[name]
    given = {key: value for key in _KEYS if (value := getattr(change, key)) is not None}
    _check_given(change, given)
    validation = Validation({"jobs": {name: given}})
    checked = validation.model(JobTable, {"kind": table.kind, **given}, ("jobs", name))
    _refuse(validation.problems)
    assert checked is not None  # else there were problems
    values = {key: getattr(checked, key) for key in given}
    if {"schedule", "every"} & set(given):
        values = {"schedule": None, "every": None, **values}
    override = replace(before or Override(job=name, changed_at=now), changed_at=now, **values)
    changed = _changed(table, override)
    if {"schedule", "every"} <= set(given):
        # Either takes the place of the other; the check must see both.
        changed = changed.model_copy(update=values)
    _refuse(_problems_of(config, name, changed))
    return _without_what_the_file_says(override, table)


def _problems_of(config: Config, name: str, table: JobTable) -> list[Problem]:
    """List what is wrong with the keys of a job that people may change."""
    alone = config.model_copy(update={"jobs": {name: table}})
    found = [*check_jobs(alone), *check_schedules(alone)]
    return [problem for problem in found if problem.path[-1] in _KEYS]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        sentences = (f"{problem.path[-1]}: {problem.message}" for problem in problems)
        raise BadInput(*sentences, hint=_NOTHING_CHANGED)


def _check_given(change: JobChange, given: Mapping[str, Any]) -> None:
    if not given:
        hint = "give enabled, schedule, every or timezone, or reset: true"
        raise BadInput("nothing is to be changed", hint=hint)
    if change.catch_up and change.enabled is False:
        hint = "leave one of them; nothing was changed"
        raise BadInput("catch_up: cannot stand beside enabled: false", hint=hint)


def _changed(table: JobTable, override: Override) -> JobTable:
    update: dict[str, Any] = {}
    if override.enabled is not None:
        update["enabled"] = override.enabled
    if override.schedule is not None or override.every is not None:
        update |= {"schedule": override.schedule or "", "every": override.every}
    if override.timezone is not None:
        update["timezone"] = override.timezone
    return table.model_copy(update=update)


def _without_what_the_file_says(override: Override, table: JobTable) -> Override:
    same: dict[str, Any] = {}
    if override.enabled == table.enabled:
        same["enabled"] = None
    if override.timezone == table.timezone:
        same["timezone"] = None
    if (override.schedule or "", override.every) == (table.schedule, table.every):
        same |= {"schedule": None, "every": None}
    return replace(override, **same)


def difference_answer(
    table: JobTable, override: Override | None, pause: Pause | None
) -> list[Json]:
    """List how a job differs from config.toml, and who did that when and why."""
    found = []
    if override is not None:
        who = {"why": override.why, "actor": override.actor, "changed_at": override.changed_at}
        before, now = _shown(table), _shown(_changed(table, override))
        found = [
            {"key": key, "config": before[key], "now": now[key], **who}
            for key in before
            if before[key] != now[key]
        ]
    if pause is not None:
        who = {"why": pause.why, "actor": pause.actor, "changed_at": pause.paused_at}
        found.append({"key": "paused", "config": False, "now": True, **who})
    return found


def difference_in_words(
    table: JobTable | None, before: Override | None, after: Override | None
) -> str:
    """Say what a change changes of a job: `schedule: 0 * * * * -> every 5m`."""
    if table is None:
        return "dropped what was changed of a job that is gone"
    old = _shown(table if before is None else _changed(table, before))
    new = _shown(table if after is None else _changed(table, after))
    words = [
        f"{key}: {_word(old[key])} -> {_word(new[key])}" for key in old if old[key] != new[key]
    ]
    return "; ".join(words) or "as it was"


def _word(value: bool | str) -> str:
    return value if isinstance(value, str) else ("on" if value else "off")


def _shown(table: JobTable) -> Json:
    """Return what people may change of a job, as config.toml writes it."""
    every = "" if table.every is None else f"every {format_duration(table.every)}"
    return {
        "enabled": table.enabled,
        "schedule": table.schedule or every or "when triggered",
        "timezone": table.timezone,
    }
