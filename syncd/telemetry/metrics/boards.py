"""What is measured of leaderboards: both sides as the newest run left them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from syncd.telemetry.metrics.families import gauge, known
from syncd.telemetry.readings import BoardReading


def of_boards(boards: BoardReading, jobs: frozenset[str]) -> Iterator[Metric]:
    """Yield what is known of the leaderboards of these jobs."""
    families = (
        (
            "users",
            "Users on any board (side redis) and rows of the table (side postgresql).",
            ("job", "side"),
            boards.users,
        ),
        (
            "score_sum",
            "Sum of all scores of a board, and of the column that follows it.",
            ("job", "board", "side"),
            boards.sums,
        ),
        (
            "drift_rows",
            "Rows that differ from Redis although nothing holds them back.",
            ("job",),
            boards.rows,
        ),
        ("held_deletes", "Deletions that wait for a person.", ("job",), boards.held),
        (
            "waiting_deletes",
            "Deletions that wait until their users were missing for long enough.",
            ("job",),
            boards.waiting,
        ),
        (
            "phase_seconds",
            "How long each phase of the newest run took.",
            ("job", "phase"),
            boards.seconds,
        ),
    )
    for name, help_text, labels, values in families:
        yield gauge(f"syncd_leaderboard_{name}", help_text, labels, known(values, jobs))
