"""The control port's orders about grants: they come in, they go, and no token ever leaves."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace

from syncd.daemon.answers import Json
from syncd.daemon.core import Core
from syncd.daemon.grant_files import GrantRules, read_grants
from syncd.daemon.listening import KIND, forecast_answer, needs_grants, plays_answer
from syncd.daemon.records import refuse
from syncd.errors import BadInput
from syncd.jobs.base import Surroundings
from syncd.model.account import UserEntry
from syncd.model.grant import GrantEntry, GrantStanding
from syncd.model.run import RunOptions
from syncd.store.grant_import import GrantResult
from syncd.store.grant_report import GrantReport

_RUNS_OF_JOB = ("running", "last_run")
_WHOLE = RunOptions()


class GrantDesk(ABC):
    """Grants as the platform's own site hands them over."""

    _core: Core
    _around: Surroundings

    async def tokens(self, after: str, limit: int, state: str | None) -> list[Json]:
        """Return how grants stand, in the order of their users' keys, those behind `after`."""
        found = await self._around.stores.grants.read(after, limit, state)
        return [self._standing_answer(each) for each in found]

    def _standing_answer(self, standing: GrantStanding) -> Json:
        told = asdict(standing)
        left = standing.refresh_expires_at - self._core.clock.now()
        return {"key": told.pop("user_key"), **told, "expires_in_seconds": left.total_seconds()}

    async def import_tokens(
        self,
        text: str,
        *,
        format: str,  # noqa: A002 - the word of the API
        dry_run: bool,
    ) -> Json:
        """Take the grants of a CSV or JSON text, all or none."""
        numbered = await asyncio.to_thread(read_grants, text, format, self._rules())
        entries = [entry for _, entry in numbered]
        result = await self._put_grants(entries, dry_run=dry_run)
        if result.problems:
            refuse([f"line {numbered[place][0]}: {why}" for place, why in result.problems])
        return {
            "dry_run": dry_run,
            "grants": len(entries),
            "created": result.created,
            "renewed": result.renewed,
            "same": result.same,
        }

    async def put_token(self, entry: GrantEntry) -> Json:
        """Take one grant, and say what that changed."""
        self._core.check_platform(entry.platform)
        self._rules().check(entry)
        result = await self._put_grants([entry], dry_run=False)
        if result.problems:
            raise BadInput(*(why for _, why in result.problems))
        changed = "created" if result.created else "renewed" if result.renewed else "same"
        return {"key": entry.key, "platform": entry.platform, "changed": changed}

    async def _put_grants(self, entries: Sequence[GrantEntry], *, dry_run: bool) -> GrantResult:
        result = await self._around.stores.grants.put(entries, dry_run=dry_run)
        if not dry_run:
            self._around.admission.withdraw(result.withdrawn)
            self._around.admission.readmit(result.readmitted)
        return result

    def _rules(self) -> GrantRules:
        return GrantRules(platforms=self._around.platforms, now=self._core.clock.now())

    async def rotate_key(self) -> Json:
        """Make a new key and seal every token with it; goes on where it was cut off."""
        return asdict(await self._around.stores.grants.rotate_key())

    async def disconnect(self, key: str, platform: str, *, forget: bool) -> Json:
        """Remove a user's account on a platform, tokens first, then perhaps the history.

        Safe to repeat: who is not connected (any more) stays so, and what is left of a history
        that was to be forgotten goes.
        """
        self._core.check_platform(platform)
        if not needs_grants(self._around.platforms, platform):
            raise BadInput(
                f"platform: users grant no access to {platform}",
                hint="an account there is disconnected by an empty handle: PUT /api/users/KEY",
            )
        user = await self.user(key)
        is_linked = any(each["platform"] == platform for each in user["accounts"])
        if is_linked:
            await self.put_user(UserEntry(key=key, accounts={platform: ""}))
        plays = await self._around.stores.listening.forget_history(key) if forget else 0
        return {
            "key": key,
            "platform": platform,
            "disconnected": is_linked,
            "history": "forgotten" if forget else "kept",
            "plays_forgotten": plays,
        }

    async def tell_listening(self, *jobs: Json) -> None:
        """Put into jobs how the grants stand that they read by; None where they read by none."""
        told = [job for job in jobs if job["kind"] == KIND]
        platforms = sorted({platform for job in told for platform in job["platforms"]})
        counts = await self._report.count(platforms, self._core.clock.now()) if platforms else {}
        for job in jobs:
            job[KIND] = None
        for job in told:
            grants = {each: counts[each] for each in job["platforms"] if each in counts}
            job[KIND] = {"grants": grants}
        await self.tell_plays(*filter(None, (job[run] for job in told for run in _RUNS_OF_JOB)))

    async def tell_plays(self, *runs: Json) -> None:
        """Put into runs what they came to in plays; nothing into those of other kinds."""
        told = [run for run in runs if run["kind"] == KIND]
        store = self._around.stores.listening
        counts = await store.counts_of([run["id"] for run in told]) if told else {}
        for run in told:
            run["plays"] = plays_answer(counts.get(run["id"]))

    async def forecast(self, job: str, options: RunOptions = _WHOLE) -> Json | None:
        """Return what a run that began now would take; None where nobody can tell."""
        if replace(options, dry_run=False) != _WHOLE:
            return None
        return forecast_answer(await self._core.scheduler.job(job).work.forecast(self._around))

    @property
    def _report(self) -> GrantReport:
        return GrantReport(self._core.database)

    @abstractmethod
    async def user(self, key: str) -> Json:
        """Return a user with their accounts."""

    @abstractmethod
    async def put_user(self, entry: UserEntry) -> Json:
        """Create or update a user."""
