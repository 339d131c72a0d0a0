"""Errors that reach who asked: by a command, over the API, with a file."""

from __future__ import annotations

from syncd.errors.root import SyncdError


class BadInput(SyncdError):
    """Something a person gave us (request body, import file, argument) cannot be used.

    Args:
        problems: one sentence each, naming the place (`line 7: ...`, `accounts.github: ...`).
    """

    def __init__(self, *problems: str, hint: str | None = None) -> None:
        super().__init__("; ".join(problems), hint=hint)
        self.problems = problems


class NotKnown(SyncdError):
    """A job, run or user that was named does not exist."""


class WrongState(SyncdError):
    """What was named exists, but stands in a way in which this cannot be done to it."""


class TooSoon(SyncdError):
    """Reaches one call: the same was asked for a moment ago; `retry_after` says when it may be."""


class AlreadyRunning(SyncdError):
    """The job runs already.

    Args:
        run_id: the number of the run that is in the way.
    """

    def __init__(self, message: str, *, run_id: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id
