"""Reading what a call brings along: JSON only, bounded in size and in time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web
from pydantic import ValidationError

from syncd.config.validation import keys_of
from syncd.errors import BadInput
from syncd.web.errors import Refused
from syncd.web.routes import GivenT, Input, Route
from syncd.web.wording import problems_of

DEADLINE_SECONDS = 10.0
READ_AT_ONCE = 64 * 1024
"""A larger body is read beside the loop."""

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""What a page of another origin may send without asking first."""


async def read_given(
    request: web.Request, route: Route[GivenT], deadline_seconds: float = DEADLINE_SECONDS
) -> GivenT:
    """Return what the call gives, checked against what the route takes.

    A DELETE may give it in its query: many clients cannot send a body with one.

    Raises:
        Refused: it is not JSON (415, 400), too large (413) or too slow (408).
        BadInput: it is JSON, but not what the route takes.
    """
    if not route.changes:
        return _from_query(request, route.takes)
    _check_type(request)
    try:
        async with asyncio.timeout(deadline_seconds):
            body = await _read(request, route.largest_body)
    except TimeoutError as exc:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not arrive within {deadline_seconds:g} s",
            hint="send the body at once",
        ) from exc
    if route.method == "DELETE" and request.query:
        if bytes(body).strip() not in {b"", b"{}"}:
            raise BadInput("the query and the body both say something", hint=_hint(route.takes))
        return _from_query(request, route.takes)
    if len(body) <= READ_AT_ONCE:
        return _from_json(body or b"{}", route.takes)
    return await asyncio.to_thread(_from_json, body, route.takes)


def _check_type(request: web.Request) -> None:
    # A page of another origin cannot send JSON without asking first, so JSON only. Without a body
    # there is nothing to declare, but a form stays a form.
    is_json = request.content_type == "application/json"
    is_plain = request.headers.get("Content-Encoding", "identity") == "identity"
    is_empty = not request.can_read_body and request.content_type not in FORM_TYPES
    if is_empty or (is_json and is_plain):
        return
    raise Refused(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "the body must be JSON, not compressed",
        hint="send Content-Type: application/json",
    )


async def _read(request: web.Request, largest: int) -> bytearray:
    body = bytearray()
    if (request.content_length or 0) <= largest:
        async for part in request.content.iter_any():
            body += part
            if len(body) > largest:
                break
        else:
            return body
    raise Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {largest} bytes",
        hint="send less at a time",
    )


def _from_query(request: web.Request, takes: type[GivenT]) -> GivenT:
    query = dict(request.query)
    if len(query) != len(request.query):
        raise BadInput("query: a key stands there twice", hint=_hint(takes))
    try:
        return takes.model_validate(query)
    except ValidationError as exc:
        raise BadInput(*problems_of(exc, takes, "query"), hint=_hint(takes)) from None


def _from_json(body: bytes | bytearray, takes: type[GivenT]) -> GivenT:
    try:
        return takes.model_validate_json(body, strict=True)
    except ValidationError as exc:
        if exc.errors(include_input=False)[0]["type"] == "json_invalid":
            raise Refused(
                HTTPStatus.BAD_REQUEST, "the body is not JSON", hint="send one JSON object"
            ) from None
        # `from None`: the library's error holds what was sent, which may be secret.
        problems = problems_of(exc, takes, "body", is_secret=bool(takes.unlogged))
        raise BadInput(*problems, hint=_hint(takes)) from None


def _hint(takes: type[Input]) -> str:
    return f"this call takes {', '.join(keys_of(takes)) or 'nothing'}"
