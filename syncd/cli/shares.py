"""What a run came to on each platform, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.cli.console import Console
from syncd.cli.words import NONE, in_words, listed, share_in_words

_HEADING = (
    *("PLATFORM", "USERS", "PROFILES", "CREATED", "UPDATED", "UNCHANGED", "FAILURES", "SUCCESS"),
    *("MEAN", "CALLS", "CAUSES"),
)
_COUNTS = ("users", "profiles", "created", "updated", "unchanged", "failed")


def show_shares(console: Console, run: Mapping[str, Any]) -> None:
    """Show the table below what was shown before; nothing where no platform was asked."""
    shares: Mapping[str, Mapping[str, Any]] = run.get("platforms") or {}
    if shares:
        console.show("")
        console.show_table([_HEADING, *(_row(name, share) for name, share in shares.items())])


def _row(name: str, share: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        *(f"{share[count]:,}" for count in _COUNTS),
        share_in_words(share["success_rate"]),
        _mean(share["mean_seconds"]),
        f"{share['calls']:,}",
        listed(share["failures"]) or NONE,
    )


def _mean(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else in_words(seconds)
