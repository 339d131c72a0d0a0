"""Looks at one source of contests: asks, as often as it is worth, stores, and tells."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from syncd.errors import (
    BadPayload,
    ItemError,
    PlatformBlocked,
    PlatformError,
    PlatformTrouble,
    RateLimited,
    SyncdError,
)
from syncd.jobs.base import RunContext
from syncd.jobs.progress import Progress
from syncd.jobs.stop import until_stopped
from syncd.model.contest import ContestList, Occasion
from syncd.model.run import Report
from syncd.outbound.meter import Meter, current_meter
from syncd.outbound.retry import RetryPolicy
from syncd.outbound.urgency import current_urgency, urgency_of
from syncd.platforms.base import Platform
from syncd.store.contests import Failed, Look, Recorded, Turn
from syncd.telemetry.events import (
    ContestCancelled,
    ContestMoved,
    ContestRestored,
    ContestsUnread,
    ContestTurned,
)
from syncd.telemetry.render import escape

_WAITED_THROUGH = timedelta(minutes=1)
_BACKOFF = RetryPolicy(first_seconds=2.0)
_TITLE_LENGTH = 200
_TURNS: dict[Occasion, type[ContestTurned]] = {
    Occasion.CANCELLED: ContestCancelled,
    Occasion.RESTORED: ContestRestored,
}


class LookOptions(Protocol):
    """What of a job's options is about one look."""

    @property
    def platforms(self) -> tuple[str, ...]:
        """Of whom contests are stored."""

    @property
    def attempts(self) -> int:
        """How often the source is asked at most."""

    @property
    def recent(self) -> timedelta:
        """How long ago a contest may have ended to be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How a look ended; `error` is empty where the source told a good list.

    `remark` says what of a good list could not be read.
    """

    source: str
    error: str = ""
    hint: str = ""
    retryable: bool = False
    remark: str = ""


