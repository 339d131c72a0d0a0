"""What came back, and the words in which a platform judges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from syncd.errors import ItemError, PlatformDown, SyncdError
from syncd.outbound.pause import parse_http_date, parse_retry_after
from syncd.outbound.quota import QuotaReport
from syncd.outbound.reader import excerpt, find_failure, is_html

_WITHOUT_BODY = frozenset({204, 205})


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer that arrived whole.

    `headers` ignores case. `body` holds no secret of ours, even where one was sent back. `data` is
    the decoded JSON; None where there is none, where it cannot be read, or where other content was
    expected. `received_at` is our time.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    data: Any = field(default=None, repr=False)
    received_at: datetime

    @property
    def etag(self) -> str:
        """The entity tag, empty where the platform sent none that could be sent back."""
        etag = self.headers.get("ETag", "")
        return etag if etag.isascii() and etag.isprintable() else ""

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    @property
    def has_unknown_end(self) -> bool:
        """Whether it is a failure after which what was asked for may have been done."""
        return self.status >= 500 or self.status == 408

    @property
    def is_html(self) -> bool:
        """Whether this is a web page, whatever its content type says."""
        return is_html(self.headers.get("Content-Type", ""), self.body)

    @property
    def retry_after_seconds(self) -> float | None:
        """How long `Retry-After` asks us to wait; None where it does not."""
        return parse_retry_after(self.headers.get("Retry-After"), self.server_time())

    def server_time(self) -> datetime:
        """Return the server's clock when it answered; ours where it does not tell."""
        return parse_http_date(self.headers.get("Date", "")) or self.received_at

    def seconds_until(self, timestamp: float) -> float:
        """Return how far ahead of the server's clock a Unix time of the server is."""
        return timestamp - self.server_time().timestamp()


class Kind(StrEnum):
    """What an answer means for the way out.

    OK: the platform answered, whatever it said (a 404 is an answer). PAUSE: it asks for a pause.
    TRANSIENT: it failed; try again. BLOCKED: this is not its API. REJECTED: it refuses our
    credential.
    """

    OK = "ok"
    PAUSE = "pause"
    TRANSIENT = "transient"
    BLOCKED = "blocked"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A platform's judgement of one answer.

    `cause` says why in a few words of ours. `pause_seconds` belongs to PAUSE; None means that the
    platform did not say how long. `quota` is what the headers say about the quota, whatever the
    kind; `is_free` that the answer cost none of it. `is_used_up`: a PAUSE is about the resource
    that the request drew on, and others may go on. `is_certain`: BLOCKED is about everybody (a
    captcha, a ban), whichever account was asked for, and the breaker opens at once.
    """

    kind: Kind = Kind.OK
    cause: str = ""
    pause_seconds: float | None = None
    quota: QuotaReport | None = None
    is_free: bool = False
    is_used_up: bool = False
    is_certain: bool = False


Classifier = Callable[[Response], Verdict]

_GOOD = Verdict()


def find_loss(aim: str, response: Response) -> SyncdError | None:
    """Return what is wrong with an answer in which JSON is expected, None where nothing is.

    Only a good answer must have a body. One that was cut off is lost: what it says was done.
    """
    if response.data is not None or not response.is_success or response.status in _WITHOUT_BODY:
        return None
    content_type = response.headers.get("Content-Type", "")
    failure = find_failure(aim, content_type, response.body)
    if isinstance(failure, ItemError):
        failure.sample = excerpt(response.body)
    if isinstance(failure, PlatformDown):
        failure.is_answer_lost = True
    return failure


def judge_by_status(response: Response) -> Verdict:
    """Judge an answer as plain HTTP means it: what a platform has no own rule for."""
    status = response.status
    if status < 400:
        return _GOOD
    if status == 429 or (status == 503 and response.retry_after_seconds is not None):
        seconds = response.retry_after_seconds
        return Verdict(kind=Kind.PAUSE, cause=f"HTTP {status}", pause_seconds=seconds)
    if status >= 500 or status == 408:
        return Verdict(kind=Kind.TRANSIENT, cause=f"HTTP {status}")
    if status == 401:
        return Verdict(kind=Kind.REJECTED, cause="HTTP 401")
    if status == 403:
        return Verdict(kind=Kind.BLOCKED, cause="HTTP 403")
    return _GOOD
