"""How runs end over several platforms and credentials: what each of them kept from its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.errors import CredentialsRejected, RateLimited, SyncdError
from syncd.model.run import Ending, Outcome
from syncd.platforms.base import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How it ended with one credential; `error` None: nothing kept it from being finished.

    `alarm` is the first answer about somebody else.
    """

    platform: Platform
    due: int
    error: SyncdError | None = None
    alarm: SyncdError | None = None


def ending_of(ends: Sequence[End]) -> Ending:
    """Tell how the run ended: failed where everybody refused, partial where one did."""
    halted = [end for end in ends if end.error is not None]
    errors = [end.error for end in halted if end.error is not None]
    alarms = [end.platform.naming(str(end.alarm)) for end in ends if end.alarm is not None]
    if not errors:
        # Who failed makes the run partial; what is alarming about it is said in words.
        return Ending(outcome=Outcome.SUCCEEDED, error="; ".join(alarms))
    refused = [error for error in errors if not isinstance(error, RateLimited)]
    # Who had nothing to ask for has proved nothing.
    asked = [end for end in ends if end.due or end.error is not None]
    hints = [error.hint for error in errors if error.hint]
    return Ending(
        outcome=Outcome.FAILED if len(refused) == len(asked) else Outcome.PARTIAL,
        error="; ".join([*map(_in_words, halted), *alarms]),
        hint=hints[0] if hints else "what was not asked stays due",
        retryable=any(error.retryable for error in errors),
    )


def _in_words(end: End) -> str:
    # A refusal names the credential by itself, and is told in the same words everywhere.
    words = str(end.error)
    is_refusal = isinstance(end.error, CredentialsRejected)
    return words if is_refusal else end.platform.naming(words)
