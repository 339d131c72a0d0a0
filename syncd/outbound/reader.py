"""The bounded, validating reader: so many bytes, strict JSON, text that PostgreSQL can store."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Any

from pydantic_core import from_json

from syncd.errors import BadPayload, PlatformBlocked, PlatformDown, SyncdError

EXCERPT_CHARACTERS = 200
REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()

# An escape: of a surrogate pair, of what no text may hold (NUL, half a pair), or any other. The
# last keeps `\\u0000`, a backslash before five letters, what it is.
ESCAPE = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<unfit>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
HTML_START = re.compile(rb"\s*<(?:!doctype|html|head|body)", re.IGNORECASE)


class Expects(StrEnum):
    """What a caller expects in the body of a good answer."""

    JSON = "json"
    TEXT = "text"


def parse_json(body: bytes) -> Any:
    """Decode strict JSON, at most 200 levels deep.

    What no text in PostgreSQL can hold becomes U+FFFD: NUL, lone surrogates, broken UTF-8.

    Raises:
        ValueError: it is not JSON, or holds NaN, an infinity or a number of over 4,300 digits;
            the message names line and column, never the content.
    """
    data = _decoded(body)
    # The parser refuses the word Infinity, but lets 1e999 overflow to it.
    if _holds_infinity(data):
        raise ValueError("number out of range")
    return data


def parse_leniently(body: bytes) -> Any:
    """Decode JSON; None where it is none."""
    try:
        return parse_json(body)
    except ValueError:
        return None


def find_failure(aim: str, content_type: str, body: bytes) -> SyncdError | None:
    """Return what is wrong with a body that should be JSON, None where it is JSON.

    Args:
        aim: what was attempted, the beginning of the error's message.
        content_type: what the answer says it is.
        body: what it is; its beginning may stand in the message.

    Returns:
        PlatformBlocked for a web page (captcha, login, maintenance), PlatformDown where it was
        cut off, BadPayload where it is empty or garbage.
    """
    if is_html(content_type, body):
        return PlatformBlocked(f"{aim}: a web page came instead of JSON: {excerpt(body)}")
    if not body.strip():
        return BadPayload(f"{aim}: the answer is empty")
    try:
        parse_json(body)
    except ValueError as error:
        if str(error).startswith("EOF"):
            return PlatformDown(f"{aim}: the answer was cut off: {error}")
        return BadPayload(f"{aim}: the answer is not JSON: {error}: {excerpt(body)}")
    return None


def is_html(content_type: str, body: bytes) -> bool:
    """Tell whether an answer is a web page, by its type or by how it begins."""
    return "html" in content_type.lower() or HTML_START.match(body, 0, 256) is not None


def excerpt(body: bytes) -> str:
    """Return the beginning of a body for an error message: escaped, 200 characters at most."""
    text = body[:EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return ascii(text)[1:-1][:EXCERPT_CHARACTERS]


def _holds_infinity(data: Any) -> bool:
    rest: list[Collection[Any]] = [data.values() if type(data) is dict else (data,)]
    for values in rest:
        # Of exact types: three times as fast, and the parser makes no subclasses.
        kinds = set(map(type, values))
        if float in kinds and any(type(value) is float and math.isinf(value) for value in values):
            return True
        if dict in kinds:
            rest.extend(value.values() for value in values if type(value) is dict)
        if list in kinds:
            rest.extend(value for value in values if type(value) is list)
    return False


def _decoded(body: bytes) -> Any:
    """Decode a body, repaired only where it must be: the parser lets through NUL escapes alone."""
    if rb"\u0000" in body:
        body = _repaired(body)
    try:
        return from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return from_json(_repaired(body), allow_inf_nan=False)


def _repaired(body: bytes) -> bytes:
    """Return the body with U+FFFD for what no text may hold."""
    body = ESCAPE.sub(lambda m: REPLACEMENT if m["unfit"] else m[0], body)
    return body.replace(b"\0", REPLACEMENT).decode("utf-8", "replace").encode()
