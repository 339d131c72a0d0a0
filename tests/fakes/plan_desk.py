"""What the control port tells of plans, backups and leaderboard runs, for the command line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from fakes.daemon import ended, write_config

from syncd.cli import main

JOB = "leaderboard"
SOURCE = {
    "server_id": "8f1c2d3e4f5061728394a5b6c7d8e9f001122334",
    "uptime_seconds": 273_600,
    "evicted_keys": 0,
    "keys": 5,
    "evicts": False,
    "is_replica": False,
    "is_stale": False,
    "boards": {
        "daily": {"members": 812, "expires_at": None},
        "yearly": {"members": 968, "expires_at": None},
    },
}
HELD = {
    "reasons": ["212 of 1,180 rows are missing, 20 may be deleted unasked"],
    "is_hard": False,
    "marks": True,
    "updates": True,
    "deletes": "none",
}
CLEAR = {**HELD, "reasons": [], "deletes": "due"}


def reconciliation(**changes: Any) -> dict[str, Any]:
    return {
        "run_id": 42,
        "job": JOB,
        "mode": "full",
        "is_complete": True,
        "is_dry": False,
        "at": "2026-11-22T10:00:00Z",
        "base": 1_180,
        "users": 971,
        "created": 3,
        "updated": 41,
        "unchanged": 924,
        "deleted": 0,
        "held": 0,
        "waiting": 0,
        "missing": 0,
        "allowance": 20,
        "conflicts": 0,
        "errors": 0,
        "unreadable_details": 0,
        "inexact": 0,
        "verdict": CLEAR,
        "plan": None,
        "digest": "",
        "sample": [],
        "backup": None,
        "seconds": {"read": 0.412, "compare": 0.03, "apply": 1.9},
        "notes": [],
        "drift": None,
        "source": SOURCE,
        **changes,
    }


def too_many(**changes: Any) -> dict[str, Any]:
    """What is compared where 212 rows are missing and nobody has decided."""
    sample = [f"u_{number}" for number in range(1, 21)]
    held = {"held": 212, "missing": 212, "verdict": HELD, "digest": "9f3a", "sample": sample}
    return reconciliation(**{**held, **changes})


def board_run(outcome: str, told: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    shape = ended(outcome, 42, job=JOB, kind=JOB, reconciliation=told, failed=0, **changes)
    instants = ("claimed_at", "started_at", "finished_at")
    return shape | {name: shape[name].isoformat() for name in instants}


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "job": JOB,
        "run_id": 41,
        "state": "held",
        "deletes": 212,
        "updates": 0,
        "holds_updates": False,
        "base": 1_180,
        "reasons": HELD["reasons"],
        "is_hard": False,
        "digest": "9f3a",
        "sample": ["u_1", "u_2"],
        "created_at": "2026-11-22T09:00:00Z",
        "expires_at": "2026-11-23T09:00:00Z",
        "decided_at": None,
        "decided_by": "",
        **changes,
    }


@dataclass(slots=True)
class PlanDesk:
    """Answers in the shapes of the control port and writes down what was ordered."""

    config: Path
    ending: dict[str, Any]
    plans: list[dict[str, Any]] = field(default_factory=list)
    backups: list[dict[str, Any]] = field(default_factory=list)
    orders: list[tuple[str, Any]] = field(default_factory=list)
    note: str = ""

    async def syncd(self, *arguments: str) -> int:
        """Run a command in this process and return its exit code."""
        return await asyncio.to_thread(main, ["--config", str(self.config), *arguments])

    async def begin(self, *words: str, streams: tuple[int, int, int], **environ: str) -> Process:
        """Start a command as a process, as `on_terminal` asks for."""
        given, told, errors = streams
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "syncd", "--config", str(self.config), *words),
            env=os.environ | environ,
            stdin=given,
            stdout=told,
            stderr=errors,
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/").split("/")
        if request.path == "/api/events":
            return web.Response(text=": open\n\n", content_type="text/event-stream")
        if request.method == "POST" and not (path[0] == "jobs" and path[1] != JOB):
            self.orders.append(("/".join(path), await request.json()))
            return web.json_response(self._ordered(path))
        found = self._found(path, request.query)
        if found is None:
            return web.json_response({"error": f"{request.path} is not known"}, status=404)
        return web.json_response(found)

    def _ordered(self, path: list[str]) -> dict[str, Any]:
        if path[0] != "plans":
            return {**self.ending, "outcome": "running"}
        state = {"approve": "approved", "reject": "rejected"}[path[2]]
        decided = self._plan(path[1]) | {"state": state}
        run = {**self.ending, "outcome": "running"}
        if state == "rejected":
            return {"plan": decided}
        return {"plan": decided, "run": run, "note": self.note}

    def _found(self, path: list[str], query: Any) -> dict[str, Any] | None:
        kinds = {JOB: JOB, "github-profiles": "profiles"}
        found: dict[str, Any] | None = None
        match path:
            case ["jobs"]:
                found = {"jobs": [{"name": name} for name in kinds]}
            case ["jobs", name] if name in kinds:
                found = {"name": name, "kind": kinds[name]}
            case ["runs", _]:
                found = self.ending
            case ["plans"] if query.get("job") in {None, JOB}:
                chosen = [
                    each for each in self.plans if query.get("state") in {None, each["state"]}
                ]
                found = {"plans": chosen[: int(query["limit"])]}
            case ["plans", number] if self._plan(number):
                plan = self._plan(number)
                found = {**plan, "rows": plan["sample"], "run": None}
            case ["backups"] if query.get("job") in {None, JOB}:
                found = {"backups": self.backups}
        return found

    def _plan(self, number: str) -> dict[str, Any]:
        return next((each for each in self.plans if str(each["id"]) == number), {})


@contextlib.asynccontextmanager
async def plan_desk(folder: Path) -> AsyncIterator[PlanDesk]:
    """Serve it, and write the config file and the token that lead there."""
    desk = PlanDesk(config=folder / "config.toml", ending=board_run("succeeded", reconciliation()))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", desk.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        write_config(folder, runner.addresses[0][1])
        yield desk
    finally:
        await runner.cleanup()
