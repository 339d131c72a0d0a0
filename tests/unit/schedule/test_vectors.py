"""The conformance vectors that live beside the recorded answers, outside this project."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import main
from syncd.errors import ConfigError
from syncd.schedule.cron import parse_cron

CHECKOUT = Path(__file__).parents[3]
NAMED = os.environ.get("SYNCD_PAYLOADS")
PAYLOADS = Path(NAMED or CHECKOUT.parent / "shared" / "payloads")
VECTORS = PAYLOADS.parent / "schedule-vectors.json"
RECORDED: dict[str, Any] = json.loads(VECTORS.read_text("utf-8")) if VECTORS.exists() else {}

# Whoever names the folder means to run them: without the file the tests fail.
pytestmark = pytest.mark.skipif(not (RECORDED or NAMED), reason=f"there is no {VECTORS.name} here")

Record = Callable[[str, object], None]


def fires(vector: dict[str, Any]) -> list[datetime]:
    schedule = parse_cron(vector["expr"], vector["tz"])
    found = [datetime.fromisoformat(vector["after"])]
    for _ in vector["expected"]:
        following = schedule.next_after(found[-1])
        assert following is not None
        found.append(following)
    return found[1:]


def test_every_vector_that_fires_fires_as_recorded(record_property: Record) -> None:
    vectors = [vector for vector in RECORDED["vectors"] if vector["expected"]]

    wrong = [
        vector["id"]
        for vector in vectors
        if fires(vector) != [datetime.fromisoformat(text) for text in vector["expected"]]
    ]

    assert vectors
    assert not wrong
    record_property("schedule_vectors", len(vectors))


def test_next_shows_every_vector_as_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []

    for vector in RECORDED["vectors"]:
        options = ["--tz", vector["tz"], "--from", vector["after"]]
        count = str(len(vector["expected"]) or 1)
        code = main(["next", "--json", "--schedule", vector["expr"], *options, "--count", count])
        out = capsys.readouterr().out
        shown = [each["at"] for each in json.loads(out)] if code == 0 else []
        if shown != vector["expected"] or code != (0 if vector["expected"] else 2):
            wrong.append(vector["id"])

    assert not wrong


def test_every_vector_that_never_fires_is_refused(record_property: Record) -> None:
    vectors = [vector for vector in RECORDED["vectors"] if not vector["expected"]]

    for vector in vectors:
        with pytest.raises(ConfigError, match="never fires"):
            parse_cron(vector["expr"], vector["tz"])

    assert vectors
    record_property("schedule_vectors", len(vectors))


def test_what_the_vectors_reject_is_refused_and_what_they_accept_is_read(
    record_property: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = [case for case in RECORDED["reject"] if case["expected"].startswith("accept")]
    rejected = [case for case in RECORDED["reject"] if case not in accepted]

    for case in rejected:
        assert main(["next", "--schedule", case["expr"]]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("syncd: schedule ")
        assert err.count("\n") == 1
    for case in accepted:
        assert parse_cron(case["expr"], "UTC").expression

    assert rejected
    record_property("schedule_vectors", len(RECORDED["reject"]))
