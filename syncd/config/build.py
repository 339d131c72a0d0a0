"""Build a `Config` out of a document, table by table, whatever is wrong with parts of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path as FilePath
from typing import Any, Protocol, TypeVar, cast

from pydantic import BaseModel

from syncd import plugins
from syncd.config.channels import NOTIFY_KEY_NAME, ChannelSettings, Notify
from syncd.config.credential import check_credentials, usable
from syncd.config.keyring import DEFAULT_NAME
from syncd.config.models import (
    MIRROR,
    Alerts,
    Config,
    Daemon,
    Database,
    Job,
    Logging,
    PlatformSettings,
    Redis,
    Tokens,
    Users,
    Web,
)
from syncd.config.place import Path, Problem, quoted
from syncd.config.score import SCORE_DEFAULTS, ScoreSettings
from syncd.config.secret import find_secret, secret_places
from syncd.config.section import Section
from syncd.config.source import Source, default_state_dir
from syncd.config.validation import Validation, keys_of
from syncd.config.values import suggestion
from syncd.errors import NotKnown
from syncd.model.scheme import Scheme

Table = TypeVar("Table", bound=Section)
Keyed = TypeVar("Keyed", Tokens, Notify)

_SECTIONS = (
    *("daemon", "database", "redis", "users", "web", "logging", "alerts", "tokens"),
    *("notify", "channels", "platforms", "score", "jobs"),
)
_JOB_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MIRROR_EVERY = timedelta(minutes=10)
# How long storing may take once the query was read: a first million takes minutes, all or nothing.
_MIRROR_STORING = timedelta(hours=1)
_JOB_KEYS = [key for key in keys_of(Job) if key != "options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFolders:
    """The packages that hold the job kinds, the platforms and the channels."""

    jobs: str = "syncd.jobs"
    platforms: str = "syncd.platforms"
    channels: str = "syncd.channels"


class _Kind(Protocol):
    Options: type[BaseModel]


class _Platform(Protocol):
    defaults: PlatformSettings


class _Channel(Protocol):
    Settings: type[ChannelSettings]


class Builder:
    """Build one config; what is wrong is kept in `problems`.

    Args:
        source: the file as it was read.
        document: its tables with variables and secrets filled in.
        folders: where plug-ins are found.
    """

    def __init__(self, source: Source, document: Mapping[str, Any], folders: PluginFolders) -> None:
        self._source = source
        self._document = document
        self._folders = folders
        self._validation = Validation(source.document)

    @property
    def problems(self) -> list[Problem]:
        """Return what was found to be wrong so far."""
        return self._validation.problems

    def build(self) -> Config:
        """Build the config; a value that is wrong has its default, such a job may be left out."""
        for key in self._document:
            if key not in _SECTIONS:
                self._say((key,), f"unknown key{suggestion(key, _SECTIONS)}")
        state = default_state_dir(self._source.folder, self._source.environ)
        daemon = self._section(Daemon, "daemon", {"state_dir": state})
        daemon = self._absolute(daemon, "state_dir")
        token_file = {"token_file": daemon.state_dir / "token"}
        zone = {"timezone": daemon.timezone}
        users = self._section(Users, "users", zone)
        return Config(
            path=self._source.path.absolute(),
            daemon=daemon,
            database=self._section(Database, "database", {}),
            redis=self._section(Redis, "redis", {}),
            web=self._absolute(self._section(Web, "web", token_file), "token_file", "socket"),
            logging=self._absolute(self._section(Logging, "logging", zone), "dir"),
            users=users,
            alerts=self._section(Alerts, "alerts", {}),
            tokens=self._keyed(Tokens, "tokens", daemon.state_dir / DEFAULT_NAME),
            notify=self._absolute(
                self._keyed(Notify, "notify", daemon.state_dir / NOTIFY_KEY_NAME), "templates"
            ),
            channels=self._channels(),
            platforms=self._platforms(),
            score=self._score(),
            jobs={**self._jobs(zone), **self._mirror(users)},
        )

    def _keyed(self, model: type[Keyed], name: str, made: FilePath) -> Keyed:
        """Build a section that names a key file; `made` is the one that syncd makes itself."""
        section = self._section(model, name, {"key_file": made})
        places = secret_places(self._source.folder, self._source.environ)
        path = self._source.folder / section.key_file
        # What cannot be looked at is told when it is read.
        with contextlib.suppress(OSError, ValueError):
            path = find_secret(str(section.key_file), places)
        return section.model_copy(update={"key_file": path})

    def _say(self, path: Path, message: str) -> None:
        self.problems.append(Problem(path=path, message=message))

    def _table(self, *path: str) -> dict[str, Any]:
        value: Any = self._document
        for key in path:
            value = value.get(key, {})
        return self._validation.table(value, path)

    def _section(self, model: type[Table], name: str, defaults: Mapping[str, Any]) -> Table:
        table = self._table(name)
        given = {k: v for k, v in table.items() if not (k in defaults and v == "")}
        section = self._validation.model(model, given, (name,), defaults=defaults)
        return section or model.model_validate(defaults)

    def _absolute(self, section: Table, *keys: str) -> Table:
        paths = {key: getattr(section, key) for key in keys}
        folder = self._source.folder
        absolute = {key: None if path is None else folder / path for key, path in paths.items()}
        return section.model_copy(update=absolute)

    def _platforms(self) -> dict[str, PlatformSettings]:
        classes = plugins.find(self._folders.platforms)
        for name in self._table("platforms"):
            if name not in classes:
                self._say(("platforms", name), f"unknown platform{suggestion(name, classes)}")
        return {name: self._platform(name, cast("_Platform", classes[name])) for name in classes}

    def _platform(self, name: str, platform: _Platform) -> PlatformSettings:
        path = ("platforms", name)
        table = self._table(*path) if isinstance(self._document.get("platforms"), dict) else {}
        settings = self._validation.model(
            PlatformSettings, table, path, defaults=dict(platform.defaults)
        )
        settings = settings or platform.defaults
        schemes = getattr(platform, "schemes", (Scheme.BEARER,))
        given = settings.credentials
        companions: Mapping[str, str] = getattr(platform, "companions", {})
        has_one_app = getattr(platform, "has_one_app", False)
        place = (*path, "credentials")
        self.problems.extend(
            check_credentials(given, schemes, place, taken=companions, has_one_app=has_one_app)
        )
        for key in settings.urls:
            if key not in companions:
                self._say((*path, "urls", key), _unknown_companion(name, key, companions))
        known = {key: settings.urls.get(key, url) for key, url in companions.items()}
        return settings.model_copy(update={"credentials": usable(given), "urls": known})

    def _channels(self) -> dict[str, ChannelSettings]:
        channels: dict[str, ChannelSettings] = {}
        for name in self._table("channels"):
            try:
                channel = cast("_Channel", plugins.load(self._folders.channels, name))
            except NotKnown:
                near = suggestion(name, plugins.find(self._folders.channels))
                self._say(("channels", name), f"unknown channel{near}")
                continue
            path = ("channels", name)
            settings = self._validation.model(channel.Settings, self._table(*path), path)
            if settings is not None:
                files = [key for key, value in settings if isinstance(value, FilePath)]
                channels[name] = self._absolute(settings, *files)
        return channels

    def _score(self) -> dict[str, ScoreSettings]:
        """Return what each platform counts; those with a default count without being named."""
        known = {*SCORE_DEFAULTS, *plugins.find(self._folders.platforms)}
        scales = dict(SCORE_DEFAULTS)
        for name in self._table("score"):
            if name not in known:
                self._say(("score", name), f"unknown platform{suggestion(name, known)}")
                continue
            path = ("score", name)
            defaults = dict(SCORE_DEFAULTS.get(name, ()))
            scale = self._validation.model(
                ScoreSettings, self._table(*path), path, defaults=defaults
            )
            if scale is not None:
                scales[name] = scale
        return scales

    def _jobs(self, defaults: Mapping[str, Any]) -> dict[str, Job]:
        jobs: dict[str, Job] = {}
        for name in self._table("jobs"):
            if not _JOB_NAME.fullmatch(name):
                message = "a job's name is made of small letters, digits, - and _, at most 64"
                self._say(("jobs", name), message)
            job = self._job(name, defaults)
            if job is not None:
                jobs[name] = job
        return jobs

    def _mirror(self, users: Users) -> dict[str, Job]:
        """Return the job that `[users] query` makes, under its name."""
        if not users.is_mirrored:
            return {}
        if MIRROR in self._table("jobs"):
            message = "is the name of the job that [users] query makes; choose another"
            self._say(("jobs", MIRROR), message)
        has_time = bool(users.schedule) or users.every is not None
        job = Job(
            kind=MIRROR,
            schedule=users.schedule,
            every=users.every if has_time else _MIRROR_EVERY,
            timezone=users.timezone,
            timeout=users.timeout + _MIRROR_STORING,
            options=users,
        )
        return {MIRROR: job}

    def _job(self, name: str, defaults: Mapping[str, Any]) -> Job | None:
        path = ("jobs", name)
        table = self._table(*path)
        common = {key: value for key, value in table.items() if key in _JOB_KEYS}
        job = self._validation.model(Job, common, path, defaults=defaults)
        kind = self._kind(common.get("kind"), (*path, "kind"))
        own = {key: value for key, value in table.items() if key not in _JOB_KEYS}
        if kind is None:
            self._refuse_keys_of_no_kind(own, path)
            return None
        options = self._validation.model(kind.Options, own, path, also=_JOB_KEYS)
        if job is None or options is None:
            return None
        return job.model_copy(update={"options": options})

    def _refuse_keys_of_no_kind(self, keys: Iterable[str], path: Path) -> None:
        kinds = plugins.find(self._folders.jobs).values()
        known = [key for kind in kinds for key in keys_of(cast("_Kind", kind).Options)]
        for key in keys:
            if key not in known:
                self._say((*path, key), f"unknown key{suggestion(key, [*_JOB_KEYS, *known])}")

    def _kind(self, kind: Any, path: Path) -> _Kind | None:
        if not isinstance(kind, str):
            return None
        try:
            return cast("_Kind", plugins.load(self._folders.jobs, kind))
        except NotKnown:
            known = plugins.find(self._folders.jobs)
            self._say(
                path,
                f"must be one of {', '.join(known)}, not {quoted(kind)}{suggestion(kind, known)}",
            )
            return None


def _unknown_companion(name: str, key: str, companions: Mapping[str, str]) -> str:
    if not companions:
        return f"{name} is read from its base_url alone; leave this out"
    return (
        f"{name} has no such service{suggestion(key, companions)}; it has {', '.join(companions)}"
    )