class Looker:
    """Looks at one source, once."""

    def __init__(self, context: RunContext, source: str, options: LookOptions) -> None:
        self._context = context
        self._around = context.around
        self._source = source
        self._options = options
        self._meter = Meter()

    async def look(self) -> Looked:
        """Ask, store and tell; whatever is wrong with the source is an end of this look only.

        Raises:
            StoreUnavailable: PostgreSQL broke off; the look is repeated unless it was counted.
        """
        run, clock = self._context.run, self._around.clock
        # The task is this look's own, and so are these.
        current_meter.set(self._meter)
        current_urgency.set(urgency_of(run.cause))
        pause = self._around.admission.holding(run.job, self._source)
        began_at = clock.now()
        if pause is not None:
            why = f"{self._source} is paused by a person: {pause.why or 'no reason was given'}"
            failed = Failed(outcome="paused", error=why, is_skipped=True)
            return await self._fail(began_at, failed, f"`syncd resume --platform {self._source}`")
        try:
            found = await self._ask()
        except (PlatformError, ItemError) as error:
            until = getattr(error, "until", None)
            can_pass = error.retryable or isinstance(error, BadPayload)
            failed = Failed(
                outcome=error.outcome, error=str(error), retryable=can_pass, until=until
            )
            return await self._fail(began_at, failed, error.hint or "")
        except Exception as error:  # a bug in how one is read must not cost the others their look
            words = f"unforeseen {type(error).__name__} while reading contests of {self._source}"
            failed = Failed(outcome="error", error=words)
            return await self._fail(began_at, failed, "", traceback.format_exc())
        return await self._record(began_at, found)

    async def _ask(self) -> ContestList:
        """Ask for the list, and again where that may help; each attempt is one request."""
        platform, attempt = self._way(), 1
        while True:
            try:
                return await platform.fetch_contests()
            except SyncdError as error:
                delay = self._delay_seconds(error, attempt)
                if delay is None:
                    raise
                await until_stopped(self._context.stop, self._around.clock.sleep(delay))
                if self._context.stop.is_requested:
                    raise
            attempt += 1

    def _way(self) -> Platform:
        """Choose the first credential that may ask now."""
        ways = self._around.platforms[self._source]
        free = (way for way in ways if way.refusal is None and way.paused_until() is None)
        return next(free, ways[0])

    def _delay_seconds(self, error: SyncdError, attempt: int) -> float | None:
        """Return how long to wait before the next attempt, None if there is none."""
        if attempt >= self._options.attempts or isinstance(error, PlatformBlocked):
            return None
        if isinstance(error, RateLimited):
            left = error.until - self._around.clock.now()
            return max(left.total_seconds(), 0.0) if left <= _WAITED_THROUGH else None
        if isinstance(error, PlatformTrouble) and error.until is not None:
            return None
        if error.retryable or isinstance(error, BadPayload):
            return _BACKOFF.delay_seconds(attempt, random.Random())  # noqa: S311 - spreads load
        return None

    async def _record(self, began_at: datetime, found: ContestList) -> Looked:
        contests = self._around.stores.contests
        recorded = await contests.record(self._as_look(began_at), found)
        self._tell(recorded)
        hint, job = "", self._context.run.job
        if recorded.doubt:
            hint = (
                "nothing was taken back; if the list is right: "
                f"`syncd trigger {job} --platform {self._source} --full`"
            )
            self._tell_unread("suspicious", recorded.doubt, hint=hint)
        if recorded.unread:
            self._tell_unread("schema_error", recorded.unread[0], items=len(recorded.unread))
        return Looked(
            source=self._source,
            error=recorded.doubt,
            hint=hint,
            retryable=bool(recorded.doubt),
            remark=recorded.unread[0] if recorded.unread else "",
        )

    async def _fail(self, began_at: datetime, failed: Failed, hint: str, stack: str = "") -> Looked:
        contests = self._around.stores.contests
        self._progress(await contests.note_failure(self._as_look(began_at), failed))
        self._tell_unread(failed.outcome, failed.error, hint=hint, stack=stack)
        return Looked(
            source=self._source, error=failed.error, hint=hint, retryable=failed.retryable
        )

    def _as_look(self, began_at: datetime) -> Look:
        run, now, counted = self._context.run, self._around.clock.now(), self._meter.take()
        return Look(
            run_id=run.id,
            source=self._source,
            platforms=self._options.platforms,
            since=now - self._options.recent,
            began_at=began_at,
            at=now,
            calls=counted.calls,
            saved=counted.saved,
            seconds=counted.seconds,
            is_trusted=run.options.full,
            dry_run=run.options.dry_run,
        )

    def _tell(self, recorded: Recorded) -> None:
        self._progress(recorded.report)
        if not self._context.run.options.dry_run:
            for turn in recorded.turns:
                self._around.bus.emit(self._turned(turn))

    def _progress(self, report: Report) -> None:
        progress = Progress(self._context, self._source, Report(), report.seen)
        progress.add(report, "")

    def _turned(self, turn: Turn) -> ContestTurned:
        kind, more = _TURNS.get(turn.occasion, ContestMoved), {}
        if kind is ContestMoved:
            more = {"previous_starts_at": turn.previous_starts_at}
        return kind(
            run_id=self._context.run.id,
            job=self._context.run.job,
            platform=turn.platform,
            contest=turn.external_id,
            title=escape(turn.name)[:_TITLE_LENGTH],
            starts_at=turn.starts_at,
            **more,
        )

    def _tell_unread(
        self, outcome: str, error: str, *, hint: str = "", items: int = 0, stack: str = ""
    ) -> None:
        self._around.bus.emit(
            ContestsUnread(
                run_id=self._context.run.id,
                job=self._context.run.job,
                platform=self._source,
                outcome=outcome,
                error=error,
                hint=hint,
                items=items,
                stack=stack,
            )
        )
