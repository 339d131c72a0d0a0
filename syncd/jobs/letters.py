"""Telling that an account was set aside, and that a dead letter waits for a person."""

from __future__ import annotations

from syncd.model.letter import DeadLetter
from syncd.model.run import Run
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import AccountChanged, DeadLetterWritten


def tell_letter(bus: Bus, run: Run, letter: DeadLetter) -> None:
    """Tell about a letter that is written, or open again."""
    failure = letter.failure
    account = failure.account
    bus.emit(
        AccountChanged(
            platform=account.platform,
            account_id=account.id,
            user_key=account.user_key,
            change="quarantined",
            detail=failure.error,
        )
    )
    bus.emit(
        DeadLetterWritten(
            letter=letter.id,
            run_id=run.id,
            job=run.job,
            platform=account.platform,
            account=account.handle,
            outcome=failure.outcome,
            error=failure.error,
            attempts=letter.attempts,
        )
    )
