from __future__ import annotations

from syncd.jobs.in_flight import InFlight
from syncd.model.account import AccountId

ADA, BO, CY = map(AccountId, (1, 2, 3))


def test_who_was_in_flight_at_any_moment_since_is_seen() -> None:
    held = InFlight()
    held.take([ADA])

    with held.watched() as seen:
        held.release([ADA])
        held.take([BO])
        held.release([BO])

    assert seen == {ADA, BO}
    assert len(held) == 0


def test_who_came_later_or_had_gone_before_is_not_seen() -> None:
    held = InFlight()
    held.take([ADA])
    held.release([ADA])

    with held.watched() as seen:
        pass
    held.take([CY])

    assert seen == set()
    assert CY in held


def test_everybody_who_watches_sees_the_same_and_two_do_not_end_each_other() -> None:
    held = InFlight()

    with held.watched() as first:
        with held.watched() as second:
            held.take([ADA])
        held.take([BO])

    assert (first, second) == ({ADA, BO}, {ADA})
