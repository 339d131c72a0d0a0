"""Delays that look random and are the same whenever they are asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

_WHOLE = 1 << 64


def share(*words: object) -> float:
    """Return a number from 0 up to, not including, 1 that is always the same for these words."""
    text = "\0".join(map(str, words)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / _WHOLE


def due_at(
    job: str, fire_time: datetime, following: datetime | None, jitter: timedelta
) -> datetime:
    """Return when a fire is due: up to `jitter` after its time, always before the following one."""
    if not jitter:
        return fire_time
    widest = jitter if following is None else min(jitter, following - fire_time)
    delay = int(widest / timedelta(microseconds=1) * share(job, fire_time.isoformat()))
    return fire_time + timedelta(microseconds=delay)
