"""What happens to made-up people while `syncd demo` plays: drawn once, the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

_GROUPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """Who has which fate, by index; nobody has two.

    `lost` vanish and `moved` take another handle before anybody asked for them; between the passes
    `changing` do something, `renaming` take another handle and `vanishing` go.
    """

    lost: Sequence[int]
    moved: Sequence[int]
    changing: Sequence[int]
    renaming: Sequence[int]
    vanishing: Sequence[int]

    @classmethod
    def draw(cls, people: Sequence[int], seed: int | str, *, few: int, changing: int) -> Fates:
        """Draw `changing` who change, and `few` for each other fate; fewer where there are few."""
        shuffled = list(people)
        random.Random(seed).shuffle(shuffled)  # noqa: S311 - a play, not a secret
        most = len(people) // _GROUPS
        few, changing = min(most, few), min(most, changing)
        cast = iter(shuffled)
        return cls(
            lost=list(islice(cast, few)),
            moved=list(islice(cast, few)),
            changing=list(islice(cast, changing)),
            renaming=list(islice(cast, few)),
            vanishing=list(islice(cast, few)),
        )

    def touched(self) -> set[int]:
        """Return everybody to whom something happens."""
        return {
            *self.lost,
            *self.moved,
            *self.changing,
            *self.renaming,
            *self.vanishing,
        }


def share_of(people: int, share: float) -> int:
    """Return a share of so many people, one at least."""
    return max(1, round(people * share))
