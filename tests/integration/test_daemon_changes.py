"""Jobs change while syncd runs: over the real store, as the control port asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.controlled import Desk, controlled
from fakes.running import JOB

from syncd.errors import BadInput, NotKnown
from syncd.model.override import JobChange
from syncd.model.pause import PauseScope
from syncd.telemetry.events import JobChanged, PauseChanged

HOURLY = "0 * * * *"


async def changed(desk: Desk, **what: Any) -> dict[str, Any]:
    return await desk.control.change_job(JOB, JobChange(**what), actor="ops")


async def kept(desk: Desk, sql: str = "SELECT job FROM job_overrides") -> list[Any]:
    """Ask PostgreSQL behind the daemon's back."""
    async with desk.core.database.connection() as connection:
        return list(await connection.fetch(sql))


async def after_a_restart(tmp_path: Path, *, text: str | None = None) -> dict[str, Any]:
    """Return the first screen of a syncd that starts on the same database."""
    text = text or (tmp_path / "config.toml").read_text()
    async with controlled(text, tmp_path) as later:
        await later.core.health.ready.wait()
        await later.core.changes.load()
        return await later.control.status()


def keys(job: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(each["key"], each["config"], each["now"]) for each in job["differs_from_config"]]


async def test_a_change_survives_a_restart_and_is_shown_with_who_and_why(
    desk: Desk, tmp_path: Path
) -> None:
    await changed(desk, enabled=False, why="too loud")
    await changed(desk, schedule=HOURLY, timezone="Asia/Kolkata", why="quieter")

    status = await after_a_restart(tmp_path)

    (job,) = status["jobs"]
    assert (job["enabled"], job["cron"], job["timezone"]) == (False, HOURLY, "Asia/Kolkata")
    assert keys(job) == [
        ("enabled", True, False),
        ("schedule", "when triggered", HOURLY),
        ("timezone", "UTC", "Asia/Kolkata"),
    ]
    assert {(each["actor"], each["why"]) for each in job["differs_from_config"]} == {
        ("ops", "quieter")
    }
    (note,) = status["notes"]
    assert note["what"].startswith("sync differs from config.toml: switched off, schedule")
    assert note["hint"] == "syncd reschedule sync --reset"
    assert status["problems"] == []


async def test_a_reset_goes_back_to_config_toml_for_good(desk: Desk, tmp_path: Path) -> None:
    await changed(desk, enabled=False, schedule=HOURLY)

    job = await changed(desk, reset=True)

    assert (job["enabled"], job["cron"], keys(job)) == (True, None, [])
    assert (await after_a_restart(tmp_path))["notes"] == []


async def test_a_reset_also_drops_what_this_process_does_not_know_of(desk: Desk) -> None:
    await desk.core.changes.load()
    async with desk.core.database.connection() as connection:
        await connection.execute(
            "INSERT INTO job_overrides (job, enabled, changed_at) VALUES ($1, false, now())", JOB
        )

    await changed(desk, reset=True)

    assert await kept(desk) == []


async def test_what_is_as_config_toml_says_again_differs_no_more(desk: Desk) -> None:
    await changed(desk, enabled=False)

    job = await changed(desk, enabled=True)

    assert keys(job) == []
    assert await kept(desk) == []


async def test_an_interval_takes_the_place_of_a_changed_schedule(desk: Desk) -> None:
    await changed(desk, schedule=HOURLY)

    job = await changed(desk, every="90m")

    assert (job["cron"], job["every_seconds"]) == (None, 5_400)


async def test_a_repeated_change_is_told_once(desk: Desk) -> None:
    events: list[Any] = []
    with desk.core.bus.subscribed(events.append):
        await changed(desk, enabled=False, why="too loud")
        await changed(desk, enabled=False)
        await changed(desk, schedule=HOURLY)

    told = [event for event in events if isinstance(event, JobChanged)]
    assert [(event.job, event.change, event.actor, event.why) for event in told] == [
        (JOB, "enabled: on -> off", "ops", "too loud"),
        (JOB, "schedule: when triggered -> 0 * * * *", "ops", ""),
    ]


async def test_two_changes_at_the_same_moment_both_stand(desk: Desk, tmp_path: Path) -> None:
    await asyncio.gather(
        changed(desk, enabled=False),
        changed(desk, schedule=HOURLY),
        changed(desk, timezone="Asia/Kolkata"),
    )

    (job,) = (await after_a_restart(tmp_path))["jobs"]
    assert (job["enabled"], job["cron"], job["timezone"]) == (False, HOURLY, "Asia/Kolkata")


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"schedule": "61 * * * *"}, r"schedule: .*minute 61 is out of range"),
        ({"schedule": "0 0 31 2 *"}, r"schedule: .*never fires"),
        ({"timezone": "Asia/Kolkatta"}, r'timezone: must be .*did you mean "Asia/Kolkata"\?'),
        ({"every": "1"}, 'every: must be a duration such as .*, not "1"'),
        ({"every": "1ms"}, "every: must be at least 1s"),
        ({"every": "5m", "schedule": HOURLY}, "every: cannot stand beside schedule"),
        ({"reset": True, "enabled": True}, "reset: cannot stand beside another change"),
        ({"enabled": False, "catch_up": True}, "catch_up: cannot stand beside enabled: false"),
        ({}, "nothing is to be changed"),
    ],
)
async def test_what_is_wrong_is_said_as_of_config_toml_and_nothing_changes(
    desk: Desk, what: dict[str, Any], sentence: str
) -> None:
    before = await desk.control.job(JOB)

    with pytest.raises(BadInput, match=sentence) as refusal:
        await changed(desk, **what)

    assert refusal.value.hint
    assert await desk.control.job(JOB) == before
    assert await kept(desk) == []


