from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from syncd.cli.console import Console


def test_foreign_text_reaches_the_terminal_escaped(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    console.show("a\x1b[31mb\nc")
    console.say("d\u202ee")
    console.show_table([("f\x07", "g")])

    out, err = capsys.readouterr()
    assert out == "a\\x1b[31mb\\nc\nf\\x07  g\n"
    assert err == "d\\u202ee\n"


def test_columns_line_up_also_under_wide_letters(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    console.show_table([("NAME", "STATE"), ("世界", "ok"), ("e\u0301", "FAILED")])

    lines = capsys.readouterr().out.splitlines()
    assert lines == ["NAME  STATE", "世界  ok", "e\u0301     FAILED"]


def test_json_knows_instants(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    console.show_json({"at": datetime(2026, 1, 1, tzinfo=UTC)})

    assert json.loads(capsys.readouterr().out) == {"at": "2026-01-01T00:00:00+00:00"}
