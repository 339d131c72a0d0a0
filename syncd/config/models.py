"""The tables of config.toml. Defaults stand here, those of job kinds and platforms with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from syncd.config.channels import ChannelSettings, Notify
from syncd.config.credential import Credential
from syncd.config.dsn import parse_postgres, parse_redis
from syncd.config.duration import Duration, PositiveDuration, Rate, parse_duration
from syncd.config.listen import DEFAULT_LISTEN, split_listen
from syncd.config.redaction import Hide, hidden, written
from syncd.config.score import ScoreSettings
from syncd.config.section import Section
from syncd.config.size import Size
from syncd.config.values import (
    EMPTY_IS_NONE,
    BaseUrl,
    Host,
    Identifier,
    Listen,
    SecretUrl,
    Words,
    Zone,
)
from syncd.model.address import PostgresAddress, RedisAddress

MIRROR = "users"
"""The job that mirrors the platform's own users, and its kind."""

Port = Annotated[int, Field(gt=0, lt=65_536)]


_SHORTEST_LEASE = timedelta(seconds=3)


def _long_enough(lease: timedelta) -> timedelta:
    if lease < _SHORTEST_LEASE:
        raise ValueError('must be at least "3s": it is renewed at a third of that')
    return lease


class Daemon(Section):
    """The process itself. `state_dir` is absolute."""

    state_dir: Path
    timezone: Zone = "UTC"
    schedule: bool = True
    drain: Duration = parse_duration("30s")
    lease: Annotated[Duration, AfterValidator(_long_enough)] = parse_duration("30s")


class Database(Section):
    """PostgreSQL; without `url` and `host` syncd runs its own.

    Secrets out of files are in `url` and `password`, whatever key named them.
    """

    url: SecretUrl = SecretUrl("")
    url_file: str = ""
    host: Host = ""
    port: Port = 5432
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    database: str = ""
    schema_name: Identifier = Field(default="syncd", alias="schema")
    pool: int = Field(default=8, gt=0, le=1000)
    connect_timeout: PositiveDuration = parse_duration("10s")
    command_timeout: PositiveDuration = parse_duration("30s")

    def address(self) -> PostgresAddress | None:
        """Return where the server is, None for our own."""
        if self.url.get_secret_value():
            return parse_postgres(self.url.get_secret_value())
        if not self.host:
            return None
        user = self.user or "syncd"
        return PostgresAddress(
            host=self.host,
            port=self.port,
            user=user,
            password=self.password.get_secret_value(),
            database=self.database or user,
        )


class Redis(Section):
    """Redis or Valkey; without `url` and `host` syncd runs its own."""

    url: SecretUrl = SecretUrl("")
    url_file: str = ""
    host: Host = ""
    port: Port = 6379
    password: SecretStr = SecretStr("")
    password_file: str = ""

    def address(self) -> RedisAddress | None:
        """Return where the server is, None for our own."""
        if self.url.get_secret_value():
            return parse_redis(self.url.get_secret_value())
        if not self.host:
            return None
        return RedisAddress(
            host=self.host, port=self.port, password=self.password.get_secret_value()
        )


class Users(Section):
    """The platform's own users, mirrored by a query; without `query` nothing is mirrored.

    `address` None is syncd's own database. With neither `schedule` nor `every` the query runs every
    ten minutes. `max_removed` None is the larger of 20 and 1 %, but of more than five at most a
    fifth. `sync_every`: a user is fetched on demand no oftener.
    """

    query: str = ""
    url: SecretUrl = SecretUrl("")
    url_file: str = ""
    schedule: str = ""
    every: Annotated[PositiveDuration | None, EMPTY_IS_NONE] = None
    timezone: Zone = "UTC"
    timeout: PositiveDuration = parse_duration("2m")
    max_removed: Annotated[int | None, EMPTY_IS_NONE] = Field(default=None, ge=0)
    sync_every: PositiveDuration = parse_duration("1m")

    @property
    def is_mirrored(self) -> bool:
        """Tell whether there is a query."""
        return bool(self.query.strip())

    def address(self) -> PostgresAddress | None:
        """Return where the query is asked, None for syncd's own database."""
        url = self.url.get_secret_value()
        return parse_postgres(url) if url else None


