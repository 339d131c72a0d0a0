"""What is different between the configuration that runs and the one in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from syncd.config.models import MIRROR, Config
from syncd.config.place import Path, dotted
from syncd.config.redaction import digest

_FIXED_SECTIONS = frozenset({"database", "redis", "web", "tokens"})
_FIXED_KEYS = {"daemon": ("state_dir", "schedule")}
# Of a section, what may change; everything else in it is fixed.
_FREE_KEYS = {"logging": ("level",)}

# What may be long, and tells how the tables of others look: only that it changed is shown.
_HIDDEN_KEYS = frozenset({("users", "query"), ("jobs", MIRROR, "query")})

_ANOTHER = "*** (another one)"


class Change(StrEnum):
    """What happened to a key or a job."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key, or one whole job, that is different; no secret stands in it.

    `old` and `new` are as `config show` writes them, None where the key is not set. What
    `needs_restart` is not applied to a running syncd.
    """

    change: Change
    key: str
    old: Any = None
    new: Any = None
    needs_restart: bool = False


def differences(old: Config, new: Config) -> list[Difference]:
    """List what is different in `new`, in the order of its tables."""
    gone, come = set(old.jobs) - set(new.jobs), set(new.jobs) - set(old.jobs)
    jobs = {
        **{("jobs", name): Change.REMOVED for name in old.jobs if name in gone},
        **{("jobs", name): Change.ADDED for name in new.jobs if name in come},
    }
    found = [Difference(change=change, key=dotted(path)) for path, change in jobs.items()]
    old, new = _without_equal_jobs(old, new), _without_equal_jobs(new, old)
    # Compared by what a secret is, shown by what may be known of it.
    left, right = (dict(_leaves(config.redacted(digest))) for config in (old, new))
    shown_left, shown_right = _shown(old), _shown(new)
    for path in dict.fromkeys([*right, *left]):
        if path[:2] in jobs or left.get(path) == right.get(path):
            continue
        before, after = shown_left.get(path), shown_right.get(path)
        difference = Difference(
            change=Change.CHANGED,
            key=dotted(path),
            old=before,
            new=_ANOTHER if before == after else after,
            needs_restart=_is_fixed(path),
        )
        found.append(difference)
    return found


def _shown(config: Config) -> dict[Path, Any]:
    leaves = dict(_leaves(config.redacted()))
    return {
        path: "***" if path in _HIDDEN_KEYS and leaves[path] else leaves[path] for path in leaves
    }


def _without_equal_jobs(config: Config, other: Config) -> Config:
    """Leave out what most jobs are; of thousands each costs more to write than to compare."""
    jobs = {
        name: job
        for name, job in config.jobs.items()
        if name == MIRROR or other.jobs.get(name) != job
    }
    return config.model_copy(update={"jobs": jobs})


def adopted(running: Config, new: Config) -> Config:
    """Return what runs once `new` was applied: what needs a restart stays as it was."""
    daemon = {key: getattr(running.daemon, key) for key in _FIXED_KEYS["daemon"]}
    logging = {key: getattr(new.logging, key) for key in _FREE_KEYS["logging"]}
    return new.model_copy(
        update={
            **{section: getattr(running, section) for section in _FIXED_SECTIONS},
            "daemon": new.daemon.model_copy(update=daemon),
            "logging": running.logging.model_copy(update=logging),
        }
    )


def _is_fixed(path: Path) -> bool:
    section, key = str(path[0]), path[1]
    if section in _FREE_KEYS:
        return key not in _FREE_KEYS[section]
    return section in _FIXED_SECTIONS or key in _FIXED_KEYS.get(section, ())


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every key that holds no table; tables in a list go by their names."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        for each in value:
            named = {key: entry for key, entry in each.items() if key != "name"}
            yield from _leaves(named, (*path, each.get("name", "")))
    elif value not in ([], {}):
        yield path, value
