from __future__ import annotations

from datetime import timedelta

import pytest
from fakes.clock import FakeClock

from syncd.errors import (
    AccountNotFound,
    AccountUnsuitable,
    BadPayload,
    CredentialsRejected,
    ItemError,
    PlatformBlocked,
    PlatformDown,
    PlatformTrouble,
)
from syncd.jobs.judgement import Judge
from syncd.model.account import Account, AccountId
from syncd.model.item import Claim, Failure, Retry

CLOCK = FakeClock()
DOWN = PlatformDown("HTTP 502")


def claim(attempts: int = 0) -> Claim:
    account = Account(id=AccountId(1), user_key="ada", platform="github", handle="Ada")
    return Claim(account=account, attempted_at=CLOCK.now(), attempts=attempts)


def judge(attempts: int = 3, *, may_retry: bool = True) -> Judge:
    return Judge(CLOCK, attempts, may_retry=may_retry)


@pytest.mark.parametrize(
    ("error", "word", "rest", "set_aside"),
    [
        (AccountNotFound("gone"), "not_found", 43_200, "never"),
        (AccountUnsuitable("an organization"), "unsuitable", 900, "at once"),
        (BadPayload("odd"), "schema_error", 900, "in the end"),
    ],
)
def test_an_items_own_error_is_final_in_this_run(
    error: ItemError, word: str, rest: float, set_aside: str
) -> None:
    item = judge().judge(claim(), error)

    assert isinstance(item, Failure)
    assert (item.outcome, item.rest_seconds) == (word, rest)
    assert (item.quarantine, item.wears_out) == (set_aside == "at once", set_aside == "in the end")


def test_what_the_answer_began_with_goes_with_the_failure() -> None:
    error = BadPayload("odd")
    error.sample = '{"id": null'

    item = judge().judge(claim(), error)

    assert isinstance(item, Failure)
    assert item.sample == '{"id": null'


def test_a_passing_failure_is_tried_again_soon_and_later_each_time() -> None:
    first, second = judge().judge(claim(), DOWN), judge().judge(claim(1), DOWN)

    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert (first.attempts, second.attempts) == (1, 2)
    assert timedelta(seconds=1) <= first.due_at - CLOCK.now() <= timedelta(seconds=3)
    assert timedelta(seconds=5) <= second.due_at - CLOCK.now() <= timedelta(seconds=15)


def test_the_last_attempt_of_a_run_is_a_failure() -> None:
    assert isinstance(judge(attempts=3).judge(claim(2), DOWN), Failure)
    assert isinstance(judge(attempts=1).judge(claim(), DOWN), Failure)


def test_a_dry_run_tries_once() -> None:
    assert isinstance(judge(may_retry=False).judge(claim(), DOWN), Failure)


def test_a_page_that_is_blocked_for_one_account_is_that_accounts_failure() -> None:
    item = judge(attempts=1).judge(claim(), PlatformBlocked("HTTP 451"))

    assert isinstance(item, Failure)
    assert (item.outcome, item.quarantine, item.wears_out) == ("blocked", False, True)


@pytest.mark.parametrize("trouble", [PlatformDown, PlatformBlocked])
def test_what_the_breaker_holds_back_is_never_an_items_failure(
    trouble: type[PlatformTrouble],
) -> None:
    refusal = trouble("github fails since 12:02", until=CLOCK.now())

    with pytest.raises(trouble) as raised:
        judge().judge(claim(2), refusal)

    assert raised.value is refusal


def test_a_refused_credential_is_never_an_items_failure() -> None:
    with pytest.raises(CredentialsRejected):
        judge().judge(claim(), CredentialsRejected("HTTP 401"))
