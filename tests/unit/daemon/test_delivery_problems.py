"""What a person is told of deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from syncd.daemon.delivery_problems import held_problems, rest_problems
from syncd.jobs.channel_gates import Rest

AT = datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_deliveries_that_nobody_knows_of_are_one_problem_that_says_what_to_do() -> None:
    rows = [
        {"channel": "email", "state": "pending", "deliveries": 9},
        {"channel": "email", "state": "unknown", "deliveries": 2},
        {"channel": "whatsapp", "state": "unknown", "deliveries": 3},
    ]

    [problem] = held_problems(rows)

    assert problem["what"] == "5 deliveries wait for a person: whatsapp 3, email 2"
    assert "syncd outbox list" in problem["hint"]
    assert held_problems(rows[:1]) == []


def test_a_channel_that_rests_says_since_when_until_when_and_why() -> None:
    rest = Rest(
        channel="email", since=AT, until=AT + timedelta(hours=1), error="535 refused", hint="mend"
    )

    assert rest_problems([rest]) == [
        {
            "what": "email delivers nothing since 2026-01-01 08:00 UTC and rests until "
            "2026-01-01 09:00 UTC: 535 refused",
            "hint": "mend",
        }
    ]
