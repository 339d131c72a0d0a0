"""Dead letters: items whose attempts are used up, kept for a person.

An item that keeps failing is none yet: it rests longer and longer and is tried again. What is set
aside (`accounts.state` quarantined) has a letter, and both are written by one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from syncd.errors import NotKnown, WrongState
from syncd.model.item import Failure
from syncd.model.letter import DeadLetter, Decision, Letters, LetterState
from syncd.model.run import RunId
from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database
from syncd.store.fence import Fence

# An account is set aside after so many failures of its own in a row, over so long: a person who
# asks for it again and again does not use them up within minutes.
ATTEMPTS = 5
OVER = timedelta(days=1)

_BLOCKS = {Decision.REQUEUE: "requeue_letters", Decision.DISCARD: "discard_letters"}
# How one letter may stand to be decided about: a person may think better of it.
_DECIDABLE = {
    Decision.REQUEUE: (LetterState.OPEN, LetterState.DISCARDED),
    Decision.DISCARD: (LetterState.OPEN, LetterState.REQUEUED),
}
_HINT = "`syncd dead-letters list` shows those that wait for a person"


class LetterStore:
    """Owns the table `dead_letters`.

    A decision is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("letters")

    async def write(
        self,
        connection: Connection,
        failures: Sequence[Failure],
        *,
        kind: str,
        run_id: RunId,
        at: datetime,
    ) -> Sequence[DeadLetter]:
        """Set aside whose attempts are used up; part of the transaction that notes the failures.

        Returns the letters that are new or open again.
        """
        rows = await connection.fetch(
            self._sql["write_letters"],
            kind,
            at,
            run_id,
            [failure.account.id for failure in failures],
            [failure.outcome for failure in failures],
            [failure.error for failure in failures],
            [failure.sample for failure in failures],
            [failure.quarantine for failure in failures],
            [failure.wears_out for failure in failures],
            ATTEMPTS,
            OVER,
        )
        by_account = {int(failure.account.id): failure for failure in failures}
        return [
            DeadLetter(
                id=row["id"], failure=by_account[row["account_id"]], attempts=row["attempts"]
            )
            for row in rows
        ]

    async def decide(
        self, decision: Decision, letter_id: int, *, actor: str, at: datetime
    ) -> dict[str, Any]:
        """Requeue or discard one letter and return it; repeating that changes nothing.

        Raises:
            NotKnown: there is no such letter.
            WrongState: its item is settled, is not followed, or has another letter by now.
        """
        states = _DECIDABLE[decision]
        await self.decide_all(decision, Letters(id=letter_id, states=states), actor=actor, at=at)
        letter = await self.read(letter_id)
        if letter["state"] != decision.state:
            why = _hindrance(letter) if letter["state"] in states else ""
            raise WrongState(
                f"dead letter {letter_id} is {letter['state']}{why}: it cannot be {decision}",
                hint=_HINT,
            )
        return letter

    async def decide_all(
        self, decision: Decision, chosen: Letters, *, actor: str, at: datetime
    ) -> int:
        """Requeue or discard many letters, all or none; return how many there were."""

        async def decide() -> int:
            async with self._fence.transaction(self._database) as connection:
                await connection.execute(self._sql["lock_accounts"], *_columns(chosen))
                found: int = await connection.fetchval(
                    self._sql[_BLOCKS[decision]], *_columns(chosen), actor, at
                )
            return found

        return await self._database.repeat(decide)

    async def read(self, letter_id: int) -> dict[str, Any]:
        """Return one letter.

        Raises:
            NotKnown: there is none of that number.
        """
        found = await self.read_page(Letters(id=letter_id, states=tuple(LetterState)), None, 1)
        if not found:
            raise NotKnown(f"there is no dead letter {letter_id}", hint=_HINT)
        return found[0]

    async def read_page(
        self, chosen: Letters, before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return letters, newest first, numbered below `before`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["read_letters"], *_columns(chosen), before, limit
            )
        return [dict(row) for row in rows]

    async def of_accounts(self, accounts: Sequence[int]) -> dict[tuple[int, str], dict[str, Any]]:
        """Return the letter of each account and kind that still matters, where there is one."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["letters_of_accounts"], sorted(set(accounts)))
        return {(row["account_id"], row["kind"]): dict(row) for row in rows}

    async def count_open(self) -> list[dict[str, Any]]:
        """Count the open letters per platform, job and error class."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["count_open_letters"])
        return [dict(row) for row in rows]


def _hindrance(letter: dict[str, Any]) -> str:
    if letter["account_state"] in {None, "active", "quarantined"}:
        return ", and its item has another one by now"
    return f", and its account is {letter['account_state']}"


def _columns(chosen: Letters) -> tuple[Any, ...]:
    return chosen.states, chosen.id, chosen.job, chosen.platform, chosen.error_class
