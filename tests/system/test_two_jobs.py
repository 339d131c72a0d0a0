"""A main and a backup run over six platforms: nobody twice, counts that add up, a reason asked."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakes.daemon_config import Tables, merged
from fakes.daemon_process import DaemonProcess, Start
from fakes.quizzes import BACKUP, MAIN, QUIZZES, QuizService, linked, quiz_tables, write_quizzes
from fakes.terminal import on_terminal

from syncd.sandbox.server import serve

PLAYERS = [f"p{number:02}" for number in range(60)]
COUNTS = ("created", "updated", "unchanged", "skipped", "failed", "calls", "saved")
_REDRAWN = re.compile(r"(?:\x1b\[2K\x1b\[1A)+\x1b\[2K")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Pair:
    """A daemon with the two jobs, and the service that it asks."""

    def __init__(self, daemon: DaemonProcess, service: QuizService) -> None:
        self.daemon = daemon
        self.service = service

    async def link(self, *players: str) -> None:
        users = json.dumps(linked({f"u-{player}": player for player in players}))
        body = {"format": "json", "content": users}
        answer = await self.daemon.api("POST", "/api/users/import", body)
        assert answer.status == 200, answer

    async def run(self, job: str, **options: Any) -> Mapping[str, Any]:
        return await self.end(await self.daemon.trigger_job(job, **options))

    async def end(self, run_id: int) -> Mapping[str, Any]:
        run: Mapping[str, Any] = await self.daemon.finished(run_id)
        return run


@pytest.fixture
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("quizzes")
    write_quizzes(folder)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path}


@pytest.fixture
def paired(external_daemon: Start, environ: Mapping[str, str]) -> Any:
    @asynccontextmanager
    async def start(service: QuizService, over: Tables | None = None) -> AsyncIterator[Pair]:
        async with (
            serve(service) as url,
            external_daemon(None, merged(quiz_tables(url), over or {}), environ=environ) as daemon,
        ):
            yield Pair(daemon, service)

    return start


async def test_two_jobs_at_the_same_moment_ask_for_each_account_once(paired: Any) -> None:
    async with paired(QuizService(latency_seconds=0.2)) as pair:
        await pair.link(*PLAYERS)
        following = asyncio.create_task(pair.daemon.command("trigger", MAIN, "--follow"))
        running = await pair.daemon.until_true(f"/api/jobs/{MAIN}", lambda job: job["running"])
        backup = await pair.run(BACKUP)
        said = await following

        runs = [backup, await pair.end(running["running"]["id"])]

    assert pair.service.times(*PLAYERS) == {1}
    assert [run["outcome"] for run in runs] == ["succeeded", "succeeded"]
    assert all(run["created"] for run in runs)
    # Who was left to the other run is not waited for.
    last = {
        name: ends
        for name, *ends in re.findall(r"^(quiz_\w+)  (\d+)/(\d+)", said.err, re.MULTILINE)
    }
    assert set(last) == set(QUIZZES)
    assert all(done == total for done, total in last.values())
    for name in QUIZZES:
        assert sum(run["platforms"].get(name, {"users": 0})["users"] for run in runs) == len(
            PLAYERS
        )


@pytest.mark.parametrize("jobs", [(MAIN, BACKUP), (BACKUP, MAIN)])
async def test_two_jobs_one_after_the_other_ask_once_unless_a_person_wants_it(
    paired: Any, jobs: tuple[str, str]
) -> None:
    async with paired(QuizService()) as pair:
        await pair.link(*PLAYERS)
        first = await pair.run(jobs[0])
        second = await pair.run(jobs[1])
        once = pair.service.times(*PLAYERS)

        await pair.run(jobs[1], only=["u-p07"], full=True)
        named = pair.service.times("p07")
        whole = await pair.run(jobs[1], full=True)

    assert (once, named) == ({1}, {2})
    assert pair.service.times(*PLAYERS[8:]) == {2}
    assert (first["created"], second["seen"], whole["unchanged"]) == (360, 0, 360)
    assert second["platforms"] == {}


async def test_what_the_first_job_failed_with_is_all_that_the_second_one_asks(paired: Any) -> None:
    async with paired(QuizService()) as pair:
        await pair.link(*PLAYERS)
        pair.service.odd = {"p03", "p04"}
        await pair.run(MAIN)
        pair.service.odd = {"p04"}

        backup = await pair.run(BACKUP)

    assert pair.service.times("p03", "p04") == {2}
    assert pair.service.times(*PLAYERS[5:]) == {1}
    assert {name: share["created"] for name, share in backup["platforms"].items()} == dict.fromkeys(
        QUIZZES, 1
    )


async def test_counts_by_platform_add_up_after_a_kill(paired: Any) -> None:
    service = QuizService(latency_seconds=0.05)
    service.gone, service.teams, service.odd = {"p10"}, {"p20", "p21"}, {"p30", "p31", "p59"}
    async with paired(service) as pair:
        await pair.link(*PLAYERS)
        run_id = await pair.daemon.trigger_job(MAIN)
        before = await pair.daemon.reached(run_id, 150)
        await pair.daemon.restart(signal.SIGKILL)
        resumed = await pair.daemon.until_true(
            f"/api/runs/{run_id}", lambda run: len(run.get("progress", ())) == len(QUIZZES)
        )

        run = await pair.end(run_id)
        job = await pair.daemon.get(f"/api/jobs/{MAIN}")
        shown = await pair.daemon.command("show", str(run_id))

    shares = run["platforms"]
    assert (before["finished_at"], run["resumed"]) == (None, 1)
    # Each platform goes on from what it had done itself.
    assert {told["total"] for told in resumed["progress"].values()} == {60}
    assert sorted(shares) == sorted(QUIZZES)
    for share in shares.values():
        assert (share["users"], share["profiles"], share["failed"]) == (60, 54, 6)
        assert share["failures"] == {"not_found": 1, "unsuitable": 2, "schema_error": 3}
        assert share["success_rate"] == 0.9
    for count in COUNTS:
        assert run[count] == sum(share[count] for share in shares.values()), count
    assert run["failures"] == {"not_found": 6, "unsuitable": 12, "schema_error": 18}
    assert job["last_run"]["platforms"] == shares
    assert job["covered_by"] == [BACKUP]
    lines = [line.split() for line in shown.out.splitlines()]
    table = {line[0]: line for line in lines if line and line[0] in QUIZZES}
    assert table["quiz_one"][:7] == ["quiz_one", "60", "54", "0", "0", "6", "90.0"]
    said = " ".join(shown.out.split())
    for cause, count in {"not_found": 1, "schema_error": 3, "unsuitable": 2}.items():
        assert f"{cause}: " + ", ".join(f"{name} {count}" for name in shares) in said


async def test_log_of_profile_updates_begins_and_ends_with_the_words_people_search_for(
    paired: Any,
) -> None:
    often = {f"jobs.{MAIN}": {"schedule": "*/2 * * * * *"}, "logging": {"dir": "logs"}}
    async with paired(QuizService(), often) as pair:
        await pair.link("p01", "p02")
        fired = (await pair.daemon.told("run.finished", job=MAIN, created=12))["run_id"]
        lines = (pair.daemon.folder / "logs" / "profile-update-current.log").read_text().split("\n")

    told = [line.split(" ", 2)[2].strip() for line in lines if f"run={fired}" in line]
    assert re.match(r"Running scheduled profile update at \d+:\d\d [AP]M IST +event=", told[0])
    assert [line.split()[0] for line in told[1:-1]] == ["platform.finished"] * len(QUIZZES)
    assert "platform=quiz_five seen=2 created=2" in told[1]
    assert told[-1].startswith("Sync completed ")


async def test_follow_ends_with_a_table_and_writes_plain_lines_into_a_pipe(paired: Any) -> None:
    async with paired(QuizService()) as pair:
        await pair.link(*PLAYERS)

        said = await pair.daemon.command("trigger", MAIN, "--follow")
        whole = await pair.daemon.command("trigger", MAIN, "--full", "--follow", "--json")

    heads = [line.split()[:3] for line in said.out.splitlines() if line.startswith("quiz_")]
    told = {line.split()[0] for line in said.err.splitlines() if line.startswith("quiz_")}
    assert (said.code, whole.code) == (0, 0)
    assert heads == [[name, "60", "60"] for name in sorted(QUIZZES)]
    assert told == set(QUIZZES)
    assert "\x1b" not in said.err
    assert json.loads(whole.out)["platforms"]["quiz_two"]["unchanged"] == 60


async def test_follow_draws_six_bars_at_once_on_a_terminal(paired: Any) -> None:
    async with paired(QuizService(latency_seconds=0.05)) as pair:
        await pair.link(*PLAYERS)

        said = await on_terminal(pair.daemon, "trigger", MAIN, "--follow")

    screens = [_ESCAPES.sub("", part) for part in _REDRAWN.split(said.out)]
    bars = [part for part in screens if all(f"{name} " in part for name in QUIZZES)]
    assert said.code == 0
    assert len(bars) > 2
    assert all(line.startswith("quiz_") and "━" in line for line in bars[0].splitlines())
    assert bars[-1].count("60/60") == 6


async def test_a_job_that_another_covers_is_paused_with_a_reason_only(paired: Any) -> None:
    sentence = f"a pause of {MAIN} needs a reason: it and {BACKUP} stand in for each other"
    async with paired(QuizService()) as pair:
        refused = await pair.daemon.api("POST", f"/api/jobs/{MAIN}/pause", {"why": " "})
        said = await pair.daemon.command("pause", MAIN)
        before = await pair.daemon.get(f"/api/jobs/{MAIN}")
        typed = await on_terminal(
            pair.daemon, "pause", MAIN, typed={"why is it paused: ": "new parser"}
        )
        after = await pair.daemon.get(f"/api/jobs/{MAIN}")
        given = await pair.daemon.command("pause", BACKUP, "--why", "upkeep")

    assert refused.status == 422
    assert sentence in refused.body["error"]
    assert f'syncd pause {MAIN} --why "..."' in refused.body["hint"]
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert before["paused"] is None
    assert (typed.code, after["paused"]["why"]) == (0, "new parser")
    assert given.code == 0
