from __future__ import annotations

import json

import pytest

from syncd.cli import main

AUTUMN = ["--from", "2026-10-31", "--until", "2026-11-02", "--tz", "America/New_York"]


def test_fire_times_are_shown_local_and_in_utc_with_what_the_clocks_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["next", "--schedule", "30 1 * * *", *AUTUMN])

    shown = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [row[:2] for row in shown] == [
        ["2026-10-31 01:30 -04:00", "05:30Z"],
        ["2026-11-01 01:30 -04:00", "05:30Z"],
        ["2026-11-02 01:30 -05:00", "06:30Z"],
    ]
    assert shown[1][-1] == "(clock repeats 01:30; fixed hour fires once)"


def test_json_keeps_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    main(["next", "--json", "--schedule", "30 1 * * *", *AUTUMN, "--count", "2"])

    assert json.loads(capsys.readouterr().out) == [
        {"at": "2026-10-31T01:30:00-04:00", "utc": "2026-10-31T05:30:00Z", "note": ""},
        {
            "at": "2026-11-01T01:30:00-04:00",
            "utc": "2026-11-01T05:30:00Z",
            "note": "clock repeats 01:30; fixed hour fires once",
        },
    ]


def test_start_with_a_time_is_not_a_fire_time_itself(capsys: pytest.CaptureFixture[str]) -> None:
    main(["next", "--json", "--schedule", "0 * * * *", "--from", "2026-05-01T01:00Z", "--count=1"])

    assert json.loads(capsys.readouterr().out)[0]["utc"] == "2026-05-01T02:00:00Z"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--schedule", "0 0 31 2 *"], "never fires"),
        (["--schedule", "nonsense"], "fields"),
        (["--schedule", "0 0 * * *", "--tz", "Asia/Kolkatta"], 'did you mean "Asia/Kolkata"?'),
        (["--schedule", "0 0 * * *", "--from", "tomorrow"], "no date and time"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["next", *options])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_time_in_which_nothing_fires_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["next", "--json", "--schedule", "@yearly", *AUTUMN])

    assert (code, capsys.readouterr().out) == (0, "[]\n")
