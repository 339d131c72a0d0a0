"""One delivery did not arrive: whether it may yet, and how far the failure reaches."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from syncd.errors.root import SyncdError


class Reach(StrEnum):
    """Whom a failure is about.

    DELIVERY: this message only. ADDRESS: nothing reaches this address any more. CHANNEL: nothing
    can be delivered to anybody until something is mended, or for a while.
    """

    DELIVERY = "delivery"
    ADDRESS = "address"
    CHANNEL = "channel"


class DeliveryError(SyncdError):
    """Reaches one delivery: it did not arrive; `permanent`: another attempt would not either.

    Args:
        message: what was attempted, without the address.
        permanent: whether another attempt is senseless.
        retry_after: when the receiver wants to be asked again.
        hint: what a person can do.
        reach: whom it is about. Of a whole channel nothing is counted as an attempt.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool,
        retry_after: timedelta | None = None,
        hint: str = "",
        reach: Reach = Reach.DELIVERY,
    ) -> None:
        super().__init__(message, retry_after=retry_after, hint=hint or None)
        self.permanent = permanent
        self.reach = reach


class DeliveryUnknown(DeliveryError):
    """Reaches one delivery: it left, and nobody knows whether it arrived."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, permanent=False, hint=hint)


class DeliveryWaits(DeliveryError):
    """Reaches one delivery: it was not tried, because whom it goes to wants to be left alone."""

    def __init__(self, message: str, *, wait: timedelta, hint: str = "") -> None:
        super().__init__(message, permanent=False, retry_after=wait, hint=hint)
        self.wait = wait