class Web(Section):
    """The control port. `token_file` is absolute and made by the daemon where it is missing.

    `socket` is absolute too: a Unix socket besides `listen`; None: there is none.
    """

    listen: Listen = DEFAULT_LISTEN
    socket: Annotated[Path | None, EMPTY_IS_NONE] = None
    token_file: Path
    allowed_hosts: Words = ()
    allow_remote: bool = False
    metrics_public: bool = False

    @property
    def host(self) -> str:
        """Return the address to listen on."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """Return the port to listen on, 0 for any that is free."""
        return split_listen(self.listen)[1]


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Logging(Section):
    """The logs. `format` auto is console on a terminal and json elsewhere; no `dir`, no files."""

    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)
    ] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    dir: Annotated[Path | None, EMPTY_IS_NONE] = None
    timezone: Zone = "UTC"
    keep: PositiveDuration = parse_duration("30d")
    max_size: Size = Size(100_000_000)


class Alerts(Section):
    """Where trouble is reported; without `webhook_url` nowhere. Its file is in `webhook_url`."""

    webhook_url: SecretStr = SecretStr("")
    webhook_url_file: str = ""
    allow_private: bool = False
    timeout: PositiveDuration = parse_duration("10s")


class Tokens(Section):
    """What users granted us. `key_file` is absolute; the default one is made when it is needed."""

    key_file: Path


class PlatformSettings(Section):
    """How we may use a platform; each platform class declares its own defaults.

    `rate` and `quota` None mean that we set ourselves no such limit, `reserve` is the share of the
    quota that is kept for manual triggers. Every credential has all of these limits to itself.
    Those without a value are left out: none means that we ask without one. `urls` says where the
    platform's companions are, other services that its profiles are read from.
    """

    base_url: BaseUrl
    urls: Mapping[str, BaseUrl] = Field(default_factory=dict)
    rate: Annotated[Rate | None, EMPTY_IS_NONE] = None
    burst: int = Field(default=1, gt=0)
    quota: Annotated[Rate | None, EMPTY_IS_NONE] = None
    reserve: float = Field(default=0.2, ge=0, lt=1)
    slots: int = Field(default=4, gt=0, le=1000)
    timeout: PositiveDuration = parse_duration("30s")
    credentials: tuple[Credential, ...] = ()
    allow_private: bool = False


class Job(Section):
    """A job. With neither `schedule` nor `every` it runs only when triggered, or after others.

    `timeout` None is the kind's own, `misfire_grace` None one interval; `options` are what the kind
    declares as its `Options`.
    """

    kind: str
    schedule: str = ""
    every: Annotated[PositiveDuration | None, EMPTY_IS_NONE] = None
    timezone: Zone = "UTC"
    misfire: Literal["skip", "once", "all"] = "once"
    misfire_grace: Annotated[PositiveDuration | None, EMPTY_IS_NONE] = None
    overlap: Literal["skip", "queue", "replace", "allow"] = "skip"
    jitter: Duration = parse_duration("0s")
    retries: int = Field(default=2, ge=0, le=10)
    after: Words = ()
    after_created: bool = False
    enabled: bool = True
    timeout: Annotated[PositiveDuration | None, EMPTY_IS_NONE] = None
    limit: Annotated[int | None, EMPTY_IS_NONE] = Field(default=None, gt=0)
    run_on_start: bool = False
    alerts: bool = True
    options: Any = None


class Config(Section):
    """A config file that was found to be right. All paths are absolute.

    `platforms` holds every platform there is, whether or not the file names it, `score` those that
    are part of the score; `jobs` also the job that `[users] query` makes. `channels` holds those
    that the file names, each by its own model.
    """

    path: Path
    daemon: Daemon
    database: Database
    redis: Redis
    web: Web
    logging: Logging
    users: Users
    alerts: Alerts
    tokens: Tokens
    notify: Notify
    channels: Mapping[str, ChannelSettings]
    platforms: Mapping[str, PlatformSettings]
    score: Mapping[str, ScoreSettings]
    jobs: Mapping[str, Job]

    def redacted(self, hide: Hide = hidden) -> dict[str, Any]:
        """Return the tables as they would stand in the file, with `***` for every secret."""
        tables: dict[str, Any] = written(self, hide)
        del tables["path"]
        if self.users.is_mirrored:
            del tables["jobs"][MIRROR]
        for platform in tables["platforms"].values():
            if not platform["urls"]:
                del platform["urls"]
            platform["credentials"] = [
                {key: value for key, value in each.items() if value}
                for each in platform["credentials"]
            ]
        for job in tables["jobs"].values():
            job.update(job.pop("options", {}))
        return tables
