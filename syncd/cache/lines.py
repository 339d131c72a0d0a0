"""Turn a page of Redis's replies into lines of COPY's text format.

A page whose ids and scores need no second look is joined as it came, without a glance at a single
row: that is the whole of the reading's speed. Any other page goes row by row: ids are escaped, and
users who cannot be stored are set aside with a reason.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from itertools import repeat

from syncd.model.leaderboard import Page, Poisoned

NULL = rb"\N"
Scores = Sequence[bytes | None]

_CONTROLS = bytes(range(0x20)) + b"\x7f"
_UNPLAIN_IN_ID = _CONTROLS + b"\\"
_FORBIDDEN_IN_ID = bytes(set(_CONTROLS) - set(b"\t\n\r"))
# What this leaves of a score is the minus, or letters of inf and nan.
_PLAIN_IN_SCORE = b"0123456789.e+"
_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))
_LONGEST_SHOWN = 80


class PageForm:
    """How the users of a page become lines.

    Args:
        boards: their names, in the order of the scores.
        id_length: how many characters an id may have.
    """

    def __init__(self, boards: Sequence[str], id_length: int) -> None:
        self._boards = boards
        self._id_length = id_length

    def fill(
        self,
        users: Sequence[bytes],
        columns: Sequence[Scores],
        told: Iterable[bytes] = repeat(NULL),
    ) -> Page:
        """Return the page of these users; `columns` are their scores per board.

        `members` counts whom each board has of them.
        """
        present = [list(filter(None, column)) for column in columns]
        if not (self._are_plain(users) and all(map(_are_plain_scores, present))):
            members = tuple(map(len, present))
            return self._fill_carefully(zip(users, *columns, told, strict=False), members)
        filled = [
            column if len(column) == len(scores) else [score or NULL for score in column]
            for column, scores in zip(columns, present, strict=True)
        ]
        rows = map(b"\t".join, zip(users, *filled, told, strict=False))
        return Page(
            lines=b"\n".join((*rows, b"")), rows=len(users), members=tuple(map(len, present))
        )

    def _are_plain(self, users: Sequence[bytes]) -> bool:
        """Tell whether the ids are text that stands for itself, none too long."""
        # Bytes are never fewer than characters.
        if not all(users) or max(map(len, users)) > self._id_length:
            return False
        # No character reaches over a line feed: together they are text if each of them is.
        text = b"\n".join(users)
        return _is_text(text) and len(text.translate(None, _UNPLAIN_IN_ID)) == len(text) - (
            len(users) - 1
        )

    def _fill_carefully(
        self, rows: Iterable[tuple[bytes | None, ...]], members: tuple[int, ...]
    ) -> Page:
        lines: list[bytes] = []
        poisoned: list[Poisoned] = []
        for user, *scores, told in rows:
            assert user is not None
            assert told is not None
            reason = self._fault_of_id(user) or self._fault_of_scores(scores)
            if reason:
                poisoned.append(Poisoned(shown(user), reason, _storable(user)))
            else:
                words = (escaped(user), *(score or NULL for score in scores), told)
                lines.append(b"\t".join(words))
        return Page(
            lines=b"\n".join((*lines, b"")),
            rows=len(lines),
            members=members,
            poisoned=tuple(poisoned),
        )

    def _fault_of_id(self, user: bytes) -> str:
        if not user:
            return "the id is empty"
        if not _is_text(user):
            return "the id is not UTF-8"
        if len(user.translate(None, _FORBIDDEN_IN_ID)) != len(user):
            return "the id holds a control character"
        length = len(user.decode())
        if length > self._id_length:
            return f"the id has {length} characters, more than {self._id_length}"
        return ""

    def _fault_of_scores(self, scores: Sequence[bytes | None]) -> str:
        for board, score in zip(self._boards, scores, strict=True):
            if score is not None and not 0 <= float(score) < math.inf:
                return f"the score on {board} is {score.decode()}"
        return ""


def escaped(user: bytes) -> bytes:
    """Return an id as COPY's text format writes it."""
    for character, escape in _ESCAPES:
        user = user.replace(character, escape)
    return user


def shown(user: bytes) -> str:
    r"""Return an id for people: one line, no two alike, `\x00` for what cannot be printed."""
    text = user.decode("utf-8", "surrogateescape")
    line = "".join(
        letter if letter.isprintable() and letter != "\\" else _named(letter)
        for letter in text[: _LONGEST_SHOWN + 1]
    )
    if len(text) <= _LONGEST_SHOWN:
        return line
    sign = hashlib.blake2s(user, digest_size=4).hexdigest()
    return f"{line[:_LONGEST_SHOWN]}... ({len(text)} characters, {sign})"


def _named(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def _storable(user: bytes) -> str | None:
    """Return an id as PostgreSQL may hold it; None: it can hold none like it."""
    return user.decode() if _is_text(user) and b"\0" not in user else None


def _is_text(user: bytes) -> bool:
    if user.isascii():
        return True
    try:
        user.decode()
    except UnicodeDecodeError:
        return False
    return True


def _are_plain_scores(scores: Iterable[bytes]) -> bool:
    """Tell whether they all are finite and not negative; False also where that is not plain."""
    return not b"".join(scores).translate(None, _PLAIN_IN_SCORE)
