"""Alerts as the daemon sees them: told of what happens, asked to go on for ever."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any

from syncd.alerts.courier import Courier
from syncd.alerts.message import test_body
from syncd.alerts.watch import Watch
from syncd.clock import Clock
from syncd.config.models import Alerts as AlertSettings
from syncd.errors import BadInput, DeliveryError, LeaseLost, SyncdError
from syncd.model.alert import AlertState
from syncd.outbound.hook import Hook
from syncd.telemetry.events import Event, GrantsExpiring, LargeChange, RunFinished

# Retries that are dropped, runs that nobody went on with and plans tell of themselves to nobody.
_LOOK_EVERY_SECONDS = 60.0
_STORE_RETRY_SECONDS = 5.0
# Many runs may end in a second: they are looked at together.
_PAUSE_SECONDS = 0.5


class AlertDesk:
    """Watches and delivers while this process leads and a webhook is configured.

    Args:
        watch: finds what is to be told.
        courier: delivers it.
        is_leading: whether this process does.
        clock: where time comes from.
    """

    def __init__(
        self, watch: Watch, courier: Courier, is_leading: Callable[[], bool], clock: Clock
    ) -> None:
        self._watch = watch
        self._courier = courier
        self._is_leading = is_leading
        self._clock = clock
        self._asked = asyncio.Event()
        self._ended: set[str] = set()
        self._all_at = -math.inf

    def adopt(self, settings: AlertSettings) -> None:
        """Deliver as config.toml says from now on."""
        self._courier.use(to_hook(settings))
        self._look_at_all()

    def note(self, event: Event) -> None:
        """Look soon, when a run has ended; a bus subscriber."""
        if self._courier.hook is None:
            return
        if isinstance(event, LargeChange | GrantsExpiring):
            self._watch.note(event)
            self._asked.set()
        if isinstance(event, RunFinished):
            self._ended.add(event.run.job)
            self._asked.set()

    async def look(self) -> None:
        """Write down what is to be told, before anything else happens to the jobs.

        What cannot be found or written now is found again: nobody waits for that.
        """
        if self._courier.hook is not None:
            with contextlib.suppress(SyncdError):
                await self._watch.look()
            self._look_at_all()

    def _look_at_all(self) -> None:
        self._all_at = -math.inf
        self._asked.set()

    async def keep(self) -> None:
        """Watch and deliver for ever."""
        while True:
            await self._rest(await self._step())
            # Not at once: what ends in the same moment is one look.
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _step(self) -> float:
        """Look, deliver what is due, and return how long there is nothing else to do."""
        self._asked.clear()
        if self._courier.hook is None or not self._is_leading():
            return _LOOK_EVERY_SECONDS
        try:
            while job := await self._courier.carry(await self._due()):
                self._ended.add(job)  # it may have changed while it was told
        except LeaseLost:  # told where the lease is kept; who leads next looks by itself
            return _LOOK_EVERY_SECONDS
        except SyncdError:  # of PostgreSQL, told where its health is looked at
            self._all_at = -math.inf
            return _STORE_RETRY_SECONDS
        wait = self._courier.wait_seconds
        return min(wait, _LOOK_EVERY_SECONDS) if wait > 0 else _LOOK_EVERY_SECONDS

    async def _due(self) -> Sequence[AlertState]:
        """Look at the jobs of which runs have ended, once a minute at all."""
        if (now := self._clock.monotonic()) >= self._all_at:
            self._all_at, jobs = now + _LOOK_EVERY_SECONDS, None
        else:
            jobs = self._ended
        self._ended = set()
        return await self._watch.look(jobs)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until somebody asks."""
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._clock.sleep(seconds))
            waiter = group.create_task(self._asked.wait())
            sleeper.add_done_callback(lambda _: waiter.cancel())
            waiter.add_done_callback(lambda _: sleeper.cancel())

    async def test(self) -> dict[str, Any]:
        """Deliver a test now, and return what came back.

        Raises:
            BadInput: no webhook is configured.
        """
        came = await deliver_test(self._courier.hook, self._clock)
        if came["delivered"]:
            self._courier.resume()
            self._asked.set()
        return came

    def problems(self) -> list[dict[str, Any]]:
        """Say that alerts do not arrive."""
        trouble = self._courier.trouble
        if trouble is None:
            return []
        hint = trouble.hint or "`syncd alerts test` tries it now"
        return [{"what": f"alerts do not arrive: {trouble}", "hint": hint}]


def to_hook(settings: AlertSettings) -> Hook | None:
    """Return where alerts go, None where nobody wants them."""
    url = settings.webhook_url.get_secret_value()
    if not url:
        return None
    return Hook(
        url=url,
        timeout_seconds=settings.timeout.total_seconds(),
        allow_private=settings.allow_private,
    )


async def deliver_test(hook: Hook | None, clock: Clock) -> dict[str, Any]:
    """Deliver a test and return what came back, good or bad.

    Raises:
        BadInput: there is no webhook.
    """
    if hook is None:
        hint = "set webhook_url or webhook_url_file there, then `syncd reload`"
        raise BadInput("there is no webhook in [alerts]", hint=hint)
    begun = clock.monotonic()
    came: dict[str, Any] = {"status": None, "answer": "", "error": "", "hint": ""}
    try:
        answer = await hook.post(test_body(clock.now()), clock)
        came |= {"status": answer.status, "answer": answer.said}
    except DeliveryError as error:
        came |= {"error": str(error), "hint": error.hint or ""}
    took = round(clock.monotonic() - begun, 3)
    return {"delivered": not came["error"], **came, "duration_seconds": took}
