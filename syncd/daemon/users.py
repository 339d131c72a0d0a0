"""The control port's questions and orders about users."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

from syncd.config.duration import format_duration
from syncd.daemon.answers import Json, run_answer
from syncd.daemon.core import Core
from syncd.daemon.forgetting import Forgetting
from syncd.daemon.inquiry import Inquiry
from syncd.daemon.outbox import OutboxDesk
from syncd.daemon.people import check_entry, read_users
from syncd.daemon.preferences import NotifyRules, announcing
from syncd.daemon.records import shown
from syncd.errors import AlreadyRunning, BadInput, ConsentWithdrawn, NotKnown, TooSoon
from syncd.model.account import AccountId, UserEntry
from syncd.model.run import Run, RunOptions
from syncd.outbound.pause import wall
from syncd.schedule.roster import Schedule
from syncd.store.users import PutResult

_NO_TIME = timedelta(0)


class UserDesk(OutboxDesk):
    """Users as the platform tells us about them; what changes reaches running work at once."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._around = core.around
        self._inquiry = Inquiry(core)
        self._forgetting = Forgetting(core)
        # Two calls for one user at the same instant must not both start a run.
        self._sync_turn = asyncio.Lock()

    async def users(self, after: str, limit: int) -> list[Json]:
        """Return users in the order of their keys, those behind `after`."""
        return await self._core.users.read_page(after, limit)

    async def user(self, key: str) -> Json:
        """Return a user with their accounts."""
        found = await self._core.users.read(key)
        if found is None:
            raise _no_user(key)
        return found

    async def stale(self, platform: str, limit: int) -> Json:
        """Return the accounts without a good answer for longest, and how many are overdue."""
        return await self._inquiry.stale(platform, limit)

    async def why(self, key: str, attempts: int) -> Json:
        """Return everything that is known about a user's accounts, and what happens next."""
        return await self._inquiry.why(await self.user(key), attempts)

    async def rescore(self) -> Json:
        """Let every score be computed again, without one fetch."""
        return await self._core.scoring.rescore()

    async def rescoring(self) -> Json:
        """Return how far the computing of scores is, or what the last one came to."""
        return self._core.scoring.as_json()

    async def put_user(self, entry: UserEntry) -> Json:
        """Create or update a user; an empty handle disconnects a platform.

        An address that is told here was chosen by its user: it is active again if it was not.
        """
        check_entry(entry, self._around.platforms)
        if entry.notify is not None:
            rules = await self._notify_rules()
            # Channels and platforms may have to be imported: that takes long.
            entry = await asyncio.to_thread(rules.checked, entry)
        await self._put([entry], dry_run=False, revives=True)
        return await self.user(entry.key)

    async def _notify_rules(self) -> NotifyRules:
        zones = await self._core.users.preferences.zones()
        named = self._core.config.channels
        return NotifyRules(
            zones=zones,
            platforms=await asyncio.to_thread(announcing),
            private=frozenset(name for name, each in named.items() if each.allow_private),
        )

    async def _put(
        self, entries: Sequence[UserEntry], *, dry_run: bool, revives: bool = False
    ) -> PutResult:
        result = await self._core.users.put(entries, dry_run=dry_run, revives=revives)
        if not dry_run:
            self._around.admission.withdraw(result.withdrawn)
            self._around.admission.readmit(result.readmitted)
            self._core.scoring.wake()
        return result

    async def forget_user(self, key: str, *, dry_run: bool) -> Json:
        """Remove everything that is stored about a user, or count it."""
        return await self._forgetting.forget(key, dry_run=dry_run)

    async def opt_out(self, key: str, opted_out: bool) -> Json:
        """Stop following a user at the next item, or follow them again."""
        await self.user(key)
        touched: Iterable[AccountId] = await self._core.users.set_opted_out(
            key, opted_out=opted_out
        )
        if opted_out:
            self._around.admission.withdraw(touched)
        else:
            self._around.admission.readmit(touched)
            self._core.scoring.wake()
        return await self.user(key)

    async def sync_user(self, key: str) -> Json:
        """Fetch a user's accounts now, beside whatever runs.

        Raises:
            ConsentWithdrawn: the user opted out.
            AlreadyRunning: that is under way already.
            TooSoon: it was done less than `[users] sync_every` ago.
            BadInput: no job reads any of the user's accounts.
        """
        user = await self.user(key)
        if user["opted_out"]:
            raise ConsentWithdrawn(
                f"user {key!r} opted out", hint=f"syncd users opt-out {key} --undo"
            )
        linked = {account["platform"] for account in user["accounts"]}
        async with self._sync_turn:
            await self._check_not_synced(key)
            runs = [
                await self._core.scheduler.trigger(
                    job, RunOptions(only=(key,), full=True), is_beside=True
                )
                for job in self._jobs_reading(linked)
            ]
        if not runs:
            raise BadInput(
                f"user {key!r} has no account that a job reads",
                hint=f"linked: {', '.join(sorted(linked)) or 'nothing'}; see `syncd status`",
            )
        return {"key": key, "runs": [self._started(run) for run in runs]}

    async def _check_not_synced(self, key: str) -> None:
        """Refuse another sync too soon; the ledger of runs knows it also after a restart."""
        runs = await self._around.stores.runs.syncs_of(key)
        for run in runs:
            if not run.outcome.is_final:
                raise AlreadyRunning(
                    f"user {key!r} is being synced: run {run.id}",
                    run_id=run.id,
                    hint=f"follow it with `syncd show {run.id}`",
                )
        every = self._core.config.users.sync_every
        now = self._core.clock.now()
        # A run in the future began under a clock that was ahead: it says nothing.
        past = [run.claimed_at for run in runs if run.claimed_at <= now]
        left = max(past, default=now - every) + every - now
        if left > _NO_TIME:
            raise TooSoon(
                f"user {key!r} was synced a moment ago",
                retry_after=left,
                hint=f"try again at {wall(now + left, now)}: a user may be synced once in "
                f"{format_duration(every)}, see [users] sync_every",
            )

    def _jobs_reading(self, linked: set[str]) -> list[str]:
        """Choose jobs that together read these platforms, each once; those not paused first."""
        chosen: list[str] = []
        left = set(linked)
        for schedule in sorted(self._core.scheduler.schedules(), key=self._is_paused):
            reads = left & set(schedule.job.work.followed)
            if reads and schedule.job.enabled:
                chosen.append(schedule.job.name)
                left -= reads
        return chosen

    def _is_paused(self, schedule: Schedule) -> bool:
        return self._around.admission.holding_job(schedule.job.name) is not None

    def _started(self, run: Run) -> Json:
        return run_answer(run, {}, self._core.clock.now())

    async def import_users(
        self,
        text: str,
        *,
        format: str,  # noqa: A002 - the word of the API
        dry_run: bool,
    ) -> Json:
        """Create or update the users of a CSV or JSON text.

        All or none of them, but that a user whose `notify` cannot be is left out and told of.
        """
        rules = await self._notify_rules()
        read = await asyncio.to_thread(read_users, text, format, self._around.platforms, rules)
        result = await self._put(read.entries, dry_run=dry_run)
        return {
            "dry_run": dry_run,
            "users": len(read.entries),
            "created": result.created,
            "changed": result.changed,
            "same": result.same,
            "linked": result.linked,
            "unlinked": result.unlinked,
            "refused": read.refused,
            "problems": shown(read.problems),
        }


def _no_user(key: str) -> NotKnown:
    return NotKnown(
        f"there is no user {key!r}", hint="`syncd users list` shows whom syncd knows; mind capitals"
    )
