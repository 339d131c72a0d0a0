from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from syncd.config.models import Config

QUERY = '[users]\nquery = "SELECT id AS key FROM members"\n'


def test_without_a_query_there_is_no_mirror(loaded: Callable[..., Config]) -> None:
    config = loaded('[users]\nquery = " "\nurl = ""\n')

    assert (config.users.is_mirrored, list(config.jobs)) == (False, [])


def test_a_query_makes_a_job_that_runs_every_ten_minutes(loaded: Callable[..., Config]) -> None:
    config = loaded(QUERY)

    job = config.jobs["users"]
    assert (job.kind, job.every, job.schedule) == ("users", timedelta(minutes=10), "")
    assert job.timeout is not None
    assert job.timeout > config.users.timeout


@pytest.mark.parametrize(
    ("line", "schedule", "every"),
    [('schedule = "0 * * * *"', "0 * * * *", None), ('every = "90s"', "", timedelta(seconds=90))],
)
def test_the_mirror_has_a_schedule_of_its_own(
    loaded: Callable[..., Config], line: str, schedule: str, every: timedelta | None
) -> None:
    job = loaded(f'[daemon]\ntimezone = "Asia/Kolkata"\n{QUERY}{line}\n').jobs["users"]

    assert (job.schedule, job.every, job.timezone) == (schedule, every, "Asia/Kolkata")


def test_the_mirror_is_shown_where_it_stands_and_without_its_password(
    loaded: Callable[..., Config],
) -> None:
    shown = loaded(f'{QUERY}url = "postgresql://u:hunter2@db/app"\n').redacted()

    assert shown["users"]["url"] == "postgresql://u:***@db/app"
    assert shown["users"]["query"] == "SELECT id AS key FROM members"
    assert shown["jobs"] == {}


def test_what_needs_no_query_may_stand_without_one(loaded: Callable[..., Config]) -> None:
    config = loaded('[users]\nsync_every = "5m"\nurl = "postgresql://db/app"\n')

    assert (config.users.is_mirrored, config.users.sync_every) == (False, timedelta(minutes=5))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[users]\nschedule = "0 * * * *"\n',
            "config.toml:2: users.schedule: is of no use without query; write a query or leave",
        ),
        (
            "[users]\nmax_removed = 5\n",
            "config.toml:2: users.max_removed: is of no use without query; write a query or leave",
        ),
        (
            f'{QUERY}schedule = "0 * * * *"\nevery = "5m"\n',
            "config.toml:4: users.every: cannot stand beside schedule; leave one of them",
        ),
        (f'{QUERY}every = "10ms"\n', "config.toml:3: users.every: must be at least 1s"),
        (f'{QUERY}url = "mysql://db"\n', "does not begin with postgres:// or postgresql://"),
        (f"{QUERY}max_removed = -1\n", "config.toml:3: users.max_removed: must be greater than"),
        (f'{QUERY}shedule = ""\n', 'users.shedule: unknown key, did you mean "schedule"?'),
        (
            f'{QUERY}[jobs.users]\nkind = "profiles"\nplatforms = ["github"]\n',
            "config.toml:3: jobs.users: is the name of the job that [users] query makes; choose",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_line(
    problems: Callable[..., list[str]], text: str, problem: str
) -> None:
    found = problems(text)

    assert len(found) == 1
    assert problem in found[0]
    assert found[0].startswith("config.toml:")
