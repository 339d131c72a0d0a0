"""From config.toml to what the parts take, and the checks that need to know several of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from syncd import plugins
from syncd.channels.wording import problems_of
from syncd.config.load import load
from syncd.config.models import Config, Logging
from syncd.config.models import Job as JobTable
from syncd.config.place import Problem, quoted
from syncd.config.rules import table_of
from syncd.config.values import suggestion
from syncd.errors import ConfigError
from syncd.jobs.base import JobKind
from syncd.model.address import PostgresAddress
from syncd.model.schedule import Misfire, Overlap
from syncd.model.score import Parameters, Scale
from syncd.platforms.base import Platform
from syncd.runs.job import Job
from syncd.schedule.cron import CronSchedule, parse_cron
from syncd.schedule.roster import Schedule
from syncd.store.pool import DatabaseSettings
from syncd.telemetry.events import Level
from syncd.telemetry.logs import LogSettings

# A transaction that a frozen process left open must be gone before the lease has ended.
_LONGEST_IDLE = timedelta(seconds=20)
_IDLE_SHARE = 2 / 3


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Load config.toml with every check there is.

    Raises:
        ConfigError: every problem at once.
    """
    return load(path, environ, checks=(check_schedules, check_platforms, check_templates))


def to_parameters(config: Config) -> Parameters:
    """Return the parameters of the score."""
    return {name: Scale(**dict(settings)) for name, settings in config.score.items()}


def check_schedules(config: Config) -> Iterator[Problem]:
    """Cron expressions can be read and fire some day."""
    for name, job in config.jobs.items():
        try:
            _cron(name, job)
        except ConfigError as error:
            path = (*table_of(name, job, config), "schedule")
            yield Problem(path=path, message=error.problems[0])


def check_platforms(config: Config) -> Iterator[Problem]:
    """Jobs name platforms that exist and that their kind reads."""
    for name, job in config.jobs.items():
        asked = [("platforms", each) for each in getattr(job.options, "platforms", ())]
        if second := getattr(job.options, "second_source", ""):
            asked.append(("second_source", second))
            if second in config.platforms and not config.platforms[second].credentials:
                message = f"needs a key of yours: set credentials of [platforms.{second}]"
                yield Problem(path=("jobs", name, "second_source"), message=message)
        for key, platform in asked:
            if message := _misnamed(platform, job.kind, config):
                yield Problem(path=("jobs", name, key), message=message)


def check_templates(config: Config) -> Iterator[Problem]:
    """A site's own templates can be used, all of them."""
    if config.notify.templates is not None:
        for problem in problems_of(config.notify.templates):
            yield Problem(path=("notify", "templates"), message=problem)


def _misnamed(platform: str, kind: str, config: Config) -> str:
    """Say why a job of a kind cannot read a platform; empty where it can."""
    if platform not in config.platforms:
        near = suggestion(platform, config.platforms)
        return f"there is no platform {quoted(platform)}{near}"
    plugin = cast("type[Platform]", plugins.load("syncd.platforms", platform))
    kinds = {plugin.kind: None, **({"contests": None} if plugin.announces_contests else {})}
    words = " or ".join(f'"{each}"' for each in kinds)
    return "" if kind in kinds else f"{quoted(platform)} is read by jobs of kind = {words}"


def to_schedules(config: Config) -> list[Schedule]:
    """Make the jobs ready to run."""
    return [_to_schedule(name, table) for name, table in config.jobs.items()]


def _to_schedule(name: str, table: JobTable) -> Schedule:
    kind = cast("type[JobKind[Any]]", plugins.load("syncd.jobs", table.kind))
    job = Job(
        name=name,
        kind=table.kind,
        work=kind(name, table.options),
        enabled=table.enabled,
        timeout=table.timeout,
        limit=table.limit,
        run_on_start=table.run_on_start,
        alerts=table.alerts,
    )
    return Schedule(
        job=job,
        cron=_cron(name, table),
        every=table.every,
        timezone=table.timezone,
        misfire=Misfire(table.misfire),
        misfire_grace=table.misfire_grace,
        overlap=Overlap(table.overlap),
        jitter=table.jitter,
        retries=table.retries,
        after=table.after,
        after_created=table.after_created,
    )


def _cron(name: str, table: JobTable) -> CronSchedule | None:
    return parse_cron(table.schedule, table.timezone, name) if table.schedule else None


def to_database(config: Config, address: PostgresAddress) -> DatabaseSettings:
    """Return how to reach PostgreSQL at `address`."""
    return DatabaseSettings(
        address=address,
        schema=config.database.schema_name,
        pool=config.database.pool,
        connect_timeout=config.database.connect_timeout,
        command_timeout=config.database.command_timeout,
        idle_timeout=min(_LONGEST_IDLE, config.daemon.lease * _IDLE_SHARE),
    )


def to_logs(logging: Logging, *, output: int) -> LogSettings:
    """Return how to log; `output` is the file descriptor of the stream."""
    return LogSettings(
        level=Level(logging.level),
        format=_log_format(logging, output),
        dir=logging.dir,
        timezone=ZoneInfo(logging.timezone),
        keep=logging.keep,
        max_size=int(logging.max_size),
    )


def _log_format(logging: Logging, output: int) -> Literal["json", "console"]:
    if logging.format != "auto":
        return logging.format
    stream = sys.stdout if output == 1 else sys.stderr
    return "console" if stream.isatty() else "json"


def secrets_of(config: Config) -> list[str]:
    """List every secret the configuration holds, for the logs to blank."""
    addresses = (config.database.address(), config.redis.address(), config.users.address())
    tokens = [
        secret
        for platform in config.platforms.values()
        for credential in platform.credentials
        for secret in credential.secrets()
    ]
    tokens.append(config.alerts.webhook_url.get_secret_value())
    tokens += [
        value.get_secret_value()
        for channel in config.channels.values()
        for _, value in channel
        if isinstance(value, SecretStr)
    ]
    passwords = [address.password for address in addresses if address is not None]
    return [secret for secret in (*tokens, *passwords) if secret]


def fresh_for(job: Job) -> timedelta:
    """Return how old a job's data may be and still count as fresh."""
    return cast("timedelta", getattr(job.work.options, "fresh_for", timedelta(hours=24)))
