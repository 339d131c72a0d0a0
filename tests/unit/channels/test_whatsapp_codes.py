from __future__ import annotations

import json
from datetime import timedelta

import pytest

from syncd.channels.whatsapp_codes import ON_TEMPLATE, judge
from syncd.errors import DeliveryError, Reach
from syncd.outbound.post import Reply

HOUR = timedelta(hours=1)


def judged(
    code: object, status: int = 400, usage: str = "", pause: timedelta | None = None, **more: object
) -> DeliveryError:
    reply = Reply(
        status=status,
        headers={"X-Business-Use-Case-Usage": usage} if usage else {},
        data={"error": {"code": code, **more}},
        says="",
        retry_after=pause,
    )
    return judge(reply, "template contest_reminder in de")[1]


@pytest.mark.parametrize("code", [4, 80007, 130429, 131016, 131057, 133004])
def test_limits_of_the_account_and_a_service_that_is_away_let_the_channel_rest(code: int) -> None:
    error = judged(code)

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert error.retry_after is not None
    assert error.retry_after < HOUR


@pytest.mark.parametrize("code", [131000, 131056])
def test_what_is_about_one_message_or_pair_is_tried_again(code: int) -> None:
    error = judged(code)

    assert (error.permanent, error.reach) == (False, Reach.DELIVERY)


@pytest.mark.parametrize("code", [131048, 131064])
def test_a_number_limited_for_its_quality_rests_long_and_says_where_to_look(code: int) -> None:
    error = judged(code)

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert error.retry_after is not None
    assert error.retry_after > HOUR
    assert "manager" in (error.hint or "")


@pytest.mark.parametrize("code", [131026, 131021, 131050])
def test_a_number_that_nothing_reaches_is_dead(code: int) -> None:
    error = judged(code)

    assert (error.permanent, error.reach) == (True, Reach.ADDRESS)


@pytest.mark.parametrize("code", [131030, 130472])
def test_what_meta_keeps_from_one_person_is_not_tried_again(code: int) -> None:
    error = judged(code)

    assert (error.permanent, error.reach) == (True, Reach.DELIVERY)


def test_what_meta_holds_back_is_not_tried_before_a_day_is_over() -> None:
    error = judged(131049)

    assert (error.permanent, error.reach) == (False, Reach.DELIVERY)
    assert error.retry_after == timedelta(days=1)


@pytest.mark.parametrize("code", [190, 10, 200, 219, 299, 133010, 131042, 131031, 368])
def test_what_is_ours_to_mend_stops_the_channel_and_says_what(code: int) -> None:
    error = judged(code, status=401 if code == 190 else 400)

    assert (error.permanent, error.reach) == (False, Reach.CHANNEL)
    assert error.hint


@pytest.mark.parametrize("code", sorted(ON_TEMPLATE))
def test_a_template_that_is_refused_is_named_and_the_others_go_on(code: int) -> None:
    error = judged(code)

    assert (error.permanent, error.reach) == (False, Reach.DELIVERY)
    assert "template contest_reminder in de" in (error.hint or "")


@pytest.mark.parametrize(
    ("status", "permanent", "reach"),
    [
        (400, True, Reach.DELIVERY),
        (401, False, Reach.CHANNEL),
        (404, False, Reach.CHANNEL),
        (302, False, Reach.CHANNEL),
        (200, False, Reach.CHANNEL),
        (429, False, Reach.CHANNEL),
        (500, False, Reach.DELIVERY),
        (503, False, Reach.CHANNEL),
    ],
)
@pytest.mark.parametrize("code", [None, 0, "x", 999_999])
def test_without_a_known_code_the_status_decides(
    status: int, permanent: bool, reach: Reach, code: object
) -> None:
    error = judged(code, status)

    assert (error.permanent, error.reach) == (permanent, reach)


def test_what_meta_calls_passing_is_tried_again() -> None:
    assert not judged(2, is_transient=True).permanent


def test_a_number_id_that_does_not_exist_is_ours_to_mend() -> None:
    error = judged(100, error_subcode=33)

    assert error.reach is Reach.CHANNEL
    assert "phone_number_id" in (error.hint or "")


def test_the_longest_of_the_pauses_asked_for_is_kept() -> None:
    usage = json.dumps({"1": [{"type": "messaging", "estimated_time_to_regain_access": 19}]})

    assert judged(80007, usage=usage).retry_after == timedelta(minutes=19)
    assert judged(80007, usage=usage, pause=2 * HOUR).retry_after == 2 * HOUR


@pytest.mark.parametrize("usage", ["{", "[]", '{"1": 2}', '{"1": [3]}', '{"1": [{}]}', "null"])
def test_a_header_about_usage_that_makes_no_sense_changes_nothing(usage: str) -> None:
    assert judged(80007, usage=usage).retry_after == judged(80007).retry_after


@pytest.mark.parametrize("data", [None, [], "x", {"error": None}, {"error": []}])
def test_an_answer_of_any_shape_is_judged(data: object) -> None:
    reply = Reply(status=400, headers={}, data=data, says="", retry_after=None)

    assert judge(reply, "a template")[0] == 0
