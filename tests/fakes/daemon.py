"""A daemon as the command line sees it: full answers on a real control port, and a config file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.clock import FakeClock
from fakes.control import JOB, TOKEN, MemoryService

from syncd.cli import main
from syncd.errors import BadInput, NotKnown
from syncd.telemetry.bus import Bus
from syncd.web.server import ControlServer, ControlSettings
from syncd.web.service import Json

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


def run_answer(run_id: int = 4812, **changes: Any) -> Json:
    return {
        "id": run_id,
        "job": JOB,
        "kind": "profiles",
        "cause": "manual",
        "outcome": "running",
        "skip_reason": None,
        "fire_time": None,
        "due_at": None,
        "fires_since": None,
        "origin": None,
        "options": {"only": [], "platform": "", "limit": None, "full": False, "dry_run": False},
        "attempt": 1,
        "resumed": 0,
        "claimed_at": NOW,
        "started_at": NOW,
        "finished_at": None,
        "duration_seconds": 1.9,
        "seen": 0,
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "deleted": 0,
        "skipped": 0,
        "failed": 0,
        "calls": 0,
        "saved": 0,
        "failures": {},
        "error": "",
        "hint": "",
        "retryable": False,
        "progress": {},
        **changes,
    }


def ended(outcome: str, run_id: int = 4812, **changes: Any) -> Json:
    counts = {"seen": 3, "updated": 1, "unchanged": 1, "failed": 1, "calls": 3, "saved": 1}
    return run_answer(run_id, outcome=outcome, **{**counts, "finished_at": NOW, **changes})


def job_answer(**changes: Any) -> Json:
    return {
        "name": JOB,
        "kind": "profiles",
        "enabled": True,
        "state": "ok",
        "schedule": "every 12h",
        "cron": None,
        "every_seconds": 43_200.0,
        "timezone": "Asia/Kolkata",
        "next_fire_time": datetime(2026, 11, 21, 18, 30, tzinfo=UTC),
        "paused": None,
        "differs_from_config": [],
        "running": None,
        "last_run": ended("succeeded", seen=2, failed=0),
        "freshness": {"followed": 1000, "fresh": 984, "share": 0.984},
        "platforms": ["github"],
        "leaderboard": None,
        **changes,
    }


def status_answer(**changes: Any) -> Json:
    server = {"ok": True, "latency_seconds": 0.0012, "address": "here", "error": ""}
    return {
        "version": "0.1.0",
        "started_at": datetime(2026, 11, 18, 3, 0, tzinfo=UTC),
        "uptime_seconds": 3 * 86_400 + 4 * 3_600.0,
        "ready": True,
        "why": "",
        "leader": {
            "holder": "here:1",
            "listen": "127.0.0.1:8642",
            "version": "0.1.0",
            "since": NOW,
            "epoch": 1,
            "is_me": True,
        },
        "config": "config.toml",
        "listen": "127.0.0.1:8642",
        "database": server,
        "redis": server,
        "users": 1000,
        "freshness": {"followed": 1000, "fresh": 984, "share": 0.984},
        "jobs": [job_answer()],
        "platforms": [platform_answer()],
        "paused": None,
        "problems": [],
        "notes": [],
        "log_dir": None,
        **changes,
    }


def platform_answer() -> Json:
    return {
        "name": "github",
        "quota": {"limit": 5000, "seconds": 3600, "left": 4871},
        "waits_for": "",
        "calls": 1000,
        "saved": 990,
        "accounts": {"active": 997, "gone": 3},
    }


def user_answer(key: str, handle: str = "octocat", **changes: Any) -> Json:
    account = {
        "platform": "github",
        "handle": handle,
        "state": "active",
        "fresh_at": NOW,
        "error": "",
    }
    return {
        "key": key,
        "opted_out": False,
        "mirrored": False,
        "last_login_at": None,
        "created_at": NOW,
        "accounts": [account] if handle else [],
        **changes,
    }


class AnswerService(MemoryService):
    """Answers in the shapes of the control port; a test changes what it tells."""

    def __init__(self) -> None:
        super().__init__()
        self.told = status_answer()
        self.people: list[Json] = []
        self.refused: tuple[str, ...] = ()
        self.left_out: list[str] = []
        self.advice: str | None = None
        self.ending: Json | None = None
        self.forecast: Json | None = None
        self.explained: Json | None = None
        self.reloaded: list[Json] = []
        self.run_was_asked = asyncio.Event()

    async def status(self) -> Json:
        if self.failure is not None:
            raise self.failure
        return self.told

    async def jobs(self) -> list[Json]:
        return list(self.told["jobs"])

    async def job(self, job: str) -> Json:
        for known in self.told["jobs"]:
            if known["name"] == job:
                return dict(known)
        raise NotKnown(f"there is no job {job!r}")

    async def trigger(self, job: str, options: Any, idempotency_key: str | None) -> Json:
        started = await super().trigger(job, options, idempotency_key)
        self.started[started["id"]] = self.ending or run_answer(started["id"])
        return run_answer(started["id"], forecast=self.forecast)

    async def reload(self, *, dry_run: bool, actor: str) -> Json:
        answer = await super().reload(dry_run=dry_run, actor=actor)
        return {**answer, "differences": self.reloaded}

    async def run(self, run_id: int) -> Json:
        self.run_was_asked.set()
        return await super().run(run_id)

    async def platforms(self) -> list[Json]:
        return list(self.told["platforms"])

    async def why(self, key: str, attempts: int) -> Json:
        return await super().why(key, attempts) if self.explained is None else self.explained

    async def users(self, after: str, limit: int) -> list[Json]:
        return [person for person in self.people if person["key"] > after][:limit]

    async def import_users(self, text: str, *, format: str, dry_run: bool) -> Json:  # noqa: A002
        await super().import_users(text, format=format, dry_run=dry_run)
        if self.refused:
            raise BadInput(*self.refused, hint=self.advice)
        counts = {"created": 1180, "changed": 19, "same": 5, "linked": 1190, "unlinked": 1}
        refused = {"refused": min(1, len(self.left_out)), "problems": self.left_out}
        return {"dry_run": dry_run, "users": 1204, **counts, **refused}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeDaemon:
    """A running control port with its config file, and the command line that talks to it."""

    service: AnswerService
    bus: Bus
    config: Path
    port: int

    async def syncd(self, *arguments: str) -> int:
        """Run a command in this process and return its exit code."""
        return await asyncio.to_thread(main, ["--config", str(self.config), *arguments])


@contextlib.asynccontextmanager
async def fake_daemon(
    folder: Path, service: AnswerService, port: int = 0
) -> AsyncIterator[FakeDaemon]:
    """Serve a control port and write the config file and the token that lead to it."""
    bus = Bus()
    settings = ControlSettings(port=port, token=TOKEN)
    async with ControlServer(service, settings, bus=bus, clock=FakeClock()) as server:
        config = write_config(folder, server.port)
        yield FakeDaemon(service=service, bus=bus, config=config, port=server.port)


def write_config(folder: Path, port: int, token: str = TOKEN) -> Path:
    config, token_file = folder / "config.toml", folder / "token"
    config.write_text(
        f"""
[daemon]
state_dir = "state"
[web]
listen = "127.0.0.1:{port}"
token_file = "token"
[logging]
dir = "logs"
[jobs.{JOB}]
kind = "profiles"
every = "12h"
platforms = ["github"]
[jobs.nightly]
kind = "profiles"
schedule = "30 1 * * *"
timezone = "America/New_York"
platforms = ["github"]
""",
        "utf-8",
    )
    token_file.write_text(f"{token}\n", "ascii")
    token_file.chmod(0o600)
    return config