async def test_a_job_that_is_not_there_cannot_be_changed(desk: Desk) -> None:
    for what in ({"enabled": False}, {"reset": True}):
        with pytest.raises(NotKnown, match=r"no job 'synk', did you mean"):
            await desk.control.change_job("synk", JobChange(**what), actor="ops")


async def test_a_change_of_a_job_that_is_gone_is_kept_told_and_dropped_by_a_reset(
    desk: Desk, tmp_path: Path
) -> None:
    await changed(desk, enabled=False)
    text = (tmp_path / "config.toml").read_text().replace("[jobs.sync]", "[jobs.other]")

    async with controlled(text, tmp_path) as later:
        await later.core.health.ready.wait()
        await later.core.changes.load()
        before = (await later.control.status())["notes"]
        await changed(later, reset=True)
        after = (await later.control.status())["notes"]

    assert before == [
        {
            "what": "what was changed of job sync is kept but does not apply: "
            "config.toml has no such job",
            "hint": "syncd reschedule sync --reset",
        }
    ]
    assert after == []


async def test_a_change_that_no_longer_fits_config_toml_keeps_syncd_from_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    await changed(desk, schedule=HOURLY)
    await kept(desk, "UPDATE job_overrides SET schedule = 'never'")

    status = await after_a_restart(tmp_path)

    assert (status["jobs"][0]["cron"], status["jobs"][0]["differs_from_config"]) == (None, [])
    assert "does not fit config.toml" in status["notes"][0]["what"]


@pytest.mark.parametrize(
    ("scope", "key", "words", "hint"),
    [
        (PauseScope.ALL, "", "everything is paused since", "syncd resume --all"),
        (PauseScope.JOB, JOB, "sync is paused since", "syncd resume sync"),
        (
            PauseScope.PLATFORM,
            "github",
            "platform github is paused since",
            "syncd resume --platform github",
        ),
    ],
)
async def test_a_pause_is_one_problem_with_the_order_that_ends_it(
    desk: Desk, scope: PauseScope, key: str, words: str, hint: str
) -> None:
    events: list[Any] = []
    with desk.core.bus.subscribed(events.append):
        await desk.control.pause(scope, key, why="upkeep", until=None, actor="ops")
        (problem,) = (await desk.control.status())["problems"]
        job = await desk.control.job(JOB)
        await desk.control.resume(scope, key, actor="ops")

    assert problem["what"].startswith(words)
    assert problem["what"].endswith(": upkeep")
    assert problem["hint"] == hint
    assert keys(job) == ([] if scope is PauseScope.PLATFORM else [("paused", False, True)])
    assert (await desk.control.status())["problems"] == []
    told = [event for event in events if isinstance(event, PauseChanged)]
    assert [(event.change, event.actor) for event in told] == [
        ("paused", "ops"),
        ("resumed", "ops"),
    ]


async def test_a_resumed_job_that_a_pause_of_everything_still_holds_is_told(desk: Desk) -> None:
    await desk.control.pause(PauseScope.ALL, "", why="upkeep", until=None, actor="ops")

    answer = await desk.control.resume(PauseScope.JOB, JOB, actor="ops")

    assert (answer["was_paused"], answer["still"]["why"]) == (False, "upkeep")


async def test_a_platform_that_a_person_paused_says_so_where_it_is_shown_and_measured(
    desk: Desk,
) -> None:
    await desk.control.pause(PauseScope.PLATFORM, "github", why="moving", until=None, actor="ops")

    (platform,) = await desk.control.platforms()
    lines = (await desk.control.metrics()).decode().splitlines()

    assert platform["waits_for"] == platform["pause_cause"] == "paused by ops: moving"
    named = 'platform="github"'
    paused = [line for line in lines if line.startswith("syncd_platform_paused{") and named in line]
    assert [line.rpartition(" ")[2] for line in paused] == ["1.0"]
    assert not [line for line in lines if line.startswith("syncd_platform_pause_ends")]


async def test_platforms_that_nobody_uses_are_not_listed(desk: Desk) -> None:
    before = [platform["name"] for platform in await desk.control.platforms()]
    await desk.control.pause(PauseScope.PLATFORM, "leetcode", why="", until=None, actor="ops")

    assert before == ["github"]
    assert [each["name"] for each in await desk.control.platforms()] == ["github", "leetcode"]


async def test_the_end_of_a_pause_that_a_person_asked_for_is_told(desk: Desk) -> None:
    until = desk.clock.now() + timedelta(hours=1)
    await desk.control.pause(PauseScope.PLATFORM, "github", why="", until=until, actor="ops")

    (platform,) = await desk.control.platforms()
    lines = (await desk.control.metrics()).decode().splitlines()

    assert platform["paused_until"] == until
    (end,) = [line for line in lines if line.startswith("syncd_platform_pause_ends")]
    assert float(end.rpartition(" ")[2]) == until.timestamp()
