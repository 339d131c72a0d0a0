"""What a run would take, told before it begins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run that began now would do, as far as limits and what is due tell it.

    `items` are due, `calls` the most it would take to ask for them, `seconds` how long that lasts
    at the platforms' limits, what they wait for now included; `waits_for` says in words what that
    is, empty where nothing is in the way.
    """

    items: int
    calls: int
    seconds: float
    waits_for: str = ""
