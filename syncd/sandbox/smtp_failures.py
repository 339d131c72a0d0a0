"""How a mail server fails: which answers it gives instead of the usual ones, when and how often."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

CUT = ""
"""In place of an answer: the connection is closed."""


@dataclass(slots=True, kw_only=True)
class Failure:
    """What is said at a step instead; `answer` None is what would be said anyway, but later."""

    answer: str | None
    at: str
    recipient: str = "*"
    times: int | None = None
    after_seconds: float = 0
    keeps: bool = False


class Failures:
    """The failures of one server, in the order they were added; the first that fits strikes."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []

    def add(self, failure: Failure) -> None:
        """Let it strike."""
        self._failures.append(failure)

    def clear(self) -> None:
        """Be well again."""
        self._failures.clear()

    def take(self, at: str, recipient: str) -> Failure | None:
        """Return what strikes at a step, and count that it did."""
        for failure in self._failures:
            if failure.at == at and fnmatchcase(recipient, failure.recipient):
                self._use_up(failure)
                return failure
        return None

    def _use_up(self, failure: Failure) -> None:
        if failure.times is not None:
            failure.times -= 1
            if not failure.times:
                self._failures.remove(failure)
