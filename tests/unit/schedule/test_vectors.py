"""The conformance vectors that live beside the recorded answers, outside this project."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.schedule.cron import parse_cron

CHECKOUT = Path(__file__).parents[3]
PAYLOADS = Path(os.environ.get("SYNCD_PAYLOADS", CHECKOUT.parent / "shared" / "payloads"))
VECTORS = PAYLOADS.parent / "schedule-vectors.json"
RECORDED: dict[str, Any] = json.loads(VECTORS.read_text("utf-8")) if VECTORS.exists() else {}

pytestmark = pytest.mark.skipif(not RECORDED, reason=f"no schedule vectors at {VECTORS.name}")


def fires(vector: dict[str, Any]) -> list[datetime]:
    schedule = parse_cron(vector["expr"], vector["tz"])
    found = [datetime.fromisoformat(vector["after"])]
    for _ in vector["expected"]:
        found.append(schedule.next_after(found[-1]))
    return found[1:]


def test_every_vector_that_fires_fires_as_recorded(
    record_property: Callable[[str, object], None],
) -> None:
    vectors = [vector for vector in RECORDED["vectors"] if vector["expected"]]

    wrong = [
        vector["id"]
        for vector in vectors
        if fires(vector) != [datetime.fromisoformat(text) for text in vector["expected"]]
    ]

    assert vectors
    assert not wrong
    record_property("schedule_vectors", len(vectors))


def test_every_vector_that_never_fires_is_refused(
    record_property: Callable[[str, object], None],
) -> None:
    vectors = [vector for vector in RECORDED["vectors"] if not vector["expected"]]

    for vector in vectors:
        with pytest.raises(ConfigError, match="never fires"):
            parse_cron(vector["expr"], vector["tz"])

    assert vectors
    record_property("schedule_vectors", len(vectors))


def test_what_the_vectors_reject_is_refused_and_what_they_accept_is_read(
    record_property: Callable[[str, object], None],
) -> None:
    accepted = [case for case in RECORDED["reject"] if case["expected"].startswith("accept")]
    rejected = [case for case in RECORDED["reject"] if case not in accepted]

    for case in rejected:
        with pytest.raises(ConfigError) as refusal:
            parse_cron(case["expr"], "UTC")
        assert "\n" not in str(refusal.value)
    for case in accepted:
        assert parse_cron(case["expr"], "UTC").expression

    assert rejected
    record_property("schedule_vectors", len(RECORDED["reject"]))
