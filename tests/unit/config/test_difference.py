from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.config.difference import Change, Difference, adopted, differences
from syncd.config.models import Config

Loaded = Callable[..., Config]

TEXT = """
[daemon]
drain = "30s"
[platforms.github]
credentials = [{ name = "main", token = "hunter2" }, { name = "spare", token = "swordfish" }]
[jobs.x]
kind = "profiles"
platforms = ["github"]
schedule = "0 * * * *"
[jobs.y]
kind = "profiles"
platforms = ["github"]
"""


def found(loaded: Loaded, before: str, after: str) -> list[Difference]:
    old = loaded(TEXT)
    assert before in TEXT
    return differences(old, loaded(TEXT.replace(before, after)))


def test_nothing_is_different_between_a_file_and_itself(loaded: Loaded) -> None:
    assert differences(loaded(TEXT), loaded(TEXT)) == []


def test_a_changed_key_is_told_with_what_it_was_and_is(loaded: Loaded) -> None:
    assert found(loaded, 'schedule = "0 * * * *"', 'every = "90m"') == [
        Difference(change=Change.CHANGED, key="jobs.x.schedule", old="0 * * * *", new=""),
        Difference(change=Change.CHANGED, key="jobs.x.every", old=None, new="1h30m"),
    ]


def test_a_job_that_came_and_one_that_went_are_one_difference_each(loaded: Loaded) -> None:
    assert found(loaded, "[jobs.y]", "[jobs.z]") == [
        Difference(change=Change.REMOVED, key="jobs.y"),
        Difference(change=Change.ADDED, key="jobs.z"),
    ]


def test_another_secret_is_noticed_and_never_shown(loaded: Loaded) -> None:
    (difference,) = found(loaded, "hunter2", "hunter3")

    assert difference.key == "platforms.github.credentials.main.token"
    assert (difference.old, difference.new) == ("***", "*** (another one)")


def test_another_query_of_the_users_is_noticed_and_its_text_not_shown(loaded: Loaded) -> None:
    before, after = ('[users]\nquery = "SELECT 1"\n', '[users]\nquery = "SELECT 2"\n')

    told = differences(loaded(before + TEXT), loaded(after + TEXT))

    assert ("users.query", "***", "*** (another one)") in [
        (each.key, each.old, each.new) for each in told
    ]
    assert "SELECT" not in str(told)


def test_a_credential_that_went_is_told_by_its_name(loaded: Loaded) -> None:
    (difference,) = found(loaded, ', { name = "spare", token = "swordfish" }', "")

    assert difference.key == "platforms.github.credentials.spare.token"
    assert (difference.old, difference.new) == ("***", None)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[database]\nurl = "postgres://u:hunter2@db/d"', "database.url"),
        ('[redis]\nhost = "cache"', "redis.host"),
        ('[web]\nlisten = "127.0.0.1:9999"', "web.listen"),
        ('[logging]\nformat = "json"', "logging.format"),
    ],
)
def test_what_was_built_at_the_start_needs_a_restart(loaded: Loaded, text: str, key: str) -> None:
    (difference,) = differences(loaded(TEXT), loaded(f"{text}\n{TEXT}"))

    assert (difference.key, difference.needs_restart) == (key, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('drain = "30s"', 'drain = "5s"'),
        ("[jobs.y]", '[jobs.z]\nkind = "profiles"\nplatforms = ["github"]\n[jobs.y]'),
        ("[jobs.x]", '[logging]\nlevel = "debug"\n[jobs.x]'),
        ("[jobs.x]", '[users]\nquery = "SELECT 1"\n[jobs.x]'),
        ("[jobs.x]", "[score.leetcode]\nsolved_weights = { easy = 3 }\n[jobs.x]"),
    ],
)
def test_what_can_change_while_syncd_runs_needs_none(
    loaded: Loaded, before: str, after: str
) -> None:
    assert {each.needs_restart for each in found(loaded, before, after)} == {False}


def test_what_runs_after_a_reload_differs_from_the_file_by_what_needs_a_restart(
    loaded: Loaded,
) -> None:
    old = loaded(TEXT)
    file = """
        [daemon]
        state_dir = "elsewhere"
        schedule = false
        drain = "1s"
        [database]
        host = "db"
        [logging]
        level = "debug"
        keep = "1d"
        [jobs.z]
        kind = "profiles"
        platforms = ["github"]
    """
    new = loaded(file)

    running = adopted(old, new)

    assert not [each for each in differences(old, running) if each.needs_restart]
    assert [each for each in differences(running, new) if not each.needs_restart] == []
    assert list(running.jobs) == ["z"]
    assert running.logging.level == "debug"
