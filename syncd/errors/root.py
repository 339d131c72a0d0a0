"""The root of the error tree."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar


class SyncdError(Exception):
    """The root of everything syncd raises on purpose.

    Args:
        message: what was attempted and with which values; lower case, no full stop, no secret.
        retry_after: how long the other side asked us to wait, where it did.
        hint: one sentence telling the operator what to do.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, retry_after: timedelta | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.hint = hint
