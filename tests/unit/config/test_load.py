from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from syncd.config.build import PluginFolders
from syncd.config.duration import Rate
from syncd.config.load import load
from syncd.config.models import Config
from syncd.config.place import Problem
from syncd.errors import ConfigError
from syncd.model.address import PostgresAddress, RedisAddress

JOB = '[jobs.x]\nkind = "profiles"\nplatforms = ["github"]\n'

EVERYTHING_WRONG = """\
[daemon]
timezone = "Asia/Kolkatta"
drain = "5x"
schedul = true

[database]
host = "localhost"
port = "abc"
password = "${NOPE}"
pool = 0
schema = "Robert'); --"

[redis]
password_file = "nowhere"

[web]
listen = "8642"
allow_remote = "maybe"

[logging]
level = "inof"
format = 3
keep = 30

[members]
query = ""

[platforms.githbu]
rate = "1/s"

[platforms.github]
rate = "fast"
base_url = "ftp://github"
credentials = [
  { name = "a", token = "x" },
  { name = "b", tokn = "x" },
]
timeout = "0s"

[jobs.a]
kind = "profile"
scedule = "5 * * * *"

[jobs.B]
kind = "profiles"
every = "10ms"
clam = 5
claim = "many"
colour = "red"
mode = "ful"
limit = -1

[jobs.c]
schedule = "* * * * *"
enabled = "perhaps"
"""
EVERYTHING_SAID = """\
config.toml:2: daemon.timezone: must be a time zone such as "UTC" or "Europe/Berlin", \
not "Asia/Kolkatta", did you mean "Asia/Kolkata"?
config.toml:3: daemon.drain: must be a duration such as "30s", "5m", "1h30m" or "7d", not "5x"
config.toml:4: daemon.schedul: unknown key, did you mean "schedule"?
config.toml:8: database.port: must be a whole number, not "abc"
config.toml:9: database.password: the environment variable NOPE is not set and has no default
config.toml:10: database.pool: must be greater than 0, not 0
config.toml:11: database.schema: must be small letters, digits and _, not "Robert'); --"
config.toml:14: redis.password_file: there is no file nowhere
config.toml:17: web.listen: must be an address and a port such as "127.0.0.1:8642", not "8642"
config.toml:18: web.allow_remote: must be true or false, not "maybe"
config.toml:21: logging.level: must be 'debug', 'info', 'warning', 'error' or 'critical', \
not "inof", did you mean "info"?
config.toml:22: logging.format: must be 'auto', 'json' or 'console', not 3
config.toml:23: logging.keep: must be a duration such as "30s", "5m", "1h30m" or "7d", not 30
config.toml:25: members: unknown key
config.toml:28: platforms.githbu: unknown platform, did you mean "github"?
config.toml:32: platforms.github.rate: must be a rate such as "10/s", "30/min", "5000/h" or \
"1/2s", not "fast"
config.toml:33: platforms.github.base_url: must be the address of an API, https://host or http://host
config.toml:36: platforms.github.credentials[1].tokn: unknown key, did you mean "token"?
config.toml:38: platforms.github.timeout: must be longer than 0s, not "0s"
config.toml:41: jobs.a.kind: must be one of profiles, not "profile", did you mean "profiles"?
config.toml:42: jobs.a.scedule: unknown key, did you mean "schedule"?
config.toml:44: jobs.B: a job's name is made of small letters, digits, - and _, at most 64
config.toml:44: jobs.B.platforms: is missing
config.toml:47: jobs.B.clam: unknown key, did you mean "claim"?
config.toml:48: jobs.B.claim: must be a whole number, not "many"
config.toml:49: jobs.B.colour: unknown key
config.toml:50: jobs.B.mode: must be 'full' or 'catch_up', not "ful", did you mean "full"?
config.toml:51: jobs.B.limit: must be greater than 0, not -1
config.toml:53: jobs.c.kind: is missing
config.toml:55: jobs.c.enabled: must be true or false, not "perhaps"
"""


