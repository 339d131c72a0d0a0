"""What a platform allows one credential."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from syncd.config.models import PlatformSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform allows one credential.

    `rate` is permits per second, `quota` requests per `quota_seconds` (None: no such limit),
    `reserve` the share of it that scheduled requests leave alone, `slots` requests at a time,
    `timeout_seconds` the deadline of one request.
    """

    rate: float
    burst: int = 1
    quota: int | None = None
    quota_seconds: float = 3600.0
    reserve: float = 0.0
    slots: int = 10
    timeout_seconds: float = 30.0

    @classmethod
    def from_settings(cls, settings: PlatformSettings) -> Self:
        """Return the limits that config.toml names."""
        rate, quota = settings.rate, settings.quota
        return cls(
            rate=math.inf if rate is None else rate.per_second,
            burst=settings.burst,
            quota=None if quota is None else int(quota.count),
            quota_seconds=3600.0 if quota is None else quota.seconds,
            reserve=settings.reserve,
            slots=settings.slots,
            timeout_seconds=settings.timeout.total_seconds(),
        )

    def narrowed(self, an_hour: int) -> Self:
        """Return them with at most so many requests an hour."""
        if self.quota is not None and self.quota / self.quota_seconds <= an_hour / 3600:
            return self
        return replace(self, quota=an_hour, quota_seconds=3600.0)
