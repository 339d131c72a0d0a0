"""Typed reading of what a platform answered, and what the answers of a site's own API share.

Nothing absent becomes 0 or empty, and a wrong type is never passed over: the error names the place
(`$.model.id`), what stands there and whose answer it is.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from syncd.errors import BadPayload, ItemError
from syncd.outbound.answers import Kind, Response, Verdict, judge_by_status
from syncd.outbound.reader import excerpt

T = TypeVar("T")

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""A User-Agent for sites that show others a challenge instead of the answer."""

_LARGEST = 2**63 - 1
_SHOWN = 50
_WHOLE = re.compile(r"[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
# Cloudflare's challenge and its predecessors, and captchas of every make.
_CHALLENGES = (b"just a moment...", b"cf-chl", b"challenge-platform", b"attention required! |")
_CAPTCHA = re.compile(rb"\bcaptcha|[hg]-?re?captcha|g-recaptcha|h-captcha", re.IGNORECASE)
_LOOKED_AT = 16_384
# Of nginx: whoever stands before the service did not wait for it.
_CLOSED = 499


class Shape:
    """An object of an answer, read by key.

    Args:
        data: what should be an object.
        who: the handle that was asked for, as errors name it.
        path: where the object stands in the answer.

    Raises:
        BadPayload: it is no object.
    """

    def __init__(self, data: Any, who: str, path: str = "$") -> None:
        self.who = who
        self.path = path
        if not isinstance(data, dict):
            raise BadPayload(f"{who!r}: {path} is no object but {_shown(data)}")
        self.data: dict[str, Any] = data

    def text(self, key: str) -> str | None:
        """Return a text; None where it is absent, null or blank."""
        value = self.data.get(key)
        if value is None:
            return None
        if type(value) is not str:
            raise self.wrong(key, "text")
        return value if value.strip() else None

    def count(self, key: str, *, as_text: bool = False) -> int | None:
        """Return a whole number from 0 up; None where it is absent or null.

        Args:
            key: where it stands.
            as_text: the platform is documented to send it as a text of digits.
        """
        value = self.data.get(key)
        if as_text and type(value) is str and _WHOLE.fullmatch(value):
            value = int(value)
        if value is None:
            return None
        if type(value) is not int:
            raise self.wrong(key, "whole number")
        if not 0 <= value <= _LARGEST:
            raise self.wrong(key, "count")
        return value

    def number(self, key: str, *, as_text: bool = False) -> float | None:
        """Return a finite number, which may be negative; None where it is absent or null."""
        value = self.data.get(key)
        if as_text and type(value) is str and _NUMBER.fullmatch(value):
            value = float(value)
        if value is None:
            return None
        if type(value) not in {int, float} or not -_LARGEST <= value <= _LARGEST:
            raise self.wrong(key, "number")
        return float(value)

    def flag(self, key: str) -> bool | None:
        """Return true or false; None where it is absent or null."""
        value = self.data.get(key)
        if value is not None and type(value) is not bool:
            raise self.wrong(key, "true or false")
        return value

    def inner(self, key: str) -> Shape | None:
        """Return an object inside; None where it is absent or null."""
        value = self.data.get(key)
        return None if value is None else Shape(value, self.who, f"{self.path}.{key}")

    def rows(self, key: str) -> list[Shape] | None:
        """Return a list of objects; None where it is absent or null."""
        value = self.data.get(key)
        return None if value is None else rows_of(value, self.who, f"{self.path}.{key}")

    def needed_text(self, key: str) -> str:
        """Return a text that must be there."""
        return self._needed(key, self.text(key))

    def needed_count(self, key: str, *, as_text: bool = False) -> int:
        """Return a whole number from 0 up that must be there."""
        return self._needed(key, self.count(key, as_text=as_text))

    def needed_number(self, key: str, *, as_text: bool = False) -> float:
        """Return a finite number that must be there."""
        return self._needed(key, self.number(key, as_text=as_text))

    def needed_inner(self, key: str) -> Shape:
        """Return an object that must be there."""
        return self._needed(key, self.inner(key))

    def needed_rows(self, key: str) -> list[Shape]:
        """Return a list of objects that must be there."""
        return self._needed(key, self.rows(key))

    def wrong(self, key: str, wanted: str) -> BadPayload:
        """Return the error for a value that is not what it should be."""
        shown = _shown(self.data.get(key))
        return BadPayload(f"{self.who!r}: {self.path}.{key} is no {wanted}: {shown}")

    def _needed(self, key: str, value: T | None) -> T:
        if value is None:
            raise BadPayload(f"{self.who!r}: {self.path}.{key} is missing")
        return value


def rows_of(data: Any, who: str, path: str = "$") -> list[Shape]:
    """Return what should be a list of objects.

    Raises:
        BadPayload: it is no list, or holds something else; names which.
    """
    if not isinstance(data, list):
        raise BadPayload(f"{who!r}: {path} is no list but {_shown(data)}")
    return [Shape(row, who, f"{path}[{place}]") for place, row in enumerate(data)]


def is_same_handle(answered: str, asked: str) -> bool:
    """Tell whether two handles differ in capitals at most; look-alikes of letters are others."""
    return answered.isascii() and answered.lower() == asked.lower()


@contextlib.contextmanager
def sampled(response: Response) -> Iterator[None]:
    """Give errors about one account the beginning of the answer that they are about."""
    try:
        yield
    except ItemError as error:
        error.sample = error.sample or excerpt(response.body)
        raise


def is_challenge(response: Response) -> bool:
    """Tell whether the answer is a page that wants proof of a person."""
    if not response.is_html:
        return False
    start = response.body[:_LOOKED_AT].lower()
    return any(words in start for words in _CHALLENGES) or _CAPTCHA.search(start) is not None


def judge_site(response: Response, *, expects_page: bool = False) -> Verdict:
    """Judge an answer of a site that knows us by no credential.

    A challenge, a refusal and a page in the place of JSON are about everybody who asks from here,
    whichever account was asked for.

    Args:
        response: the answer.
        expects_page: HTML is what was asked for.
    """
    if is_challenge(response):
        return blocked("a challenge page")
    if response.status == _CLOSED:
        return Verdict(kind=Kind.TRANSIENT, cause=f"HTTP {_CLOSED}")
    verdict = judge_by_status(response)
    if verdict.kind in {Kind.BLOCKED, Kind.REJECTED}:
        # Where the service itself speaks, it may mean this account alone (suspended, private).
        is_own = isinstance(response.data, dict)
        return Verdict(kind=Kind.BLOCKED, cause=verdict.cause, is_certain=not is_own)
    is_redirect = 300 <= response.status < 400
    if verdict.kind is Kind.OK and response.is_html and not (expects_page or is_redirect):
        return blocked(f"a web page came instead of JSON (HTTP {response.status})")
    return verdict


def blocked(cause: str) -> Verdict:
    """Return the verdict on an answer that everybody who asks from here would get."""
    return Verdict(kind=Kind.BLOCKED, cause=cause, is_certain=True)


def _shown(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "no finite number"
    return repr(value)[:_SHOWN]
