"""What a channel's answer makes of a delivery: sent, tried again, given up, or not known."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from syncd.errors import DeliveryError, DeliveryUnknown, DeliveryWaits
from syncd.errors.delivery import Reach
from syncd.model.delivery import Delivery, Refusal, Settled
from syncd.model.notification import DeliveryState, Receipt, UnknownPolicy

_FIRST_BACKOFF = timedelta(minutes=1)
_LONGEST_BACKOFF = timedelta(hours=4)
_RESENT_AFTER = timedelta(minutes=1)
_LONGEST_ERROR = 400


class Judge:
    """Decides for one channel.

    Args:
        attempts: how often a delivery is tried.
        on_unknown: what becomes of one of which nobody knows whether it arrived.
        random: spreads what is tried again.
        dead_at_once: whether one refusal is enough to give an address up.
    """

    def __init__(
        self, attempts: int, on_unknown: UnknownPolicy, random: Random, *, dead_at_once: bool = True
    ) -> None:
        self._attempts = attempts
        self._on_unknown = on_unknown
        self._random = random
        self._dead_at_once = dead_at_once

    @property
    def resends(self) -> bool:
        """Whether what is not known to have arrived is sent once more."""
        return self._on_unknown is UnknownPolicy.RESEND

    def settle(self, delivery: Delivery, answer: Receipt | DeliveryError, at: datetime) -> Settled:
        """Return what becomes of a delivery; what is about the channel is not decided here."""
        if isinstance(answer, Receipt):
            return Settled(delivery=delivery, state=DeliveryState.SENT, reference=answer.reference)
        if isinstance(answer, DeliveryUnknown):
            return self._doubt(delivery, answer, at)
        if isinstance(answer, DeliveryWaits):
            return put_off(delivery, at + answer.wait, answer)
        if answer.permanent:
            dead = answer.reach is Reach.ADDRESS and self._dead_at_once
            return _failed(delivery, answer, Refusal.DEAD if dead else Refusal.DAY)
        if delivery.attempts >= self._attempts:
            return _failed(delivery, answer, Refusal.NONE)
        return put_off(delivery, self._next(delivery, answer, at), answer)

    def _doubt(self, delivery: Delivery, answer: DeliveryUnknown, at: datetime) -> Settled:
        again = at + _RESENT_AFTER
        once_more = self.resends and delivery.unknowns == 0 and again < delivery.expires_at
        return Settled(
            delivery=delivery,
            state=DeliveryState.PENDING if once_more else DeliveryState.UNKNOWN,
            next_attempt_at=again if once_more else None,
            error=_words(answer),
            hint=answer.hint or "it may have arrived, or not",
            is_unknown=True,
        )

    def _next(self, delivery: Delivery, answer: DeliveryError, at: datetime) -> datetime:
        """Return when a delivery is tried again: never before the receiver asks for it."""
        ceiling: timedelta = min(_FIRST_BACKOFF * 4 ** (delivery.attempts - 1), _LONGEST_BACKOFF)
        wait = ceiling * self._random.uniform(0.75, 1.25)
        # A contest that begins before is worth a try that comes sooner.
        wait = min(wait, (delivery.expires_at - at) / 2)
        return at + (wait if answer.retry_after is None else max(wait, answer.retry_after))


def unforeseen(delivery: Delivery, error: BaseException) -> Settled:
    """Keep for a person what failed as nobody foresaw: whether it left is not known."""
    return Settled(
        delivery=delivery,
        state=DeliveryState.UNKNOWN,
        error=f"unforeseen {type(error).__name__} in channel {delivery.channel}",
        hint="it may have left; its stack is in the log",
        is_unknown=True,
    )


def put_off(delivery: Delivery, until: datetime, error: DeliveryError | None = None) -> Settled:
    """Let a delivery wait; nothing was tried where there is no error or it is the channel's."""
    return Settled(
        delivery=delivery,
        state=DeliveryState.PENDING,
        next_attempt_at=until,
        error="" if error is None else _words(error),
        hint="" if error is None else error.hint or "",
        is_attempt=error is not None and not _is_untried(error),
    )


def nothing_to_tell(delivery: Delivery) -> Settled:
    """Leave out a digest of contests that are not to come any more."""
    return Settled(
        delivery=delivery,
        state=DeliveryState.DROPPED,
        error="no contest of it is to come any more",
        is_attempt=False,
    )


def _failed(delivery: Delivery, answer: DeliveryError, refusal: Refusal) -> Settled:
    words = _words(answer)
    if not answer.permanent:
        words = f"{words} (given up after {delivery.attempts} attempts)"
    return Settled(
        delivery=delivery,
        state=DeliveryState.FAILED,
        error=words,
        hint=answer.hint or "",
        refusal=refusal,
    )


def _is_untried(error: DeliveryError) -> bool:
    return error.reach is Reach.CHANNEL or isinstance(error, DeliveryWaits)


def _words(error: DeliveryError) -> str:
    # What comes from outside may hold what no column can.
    text = str(error).replace("\0", "?").encode("utf-8", "replace").decode()
    return text[:_LONGEST_ERROR]
