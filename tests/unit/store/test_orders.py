from __future__ import annotations

import pytest

from syncd.errors import RunError
from syncd.store.orders import Orders


def test_only_orders_given_while_somebody_reads_are_noted() -> None:
    orders = Orders()
    orders.note(["before"])
    with orders.noted() as first:
        orders.note(["a"])
        with orders.noted() as second:
            orders.note(["b"])
        orders.note(["c"])
    orders.note(["after"])

    assert (first.keys, second.keys) == ({"a", "b", "c"}, {"b"})
    assert first.among(["x", "c", "a"]) == {"a", "c"}


def test_more_orders_than_can_be_noted_fail_the_run_rather_than_lose_one() -> None:
    orders = Orders()
    with orders.noted() as notes:
        for batch in range(10):
            orders.note(str(number) for number in range(batch * 10_000, (batch + 1) * 10_000))
        orders.note(["0", "99999"])
        assert len(notes.keys) == 100_000

        orders.note(["one more"])

        with pytest.raises(RunError, match="over 100,000 users"):
            notes.among(["0"])
