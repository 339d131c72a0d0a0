"""What one item's error means: for the item, and for the platform it came from."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from syncd.clock import Clock
from syncd.errors import (
    AccountNotFound,
    AccountUnsuitable,
    GrantRefused,
    GrantUnreadable,
    ItemError,
    PlatformError,
    PlatformTrouble,
)
from syncd.model.account import Account
from syncd.model.item import Claim, Failure, Item, Retry

# A "not found" counts twice only when the second comes this much later.
CONFIRM_APART = timedelta(hours=12)

_RETRY_SECONDS = (2.0, 10.0)
_REST_SECONDS = 900.0
# A grant that was refused is tried again after this.
_DOUBT_SECONDS = 3_600.0


class Judge:
    """Decides between another try in this run, a failure, and giving the platform up.

    A platform that fails for one account may fail for that account only (its page is broken, its
    profile is blocked by law): it is tried again, rests like after any failure, so that one account
    never keeps the others from their turn, and is set aside when it goes on like that. When it is
    the platform that fails is for the breaker of its gate to say, whose errors know until when
    nothing leaves.

    Args:
        attempts: how often a run tries one account.
        may_retry: False for a dry run, which writes down nothing it could retry by.
    """

    def __init__(self, clock: Clock, attempts: int, *, may_retry: bool) -> None:
        self._clock = clock
        self._attempts = attempts if may_retry else 1

    def judge(self, claim: Claim, error: ItemError | PlatformError) -> Item:
        """Turn an item's error into what becomes of the item.

        Raises:
            PlatformError: this is about the platform, not the item; the item stays due.
        """
        match error:
            case PlatformTrouble(until=None):
                return self._try_again(claim, error)
            case PlatformError():
                raise error
            case AccountNotFound():
                rest = CONFIRM_APART.total_seconds()
                return _failure(claim.account, error, rest_seconds=rest)
            case ItemError():
                rest = _DOUBT_SECONDS if isinstance(error, GrantRefused) else _REST_SECONDS
                failure = _failure(claim.account, error, rest_seconds=rest)
                if isinstance(error, AccountUnsuitable | GrantUnreadable):
                    return replace(failure, quarantine=True, sample=error.sample)
                return replace(failure, wears_out=True, sample=error.sample)

    def _try_again(self, claim: Claim, error: PlatformTrouble) -> Item:
        attempts = claim.attempts + 1
        if attempts >= self._attempts:
            return replace(_failure(claim.account, error), wears_out=True)
        wait = _RETRY_SECONDS[min(attempts, len(_RETRY_SECONDS)) - 1]
        jittered = wait * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
        return Retry(
            account=claim.account,
            outcome=error.outcome,
            error=str(error),
            due_at=self._clock.now() + timedelta(seconds=jittered),
            attempts=attempts,
        )


def _failure(
    account: Account, error: ItemError | PlatformError, *, rest_seconds: float = _REST_SECONDS
) -> Failure:
    return Failure(
        account=account, outcome=error.outcome, error=str(error), rest_seconds=rest_seconds
    )
