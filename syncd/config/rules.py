"""What a config file may not say although each of its keys is right by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from syncd.config.addresses import may_be_public
from syncd.config.channels import NOTIFY_KEY_NAME
from syncd.config.dsn import parse_postgres, parse_redis
from syncd.config.keyring import DEFAULT_NAME, HOW_TO_MAKE, read_key_ring
from syncd.config.listen import is_loopback
from syncd.config.models import MIRROR, Config, Database, Job, PlatformSettings, Redis, Users
from syncd.config.place import Path, Problem, quoted
from syncd.config.secret import others_can_read
from syncd.config.values import suggestion

Check = Callable[[Config], Iterable[Problem]]
"""Look at a whole config and yield what is wrong. Values that failed before have their default."""


def check_servers(config: Config) -> Iterator[Problem]:
    """PostgreSQL and Redis are named in one way, by addresses that can be read."""
    yield from _one_address(config.database, "database", parse_postgres)
    yield from _one_address(config.redis, "redis", parse_redis)
    database = config.database
    named = {
        "user": database.user,
        "password": database.password.get_secret_value(),
        "database": database.database,
    }
    yield from _host_is_named(database, "database", [key for key, text in named.items() if text])
    password = config.redis.password.get_secret_value()
    yield from _host_is_named(config.redis, "redis", ["password"] if password else [])


def _one_address(
    section: Database | Redis, name: str, parse: Callable[[str], object]
) -> Iterator[Problem]:
    url = section.url.get_secret_value()
    key = "url_file" if section.url_file else "url"
    if url and section.host:
        yield Problem(path=(name, "host"), message=f"cannot stand beside {key}; leave one of them")
    if url:
        try:
            parse(url)
        except ValueError as error:
            yield Problem(path=(name, key), message=str(error))


def _host_is_named(section: Database | Redis, name: str, given: list[str]) -> Iterator[Problem]:
    if given and not section.host and not section.url.get_secret_value():
        keys = " and ".join(given)
        message = f"is empty although {keys} is set; name the server, or empty {keys} for our own"
        yield Problem(path=(name, "host"), message=message)


def check_web(config: Config) -> Iterator[Problem]:
    """The control port is open to other machines only on purpose, its token to nobody else."""
    web = config.web
    if not is_loopback(web.host) and not web.allow_remote:
        yield Problem(
            path=("web", "listen"),
            message=f"other machines can reach {web.host}; use 127.0.0.1, "
            "or set allow_remote = true behind a proxy that speaks TLS",
        )
    if web.metrics_public and not is_loopback(web.host):
        yield Problem(
            path=("web", "metrics_public"),
            message=f"other machines can reach {web.host}; leave it false and let Prometheus "
            "send the token",
        )
    if others_can_read(web.token_file):
        yield Problem(
            path=("web", "token_file"),
            message=f"others can read {web.token_file}: run chmod 600 {web.token_file}",
        )


def check_platforms(config: Config) -> Iterator[Problem]:
    """Platforms are asked on the public net."""
    for name, settings in config.platforms.items():
        yield from _platform(settings, ("platforms", name))


def _platform(settings: PlatformSettings, path: Path) -> Iterator[Problem]:
    urls: dict[Path, str] = {("base_url",): settings.base_url}
    urls |= {("urls", key): url for key, url in settings.urls.items()}
    for place, url in urls.items():
        host = urlsplit(url).hostname or ""
        if not may_be_public(host) and not settings.allow_private:
            yield Problem(
                path=(*path, *place),
                message=f"{host} is not a public address; set allow_private = true if it is meant",
            )


def check_alerts(config: Config) -> Iterator[Problem]:
    """Alerts go to an address that is named whole, encrypted, and on the public net."""
    alerts = config.alerts
    url = alerts.webhook_url.get_secret_value()
    wrong = _wrong_webhook(url, allow_private=alerts.allow_private) if url else ""
    if wrong:
        key = "webhook_url_file" if alerts.webhook_url_file else "webhook_url"
        yield Problem(path=("alerts", key), message=wrong)


def _wrong_webhook(url: str, *, allow_private: bool) -> str:
    """Say what is wrong with a webhook, without a piece of it but its host; empty: nothing."""
    try:
        parts = urlsplit(url)
        host, has_login = parts.hostname or "", parts.username is not None
        is_address = parts.scheme in {"http", "https"} and bool(host) and parts.port != 0
    except ValueError:
        return "must be an address, https://host/path"
    if not is_address or not url.isprintable() or " " in url:
        return "must be an address, https://host/path"
    if has_login or parts.fragment:
        return "must hold neither a user or password nor a fragment"
    if not allow_private and parts.scheme != "https":
        return "must begin with https://; set allow_private = true if plain http is meant"
    if not allow_private and not may_be_public(host):
        return f"{host} is not a public address; set allow_private = true if it is meant"
    return ""


def check_keys(config: Config) -> Iterator[Problem]:
    """The keys of tokens and links can be used, by nobody else; a file that is named is there."""
    state = config.daemon.state_dir
    for section, path, made in (
        ("tokens", config.tokens.key_file, state / DEFAULT_NAME),
        ("notify", config.notify.key_file, state / NOTIFY_KEY_NAME),
    ):
        problem = ""
        try:
            if read_key_ring(path) is None and path != made:
                problem = f"there is no file {path}; put it back, or make it: {HOW_TO_MAKE}"
        except ValueError as error:
            problem = str(error)
        if problem:
            yield Problem(path=(section, "key_file"), message=problem)


def check_score(config: Config) -> Iterator[Problem]:
    """A rating counts between two bounds."""
    for name, scale in config.score.items():
        path, low, high = ("score", name), scale.rating_from, scale.rating_to
        if (low is None) != (high is None):
            missing = "rating_from" if low is None else "rating_to"
            message = "must stand beside the other bound; name both, or neither without a rating"
            yield Problem(path=(*path, missing), message=message)
        if low is not None and high is not None and not low < high:
            message = f"must be more than rating_from, {low:g}"
            yield Problem(path=(*path, "rating_to"), message=message)


def check_users(config: Config) -> Iterator[Problem]:
    """What concerns the query of users stands beside one, and its address can be read.

    `url` may stay: it often comes from the environment, with the query in the file taken out.
    """
    users, rest = config.users, Users(timezone=config.users.timezone)
    if not users.is_mirrored:
        for key in Users.model_fields:
            if key not in {"query", "url", "sync_every"} and getattr(users, key) != getattr(
                rest, key
            ):
                message = "is of no use without query; write a query or leave this out"
                yield Problem(path=("users", key), message=message)
        return
    try:
        users.address()
    except ValueError as error:
        key = "url_file" if users.url_file else "url"
        yield Problem(path=("users", key), message=str(error))


def table_of(name: str, job: Job, config: Config) -> Path:
    """Return where a job stands in the file."""
    return ("users",) if job.options is config.users else ("jobs", name)


# What a run reads of such a job's source is all of it.
_WHOLE = {"leaderboard": "boards", "contests": "lists of contests"}


def check_jobs(config: Config) -> Iterator[Problem]:
    """A job has one schedule, and not one that never rests."""
    for name, job in config.jobs.items():
        path = table_of(name, job, config)
        if job.kind == MIRROR and job.options is not config.users:
            message = "comes with [users] query; write that and leave this table out"
            yield Problem(path=(*path, "kind"), message=message)
        if job.schedule and job.every:
            message = "cannot stand beside schedule; leave one of them"
            yield Problem(path=(*path, "every"), message=message)
        if job.every and job.every < timedelta(seconds=1):
            yield Problem(path=(*path, "every"), message="must be at least 1s")
        if job.limit and (read := _WHOLE.get(job.kind)):
            message = f"is of no use here: {read} are read as a whole; leave it out"
            yield Problem(path=(*path, "limit"), message=message)


def check_leaderboards(config: Config) -> Iterator[Problem]:
    """Jobs about the same table, or the same set of changed users, read the same boards, whole."""
    jobs = [(name, job.options) for name, job in config.jobs.items() if job.kind == "leaderboard"]
    for number, (name, options) in enumerate(jobs):
        for other, others in jobs[:number]:
            keys = [{board.key for board in each.all_boards()} for each in (options, others)]
            if keys[0] == keys[1]:
                continue
            schemas = {
                each.schema_name or config.database.schema_name for each in (options, others)
            }
            if options.table == others.table and len(schemas) == 1:
                message = f"job {quoted(other)} fills it from other boards; name another table"
                yield Problem(path=("jobs", name, "table"), message=message)
            is_needed = "incremental" in {options.mode, others.mode}
            if is_needed and options.dirty and options.dirty == others.dirty:
                message = (
                    f"job {quoted(other)} reads other boards and takes users out of it as well; "
                )
                yield Problem(path=("jobs", name, "dirty"), message=message + "name another set")


def check_chains(config: Config) -> Iterator[Problem]:
    """A job comes after jobs that there are, and not after itself."""
    for name, job in config.jobs.items():
        path = (*table_of(name, job, config), "after")
        if job.after_created and not job.after:
            message = "is of no use without after; name a job there or leave this out"
            yield Problem(path=(*path[:-1], "after_created"), message=message)
        for other in job.after:
            if other not in config.jobs:
                near = suggestion(other, config.jobs)
                yield Problem(path=path, message=f"there is no job {quoted(other)}{near}")
        if circle := _circle(name, config):
            words = " after ".join(circle)
            yield Problem(path=path, message=f"goes in a circle: {words}; leave one of them out")


def _circle(name: str, config: Config) -> list[str]:
    """Return the way from a job over those before it back to itself, empty if there is none."""
    ways = [[name]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for other in config.jobs[way[-1]].after:
            if other == name:
                return [*way, name]
            if other in config.jobs and other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


RULES: tuple[Check, ...] = (
    check_servers,
    check_web,
    check_users,
    check_platforms,
    check_alerts,
    check_keys,
    check_score,
    check_jobs,
    check_leaderboards,
    check_chains,
)
