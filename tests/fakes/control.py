"""A control port on a real socket, in front of a small service that keeps everything in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from fakes.canary import refuse
from fakes.clock import FakeClock
from fakes.memory_grants import MemoryGrants
from fakes.memory_leaderboard import MemoryLeaderboard
from fakes.memory_outbox import MemoryOutbox
from fakes.memory_reach import MemoryReach

from syncd.errors import (
    AlreadyRunning,
    BadInput,
    ConsentWithdrawn,
    NotKnown,
    NotLeading,
    StoreUnavailable,
)
from syncd.model.account import UserEntry
from syncd.model.leaderboard import PlanState
from syncd.model.letter import Decision, Letters
from syncd.model.override import JobChange
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event
from syncd.web.server import ControlServer, ControlSettings
from syncd.web.service import Json

TOKEN = "control-token-of-forty-three-characters-xyz"
JOB = "github-profiles"
HOSTILE_USER = "\x1b[31m</script>\u202e"


class MemoryService(MemoryOutbox, MemoryReach, MemoryGrants, MemoryLeaderboard):
    """Knows one job; every order it takes is written down in `orders`."""

    leaderboard = JOB

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[tuple[Any, ...]] = []
        self.ready = (True, "")
        self.entries: dict[str, UserEntry] = {}
        self.started: dict[int, Json] = {}
        self.letters: list[Json] = [{"id": 4812, "state": "open"}]
        self.active: int | None = None
        self.failure: Exception | None = None
        self.leads_elsewhere: NotLeading | None = None
        self.store_error = ""
        self.scored: list[Json] = [{"running": False}]
        self.tested: Json = {"delivered": True, "status": 200, "answer": "ok", "error": ""}

    def is_ready(self) -> tuple[bool, str]:
        return self.ready

    def is_standby(self) -> bool:
        return self.leads_elsewhere is not None

    def check_store(self) -> None:
        if self.store_error:
            raise StoreUnavailable(self.store_error)

    def check_may_change(self) -> None:
        if self.leads_elsewhere is not None:
            raise self.leads_elsewhere

    async def rescore(self) -> Json:
        self.orders.append(("rescore",))
        return self.scored[0]

    async def rescoring(self) -> Json:
        return self.scored.pop(0) if len(self.scored) > 1 else self.scored[0]

    async def test_alert(self) -> Json:
        self.orders.append(("test_alert",))
        return self.tested

    async def status(self) -> Json:
        if self.failure is not None:
            raise self.failure
        return {"problems": []}

    async def metrics(self) -> bytes:
        return b"syncd_store_up 1.0\n"

    async def jobs(self) -> list[Json]:
        return [{"job": JOB}]

    async def job(self, job: str) -> Json:
        if job != JOB:
            raise NotKnown(f"job {job!r} is not known", hint="syncd status lists the jobs")
        return {"job": job}

    async def trigger(self, job: str, options: RunOptions, idempotency_key: str | None) -> Json:
        await self.job(job)
        if self.active is not None:
            raise AlreadyRunning(f"job {job!r} runs already", run_id=self.active)
        run_id = 4812 + len(self.started)
        self.started[run_id] = {"id": run_id, "job": job}
        self.orders.append(("trigger", job, options, idempotency_key))
        return self.started[run_id]

    async def pause(
        self, scope: PauseScope, key: str, *, why: str, until: datetime | None, actor: str
    ) -> Json:
        self.orders.append(("pause", scope, key, why, until, actor))
        return {"paused": True}

    async def resume(
        self, scope: PauseScope, key: str, *, actor: str, credential: str = ""
    ) -> Json:
        named = (credential,) if credential else ()
        self.orders.append(("resume", scope, key, actor, *named))
        lifted = ["github pause until 12:00 UTC (HTTP 429)"]
        return {"paused": False, **({"lifted": lifted} if credential else {})}

    async def change_job(self, job: str, change: JobChange, *, actor: str) -> Json:
        self.orders.append(("change", job, change, actor))
        return await self.job(job)

    async def reload(self, *, dry_run: bool, actor: str) -> Json:
        self.orders.append(("reload", dry_run, actor))
        if self.failure is not None:
            raise self.failure
        return {"applied": not dry_run, "differences": [], "changed_jobs": []}

    async def runs(self, job: str | None, before: int | None, limit: int) -> list[Json]:
        return [run for run in self.started.values() if job in {None, run["job"]}][:limit]

    async def run(self, run_id: int) -> Json:
        if run_id not in self.started:
            raise NotKnown(f"run {run_id} is not known")
        return self.started[run_id]

    async def run_items(self, run_id: int, outcome: str | None, limit: int) -> list[Json]:
        return []

    async def cancel(self, run_id: int) -> Json:
        self.orders.append(("cancel", run_id))
        return await self.run(run_id)

    async def platforms(self) -> list[Json]:
        return [{"platform": "github"}]

    async def users(self, after: str, limit: int) -> list[Json]:
        keys = sorted(key for key in self.entries if key > after)
        return [{"key": key} for key in keys[:limit]]

    async def user(self, key: str) -> Json:
        if key not in self.entries:
            raise NotKnown(f"user {key!r} is not known")
        return {"key": key, "accounts": dict(self.entries[key].accounts)}

    async def stale(self, platform: str, limit: int) -> Json:
        return {"stale": 0, "accounts": [{"platform": platform or "github"}][:limit]}

    async def why(self, key: str, attempts: int) -> Json:
        return {**(await self.user(key)), "attempts": attempts}

    async def dead_letters(self, chosen: Letters, before: int | None, limit: int) -> list[Json]:
        return [letter for letter in self.letters if letter["state"] in chosen.states][:limit]

    async def dead_letter(self, letter_id: int) -> Json:
        for letter in self.letters:
            if letter["id"] == letter_id:
                return letter
        raise NotKnown(f"there is no dead letter {letter_id}")

    async def decide_letter(self, decision: Decision, letter_id: int, *, actor: str) -> Json:
        self.orders.append(("decide_letter", decision, letter_id, actor))
        return {**(await self.dead_letter(letter_id)), "state": decision.state}

    async def decide_letters(self, decision: Decision, chosen: Letters, *, actor: str) -> int:
        self.orders.append(("decide_letters", decision, chosen, actor))
        return len(self.letters)

    async def plans(self, job: str | None, state: PlanState | None, limit: int) -> list[Json]:
        return [{"id": 3, "job": job or JOB, "state": state or "held"}][:limit]

    async def plan(self, plan_id: int) -> Json:
        return {"id": plan_id, "rows": [HOSTILE_USER], "run": None}

    async def approve_plan(
        self,
        plan_id: int,
        digest: str,
        deletes: int | None,
        *,
        actor: str,
        seen: PlanState | None = None,
    ) -> Json:
        self.orders.append(("approve_plan", plan_id, digest, deletes, actor, seen))
        return {"plan": {"id": plan_id}, "run": None, "note": ""}

    async def reject_plan(
        self, plan_id: int, *, why: str, actor: str, seen: PlanState | None = None
    ) -> Json:
        self.orders.append(("reject_plan", plan_id, why, actor, seen))
        return {"plan": {"id": plan_id}}

    def check_leaderboard(self, job: str) -> None:
        if job != JOB:
            raise BadInput(f"job {job} is of another kind")

    async def job_to_undo(self, run_id: int) -> str:
        await self.run(run_id)
        return JOB

    async def backups(self, job: str | None) -> list[Json]:
        return [{"id": 5, "job": job or JOB}]

    async def job_to_restore(self, backup_id: int) -> str:
        return JOB

    async def put_user(self, entry: UserEntry) -> Json:
        self.orders.append(("put_user", entry))
        self.entries[entry.key] = entry
        return await self.user(entry.key)

    async def forget_user(self, key: str, *, dry_run: bool) -> Json:
        self.orders.append(("forget_user", key, dry_run))
        if key == "nobody":
            raise NotKnown(f"there is no user {key!r}")
        if not dry_run:
            self.entries.pop(key, None)
        return {
            "key": key,
            "dry_run": dry_run,
            "deleted": not dry_run,
            "removed": {"accounts": 1, "listening_data": 1_204},
            "not_reached": ["log lines that named the user: /var/log/syncd"],
        }

    async def opt_out(self, key: str, opted_out: bool) -> Json:
        self.orders.append(("opt_out", key, opted_out))
        return {"key": key, "opted_out": opted_out}

    async def sync_user(self, key: str) -> Json:
        if key == "opted-out":
            raise ConsentWithdrawn(f"user {key!r} opted out")
        self.orders.append(("sync_user", key))
        return {"id": 4900, "key": key}

    async def import_users(self, text: str, *, format: str, dry_run: bool) -> Json:  # noqa: A002
        self.orders.append(("import_users", len(text), format, dry_run))
        return {"created": text.count("\n")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPort:
    """A running control port, what stands behind it, and a session that shows the token."""

    server: ControlServer
    service: MemoryService
    bus: Bus
    clock: FakeClock
    session: aiohttp.ClientSession
    events: list[Event] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    def named(self, name: str) -> list[Any]:
        """Return the events of one name so far."""
        return [event for event in self.events if event.name == name]

    async def ask(
        self, method: str, path: str, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and body of a call with the token."""
        async with self.session.request(
            method, self.url(path), json=json, headers=headers
        ) as answer:
            refuse(f"the answer to {method} {path}", await answer.read())
            return answer.status, await answer.json(content_type="application/json")

    async def say(self, *lines: str, body: bytes = b"") -> bytes:
        """Send a request of these lines as they are, and return all that is answered."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@contextlib.asynccontextmanager
async def control_port(**settings: Any) -> AsyncIterator[ControlPort]:
    """Serve a control port on any free port; settings as `ControlSettings` takes them."""
    service, bus, clock, events = MemoryService(), Bus(), FakeClock(), list[Event]()
    chosen = ControlSettings(port=0, token=TOKEN, **settings)
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    with bus.subscribed(events.append):
        async with (
            ControlServer(service, chosen, bus=bus, clock=clock) as server,
            aiohttp.ClientSession(headers=authorized) as session,
        ):
            yield ControlPort(
                server=server, service=service, bus=bus, clock=clock, session=session, events=events
            )
