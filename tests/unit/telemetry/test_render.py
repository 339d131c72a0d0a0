from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.telemetry.render import TextRenderer, escape, render_json

NASTY = "a\nb\x1b[31mc\x07d\x9be\u202ef\u2028g\x7fh\ud800i"


def line(**keys: Any) -> dict[str, Any]:
    return {"timestamp": "2026-11-22T06:32:10.123Z", "level": "info", "event": "run.started"} | keys


@pytest.mark.parametrize("render", [render_json, TextRenderer(), TextRenderer(width=30)])
def test_no_control_character_of_any_kind_leaves_a_line(render: Any) -> None:
    text = render(line(error=NASTY, message=NASTY, deep={NASTY: [NASTY]}))

    assert text.isprintable()
    assert text.encode()


def test_json_gives_foreign_text_back_as_it_was() -> None:
    assert json.loads(render_json(line(error=NASTY)))["error"] == NASTY


@pytest.mark.parametrize("value", [float("nan"), {("a", 1): 2}, object()])
def test_json_renders_what_json_does_not_know(value: Any) -> None:
    assert json.loads(render_json(line(value=value)))["event"] == "run.started"


def test_json_renders_a_circle() -> None:
    circle: list[Any] = []
    circle.append(circle)

    assert json.loads(render_json(line(value=circle)))["value"] == "[[...]]"


def test_text_begins_with_the_sentence_and_ends_with_the_run() -> None:
    text = TextRenderer()(line(run_id=4812, job="github", message="Sync completed", seen=3))

    assert text == (
        "2026-11-22T06:32:10.123Z INFO     Sync completed"
        " event=run.started job=github seen=3 run=4812"
    )


def test_text_quotes_what_could_be_taken_for_another_key() -> None:
    text = TextRenderer()(line(error='a "b" run=1', empty="", counts={"a": 1}))

    assert text.endswith(r' error="a \"b\" run=1" empty="" counts={"a":1}')


def test_text_writes_instants_in_iso() -> None:
    text = TextRenderer()(line(fire_time=datetime(2026, 1, 1, tzinfo=UTC)))

    assert text.endswith(" fire_time=2026-01-01T00:00:00+00:00")


def test_a_stack_follows_on_indented_lines() -> None:
    text = TextRenderer()(line(stack="Traceback:\n  in f\nValueError: \x1b[1m"))

    assert text.splitlines()[1:] == [
        "    Traceback:",
        "      in f",
        r"    ValueError: \x1b[1m",
    ]


def test_colour_is_ours_alone() -> None:
    text = TextRenderer(colour=True)(line(error="\x1b[31m"))

    assert text.count("\x1b") == 4
    assert r"\x1b[31m" in text


def test_text_that_prints_is_left_alone() -> None:
    assert escape("Ünïcode 漢字 😀") == "Ünïcode 漢字 😀"
