"""The control port's questions and orders about dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from syncd.daemon.answers import Json
from syncd.daemon.core import Core
from syncd.model.letter import Decision, Letters, LetterState


class LetterDesk:
    """Items whose attempts are used up: what waits for a person, and what they decide."""

    _core: Core

    async def dead_letters(self, chosen: Letters, before: int | None, limit: int) -> list[Json]:
        """Return dead letters, newest first."""
        self._check(chosen)
        return await self._core.letters.read_page(chosen, before, limit)

    async def dead_letter(self, letter_id: int) -> Json:
        """Return one dead letter."""
        return await self._core.letters.read(letter_id)

    async def decide_letter(self, decision: Decision, letter_id: int, *, actor: str) -> Json:
        """Requeue or discard one dead letter."""
        now = self._core.clock.now()
        return await self._core.letters.decide(decision, letter_id, actor=actor, at=now)

    async def decide_letters(self, decision: Decision, chosen: Letters, *, actor: str) -> int:
        """Requeue or discard every open dead letter of a choice."""
        self._check(chosen)
        now = self._core.clock.now()
        return await self._core.letters.decide_all(decision, chosen, actor=actor, at=now)

    def _check(self, chosen: Letters) -> None:
        if chosen.job is not None:
            self._core.scheduler.job(chosen.job)
        if chosen.platform is not None:
            self._core.check_platform(chosen.platform)


def letter_problems(counted: Sequence[Json]) -> list[Json]:
    """Say in one problem what waits for a person; none where nothing does."""
    counts: Counter[str] = Counter()
    for row in counted:
        counts[f"{row['platform'] or row['job']} {row['error_class']}"] += row["letters"]
    if not counts:
        return []
    total = counts.total()
    which = ", ".join(f"{what} {count:,}" for what, count in counts.most_common())
    what = f"{total:,} dead letter{'' if total == 1 else 's'} for a person to look at: {which}"
    return [{"what": what, "hint": "syncd dead-letters list"}]


def letter_in_words(letter: Json) -> str:
    """Say how the dead letter of an account stands, and what a person may do about it."""
    number = letter["id"]
    requeue = f"`syncd dead-letters requeue {number}`"
    discard = f"`syncd dead-letters discard {number}`"
    match LetterState(letter["state"]):
        case LetterState.OPEN:
            return f"{number} waits for a person: {requeue} or {discard}"
        case LetterState.REQUEUED:
            return f"{number} was requeued by {letter['actor']}: the next good answer settles it"
        case LetterState.DISCARDED:
            return f"{number} was discarded by {letter['actor']}: {requeue} takes that back"
        case LetterState.RESOLVED:
            return f"{number} is settled"
