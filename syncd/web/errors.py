"""What an error looks like from outside: a status and `{"error", "hint"}`, never a stack."""

from __future__ import annotations

import math
from http import HTTPStatus

from syncd import errors
from syncd.web.service import Json

STATUS_OF: tuple[tuple[type[errors.SyncdError], HTTPStatus], ...] = (
    (errors.NotKnown, HTTPStatus.NOT_FOUND),
    (errors.BadInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.ConfigError, HTTPStatus.CONFLICT),
    (errors.AlreadyRunning, HTTPStatus.CONFLICT),
    (errors.WrongState, HTTPStatus.CONFLICT),
    (errors.NotLeading, HTTPStatus.CONFLICT),
    (errors.TooSoon, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.ConsentWithdrawn, HTTPStatus.CONFLICT),
    (errors.ItemError, HTTPStatus.BAD_GATEWAY),
    (errors.RunError, HTTPStatus.CONFLICT),
    (errors.Stopping, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.CacheUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.RateLimited, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.PlatformError, HTTPStatus.BAD_GATEWAY),
)
"""The first class that matches decides; what is not listed is our own fault (500)."""

PROBLEMS_SHOWN = 200
PROBLEMS_IN_A_SENTENCE = 3


class Refused(errors.SyncdError):
    """Reaches one call: the control port does not take it. Never leaves this package.

    `told` is what the answer's body tells besides.
    """

    def __init__(self, status: HTTPStatus, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.told: Json = {}


class TooOften(Refused):
    """The call may be made again after `seconds`; `rule` says how often it may be made at all."""

    def __init__(self, message: str, *, seconds: float, rule: str) -> None:
        self.seconds = max(1, math.ceil(seconds))
        hint = f"try again in {self.seconds} s: {rule}"
        super().__init__(HTTPStatus.TOO_MANY_REQUESTS, message, hint=hint)


def status_of(error: errors.SyncdError) -> HTTPStatus:
    """Return the status that tells a caller whose fault an error is."""
    if isinstance(error, Refused):
        return error.status
    for kind, status in STATUS_OF:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def body_of(error: errors.SyncdError) -> Json:
    """Return the answer's body; a person reads `error` and `hint`, a program the other keys."""
    body: Json = {"error": str(error), "hint": error.hint or ""}
    if isinstance(error, Refused):
        body |= error.told
    if isinstance(error, errors.AlreadyRunning):
        body["run_id"] = error.run_id
    if isinstance(error, errors.NotLeading):
        body["leader"] = error.leader
    if isinstance(error, errors.BadInput | errors.ConfigError):
        body["problems"] = _shortened(error.problems, PROBLEMS_SHOWN)
        body["error"] = "; ".join(_shortened(error.problems, PROBLEMS_IN_A_SENTENCE))
    return body


def headers_of(error: errors.SyncdError) -> dict[str, str]:
    """Return what the answer's headers must say about an error."""
    if isinstance(error, TooOften):
        return {"Retry-After": str(error.seconds)}
    if error.retry_after is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after.total_seconds())))}
    if isinstance(error, Refused) and error.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    return {}


def _shortened(problems: tuple[str, ...], most: int) -> list[str]:
    more = len(problems) - most
    return [*problems[:most], *([f"and {more} more"] if more > 0 else [])]
