"""Who in the demo is told of contests, and what of each after what happened to it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from syncd.daemon.rehearsal import Rehearsal, key_of
from syncd.daemon.subscribers import EMAIL, WEBHOOK, Due, Subscribers
from syncd.model.contest import Occasion

ROUND = "Codeforces Round 999"


@pytest.fixture
def subscribers() -> Subscribers:
    return Rehearsal(300, seed=1).subscribers


def act(subscribers: Subscribers) -> list[set[Due]]:
    """Let everything happen; return what is due after each of it."""
    due = []
    for acts in subscribers.acts:
        for happen in acts:
            happen()
            due.append(subscribers.due())
    return due


def about(due: set[Due], contest: str) -> Counter[Occasion]:
    return Counter(each.told.occasion for each in due if each.told.contest == contest)


def wanted(subscribers: Subscribers) -> list[dict[str, Any]]:
    rows = subscribers.import_file("http://127.0.0.1:1").splitlines()
    return [json.loads(row) for row in rows]


@pytest.mark.parametrize(("users", "told"), [(1, 1), (30, 3), (1_000, 20)])
def test_the_first_users_want_to_be_told_of_contests(users: int, told: int) -> None:
    subscribers = Rehearsal(users, seed=1).subscribers

    keys = [row["key"] for row in wanted(subscribers)]

    assert keys == [key_of(index) for index in range(told)]
    assert subscribers.size == told


def test_everybody_has_a_mail_address_and_every_third_a_webhook(subscribers: Subscribers) -> None:
    channels = Counter(name for row in wanted(subscribers) for name in row["notify"]["channels"])

    assert channels == {EMAIL: 20, WEBHOOK: 7}
    hook = wanted(subscribers)[0]["notify"]["channels"][WEBHOOK]
    assert hook == "http://127.0.0.1:1/hooks/user-1"


def test_contests_of_four_platforms_are_to_come(subscribers: Subscribers) -> None:
    coming = subscribers.coming()

    assert set(coming) == {"atcoder", "codechef", "codeforces", "leetcode"}
    assert min(coming.values()) > 0


def test_a_moved_contest_is_told_to_all_and_its_reminders_are_due_anew(
    subscribers: Subscribers,
) -> None:
    announced, moved, confirmed = act(subscribers)

    # Before, only half of all asked for as much as a week; afterwards it is less than a day away.
    week = sum(
        len(row["notify"]["channels"])
        for row in wanted(subscribers)
        if row["notify"]["leads"] == [168]
    )
    assert about(announced, ROUND) == {Occasion.REMINDER: week}
    assert about(moved, ROUND) == {Occasion.REMINDER: 27, Occasion.MOVED: 27}
    assert {each for each in moved - announced if each.told.contest == ROUND} == {
        each for each in moved if each.told.contest == ROUND
    }
    assert about(confirmed, ROUND) == about(moved, ROUND)


def test_a_cancelled_contest_is_told_once_its_absence_is_confirmed(
    subscribers: Subscribers,
) -> None:
    announced, missed, confirmed = (
        about(due, "Codeforces Global Round 99") for due in act(subscribers)
    )

    assert set(announced) == {Occasion.REMINDER}
    assert missed == {}
    assert confirmed == {Occasion.CANCELLED: 27}