def test_everything_that_is_wrong_is_said_at_once_with_its_line(
    problems: Callable[..., list[str]],
) -> None:
    assert problems(EVERYTHING_WRONG) == EVERYTHING_SAID.splitlines()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[database]\nurl = "postgres://db/d"\nhost = "db"\n',
            "3: database.host: cannot stand beside url; leave one of them",
        ),
        (
            '[database]\nuser = "me"\ndatabase = "d"\n',
            (
                "1: database.host: is empty although user and database is set; "
                "name the server, or empty user and database for our own"
            ),
        ),
        (
            '[database]\nhost = "postgres://u:hunter2@db"\n',
            "2: database.host: is not a host name, an IP address or the folder of a Unix socket",
        ),
        (
            '[daemon]\nlease = "2s"\n',
            '2: daemon.lease: must be at least "3s": it is renewed at a third of that, not "2s"',
        ),
        (
            '[redis]\nurl = "http://cache"\n',
            "2: redis.url: does not begin with redis:// or rediss:// or unix://",
        ),
        (
            '[web]\nlisten = "0.0.0.0:8642"\n',
            (
                "2: web.listen: other machines can reach 0.0.0.0; use 127.0.0.1, "
                "or set allow_remote = true behind a proxy that speaks TLS"
            ),
        ),
        (
            '[web]\nlisten = "0.0.0.0:1"\nallow_remote = true\nmetrics_public = true\n',
            (
                "4: web.metrics_public: other machines can reach 0.0.0.0; "
                "leave it false and let Prometheus send the token"
            ),
        ),
        (
            '[platforms.github]\nbase_url = "http://10.0.0.1:80"\n',
            (
                "2: platforms.github.base_url: 10.0.0.1 is not a public address; "
                "set allow_private = true if it is meant"
            ),
        ),
        (
            '[platforms.github]\nbase_url = "https://u:hunter2@github.com"\n',
            (
                "2: platforms.github.base_url: must hold neither a user or password "
                "nor a query or fragment"
            ),
        ),
        (
            JOB + 'every = "1h"\nschedule = "@hourly"\n',
            "4: jobs.x.every: cannot stand beside schedule; leave one of them",
        ),
        (
            JOB + 'misfire = "onec"\n',
            (
                "4: jobs.x.misfire: must be 'skip', 'once' or 'all', not \"onec\", "
                'did you mean "once"?'
            ),
        ),
        (
            JOB + 'overlap = "kill"\n',
            "4: jobs.x.overlap: must be 'skip', 'queue', 'replace' or 'allow', not \"kill\"",
        ),
        (
            JOB + 'misfire_grace = "0s"\n',
            '4: jobs.x.misfire_grace: must be longer than 0s, not "0s"',
        ),
        (
            JOB + 'jitter = "-5s"\n',
            '4: jobs.x.jitter: must be a duration such as "30s", "5m", "1h30m" or "7d", not "-5s"',
        ),
        (
            JOB + "retries = -1\n",
            "4: jobs.x.retries: must be greater than or equal to 0, not -1",
        ),
        (JOB + 'after = ["y"]\n', '4: jobs.x.after: there is no job "y"'),
        (
            JOB + 'after = ["x"]\n',
            "4: jobs.x.after: goes in a circle: x after x; leave one of them out",
        ),
        (
            JOB + "after_created = true\n",
            (
                "4: jobs.x.after_created: is of no use without after; "
                "name a job there or leave this out"
            ),
        ),
        (JOB + 'every = "999ms"\n', "4: jobs.x.every: must be at least 1s"),
        (JOB + 'every = "0s"\n', '4: jobs.x.every: must be longer than 0s, not "0s"'),
        (JOB + 'timeout = "0s"\n', '4: jobs.x.timeout: must be longer than 0s, not "0s"'),
        ("jobs = 5\n", "1: jobs: must be a table"),
        ("[jobs]\nx = 5\n", "2: jobs.x: must be a table"),
        ("web = []\n", "1: web: must be a table"),
        ("[platforms]\ngithub = 5\n", "2: platforms.github: must be a table"),
        (
            "[platforms.github]\ncredentials = 'hunter2'\n",
            "2: platforms.github.credentials: must be a list",
        ),
        ("[database]\nurl = 5\n", "2: database.url: must be text in quotes"),
        ("[logging]\ndir = 5\n", "2: logging.dir: must be a path in quotes, not 5"),
        ("[web]\nlisten = 5\n", "2: web.listen: must be text in quotes, not 5"),
    ],
)
def test_a_combination_or_value_that_cannot_be_is_refused(
    problems: Callable[..., list[str]], text: str, said: str
) -> None:
    assert problems(text)[0] == f"config.toml:{said}"


def test_a_token_file_that_others_can_read_is_refused(
    problems: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "token").touch(mode=0o644)

    said = problems('[web]\ntoken_file = "token"\n')

    assert said == ["config.toml:2: web.token_file: others can read token: run chmod 600 token"]


def test_an_empty_file_means_the_defaults(loaded: Callable[..., Config], tmp_path: Path) -> None:
    config = loaded("")

    assert config.daemon.state_dir == tmp_path / "state"
    assert config.web.token_file == tmp_path / "state" / "token"
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8642)
    assert config.database.address() is None
    assert config.redis.address() is None
    assert config.platforms["github"].base_url == "https://api.github.com"
    assert config.jobs == {}


