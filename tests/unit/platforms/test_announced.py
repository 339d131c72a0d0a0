from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.errors import BadPayload
from syncd.model.contest import Contest
from syncd.platforms.announced import (
    collect,
    end_after,
    id_in,
    iso_time_in,
    joint_id,
    name_in,
    raw_of,
    unix_time_in,
)
from syncd.platforms.shape import Shape

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(**data: Any) -> Shape:
    return Shape(data, "codeforces", "$.result[3]")


def contest(shape: Shape) -> Contest:
    return Contest(
        platform="codechef",
        external_id=id_in(shape, "id"),
        joint_id=joint_id("codechef", id_in(shape, "id")),
        name=name_in(shape, "name"),
        url="https://www.codechef.com/x",
        starts_at=AT,
        ends_at=AT,
        duration_seconds=0,
    )


def placed(*rows: Any) -> list[tuple[str, Any]]:
    return [(f"$[{place}]", data) for place, data in enumerate(rows)]


def test_row_that_cannot_be_read_is_a_sentence_and_the_others_are_kept() -> None:
    rows = placed({"id": "A", "name": "a"}, 7, {"id": "B"}, {"id": "C", "name": "c"})

    found = collect("codechef", rows, contest, is_whole=True)

    assert [each.external_id for each in found.contests] == ["A", "C"]
    assert found.unread == [
        "'codechef': $[1] is no object but 7",
        "'codechef': $[2].name is missing",
    ]
    assert (found.source, found.is_whole) == ("codechef", True)


def test_list_of_which_no_row_can_be_read_is_no_list() -> None:
    with pytest.raises(BadPayload, match=r"none of 2 rows can be read; 'codechef': \$\[0\] is no"):
        collect("codechef", placed(1, 2), contest, is_whole=True)


def test_list_without_rows_is_an_empty_one() -> None:
    found = collect("codechef", [], contest, is_whole=False)

    assert (found.contests, found.unread) == ([], [])


def test_contest_that_is_listed_twice_is_told_by_its_first_row() -> None:
    rows = placed(
        {"id": "START134B", "name": "first"},
        {"id": "START134", "name": "second"},
        {"id": "START135", "name": "another"},
    )

    found = collect("codechef", rows, contest, is_whole=False)

    assert [(each.external_id, each.joint_id) for each in found.contests] == [
        ("START134B", "START134"),
        ("START135", "START135"),
    ]


@pytest.mark.parametrize(
    ("platform", "told", "joint"),
    [
        ("codechef", "START134A", "START134"),
        ("codechef", "START134D", "START134"),
        ("codechef", "START134", "START134"),
        ("codechef", "START134Z", "START134Z"),
        ("codechef", "APRIL19B", "APRIL19B"),
        ("atcoder", "START134A", "START134A"),
    ],
)
def test_only_a_division_of_a_codechef_round_goes_by_another_id(
    platform: str, told: str, joint: str
) -> None:
    assert joint_id(platform, told) == joint


@pytest.mark.parametrize(
    "text", ["", " ", "..", "a b", "a/b", "é", "a\n", "\ud800", "a" * 101, 7, None, "?x", "#"]
)
def test_what_cannot_stand_in_an_address_is_no_id(text: object) -> None:
    with pytest.raises(BadPayload, match=r"\$\.result\[3\]\.id"):
        id_in(row(id=text), "id")


def test_name_is_kept_as_it_is_told_but_for_what_cannot_be_stored() -> None:
    told = "  Round\n\u202e 1\0 \ud83d <b>"

    assert name_in(row(name=told), "name") == "  Round\n\u202e 1\ufffd \ufffd <b>"


def test_what_is_kept_of_a_row_can_be_stored_and_does_not_change_by_itself() -> None:
    kept = raw_of(
        row(passed=7, id=1, **{"\0": ["a\0", {"\udfff": "\ud800"}, 1.5, None, True]}),
        without={"passed"},
    )

    assert kept == {"id": 1, "\ufffd": ["a\ufffd", {"\ufffd": "\ufffd"}, 1.5, None, True]}


@pytest.mark.parametrize(
    ("told", "instant"),
    [
        ("2021-04-24 21:00:00+0900", datetime(2021, 4, 24, 12, tzinfo=UTC)),
        ("2024-05-15T20:00:00+05:30", datetime(2024, 5, 15, 14, 30, tzinfo=UTC)),
        ("2024-05-15T20:00:00Z", datetime(2024, 5, 15, 20, tzinfo=UTC)),
    ],
)
def test_instant_is_read_in_any_zone(told: str, instant: datetime) -> None:
    assert iso_time_in(row(at=told), "at") == instant


def test_instant_without_a_zone_is_read_where_it_is_known_to_be_utc() -> None:
    assert iso_time_in(row(at="2026-03-01T12:00:00"), "at", is_utc=True) == AT


@pytest.mark.parametrize(
    "told",
    [
        "2026-03-01T12:00:00", "tomorrow", "1989-12-31T23:59:59+00:00", "2100-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", 7, None,
    ],
)  # fmt: skip
def test_what_is_no_instant_of_ours_is_refused(told: object) -> None:
    with pytest.raises(BadPayload, match=r"\$\.result\[3\]\.at"):
        iso_time_in(row(at=told), "at")


@pytest.mark.parametrize("told", [-1, 0, 631_151_999, 4_102_444_800, 2**62, 1e9, "1e9", None])
def test_what_is_no_unix_time_of_ours_is_refused(told: object) -> None:
    with pytest.raises(BadPayload, match=r"\$\.result\[3\]\.at"):
        unix_time_in(row(at=told), "at")


def test_unix_time_is_read_from_the_first_second_to_the_last() -> None:
    assert unix_time_in(row(at=631_152_000), "at") == datetime(1990, 1, 1, tzinfo=UTC)
    assert unix_time_in(row(at=4_102_444_799), "at").year == 2099


@pytest.mark.parametrize("seconds", [10**10, 2**63 - 1])
def test_contest_that_would_end_after_all_others_is_refused(seconds: int) -> None:
    with pytest.raises(BadPayload, match="is no duration"):
        end_after(row(seconds=seconds), "seconds", AT, seconds)
