"""The `notify` kind: who is to be told of which contest, and telling them, each reminder once.

Its items are deliveries: `created` were sent, `skipped` are not sent any more (too late, not true
or not wanted any more), `failed` did not arrive or may not have; one that is tried again is not
counted until it is through.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from syncd.channels.base import Channel
from syncd.jobs.base import JobKind, RunContext, Surroundings
from syncd.jobs.channel_gates import Rest
from syncd.jobs.dispatch import Dispatch
from syncd.jobs.sending import Sender
from syncd.jobs.stop import until_stopped
from syncd.model.delivery import Armed
from syncd.model.notification import UnknownPolicy
from syncd.model.run import Ending, Outcome, Run
from syncd.store.arming import Arming
from syncd.telemetry.events import DeliveryDoubted, NotificationsArmed
from syncd.telemetry.purpose import Purpose

_RUNS_BACK = 50


class NotifyOptions(BaseModel):
    """What [jobs.NAME] of kind "notify" takes.

    `digest_hour`: when the daily digest goes to who wants one, by the clock of each user.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest_hour: int = Field(default=8, ge=0, le=23)


class Notify(JobKind[NotifyOptions]):
    """Make due what is due, and send it over every channel at the same time.

    A dry run counts what it would send and writes nothing.
    """

    Options: ClassVar[type[BaseModel]] = NotifyOptions
    looks_again: ClassVar[bool] = True

    @property
    def purpose(self) -> Purpose:
        """Name the log file."""
        return Purpose.NOTIFY

    async def run(self, context: RunContext) -> Ending:
        """Decide who is due, then send; what is left waits for the next run."""
        around, run = context.around, context.run
        channels = _channels(around)
        if run.options.dry_run:
            return await self._rehearse(context, channels)
        dispatch = await until_stopped(context.stop, self._prepare(context, channels))
        if dispatch is None:
            return Ending(outcome=Outcome.PARTIAL)
        async with asyncio.TaskGroup() as group:
            for channel in channels.values():
                group.create_task(Sender(context, channel, dispatch).run())
        dispatch.tell_end()
        return _ending(around, channels)

    async def next_retry(self, context: Surroundings, cycle_start: datetime) -> datetime | None:
        """Return when something that waits may be tried again."""
        del cycle_start
        channels = _channels(context)
        now = context.clock.now()
        first = await context.stores.notifications.next_attempts(list(channels), now)
        rests = {rest.channel: rest.until for rest in context.channel_gates.rests()}
        return min((max(at, rests.get(name, at)) for name, at in first.items()), default=None)

    async def _prepare(self, context: RunContext, channels: Mapping[str, Channel[Any]]) -> Dispatch:
        """Settle what earlier runs left behind, and make due what is due."""
        around, run = context.around, context.run
        store, now = around.stores.notifications, around.clock.now()
        resends = [name for name, each in channels.items() if _resends(each)]
        for left in await store.recover(run.id, now, resends):
            around.bus.emit(
                DeliveryDoubted(
                    run_id=run.id,
                    job=run.job,
                    delivery_id=left.id,
                    channel=left.channel,
                    user_key=left.user_key,
                    occasion=left.occasion,
                    is_resent=left.is_resent,
                    error="syncd ended while it was sent",
                    hint="" if left.is_resent else "`syncd outbox list` shows what waits for you",
                )
            )
        expired = await store.expire(run.id, now)
        armed = await store.arm(await self._arming(context, channels))
        _tell_armed(context, armed)
        only = run.options.only or None
        dispatch = Dispatch(context, await store.count_waiting(list(channels), now, only))
        dispatch.add(expired=expired)
        return dispatch

    async def _rehearse(self, context: RunContext, channels: Mapping[str, Channel[Any]]) -> Ending:
        store = context.around.stores.notifications
        armed = await store.arm(await self._arming(context, channels))
        _tell_armed(context, armed)
        now, only = context.around.clock.now(), context.run.options.only or None
        waiting = sum((await store.count_waiting(list(channels), now, only)).values())
        due, later = sum(each.now for each in armed), sum(each.later for each in armed)
        words = ", ".join(
            f"{each.channel} {each.occasion} {each.now:,}" for each in armed if each.now
        )
        hint = (
            f"would send {due + waiting:,}: {due:,} due now ({words or 'none'}), {waiting:,} wait"
        )
        if later:
            hint += f"; {later:,} when quiet hours end"
        return Ending(outcome=Outcome.SUCCEEDED, hint=hint)

    async def _arming(self, context: RunContext, channels: Mapping[str, Channel[Any]]) -> Arming:
        run, around = context.run, context.around
        now = around.clock.now()
        return Arming(
            at=now,
            channels=list(channels),
            since=await _last_start(context) or now,
            only=run.options.only or None,
            only_to=sorted(around.only_to()) or None,
            digest_hour=self.options.digest_hour,
            dry_run=run.options.dry_run,
        )


def _channels(around: Surroundings) -> Mapping[str, Channel[Any]]:
    return {name: each for name, each in around.channels.items() if each.settings.enabled}


def _resends(channel: Channel[Any]) -> bool:
    return (channel.settings.on_unknown or channel.on_unknown) is UnknownPolicy.RESEND


async def _last_start(context: RunContext) -> datetime | None:
    """Return since when nobody looked who is due, as far as that is known."""
    run = context.run
    runs = await context.around.stores.runs.list_newest(run.job, run.id, _RUNS_BACK)
    return next((each.started_at for each in runs if _looked(each)), None)


def _looked(run: Run) -> bool:
    options = run.options
    return run.started_at is not None and not (options.dry_run or options.only)


def _tell_armed(context: RunContext, armed: Sequence[Armed]) -> None:
    counts: Counter[str] = Counter()
    for each in armed:
        counts[f"{each.channel} {each.occasion}"] += each.deliveries
    context.around.bus.emit(
        NotificationsArmed(
            run_id=context.run.id,
            job=context.run.job,
            deliveries=counts.total(),
            missed=sum(each.missed for each in armed),
            counts=dict(counts),
            dry_run=context.run.options.dry_run,
        )
    )


def _ending(around: Surroundings, channels: Mapping[str, Channel[Any]]) -> Ending:
    """Tell which channels rest; what failed alone makes the run partial by its count."""
    if not channels:
        hint = "nothing is sent: config.toml has no channel that is on"
        return Ending(outcome=Outcome.SUCCEEDED, hint=hint)
    rests = [rest for rest in around.channel_gates.rests() if rest.channel in channels]
    if not rests:
        return Ending(outcome=Outcome.SUCCEEDED)
    return Ending(
        outcome=Outcome.FAILED if len(rests) == len(channels) else Outcome.PARTIAL,
        error="; ".join(map(_in_words, rests)),
        hint=next((rest.hint for rest in rests if rest.hint), "what is not sent yet waits"),
    )


def _in_words(rest: Rest) -> str:
    return f"{rest.channel} rests until {rest.until:%Y-%m-%d %H:%M} UTC: {rest.error}"
