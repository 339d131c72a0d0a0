"""What a platform allows one credential."""

from __future__ import annotations

from dataclasses import dataclass


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
