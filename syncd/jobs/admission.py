"""Whether work may go on: pauses and withdrawn consent, known the moment they are decided.

The store keeps them for the next start; this is what running work asks before each item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from syncd.clock import Clock
from syncd.model.account import Account, AccountId
from syncd.model.pause import Pause, PauseScope

_LOOK_AGAIN_SECONDS = 1.0


class Admission:
    """What a person asked to leave alone, as of now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[tuple[PauseScope, str], Pause] = {}
        self._withdrawn: set[AccountId] = set()
        self._changed = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Tell `listener` whenever something was paused or resumed."""
        self._listeners.append(listener)

    def load(self, pauses: Iterable[Pause]) -> None:
        """Replace what is known by what the store holds."""
        self._pauses = {(pause.scope, pause.key): pause for pause in pauses}
        self._tell()

    def pause(self, pause: Pause) -> None:
        """Pause at once; the pause was stored before."""
        self._pauses[pause.scope, pause.key] = pause
        self._tell()

    def resume(self, scope: PauseScope, key: str) -> None:
        """End a pause; nothing happens when there was none."""
        self._pauses.pop((scope, key), None)
        self._tell()

    def withdraw(self, accounts: Iterable[AccountId]) -> None:
        """Stop asking for these accounts: opted out, disconnected or deleted."""
        self._withdrawn.update(accounts)

    def readmit(self, accounts: Iterable[AccountId]) -> None:
        """Ask for these accounts again: their users opted in."""
        self._withdrawn.difference_update(accounts)

    def standing(self, scope: PauseScope, key: str = "") -> Pause | None:
        """Return the pause of exactly this thing, None where there is none or it has ended."""
        pause = self._pauses.get((scope, key))
        if pause is None or (pause.until is not None and pause.until <= self._clock.now()):
            return None
        return pause

    def pauses(self) -> list[Pause]:
        """Return every pause that has not ended."""
        found = (self.standing(scope, key) for scope, key in self._pauses)
        return [pause for pause in found if pause is not None]

    def holding_job(self, job: str) -> Pause | None:
        """Return what keeps a job from running: a pause of everything or of the job."""
        if not self._pauses:
            return None
        return self.standing(PauseScope.ALL) or self.standing(PauseScope.JOB, job)

    @property
    def are_known(self) -> bool:
        """Tell whether anything is paused, or was."""
        return bool(self._pauses)

    def pauses_of(self, job: str) -> Sequence[Pause]:
        """Return the pauses of everything and of a job, also what is known of ended ones."""
        if not self._pauses:
            return ()
        keys = ((PauseScope.ALL, ""), (PauseScope.JOB, job))
        return [self._pauses[key] for key in keys if key in self._pauses]

    def holding(self, job: str, platform: str) -> Pause | None:
        """Return what keeps a job from asking a platform."""
        return self.holding_job(job) or self.standing(PauseScope.PLATFORM, platform)

    def admits(self, account: Account) -> bool:
        """Tell whether this account may be asked for now."""
        if account.id in self._withdrawn:
            return False
        key = f"{account.platform}:{account.handle}"
        return not self._pauses or self.standing(PauseScope.ACCOUNT, key) is None

    async def wait_for_change(self) -> None:
        """Return when something was paused or resumed, or after a while: a pause may have ended."""
        async with asyncio.TaskGroup() as group:
            waiter = group.create_task(self._changed.wait())
            sleeper = group.create_task(self._clock.sleep(_LOOK_AGAIN_SECONDS))
            waiter.add_done_callback(lambda _: sleeper.cancel())
            sleeper.add_done_callback(lambda _: waiter.cancel())

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        for listener in self._listeners:
            listener()
