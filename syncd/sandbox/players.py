"""The players of any coding site, from a seed: made on demand, only changes are kept.

The same seed and index is the same person on every site: one handle, as good everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from syncd.errors import BadInput, NotKnown
from syncd.sandbox.draw import Draw, choose_some
from syncd.sandbox.person import BIOS, FIRST, NAMES

NATURAL_INDEX = re.compile(r"([0-9]{1,9})$")
STYLES = ("{first}{initial}{index}", "{first}{index}", "{initial}{first}{index}")
COUNTRIES = (None, "India", "Brazil", "Nigeria", "Germany", "Côte d'Ivoire")
NOBODY = "nobodyatall"
"""A handle that is good everywhere and that nobody ever has."""

FIRST_DAY = datetime(2012, 5, 1, tzinfo=UTC)
MEMBER_DAYS = 4_000
UNRATED = 0.2
"""The share of those who never took part in a contest."""

STEP = 0.0137


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """Somebody as they are now.

    `number` is the id that nobody ever loses, `strength` (0 to 1) what a rating is made of, None
    for who never took part; `moves` counts how often they got better, `renames` how often they
    took another handle.
    """

    index: int
    number: int
    handle: str
    name: str | None
    bio: str | None
    country: str | None
    joined: datetime
    strength: float | None
    easy: int
    medium: int
    hard: int
    contests: int
    moves: int
    renames: int

    @property
    def solved(self) -> int:
        """How many problems they solved."""
        return self.easy + self.medium + self.hard

    def rating(self, low: float, high: float) -> float | None:
        """Return the rating on a scale from `low` to `high`; None without a contest."""
        return None if self.strength is None else low + self.strength * (high - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How somebody differs from how they were born."""

    handle: str | None = None
    moves: int = 0
    renames: int = 0
    is_gone: bool = False


UNCHANGED = Change()


class Players:
    """Players 0 to `size` - 1, the same for the same seed.

    Args:
        seed: decides everything about everybody.
        size: how many there are; any number, memory does not depend on it.
        is_cased: handles have capitals, as sites write them that ignore case when they look.
    """

    def __init__(self, seed: int, size: int, *, is_cased: bool = False) -> None:
        self.seed = seed
        self.size = size
        self._is_cased = is_cased
        self._changes: dict[int, Change] = {}
        self._moved: dict[str, int] = {}
        self._former: dict[str, int] = {}

    def __len__(self) -> int:
        """Count everybody, those who are gone included."""
        return self.size

    def handles(self) -> Iterator[str]:
        """Name the present handle of everybody, in the order of the index."""
        return (self.handle(index) for index in range(self.size))

    def handle(self, index: int) -> str:
        """Return the present handle in its canonical spelling."""
        moved = self._change_of(self._known(index)).handle
        if moved is not None:
            return moved
        draw = Draw(self.seed, "handle", index)
        natural = draw.pick(STYLES).format(
            first=draw.pick(FIRST), initial="abcdefghijklmnoprstuvwz"[draw.below(23)], index=index
        )
        return natural.capitalize() if self._is_cased else natural

    def player(self, index: int) -> Player:
        """Return somebody as they are now."""
        change, draw = self._change_of(self._known(index)), Draw(self.seed, "player", index)
        is_rated = not draw.happens(UNRATED)
        # Few have solved many: the exponent is what is drawn evenly.
        easy, medium, hard = (draw.below(2 ** (1 + draw.below(most))) for most in (10, 9, 7))
        strength = (draw.below(1000) / 1000 + STEP * change.moves) % 1
        return Player(
            index=index,
            number=1_000_000 + 7 * index,
            handle=self.handle(index),
            name=draw.pick(NAMES),
            bio=draw.pick(BIOS),
            country=draw.pick(COUNTRIES),
            joined=FIRST_DAY + timedelta(days=draw.below(MEMBER_DAYS)),
            strength=strength if is_rated else None,
            easy=easy,
            medium=medium + change.moves,
            hard=hard,
            contests=1 + draw.below(40) + change.moves if is_rated else 0,
            moves=change.moves,
            renames=change.renames,
        )

    def find(self, handle: str) -> int | None:
        """Return who has `handle` now, in any spelling."""
        asked = handle.lower()
        natural = NATURAL_INDEX.search(asked) if asked.isascii() else None
        for index in (self._moved.get(asked), natural and int(natural[1])):
            if index is not None and self._holds(index, asked):
                return index
        return None

    def find_former(self, handle: str) -> int | None:
        """Return who had `handle` once, has another one now and is still there."""
        index = self._former.get(handle.lower())
        is_there = index is not None and not self._change_of(index).is_gone
        return index if is_there and self.find(handle) is None else None

    def change(self, index: int) -> None:
        """Let somebody solve one more problem and do better in a contest."""
        self._alter(index, moves=self._change_of(self._known(index)).moves + 1)

    def change_some(self, share: float) -> list[int]:
        """Change `share` (0 to 1) of all; return whom, in order."""
        chosen = choose_some(self.size, share, self.seed, "some", len(self._changes))
        for index in chosen:
            self.change(index)
        return chosen

    def rename(self, index: int, handle: str) -> None:
        """Give somebody another handle; the old one is free, and remembered as theirs.

        Raises:
            BadInput: somebody else has `handle`.
        """
        holder = self.find(handle)
        if holder is not None and holder != index:
            raise BadInput(f"handle '{handle}' is taken by index {holder}")
        self._former[self.handle(index).lower()] = index
        self._moved[handle.lower()] = index
        self._alter(index, handle=handle, renames=self._change_of(index).renames + 1)

    def vanish(self, index: int) -> None:
        """Delete the account: nobody finds it."""
        self._alter(index, is_gone=True)

    def restore(self, index: int) -> None:
        """Bring back who vanished.

        Raises:
            BadInput: somebody else has their handle by now.
        """
        if self.find(self.handle(index)) not in {None, index}:
            raise BadInput(f"handle '{self.handle(index)}' is taken: rename index {index} first")
        self._alter(index, is_gone=False)

    def _alter(self, index: int, **differences: object) -> None:
        self._changes[index] = replace(self._change_of(self._known(index)), **differences)  # type: ignore[arg-type]

    def _change_of(self, index: int) -> Change:
        return self._changes.get(index, UNCHANGED)

    def _holds(self, index: int, asked: str) -> bool:
        is_known = index < self.size and not self._change_of(index).is_gone
        return is_known and self.handle(index).lower() == asked

    def _known(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise NotKnown(f"nobody has index {index} among {self.size} players")
        return index
