from __future__ import annotations

import json

import pytest

from syncd.cli import main

AUTUMN = ["--from", "2026-10-31", "--until", "2026-11-02", "--tz", "America/New_York"]


def test_fire_times_are_shown_local_and_in_utc_with_what_the_clocks_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["next", "--schedule", "30 1 * * *", *AUTUMN])

    words, *lines = capsys.readouterr().out.splitlines()
    shown = [line.split("  ") for line in lines]
    assert code == 0
    assert words == "every day at 01:30 America/New_York"
    assert [row[:2] for row in shown] == [
        ["2026-10-31 01:30 -04:00", "05:30Z"],
        ["2026-11-01 01:30 -04:00", "05:30Z"],
        ["2026-11-02 01:30 -05:00", "06:30Z"],
    ]
    assert lines[1].endswith("  (clock repeats 01:30; fixed hour fires once)")


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
        (["--schedule", "nonsense"], "it has 1 field,"),
        (["--schedule", "0 0 * * *", "--tz", "Asia/Kolkatta"], 'did you mean "Asia/Kolkata"?'),
        (["--schedule", "0 0 * * *", "--tz", ""], 'such as "Asia/Kolkata" or "UTC"'),
        (["--schedule", "0 0 * * *", "--tz", "+05:30"], 'such as "Asia/Kolkata" or "UTC"'),
        (["--schedule", "0 0 * * *", "--from", "tomorrow"], "no date and time"),
        (["--schedule", "0 0 * * *", "--until", "1999-01-01"], "is not later than now"),
        (
            ["--schedule", "0 0 * * *", "--from", "2026-05-02", "--until", "2026-05-01"],
            "--until 2026-05-01 is not later than --from 2026-05-02",
        ),
        (["--schedule", "@every 5m"], 'write every = "5m" instead of a schedule'),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["next", *options])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_schedule_that_other_crons_refuse_is_remarked_on_beside_the_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["next", "--json", "--schedule", "59/15 * * * *", "--count", "1"])

    out, err = capsys.readouterr()
    assert (code, len(json.loads(out))) == (0, 1)
    assert '"59/15" steps on to the end of its field' in err


def test_a_year_of_half_hours_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    year = ["--from", "2026-01-01", "--until", "2026-12-31", "--tz", "Europe/Berlin"]

    main(["next", "--json", "--schedule", "*/30 * * * *", *year])

    shown = json.loads(capsys.readouterr().out)
    assert len(shown) == 365 * 48
    assert len({each["utc"] for each in shown}) == 365 * 48


@pytest.mark.parametrize("timezone", ["Asia/Kolkata", "America/New_York"])
def test_the_ends_of_the_calendar_are_no_accident(
    timezone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["next", "--json", "--schedule", "0 0 * * *", "--tz", timezone]

    assert main([*where, "--from", "0001-01-03", "--count", "1"]) == 0
    assert main([*where, "--from", "9999-12-30", "--count", "1"]) == 0
    assert capsys.readouterr().out.endswith("[]\n")


def test_a_time_in_which_nothing_fires_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["next", "--json", "--schedule", "@yearly", *AUTUMN])

    assert (code, capsys.readouterr().out) == (0, "[]\n")
