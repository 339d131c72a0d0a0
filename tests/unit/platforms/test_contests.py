"""What each platform's own list of contests is read as, beside what was recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.errors import BadPayload, PlatformDown
from syncd.platforms import (
    atcoder_contests,
    clist,
    codechef_contests,
    codeforces_contests,
    leetcode_contests,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNIX = int(AT.timestamp())


def forces(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"status": "OK", "result": list(rows)}


def force(**changes: Any) -> dict[str, Any]:
    return {"id": 7, "name": "Round 7", "type": "CF", "phase": "BEFORE", "frozen": False,
            "durationSeconds": 7_200, "startTimeSeconds": UNIX, "relativeTimeSeconds": -5,
            **changes}  # fmt: skip


def test_codeforces_contest_without_a_start_is_passed_over() -> None:
    unscheduled = force(id=8)
    del unscheduled["startTimeSeconds"], unscheduled["relativeTimeSeconds"]

    found = codeforces_contests.to_contests(forces(force(), unscheduled))

    assert ([each.external_id for each in found.contests], found.unread) == (["7"], [])


def test_codeforces_list_of_what_has_no_start_is_empty() -> None:
    assert not codeforces_contests.to_contests(forces(force(startTimeSeconds=None))).contests


def test_codeforces_contest_stays_the_same_while_it_runs_and_ends() -> None:
    before, after = (
        codeforces_contests.to_contests(forces(force(phase=phase, relativeTimeSeconds=passed)))
        for phase, passed in (("BEFORE", -5), ("PENDING_SYSTEM_TEST", 10**8))
    )

    assert before.contests == after.contests


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"status": "FAILED", "comment": "no"}, {"status": "OK"},
     {"status": "OK", "result": {}}, {"status": "OK", "result": [{"handle": "ada"}]}],
)  # fmt: skip
def test_what_is_no_codeforces_list_is_refused(data: Any) -> None:
    with pytest.raises(BadPayload):
        codeforces_contests.to_contests(data)


def leet(**changes: Any) -> dict[str, Any]:
    return {"title": "Weekly Contest 7", "titleSlug": "weekly-contest-7", "startTime": UNIX + 900,
            "originStartTime": UNIX, "duration": 5_400, **changes}  # fmt: skip


@pytest.mark.parametrize("key", ["topTwoContests", "upcomingContests", "allContests"])
def test_leetcode_contest_starts_when_it_was_held_for_all(key: str) -> None:
    found = leetcode_contests.to_contests({"data": {key: [leet(description="long")]}})

    [contest] = found.contests
    assert (contest.starts_at, contest.kind, found.is_whole) == (AT, "weekly", False)
    assert "description" not in contest.raw


@pytest.mark.parametrize("changes", [{"originStartTime": None}, {"originStartTime": UNIX + 900}])
def test_leetcode_contest_without_an_original_start_has_one_start(changes: Any) -> None:
    found = leetcode_contests.to_contests({"data": {"topTwoContests": [leet(**changes)]}})

    assert found.contests[0].starts_at.timestamp() == UNIX + 900


def test_leetcode_error_is_one_of_the_site_unless_the_question_is_unknown() -> None:
    with pytest.raises(PlatformDown, match="Internal"):
        leetcode_contests.to_contests({"errors": [{"message": "Internal"}], "data": None})
    with pytest.raises(BadPayload, match="does not know the question"):
        leetcode_contests.to_contests({"errors": [{"message": 'Cannot query field "x"'}]})


def test_leetcode_question_asks_for_no_description() -> None:
    assert "description" not in leetcode_contests.QUESTION["query"]


def chef(code: str = "START134B", **changes: Any) -> dict[str, Any]:
    return {"contest_code": code, "contest_name": "Starters",
            "contest_start_date_iso": "2026-03-01T17:30:00+05:30",
            "contest_end_date_iso": "2026-03-03T20:30:00+05:30", "contest_duration": "180",
            "distinct_users": 5, **changes}  # fmt: skip


def chefs(**lists: Any) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(("present_contests", "future_contests", "past_contests"))
    return {"status": "success", **{key: [] for key in empty}, **lists}


def test_codechef_window_ends_when_it_is_told_to_and_lasts_as_long_as_anybody_has() -> None:
    [contest] = codechef_contests.to_contests(chefs(present_contests=[chef()])).contests

    assert (contest.starts_at, contest.ends_at) == (AT, datetime(2026, 3, 3, 15, tzinfo=UTC))
    assert contest.duration_seconds == 3 * 3_600


def test_codechef_round_is_one_contest_whichever_of_its_divisions_are_listed() -> None:
    rows = [chef("START134A"), chef("START134"), chef("START134D"), chef("START135B")]

    found = codechef_contests.to_contests(chefs(future_contests=rows)).contests

    assert [(each.external_id, each.joint_id) for each in found] == [
        ("START134A", "START134"),
        ("START135B", "START135"),
    ]


def test_codechef_practice_and_skill_tests_are_left_out() -> None:
    given = chefs(practice_contests=[chef("PRAC")], skill_tests=[chef("LPYAS")])

    assert codechef_contests.to_contests(given).contests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"contest_start_date_iso": "2026-03-01T17:30:00"},
        {"contest_end_date_iso": "2026-02-01T17:30:00+05:30"},
        {"contest_duration": "two hours"},
        {"contest_code": "../x"},
        {"contest_name": ""},
    ],
)
def test_codechef_row_that_cannot_be_is_told_and_costs_no_other(changes: Any) -> None:
    rows = [chef("A"), chef("B", **changes)]

    found = codechef_contests.to_contests(chefs(future_contests=rows))

    assert [each.external_id for each in found.contests] == ["A"]
    [sentence] = found.unread
    assert sentence.startswith("'codechef': $.future_contests[1]")


@pytest.mark.parametrize(
    "data", [[], {"status": "error"}, {"status": "success"}, chefs(past_contests=None)]
)
def test_what_is_no_codechef_list_is_refused(data: Any) -> None:
    with pytest.raises(BadPayload):
        codechef_contests.to_contests(data)


LINE = """<tr><td><time class='fixtime'>{start}</time></td>
<td><span title="Algorithm">A</span><a href="{href}">{name}</a></td>
<td>{duration}</td><td>{rated}</td></tr>"""


def line(**changes: str) -> str:
    told = {
        "start": "2026-03-01 21:00:00+0900",
        "href": "/contests/abc199",
        "name": "ABC &amp; 199",
        "duration": "01:40",
        "rated": " ~ 1999",
    }
    return LINE.format(**{**told, **changes})


def at_coder(**tables: str) -> str:
    inside = "".join(
        f'<div id="contest-table-{name}"><table><thead><tr><th>x</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        for name, rows in tables.items()
    )
    return f"<!DOCTYPE html><html><body>{inside}</body></html>\n"


def test_atcoder_line_is_read_cell_by_cell() -> None:
    [contest] = atcoder_contests.to_contests(at_coder(upcoming=line())).contests

    assert (contest.external_id, contest.name) == ("abc199", "ABC & 199")
    assert (contest.starts_at, contest.duration_seconds) == (AT, 6_000)
    assert (contest.kind, contest.rated_range) == ("Algorithm", "~ 1999")


def test_atcoder_table_that_is_not_there_is_empty() -> None:
    found = atcoder_contests.to_contests(at_coder(recent=line()))

    assert (len(found.contests), found.is_whole) == (1, False)


def test_atcoder_page_on_which_only_what_is_always_open_stands_lists_nothing() -> None:
    assert atcoder_contests.to_contests(at_coder(permanent="<tr></tr>")).contests == []


def test_atcoder_daily_training_is_left_out() -> None:
    found = atcoder_contests.to_contests(at_coder(daily=line(), upcoming=line(href="/contests/b")))

    assert [contest.external_id for contest in found.contests] == ["b"]


def test_atcoder_contest_that_moved_from_table_to_table_is_the_same() -> None:
    before, after = (
        atcoder_contests.to_contests(at_coder(**{table: line()})).contests
        for table in ("upcoming", "recent")
    )

    assert before == after


@pytest.mark.parametrize(
    "changes",
    [{"start": "soon"}, {"start": "2026-03-01 21:00:00"}, {"duration": "100"}, {"name": ""},
     {"duration": "01:75"}, {"href": "/users/ada"}, {"href": "https://example.com/contests/x"},
     {"href": "/contests/abc199/tasks"}, {"duration": "999999:00"}],
)  # fmt: skip
def test_atcoder_line_that_cannot_be_is_told_and_costs_no_other(changes: Any) -> None:
    found = atcoder_contests.to_contests(at_coder(upcoming=line(**changes) + line()))

    assert [contest.external_id for contest in found.contests] == ["abc199"]
    [sentence] = found.unread
    assert sentence.startswith("'atcoder': #contest-table-upcoming tr[1]")


def test_atcoder_line_with_too_few_cells_is_told() -> None:
    found = atcoder_contests.to_contests(at_coder(upcoming=line() + "<tr><td>new</td></tr>"))

    assert found.unread == ["'atcoder': #contest-table-upcoming tr[2].id is missing"]


def test_atcoder_page_without_any_table_is_refused() -> None:
    with pytest.raises(BadPayload, match="none of the tables"):
        atcoder_contests.to_contests(at_coder())


def test_atcoder_page_that_was_cut_off_is_told_as_such() -> None:
    with pytest.raises(PlatformDown, match="cut off"):
        atcoder_contests.to_contests(at_coder(upcoming=line())[:-20])


def listed(**changes: Any) -> dict[str, Any]:
    return {"resource": "codechef.com", "href": "https://www.codechef.com/START219", "id": 1,
            "event": "Starters 219", "start": "2026-03-01T12:00:00", "end": "2026-03-01T14:00:00",
            "duration": 7_200, "parsed_at": "x", **changes}  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "href", "platform", "external_id"),
    [
        ("codeforces.com", "https://codeforces.com/contests/2177", "codeforces", "2177"),
        ("codeforces.com", "https://codeforces.com/contest/2177/", "codeforces", "2177"),
        ("leetcode.com", "https://leetcode.com/contest/weekly-contest-7", "leetcode",
         "weekly-contest-7"),
        ("codechef.com", "https://www.codechef.com/START219", "codechef", "START219"),
        ("atcoder.jp", "https://atcoder.jp/contests/abc438", "atcoder", "abc438"),
    ],
)  # fmt: skip
def test_clist_contest_goes_by_the_id_of_its_platform(
    resource: str, href: str, platform: str, external_id: str
) -> None:
    row = listed(resource=resource, href=href)

    [contest] = clist.to_contests({"objects": [row]}).contests

    assert (contest.platform, contest.external_id) == (platform, external_id)
    assert (contest.starts_at, contest.url) == (AT, href)


def test_clist_row_of_another_platform_is_passed_over() -> None:
    found = clist.to_contests({"objects": [listed(resource="kaggle.com", href="x"), listed()]})

    assert (len(found.contests), found.unread) == (1, [])


@pytest.mark.parametrize(
    "href",
    ["https://codeforces.com/blog/entry/1", "http://codeforces.com/contests/1",
     "https://evil.example/contests/1", "https://codeforces.com/contests/1/../x"],
)  # fmt: skip
def test_clist_row_whose_address_is_that_of_no_contest_is_told(href: str) -> None:
    rows = [listed(), listed(resource="codeforces.com", href=href)]

    found = clist.to_contests({"objects": rows})

    assert len(found.contests) == 1
    assert "$.objects[1].href is no address of a contest on codeforces" in found.unread[0]
