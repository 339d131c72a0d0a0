"""A running daemon is changed: jobs over config.toml, and config.toml itself (faults 16 and 77)."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import datetime
from typing import Any

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess, Start
from fakes.sandbox_process import sandbox_process
from fakes.waiting import until

OFTEN = "*/2 * * * * *"
BEAT = {"kind": "profiles", "platforms": ["github"], "schedule": OFTEN}
BOTH = {f"jobs.{JOB}": {"schedule": OFTEN}, "jobs.beat": BEAT}


async def rows_of(daemon: DaemonProcess, job: str) -> list[Any]:
    return await daemon.fetch(
        "SELECT fire_time, cause, skip_reason, fires_since, outcome, options FROM runs"
        " WHERE job = $1 AND fire_time IS NOT NULL ORDER BY fire_time",
        job,
    )


async def beats(daemon: DaemonProcess, more: int) -> None:
    """Wait until the other job, of the same schedule, has fired so many times more."""
    wanted = len(await rows_of(daemon, "beat")) + more

    async def has_fired() -> bool:
        return len(await rows_of(daemon, "beat")) >= wanted

    await until(has_fired, what=f"{more} more fires")


async def ordered(daemon: DaemonProcess, *words: str) -> dict[str, Any]:
    """Run a command that must succeed, and return its JSON."""
    said = await daemon.command(*words, "--json")
    assert said.code == 0, said
    return dict(json.loads(said.out))


async def test_new_schedule_survives_a_kill_and_is_shown_as_different(
    external_daemon: Start,
) -> None:
    async with external_daemon() as daemon:
        changed = await ordered(daemon, "reschedule", JOB, OFTEN, "--why", "launch day")
        daemon.kill(signal.SIGKILL)
        await daemon.ended()
        await daemon.start()

        runs = await daemon.until_true(f"/api/runs?job={JOB}", lambda page: len(page["runs"]) > 1)
        job = await daemon.get(f"/api/jobs/{JOB}")
        status = await daemon.command("status")
        reset = await ordered(daemon, "reschedule", JOB, "--reset")

    assert changed["cron"] == job["cron"] == OFTEN
    assert {run["cause"] for run in runs["runs"]} == {"schedule"}
    (difference,) = job["differs_from_config"]
    assert (difference["key"], difference["now"], difference["why"]) == (
        "schedule",
        OFTEN,
        "launch day",
    )
    assert f'{JOB} differs from config.toml: schedule "{OFTEN}"' in status.out
    assert (reset["cron"], reset["differs_from_config"]) == (None, [])
    (told, again) = daemon.said("job.changed", job=JOB)
    assert (told["actor"], told["why"]) == ("token", "launch day")
    assert again["change"] == f"schedule: {OFTEN} -> when triggered"


@pytest.mark.parametrize("catch_up", [False, True])
async def test_what_passed_while_a_job_was_off_is_made_up_for_only_when_asked(
    external_daemon: Start, catch_up: bool
) -> None:
    async with external_daemon(tables=BOTH) as daemon:
        await beats(daemon, 1)
        off = await ordered(daemon, "disable", JOB)
        disabled = await rows_of(daemon, JOB)
        await beats(daemon, 3)
        silent = await rows_of(daemon, JOB)

        await ordered(daemon, "enable", JOB, *(["--catch-up"] if catch_up else []))
        enabled_at = datetime.fromisoformat(daemon.said("job.changed")[-1]["timestamp"])
        await beats(daemon, 2)
        rows = (await rows_of(daemon, JOB))[len(silent) :]

    assert (off["enabled"], off["next_fire_time"]) == (False, None)
    assert silent == disabled
    past = [row for row in rows if row["fire_time"] <= enabled_at]
    assert [row for row in rows if row not in past] != []
    if catch_up:
        assert [row["skip_reason"] for row in past[:-1]] == ["coalesced"] * (len(past) - 1)
        assert (past[-1]["skip_reason"], past[-1]["outcome"]) == (None, "succeeded")
        assert len(past) >= 3
    else:
        assert past == []


async def test_what_passed_while_a_job_was_paused_has_its_verdict_and_is_never_made_up_for(
    external_daemon: Start,
) -> None:
    async with external_daemon(tables=BOTH) as daemon:
        await beats(daemon, 1)
        paused = await ordered(daemon, "pause", JOB, "--why", "upkeep")
        before = await rows_of(daemon, JOB)
        await beats(daemon, 3)
        resumed = await ordered(daemon, "resume", JOB)
        held = (await rows_of(daemon, JOB))[len(before) :]
        await beats(daemon, 2)
        after = (await rows_of(daemon, JOB))[len(before) + len(held) :]

    assert (paused["why"], resumed["was_paused"]) == ("upkeep", True)
    assert len(held) >= 2
    assert {row["skip_reason"] for row in held} == {"paused"}
    assert after != []
    assert {row["skip_reason"] for row in after} == {None}
    assert [line["change"] for line in daemon.said("pause.changed")] == ["paused", "resumed"]


async def test_run_keeps_what_it_began_with_and_the_next_fire_has_the_new_file(
    external_daemon: Start,
) -> None:
    users = 150
    async with (
        sandbox_process(users, latency_ms=2_000) as sandbox,
        external_daemon(sandbox) as daemon,
    ):
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await sandbox.busy(50)

        daemon.configure({f"jobs.{JOB}": {"schedule": "77 * * * *"}})
        daemon.kill(signal.SIGHUP)
        await daemon.told("config.refused", actor="SIGHUP")
        broken = await daemon.command("reload")
        problem = await daemon.command("status")
        daemon.config.unlink()
        daemon.kill(signal.SIGHUP)
        await daemon.until_true(
            "/api/status", lambda status: "no such file" in str(status["reload"]["problems"])
        )
        ready = await daemon.api("GET", "/ready", token=None)

        before = {line["level"] for line in daemon.lines}
        daemon.configure(
            {f"jobs.{JOB}": {"limit": 3, "schedule": OFTEN}, "logging": {"level": "debug"}}
        )
        daemon.kill(signal.SIGHUP)
        await daemon.told("config.reloaded", actor="SIGHUP")
        still = await daemon.get(f"/api/runs/{run_id}")
        ended = await daemon.finished(run_id)
        later = await daemon.until_true(
            f"/api/runs?job={JOB}",
            lambda page: [
                run
                for run in page["runs"]
                if run["cause"] == "schedule" and run["outcome"] == "succeeded"
            ],
        )
        status = await daemon.get("/api/status")

    assert (broken.code, problem.code, ready.status) == (5, 4, 200)
    assert "minute 77 is out of range" in broken.err
    assert "problem  config.toml was not reloaded" in problem.out
    assert still["outcome"] == "running"
    assert (ended["outcome"], ended["seen"], ended["options"]["limit"]) == (
        "succeeded",
        users,
        None,
    )
    fires = [run for run in later["runs"] if run["outcome"] == "succeeded" and run["fire_time"]]
    assert {(run["options"]["limit"], run["seen"]) for run in fires} == {(3, 3)}
    assert "debug" not in before
    assert daemon.said("items.committed", level="debug") != []
    assert (status["reload"]["ok"], status["problems"]) == (True, [])
    assert daemon.errors() == ""


async def test_stranger_changes_nothing_and_two_changes_at_once_both_stand(
    external_daemon: Start,
) -> None:
    path = f"/api/jobs/{JOB}"
    async with external_daemon() as daemon:
        off = {"enabled": False}
        wrong = await daemon.api("PATCH", path, off, token="wrong")
        none = await daemon.api("POST", "/api/reload", {}, token=None)
        foreign = await daemon.api("PATCH", path, off, headers={"Host": "evil.example"})
        untouched = await daemon.fetch("SELECT job FROM job_overrides")

        both = await asyncio.gather(
            daemon.api("PATCH", path, off),
            daemon.api("PATCH", path, {"schedule": OFTEN}),
            daemon.api("PATCH", path, {"timezone": "Asia/Kolkata"}),
        )
        (row,) = await daemon.fetch("SELECT enabled, schedule, timezone FROM job_overrides")

    assert (wrong.status, none.status, foreign.status) == (401, 401, 403)
    assert untouched == []
    assert [answer.status for answer in both] == [200, 200, 200]
    assert tuple(row) == (False, OFTEN, "Asia/Kolkata")
    assert len(daemon.said("job.changed", job=JOB, actor="token")) == 3


async def test_wrong_input_ends_with_2_and_one_sentence_and_changes_nothing(
    external_daemon: Start,
) -> None:
    cases = {
        ("reschedule", JOB, "61 * * * *"): "minute 61 is out of range",
        ("reschedule", JOB, OFTEN, "--tz", "Asia/Kolkatta"): 'did you mean "Asia/Kolkata"?',
        ("reschedule", JOB, OFTEN, "--every", "5m"): "every: cannot stand beside schedule",
        ("disable", "githb"): f'did you mean "{JOB}"?',
        ("pause", JOB, "--until", "2020-01-01T00:00Z"): "has passed",
        ("pause", "--platform", "githb"): 'did you mean "github"?',
    }
    async with external_daemon() as daemon:
        said = {words: await daemon.command(*words) for words in cases}
        job = await daemon.get(f"/api/jobs/{JOB}")

    assert {words: answer.code for words, answer in said.items()} == dict.fromkeys(cases, 2)
    for words, sentence in cases.items():
        assert sentence in said[words].err
        assert len(said[words].err.splitlines()) == 2
    assert (job["differs_from_config"], job["paused"]) == ([], None)
