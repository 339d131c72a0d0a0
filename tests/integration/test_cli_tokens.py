"""Grants and what came of listening, from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes.control import JOB
from fakes.daemon import AnswerService, FakeDaemon, ended, fake_daemon, job_answer, status_answer
from fakes.memory_grants import grant_answer

CANARY = "canary-refresh-7"
PLAYS = {"inserted": 312, "repeated": 88, "skipped": 1, "gaps": 1}
FORECAST = {"items": 100, "calls": 100, "seconds": 200.0, "waits_for": ""}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with fake_daemon(tmp_path, AnswerService()) as daemon:
        yield daemon


async def test_import_says_what_came_and_nothing_of_it(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "grants.csv"
    file.write_text(f"key,refresh_token,granted_at\nada,{CANARY},2026-09-01T10:00Z\n", "utf-8")

    code = await daemon.syncd("tokens", "import", str(file), "--dry-run")

    out, err = capsys.readouterr()
    assert (code, out) == (0, "1,204 grants: 1,180 would be created, 19 renewed, 5 same\n")
    assert CANARY not in out + err
    assert daemon.service.orders == [("import_tokens", len(file.read_text()), "csv", True)]


async def test_grants_come_through_a_pipe(daemon: FakeDaemon) -> None:
    syncd = ["python", "-m", "syncd", "--config", str(daemon.config)]
    process = await asyncio.create_subprocess_exec(
        *(*syncd, "tokens", "import", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    out, _ = await process.communicate(b'{"key": "ada"}\n')

    assert process.returncode == 0, out
    assert daemon.service.orders == [("import_tokens", 15, "json", False)]


async def test_refused_lines_of_grants_end_with_4(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "grants.jsonl"
    file.write_text("{}", "utf-8")
    daemon.service.refused_grants = ("line 1: key: is missing",)

    code = await daemon.syncd("tokens", "import", str(file))

    assert code == 4
    assert capsys.readouterr().err.splitlines() == [
        "refused  line 1: key: is missing",
        "nothing was imported: 1 problem",
    ]


async def test_grants_are_listed_with_state_and_end(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.grants = [
        grant_answer("ada"),
        grant_answer(
            "bo", state="reauth_required", state_reason="Spotify says that it was revoked"
        ),
    ]

    code = await daemon.syncd("tokens", "list", "--state", "active")

    assert code == 0
    heading, ada, bo = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [cell.strip() for cell in heading if cell.strip()][:5] == [
        *("USER", "PLATFORM", "STATE", "GRANTED", "ENDS (UTC)"),
    ]
    assert [cell.strip() for cell in ada if cell.strip()] == [
        *("ada", "spotify", "ok", "2026-09-01", "2027-03-01 10:00", "2026-11-21 05:58", "-"),
    ]
    assert bo[-1] == "Spotify says that it was revoked"
    assert daemon.service.looks == [("", 1000, "active")]


async def test_no_grants_is_said(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    code = await daemon.syncd("tokens", "list")

    assert (code, capsys.readouterr().err) == (0, "no grants\n")


async def test_rotation_names_the_new_key_and_those_that_may_go(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await daemon.syncd("tokens", "rotate-key")

    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "1,204 grants sealed with k2, a new key",
        "no longer in use: k1",
        "cannot be opened: 2 grants of k0",
    ]


@pytest.mark.parametrize(
    ("flags", "forget", "words"),
    [((), False, "the history is kept"), (("--forget-history",), True, "1,204 plays forgotten")],
)
async def test_disconnect_says_what_became_of_the_history(
    daemon: FakeDaemon,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    forget: bool,
    words: str,
) -> None:
    code = await daemon.syncd("users", "disconnect", "ada", "spotify", *flags)

    assert code == 0
    assert capsys.readouterr().out == f"user ada: spotify disconnected, {words}\n"
    assert daemon.service.orders == [("disconnect", "ada", "spotify", forget)]


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
async def test_a_trigger_says_beforehand_how_long_it_takes(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    daemon.service.forecast = FORECAST

    code = await daemon.syncd("trigger", JOB, *flags)

    assert code == 0
    told = capsys.readouterr().out.splitlines()[0]
    assert told == f"run 4812 of {JOB} started: about 200 s for 100 users"


async def test_a_followed_run_says_what_came_of_plays(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.ending = ended("succeeded", kind="listening", plays=PLAYS)
    daemon.service.forecast = FORECAST

    code = await daemon.syncd("trigger", JOB, "--follow")

    out, err = capsys.readouterr()
    assert code == 0
    assert "about 200 s for 100 users" in err
    assert "plays: 312 inserted, 88 repeated, 1 skipped; 1 possible gap" in out.splitlines()


async def test_a_run_is_shown_with_its_plays(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.started[4812] = ended("succeeded", kind="listening", plays=PLAYS)

    await daemon.syncd("show", "4812")

    assert "312 inserted, 88 repeated, 1 skipped; 1 possible gap" in capsys.readouterr().out


async def test_the_first_screen_tells_new_plays(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    last = ended("succeeded", kind="listening", plays=PLAYS, seen=100, failed=0)
    daemon.service.told = status_answer(jobs=[job_answer(kind="listening", last_run=last)])

    await daemon.syncd("status")

    assert "100/100  312 new plays" in capsys.readouterr().out


WHY: dict[str, Any] = {
    "key": "ada",
    "opted_out": False,
    "mirrored": False,
    "at": datetime(2026, 11, 21, 10, tzinfo=UTC),
    "score": {"total": None, "arithmetic": "unrated"},
    "accounts": [
        {
            "platform": "spotify",
            "handle": "ada-listens",
            "linked_as": "ada-listens",
            "external_id": "",
            "linked_at": datetime(2026, 9, 1, 10, tzinfo=UTC),
            "state_in_words": "followed",
            "fresh_at": None,
            "fresh_run": None,
            "age_seconds": None,
            "bound_seconds": None,
            "is_stale": False,
            "score": None,
            "dead_letter": None,
            "fail_streak": 0,
            "holds": [],
            "next": {"text": "asked again soon", "at": None, "job": None},
            "attempts": [],
            "listening": {
                "grant": {
                    "health": "suspect",
                    "health_reason": "the platform refused it once",
                    "scopes": "",
                    "granted_at": datetime(2026, 9, 1, 10, tzinfo=UTC),
                    "refresh_expires_at": datetime(2027, 3, 1, 10, tzinfo=UTC),
                    "access_expires_at": None,
                    "refreshed_at": datetime(2026, 11, 21, 8, tzinfo=UTC),
                    "suspect_since": datetime(2026, 11, 21, 9, tzinfo=UTC),
                    "expires_in_seconds": 8_640_000.0,
                },
                "plays": {"stored": 1204, "newest_at": datetime(2026, 11, 21, 7, tzinfo=UTC)},
                "gaps": [
                    {
                        "after": datetime(2026, 11, 20, 7, tzinfo=UTC),
                        "before": datetime(2026, 11, 20, 11, tzinfo=UTC),
                        "run_id": 12,
                        "found_at": datetime(2026, 11, 20, 12, tzinfo=UTC),
                    }
                ],
            },
        }
    ],
}


async def test_why_tells_the_grant_the_plays_and_the_gaps(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.explained = WHY

    code = await daemon.syncd("why", "ada")

    text = " ".join(capsys.readouterr().out.split())
    assert code == 0
    assert "suspect since 2026-11-21 09:00: the platform refused it once" in text
    assert "given 2026-09-01, ends 2027-03-01 (in 100 d 0 h)" in text
    assert "last refreshed 2026-11-21 08:00" in text
    assert "plays 1,204 stored, the newest of 2026-11-21 07:00" in text
    assert "gap plays between 2026-11-20 07:00 and 2026-11-20 11:00 may be lost (run 12)" in text


async def test_grants_are_data_for_a_program(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.service.grants = [grant_answer("ada")]

    await daemon.syncd("tokens", "list", "--json")

    assert json.loads(capsys.readouterr().out)[0]["refresh_expires_at"] == "2027-03-01T10:00:00Z"
