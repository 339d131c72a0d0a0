"""Sends what is due over one channel: claimed as its turns come, sent side by side, stored at once.

A delivery is claimed when a slot is free for it and its channel's rate allows it, and is sent in
that moment: never more are claimed than are under way. What came of it is stored before the next
is claimed. So a process that is killed leaves behind as many of which nobody knows whether they
arrived as there were slots in use, and its memory does not grow with what is due.
"""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from syncd.channels.base import Channel
from syncd.errors import DeliveryError, DeliveryUnknown, StoreUnavailable
from syncd.errors.delivery import Reach
from syncd.jobs.base import RunContext
from syncd.jobs.dispatch import Dispatch, message_of, tell_of, tell_set_aside
from syncd.jobs.settling import Judge, nothing_to_tell, put_off, unforeseen
from syncd.model.delivery import Delivery, Settled
from syncd.model.notification import Receipt
from syncd.store.notifications import Wanted
from syncd.telemetry.events import AddressDied, ChannelRecovered, ChannelRested

_T = TypeVar("_T")
Answer = Receipt | DeliveryError | Settled

# A rest that is shorter is waited for, as a turn is.
_SHORT_REST_SECONDS = 60.0
# What a channel's own deadline should have ended.
_DEADLINES = 2
_WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class Sender:
    """Sends over one channel, in one run.

    Args:
        context: the run.
        channel: entered already.
        dispatch: what the senders of a run share.
    """

    def __init__(self, context: RunContext, channel: Channel[Any], dispatch: Dispatch) -> None:
        self._context = context
        self._around = context.around
        self._dispatch = dispatch
        # Spreads retries; nothing secret depends on it.
        self._random = Random()  # noqa: S311
        self._adopt(channel)
        self._sends: dict[asyncio.Task[Answer], Delivery] = {}
        self._ready: list[Settled] = []
        self._stacks: dict[int, str] = {}
        self._is_through = False

    async def run(self) -> None:
        """Send until nothing may be sent any more.

        Raises:
            StoreUnavailable: PostgreSQL was away for long; what was under way is not known.
            LeaseLost: somebody else has the run.
        """
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(self._context.stop.wait())
            cutting = group.create_task(self._cut_after_grace())
            await self._work(group, stopping)
            stopping.cancel()
            cutting.cancel()

    async def _work(self, group: asyncio.TaskGroup, stopping: asyncio.Task[None]) -> None:
        while True:
            self._look_up()
            delay = self._delay()
            if delay == 0:
                await self._claim(group)
            elif self._sends or (delay is not None and delay < math.inf):
                await self._wait(group, stopping, delay)
            elif not self._ready:
                return
            await self._store()

    def _look_up(self) -> None:
        """Go by the channel as it is now: a reload may change it, or take it away."""
        now = self._around.channels.get(self._channel.name)
        if now is None or not now.settings.enabled:
            self._is_through = True
        elif now is not self._channel:
            self._adopt(now)

    def _adopt(self, channel: Channel[Any]) -> None:
        settings = channel.settings
        self._channel = channel
        self._gate = self._around.channel_gates.of(channel)
        self._judge = Judge(
            settings.attempts,
            settings.on_unknown or channel.on_unknown,
            self._random,
            dead_at_once=channel.dead_at_once,
        )

    def _delay(self) -> float | None:
        """Return in how many seconds more may be claimed: None never, infinity with a free slot."""
        admission, job = self._around.admission, self._context.run.job
        is_over = self._is_through or self._context.stop.is_requested
        if is_over or not self._dispatch.left or admission.holding_job(job) is not None:
            return None
        if self._gate.is_resting:
            return self._rest_seconds()
        if len(self._sends) >= self._channel.settings.slots:
            return math.inf
        return self._gate.delay()

    def _rest_seconds(self) -> float | None:
        rest = self._gate.rest
        assert rest is not None, "a gate that rests has a rest"
        left = (rest.until - self._around.clock.now()).total_seconds()
        return left if left <= _SHORT_REST_SECONDS else None

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        """Claim as many as there are turns and slots for, and begin to send them."""
        free = self._channel.settings.slots - len(self._sends)
        rows = self._dispatch.take(self._gate.take(free))
        wanted = Wanted(
            run_id=self._context.run.id,
            channel=self._channel.name,
            rows=rows,
            at=self._around.clock.now(),
            only=self._context.run.options.only or None,
            only_to=sorted(self._around.only_to()) or None,
        )
        store = self._around.stores.notifications
        claimed = await self._patiently(lambda: store.claim(wanted), self._put_back)
        self._dispatch.give_back(rows - claimed.rows)
        self._is_through = claimed.rows < rows
        tell_set_aside(self._context, self._channel.name, claimed)
        self._dispatch.set_aside(claimed)
        for delivery in claimed.deliveries:
            waits = self._unsent(delivery)
            if waits is None:
                self._sends[group.create_task(self._send(delivery))] = delivery
            else:
                self._ready.append(waits)

    def _unsent(self, delivery: Delivery) -> Settled | None:
        """Return what becomes of a delivery that is not to be sent now, None of any other."""
        if not delivery.contests:
            return nothing_to_tell(delivery)
        until = delivery.quiet and delivery.quiet.until(self._around.clock.now())
        return put_off(delivery, until) if until and until < delivery.expires_at else None

    async def _send(self, delivery: Delivery) -> Answer:
        message = message_of(self._around, delivery)
        seconds = self._channel.settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(_DEADLINES * seconds):
                return await self._channel.send(message)
        except DeliveryError as error:
            return error
        except TimeoutError:
            return DeliveryUnknown(f"no answer from {self._channel.name} within {seconds:g} s")
        except Exception as error:  # one delivery's bug must not stop the others
            self._stacks[delivery.id] = traceback.format_exc()
            return unforeseen(delivery, error)

    async def _wait(
        self, group: asyncio.TaskGroup, stopping: asyncio.Task[None], delay: float | None
    ) -> None:
        """Wait until something came of a delivery, the next may leave, or the run should stop."""
        waits: set[asyncio.Task[Answer] | asyncio.Task[None]] = {*self._sends}
        if not stopping.done():
            waits.add(stopping)
        sleeping = None
        if delay is not None and delay < math.inf:
            sleeping = group.create_task(self._around.clock.sleep(delay))
            waits.add(sleeping)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if sleeping is not None:
            sleeping.cancel()

    async def _store(self) -> None:
        """Store what came of deliveries, and tell of it."""
        done = [task for task in self._sends if task.done()]
        now = self._around.clock.now()
        settled = [*self._ready, *(self._settled(task) for task in done)]
        if not settled:
            return
        run_id, store = self._context.run.id, self._around.stores.notifications
        dead = await self._patiently(lambda: store.settle(run_id, settled, now))
        self._ready.clear()
        for task in done:
            del self._sends[task]
        for each in settled:
            self._dispatch.count(each)
            tell_of(self._context, each, self._stacks.pop(each.delivery.id, ""))
        for each in dead:
            name, key = self._channel.name, each.delivery.user_key
            self._around.bus.emit(AddressDied(channel=name, user_key=key, error=each.error))
        self._dispatch.tell_progress(self._channel.name, settled)

    def _settled(self, task: asyncio.Task[Answer]) -> Settled:
        delivery, now = self._sends[task], self._around.clock.now()
        if task.cancelled():
            cut = DeliveryUnknown("it was cut off when the run had to stop")
            return self._judge.settle(delivery, cut, now)
        answer = task.result()
        if isinstance(answer, Settled):
            return answer
        if isinstance(answer, Receipt):
            self._note_delivered()
        elif answer.reach is Reach.CHANNEL and not isinstance(answer, DeliveryUnknown):
            return put_off(delivery, self._rest(answer), answer)
        return self._judge.settle(delivery, answer, now)

    def _rest(self, error: DeliveryError) -> datetime:
        """Let the channel rest, and return until when it does."""
        is_new = self._gate.close(error)
        rest = self._gate.rest
        assert rest is not None, "a gate that was closed has a rest"
        if is_new:
            self._around.bus.emit(
                ChannelRested(
                    channel=rest.channel, until=rest.until, error=rest.error, hint=rest.hint
                )
            )
        return rest.until

    def _note_delivered(self) -> None:
        rest = None if self._gate.is_resting else self._gate.open()
        if rest is not None:
            self._around.bus.emit(ChannelRecovered(channel=rest.channel, since=rest.since))

    async def _put_back(self) -> None:
        """Let wait what a claim took whose answer did not come."""
        under_way = [delivery.id for delivery in self._sends.values()]
        store = self._around.stores.notifications
        await store.put_back(self._context.run.id, self._channel.name, under_way)

    async def _patiently(
        self,
        step: Callable[[], Awaitable[_T]],
        before_again: Callable[[], Awaitable[None]] | None = None,
    ) -> _T:
        """Take a step again where PostgreSQL is away for a moment: what was sent is still known."""
        is_again = False
        for seconds in _WAITS_SECONDS:
            try:
                if is_again and before_again is not None:
                    await before_again()
                return await step()
            except StoreUnavailable:
                is_again = True
                await self._around.clock.sleep(seconds)
        return await step()

    async def _cut_after_grace(self) -> None:
        """Once the run should stop: let deliveries under way finish, then cut off the rest."""
        stop = self._context.stop
        await stop.wait()
        await self._around.clock.sleep(stop.grace_seconds)
        for task in self._sends:
            task.cancel()
