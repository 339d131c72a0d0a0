from __future__ import annotations

from itertools import accumulate, repeat

from syncd.embedded.server import longer


def test_waits_between_restarts_grow_from_half_a_second_to_half_a_minute() -> None:
    waits = list(accumulate(repeat(0.0, 2_000), lambda wait, _: longer(wait)))

    assert waits[1:9] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert waits[-1] == 30
