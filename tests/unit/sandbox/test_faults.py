from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import pytest

from syncd.sandbox.answer import Answer
from syncd.sandbox.faults import (
    FAULTS,
    Fault,
    Faults,
    cut,
    drip,
    hang,
    html,
    instead,
    latency,
    redirect,
    server_error,
    too_many,
    with_values,
    without_keys,
)

GOOD = Answer(headers={"Content-Type": "application/json", "ETag": '"x"'}, body=b'{"id":1,"a":2}')


def test_fault_strikes_as_often_as_said_and_only_matching_paths() -> None:
    faults = Faults()
    faults.add(server_error(502), path="/users/*", times=2)

    struck = [faults.strike(path, GOOD).status for path in ("/user/1", *["/users/x"] * 3)]

    assert struck == [200, 502, 502, 200]


def test_share_strikes_about_that_part_and_the_same_for_the_same_seed() -> None:
    def struck(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.add(server_error(), share=0.2)
        return [faults.strike("/x", GOOD).status for _ in range(1_000)]

    first = struck(5)

    assert first == struck(5)
    assert first != struck(6)
    assert 150 < first.count(502) < 250


def test_faults_add_up_and_end_with_clear() -> None:
    faults = Faults()
    faults.add(latency(1))
    faults.add(latency(2))
    faults.add(cut(5))

    struck = faults.strike("/x", GOOD)
    faults.clear()

    assert (struck.delay_seconds, struck.cut_after) == (3, 5)
    assert faults.strike("/x", GOOD) == GOOD


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "body"),
    [
        (server_error(503), 503, "text/html; charset=utf-8", b"<html>"),
        (html(200), 200, "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        (instead(), 200, "application/json; charset=utf-8", b""),
        (instead("[" * 9, status=201), 201, "application/json; charset=utf-8", b"[[[[[[[[["),
    ],
)
def test_replaced_answer_has_nothing_of_the_good_one(
    fault: Fault, status: int, content_type: str, body: bytes
) -> None:
    struck = fault(GOOD)

    assert (struck.status, struck.headers["Content-Type"]) == (status, content_type)
    assert struck.body.startswith(body)
    assert "ETag" not in struck.headers


def test_retry_after_comes_in_seconds_as_a_date_or_not_at_all() -> None:
    forms = [too_many(3), too_many(3, as_date=True), too_many(None, status=403)]

    seconds, date, absent = (form(GOOD) for form in forms)

    assert seconds.headers["Retry-After"] == "3"
    assert parsedate_to_datetime(date.headers["Retry-After"]).tzinfo is not None
    assert "Retry-After" not in absent.headers
    assert [answer.status for answer in (seconds, date, absent)] == [429, 429, 403]


def test_keys_can_be_left_out_overwritten_and_added() -> None:
    less, more = without_keys("id")(GOOD), with_values({"a": "two", "z": None})(GOOD)

    assert json.loads(less.body) == {"a": 2}
    assert json.loads(more.body) == {"id": 1, "a": "two", "z": None}


def test_rewriting_leaves_an_answer_without_a_json_object_alone() -> None:
    unchanged = Answer(status=304)

    struck = without_keys("id")(unchanged)

    assert struck == unchanged


def test_delivery_faults_keep_the_answer() -> None:
    struck = hang()(drip(10)(GOOD))

    assert (struck.hangs, struck.bytes_per_second, struck.body) == (True, 10, GOOD.body)


def test_redirect_names_the_place() -> None:
    struck = redirect("https://elsewhere.invalid/", 301)(GOOD)

    assert (struck.status, struck.headers["Location"]) == (301, "https://elsewhere.invalid/")


def test_every_fault_has_the_name_of_its_function() -> None:
    names = {name: fault.__name__ for name, fault in FAULTS.items()}

    assert names == {name: name for name in FAULTS}
    assert len(FAULTS) == 11