def test_a_platform_keeps_the_defaults_of_its_class_where_the_file_is_silent(
    loaded: Callable[..., Config],
) -> None:
    github = loaded('[platforms.github]\nrate = "5/s"\nquota = "60/h"\n').platforms["github"]

    assert (github.rate, github.quota) == (Rate(count=5, seconds=1), Rate(count=60, seconds=3600))
    assert (github.burst, github.base_url) == (10, "https://api.github.com")


def test_a_limit_of_a_platform_is_lifted_by_an_empty_text(loaded: Callable[..., Config]) -> None:
    github = loaded('[platforms.github]\nrate = ""\n').platforms["github"]

    assert github.rate is None


def test_a_job_has_the_options_of_its_kind(loaded: Callable[..., Config]) -> None:
    job = loaded(JOB + 'every = "12h"\nclaim = 5\nfresh_for = "6h"\n').jobs["x"]

    assert (job.every, job.schedule, job.enabled) == (timedelta(hours=12), "", True)
    assert (job.options.claim, job.options.fresh_for) == (5, timedelta(hours=6))


def test_jobs_and_logs_take_the_time_zone_of_the_daemon(loaded: Callable[..., Config]) -> None:
    config = loaded(JOB + '[daemon]\ntimezone = "Asia/Kolkata"\n[logging]\ntimezone = "UTC"\n')

    assert (config.jobs["x"].timezone, config.logging.timezone) == ("Asia/Kolkata", "UTC")


def test_variables_are_converted_to_the_type_of_their_key(loaded: Callable[..., Config]) -> None:
    config = loaded(
        '[web]\nlisten = "[::]:${PORT}"\nallow_remote = "${REMOTE}"\nallowed_hosts = "${HOSTS}"\n'
        '[database]\npool = "${POOL:-3}"\nconnect_timeout = "${WAIT}"\n',
        {"PORT": "1", "REMOTE": "true", "HOSTS": "a.example, b.example", "WAIT": "5s"},
    )

    assert (config.web.allow_remote, config.web.port) == (True, 1)
    assert config.web.allowed_hosts == ("a.example", "b.example")
    assert config.database.pool == 3
    assert config.database.connect_timeout == timedelta(seconds=5)


def test_servers_are_named_part_by_part_or_by_url(loaded: Callable[..., Config]) -> None:
    config = loaded(
        '[database]\nhost = "db"\nport = 1\nuser = "u"\npassword = "p#@"\n'
        '[redis]\nurl = "rediss://:p@cache/2"\n'
    )

    assert config.database.address() == PostgresAddress(
        host="db", port=1, user="u", password="p#@", database="u"
    )
    assert config.redis.address() == RedisAddress(host="cache", password="p", database=2, tls=True)


def test_a_credential_without_a_value_means_asking_without_one(
    loaded: Callable[..., Config],
) -> None:
    config = loaded('[platforms.github]\ncredentials = [{ token = "${T:-}" }]\n')

    assert config.platforms["github"].credentials == ()


def no_hourly(config: Config) -> Iterator[Problem]:
    for name, job in config.jobs.items():
        if job.schedule == "@hourly":
            yield Problem(path=("jobs", name, "schedule"), message='"@hourly" is too often')


def test_checks_of_other_packages_are_listed_with_the_rest_in_the_order_of_lines(
    problems: Callable[..., list[str]],
) -> None:
    said = problems(JOB + 'schedule = "@hourly"\nclaim = 0\n[web]\nport = 5\n', None, [no_hourly])

    assert said == [
        'config.toml:4: jobs.x.schedule: "@hourly" is too often',
        "config.toml:5: jobs.x.claim: must be greater than 0, not 0",
        "config.toml:7: web.port: unknown key",
    ]


def test_a_check_does_not_complain_about_the_default_of_a_value_that_is_wrong(
    problems: Callable[..., list[str]],
) -> None:
    def never_utc(config: Config) -> Iterator[Problem]:
        yield Problem(path=("daemon", "timezone"), message=f"{config.daemon.timezone} is dull")

    said = problems('[daemon]\ntimezone = "Mars/Base"\n', None, [never_utc])

    assert len(said) == 1
    assert "must be a time zone" in said[0]


def test_a_config_cannot_be_changed(loaded: Callable[..., Config]) -> None:
    config = loaded("")

    with pytest.raises(ValidationError):
        config.web.allow_remote = True  # type: ignore[misc]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(noise=st.text(st.sampled_from("#@/?%:[]${}'\\ éx1"), max_size=8))
def test_no_hostile_url_leaks_its_password(
    config_file: Path, folders: PluginFolders, noise: str
) -> None:
    environ = {"URL": f"postgres://u:hunter2{noise}hunter2@db:x{noise}/d"}
    config_file.write_text('[database]\nurl = "${URL}"\n[redis]\nurl = "${URL}"\n')

    with pytest.raises(ConfigError) as caught:
        load(config_file, environ, (), folders)

    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
