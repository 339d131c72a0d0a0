"""Reconciliations as they are kept, and back: values on one side, JSON on the other.

jsonb keeps no order of keys: boards are a list there, phases are put in order on the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from syncd.model.leaderboard import (
    BoardDrift,
    BoardFacts,
    Drift,
    Reconciliation,
    SourceFacts,
    Verdict,
)
from syncd.store.database import Row

# What has a column of its own.
_COLUMNS = {
    *("run_id", "job", "mode", "is_complete", "is_dry", "at"),
    *("drift", "plan", "backup", "verdict", "source"),
}
_PHASES = ("look", "read", "compare", "rehearse", "recheck", "backup", "apply", "verify")
_BOARD = [field.name for field in fields(BoardDrift)]
_NUMBERS = [field.name for field in fields(Reconciliation) if field.name not in _COLUMNS]

LastSource = tuple[int, datetime, SourceFacts]
"""Which run Redis told something, when, and what."""


def source_to_json(source: SourceFacts) -> dict[str, Any]:
    """Return what Redis said of itself as JSON takes it."""
    boards = [
        {
            "name": name,
            "members": board.members,
            "expires_at": None if board.expires_at is None else board.expires_at.isoformat(),
        }
        for name, board in source.boards.items()
    ]
    return {**asdict(source), "boards": boards}


def source_from_json(text: Mapping[str, Any]) -> SourceFacts:
    """Return what Redis said of itself."""
    boards = {
        board["name"]: BoardFacts(
            members=board["members"],
            expires_at=board["expires_at"] and datetime.fromisoformat(board["expires_at"]),
        )
        for board in text["boards"]
    }
    return SourceFacts(**{**text, "boards": boards})


def to_last_source(row: Row) -> LastSource | None:
    """Return what Redis said to a run; None where it said nothing."""
    if row["run_id"] is None:
        return None
    return row["run_id"], row["at"], source_from_json(row["source"])


def numbers_of(reconciliation: Reconciliation) -> dict[str, Any]:
    """Return what of a reconciliation has no column of its own."""
    source = reconciliation.source
    return {
        **{name: getattr(reconciliation, name) for name in _NUMBERS},
        "verdict": asdict(reconciliation.verdict),
        "source": None if source is None else source_to_json(source),
    }


def to_reconciliation(row: Mapping[str, Any]) -> Reconciliation:
    """Return a row of `reconciliations` as the value it was."""
    numbers, drift = dict(row["numbers"]), row["drift"]
    verdict, source = numbers.pop("verdict"), numbers.pop("source")
    numbers["seconds"] = seconds_from_json(numbers["seconds"])
    for name in ("sample", "notes"):
        numbers[name] = tuple(numbers[name])
    return Reconciliation(
        **{name: row[name] for name in ("run_id", "job", "mode", "is_complete", "is_dry", "at")},
        **numbers,
        verdict=Verdict(**{**verdict, "reasons": tuple(verdict["reasons"])}),
        source=None if source is None else source_from_json(source),
        plan=row["plan_id"],
        backup=row["backup_id"],
        drift=None if drift is None else drift_from_json(drift),
    )


def drift_to_json(drift: Drift) -> dict[str, Any]:
    """Return how far both sides are apart as JSON takes it."""
    boards = [{"name": name, **asdict(board)} for name, board in drift.boards.items()]
    return {**asdict(drift), "boards": boards}


def drift_from_json(text: Mapping[str, Any]) -> Drift:
    """Return how far both sides were apart."""
    boards = {
        board["name"]: BoardDrift(**{key: board[key] for key in _BOARD}) for board in text["boards"]
    }
    return Drift(**{**text, "boards": boards})


def seconds_from_json(text: Mapping[str, float]) -> dict[str, float]:
    """Return how long each phase took, in the order in which they follow each other."""
    ordered = [phase for phase in _PHASES if phase in text]
    return {phase: text[phase] for phase in dict.fromkeys([*ordered, *text])}
