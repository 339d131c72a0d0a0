"""The `listening` kind: what users listened to, every play once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from syncd.config.duration import Duration, parse_duration
from syncd.jobs.base import RunContext, Surroundings
from syncd.jobs.following import Following, FollowingOptions, open_at
from syncd.jobs.listener import Listener
from syncd.jobs.work import Work
from syncd.model.forecast import Forecast
from syncd.store.accounts import Selection
from syncd.telemetry.events import (
    AccountChanged,
    ConditionNoticed,
    GrantExpiring,
    GrantsExpiring,
    PlaysCounted,
    UsersFound,
)
from syncd.telemetry.purpose import Purpose

_PAGES_HELD = 4
_TURNS_HELD = 2


class ListeningOptions(FollowingOptions):
    """What [jobs.NAME] of kind "listening" takes.

    `look_back` is how far behind the newest stored play a user is asked for again: plays can turn
    up hours late.
    """

    platforms: tuple[str, ...] = Field(default=("spotify",), min_length=1)
    look_back: Duration = parse_duration("24h")


class Listening(Following[ListeningOptions]):
    """Ask what every user with a grant listened to; store what is new.

    Grants are looked after besides: those that ended are given up, and whose end is near is told.
    A dry run renews access tokens too (a platform may give them once only), and stores no play.
    """

    Options: ClassVar[type[BaseModel]] = ListeningOptions
    kind: ClassVar[str] = "listening"
    looks_again: ClassVar[bool] = True

    @property
    def purpose(self) -> Purpose:
        """Name the log file."""
        return Purpose.SPOTIFY

    def work_on(self, context: RunContext, work: Work) -> Work:
        """Ask each account by its own grant, and hold few ahead where that is slow."""
        asker = Listener(context, work.platform, self.options.look_back)
        # Whoever is held cannot be synced now by somebody else: of a user in two seconds, a hundred
        # would be so for minutes.
        held = max(_PAGES_HELD * work.page, _TURNS_HELD * work.platform.limits.slots)
        return replace(work, asker=asker, claim=min(work.claim, held))

    async def prepare(self, context: RunContext, selection: Selection) -> None:
        """Look at the journal and the calendar of grants, and make room for plays to come."""
        await context.around.grants.check_journal()
        if context.run.options.dry_run:
            return
        for platform in selection.platforms:
            await self._settle(context, platform)
        await context.around.stores.listening.keep_partitions(context.around.clock.now())

    async def tell_due(self, context: RunContext, due: int) -> None:
        """Tell of how many users there are."""
        run = context.run
        context.around.bus.emit(UsersFound(run_id=run.id, job=run.job, users=due))

    async def after_all(self, context: RunContext) -> None:
        """Tell what all parts of the run came to in plays."""
        run = context.run
        counts = await context.around.stores.listening.counts(run.id)
        context.around.bus.emit(
            PlaysCounted(
                run_id=run.id,
                job=run.job,
                inserted=counts.inserted,
                repeated=counts.repeated,
                skipped=counts.skipped,
                gaps=counts.gaps,
            )
        )

    async def next_retry(self, context: Surroundings, cycle_start: datetime) -> datetime | None:
        """Return when what a pass left undone may be tried, or plays may be lost by waiting."""
        accounts, opens = context.stores.accounts, open_at(context, self.platforms)
        undone = await accounts.next_retry(self.kind, self.needed_since(cycle_start), opens)
        hasty = await accounts.next_look(self.kind, opens)
        return min(filter(None, (undone, hasty)), default=None)

    async def forecast(self, context: Surroundings) -> Forecast | None:
        """Return how long a run over everybody takes; the platforms go side by side."""
        states = await context.stores.accounts.count_by_state()
        users = {
            row["platform"]: row["accounts"]
            for row in states
            if row["platform"] in self.platforms and row["state"] == "active"
        }
        seconds = [_seconds(context, name, count) for name, count in users.items()]
        waits = [
            words
            for name in users
            for platform in context.platforms[name]
            if platform.paused_until() is not None and (words := platform.waits_for())
        ]
        # Each may need a new access token first.
        items = sum(users.values())
        return Forecast(
            items=items,
            calls=2 * items,
            seconds=max(seconds, default=0.0),
            waits_for="; ".join(waits),
        )

    async def _settle(self, context: RunContext, name: str) -> None:
        """Give up the grants that ended, and tell whose end is near, each time once."""
        around, run = context.around, context.run
        settled = await around.stores.grants.settle(name, around.clock.now())
        if settled.taken_back:
            condition = f"the clock was ahead when {settled.taken_back:,} {name} grants were judged"
            hint = "none of that counts any more; is the clock right now?"
            around.bus.emit(ConditionNoticed(condition=condition, hint=hint))
        for account in settled.expired:
            around.bus.emit(_ended(name, account))
        if settled.ungranted:
            condition = f"{settled.ungranted:,} {name} accounts have no grant"
            hint = "`syncd tokens import FILE` brings them; nothing is asked for these until then"
            around.bus.emit(ConditionNoticed(condition=condition, hint=hint))
        for notice in settled.notices:
            around.bus.emit(
                GrantExpiring(
                    platform=name,
                    account_id=notice["account_id"],
                    account=notice["handle"],
                    user_key=notice["user_key"],
                    days=notice["days"],
                    expires_at=notice["refresh_expires_at"],
                )
            )
        if settled.notices:
            around.bus.emit(
                GrantsExpiring(
                    run_id=run.id,
                    job=run.job,
                    platform=name,
                    users=len(settled.notices),
                    days=max(notice["days"] for notice in settled.notices),
                )
            )


def _ended(platform: str, account: Mapping[str, Any]) -> AccountChanged:
    return AccountChanged(
        platform=platform,
        account_id=account["account_id"],
        user_key=account["user_key"],
        change="reauth_required",
        detail=account["reason"],
    )


def _seconds(context: Surroundings, name: str, users: int) -> float:
    """Return how long it takes to ask for so many users, what is to be waited for included."""
    platforms = context.platforms[name]
    rate = sum(platform.limits.rate for platform in platforms)
    now = context.clock.now()
    until = max((platform.paused_until() or now for platform in platforms), default=now)
    return (until - now).total_seconds() + users / rate
