"""What a run came to on each platform, as a table that fits on 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.cli.console import Console
from syncd.cli.words import NONE, latency, listed, share_in_words, wrapped

_HEADING = ("NEW", "UPDATED", "SAME", "FAILED", "SUCCESS", "MEAN", "CALLS")
ASKS_NOBODY = frozenset({"users", "leaderboard", "cleanup", "notify"})
"""The job kinds that ask no platform."""

_RULES = {
    "contests": "contests that ended",
    "read_notifications": "notifications that were read",
    "unread_notifications": "notifications that were not read",
    "inactive_users": "users marked as inactive",
    "expired_grants": "tokens of grants that ended",
    "outcomes": "outcomes of items",
    "runs": "runs",
    "letters": "settled dead letters",
    "tombstones_left": "tombstones of jobs that do not run",
}

Shares = Mapping[str, Mapping[str, Any]]
_COUNTS = ("users", "created", "updated", "unchanged", "failed")


def show_shares(console: Console, run: Mapping[str, Any]) -> None:
    """Show the table below what was shown before; nothing where no platform was asked.

    Why accounts failed stands below it, cause by cause.
    """
    shares: Shares = run.get("platforms") or {}
    if shares:
        console.show("")
        items = "CONTESTS" if run["kind"] == "contests" else "USERS"
        heading = ("PLATFORM", items, *_HEADING)
        console.show_table([heading, *(_row(name, share) for name, share in shares.items())])
        for cause, counts in _causes(shares).items():
            console.show(*wrapped(f"{cause}: {listed(counts)}", "  "))


def _causes(shares: Shares) -> Mapping[str, Mapping[str, int]]:
    """Return how often accounts failed for each cause, by platform; then who was left out."""
    causes = sorted({cause for share in shares.values() for cause in share["failures"]})
    found = {
        cause: {name: share["failures"].get(cause, 0) for name, share in shares.items()}
        for cause in causes
    }
    skipped = {name: share["skipped"] for name, share in shares.items()}
    return found | {"skipped": skipped} if any(skipped.values()) else found


def _row(name: str, share: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        *(f"{share[count]:,}" for count in _COUNTS),
        share_in_words(share["success_rate"]),
        NONE if share["mean_seconds"] is None else latency(share["mean_seconds"]),
        f"{share['calls']:,}",
    )


def cleaned_in_words(counts: Mapping[str, int]) -> str:
    """Write what a clean-up came to by rule: `12 contests that ended, 3 runs`."""
    words = [f"{counts[rule]:,} {what}" for rule, what in _RULES.items() if counts.get(rule)]
    return ", ".join(words) or "nothing was old"
