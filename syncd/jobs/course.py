"""Whether a pass goes on, waits for a person, or comes to its end."""

from __future__ import annotations

from syncd.errors import PlatformError
from syncd.jobs.base import RunContext
from syncd.jobs.progress import Progress
from syncd.jobs.work import Work
from syncd.model.pause import Pause


class Course:
    """The course of one credential's passes in one run.

    `halted_by` is what the platform said to stop the pass, `has_skipped` whether somebody was
    passed over because a person held the work meanwhile.
    """

    def __init__(self, context: RunContext, work: Work, progress: Progress) -> None:
        self._context = context
        self._admission = context.around.admission
        self._platform = work.platform.name
        self._progress = progress
        self.halted_by: PlatformError | None = None
        self.has_skipped = False

    @property
    def should_end(self) -> bool:
        """Whether nobody else should be asked for in this pass."""
        return self.halted_by is not None or self._context.stop.is_requested

    def halt(self, error: PlatformError) -> None:
        """End the pass; what ended it first is what is told."""
        self.halted_by = self.halted_by or error

    async def may_go_on(self) -> bool:
        """Wait while a person holds the job or the platform; False when the pass should end."""
        while not self.should_end:
            pause = self._holding()
            if pause is None:
                return True
            self._progress.wait(f"paused by a person: {pause.why or pause.scope}")
            await self._admission.wait_for_change()
        return False

    async def may_ask(self) -> bool:
        """Tell whether who is next may be asked for; if not, they stay due."""
        # A dry run marks nobody, so that it could not tell later whom it skipped: it waits here.
        is_held = self._holding() is not None
        if is_held and not self._context.run.options.dry_run:
            self.has_skipped = True
            return False
        return not (is_held or self.should_end) or await self.may_go_on()

    def _holding(self) -> Pause | None:
        return self._admission.holding(self._context.run.job, self._platform)
