"""What a run came to in plays, how long one would take, and how a user's grant stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from syncd.cli.words import NONE, counted, distance, in_words, instant, minute

Told = Mapping[str, Any]

_PLAYS = ("inserted", "repeated", "skipped")
_MANY_SECONDS = 600.0


def plays_in_words(plays: Told) -> str:
    """Write what came of plays: `312 inserted, 88 repeated, 1 skipped; 1 possible gap`."""
    words = [f"{plays[name]:,} {name}" for name in _PLAYS if plays[name] or name == "inserted"]
    gaps = f"; {counted(plays['gaps'], 'possible gap')}" if plays["gaps"] else ""
    return ", ".join(words) + gaps


def forecast_in_words(forecast: Told) -> str:
    """Write what a run would take: `about 200 s for 100 users`, and what it waits for first."""
    seconds = forecast["seconds"]
    long = f"{seconds:,.0f} s" if seconds < _MANY_SECONDS else in_words(seconds)
    waits = f"; waits for {forecast['waits_for']}" if forecast["waits_for"] else ""
    return f"about {long} for {counted(forecast['items'], 'user')}{waits}"


def listener_rows(told: Told | None, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield how an account's grant stands, what was heard, and where plays may be missing."""
    if told is None:
        return
    yield "grant", "none" if told["grant"] is None else _grant_in_words(told["grant"], now)
    plays = told["plays"]
    newest = f", the newest of {minute(plays['newest_at'])}" if plays["stored"] else ""
    yield "plays", f"{plays['stored']:,} stored{newest}"
    for gap in told["gaps"]:
        between = f"between {minute(gap['after'])} and {minute(gap['before'])}"
        yield "gap", f"plays {between} may be lost (run {gap['run_id']})"


def _grant_in_words(grant: Told, now: datetime) -> str:
    ends_at = instant(grant["refresh_expires_at"])
    end = NONE if ends_at is None else f"{ends_at:%Y-%m-%d} ({distance(ends_at, now)})"
    words = [_health_in_words(grant), f"given {minute(grant['granted_at'])[:10]}", f"ends {end}"]
    if grant["refreshed_at"] is not None:
        words.append(f"last refreshed {minute(grant['refreshed_at'])}")
    return ", ".join(words)


def _health_in_words(grant: Told) -> str:
    since = f" since {minute(grant['suspect_since'])}" if grant["suspect_since"] else ""
    why = f": {grant['health_reason']}" if grant["health_reason"] else ""
    return f"{grant['health']}{since}{why}"
