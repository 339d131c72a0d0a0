"""Notices that a platform changed its answers, before its accounts are blamed for that."""

from __future__ import annotations

from syncd.errors import BadPayload, PlatformChanged
from syncd.jobs.base import RunContext
from syncd.platforms.base import Oddity, Platform
from syncd.telemetry.events import PlatformRecovered, SchemaChanged

# One account with an odd page is no news; so many of them, and nobody else, are the platform.
_MOST_IN_A_ROW = 10


class SchemaAlarm:
    """Counts the odd answers that one run gets by one credential, and tells of the first.

    That they are odd stands with the platform, for everybody to see, until a profile was read.
    """

    def __init__(self, context: RunContext, platform: Platform) -> None:
        self._run = context.run
        self._clock = context.around.clock
        self._bus = context.around.bus
        self._platform = platform
        self._in_a_row = 0
        self._is_told = False

    def note_good(self) -> None:
        """Note that a profile was read."""
        self._in_a_row = 0
        platform = self._platform
        if platform.oddity is not None:
            platform.oddity = None
            self._bus.emit(
                PlatformRecovered(platform=platform.name, credential=platform.credential)
            )

    def note_odd(self, account: str, error: BadPayload) -> PlatformChanged | None:
        """Note an answer that is not what the platform documents.

        Args:
            account: whose it was, in words.
            error: what is odd about it.

        Returns:
            What ends the pass: nobody is answered as before, and nobody can be blamed for it.
        """
        self._in_a_row += 1
        self._tell(account, error)
        if self._in_a_row < _MOST_IN_A_ROW:
            return None
        name = self._platform.name
        return PlatformChanged(
            f"{name} changed its answers, {_MOST_IN_A_ROW} in a row are not what it documents: "
            f"{error}",
            hint="nothing of them was stored and who was not asked stays due; see whether there "
            f"is a newer syncd that can read {name}",
        )

    def _tell(self, account: str, error: BadPayload) -> None:
        platform = self._platform
        if platform.oddity is None:
            platform.oddity = Oddity(error=str(error), since=self._clock.now())
        if self._is_told:
            return
        self._is_told = True
        self._bus.emit(
            SchemaChanged(
                run_id=self._run.id,
                job=self._run.job,
                platform=platform.name,
                credential=platform.credential,
                account=account,
                error=str(error),
                sample=error.sample[:200],
            )
        )
