"""Answers: always JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

import pydantic_core
from aiohttp import web

from syncd.errors import SyncdError
from syncd.web.errors import body_of, headers_of, status_of
from syncd.web.service import Json

Words = Callable[[Json], Json]
"""How an address says that something went wrong: the body as it is, or with more in it."""


def usual_words(body: Json) -> Json:
    """Leave `{"error", "hint"}` as it is."""
    return body


def json_response(
    body: Json, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return `body` as JSON; instants are ISO 8601, NaN becomes null."""
    return web.Response(
        body=pydantic_core.to_json(body, inf_nan_mode="null"),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def error_response(error: SyncdError, words: Words = usual_words) -> web.Response:
    """Return what the caller is told about an error."""
    return json_response(words(body_of(error)), status_of(error), headers_of(error))


def http_error_response(error: web.HTTPException, words: Words = usual_words) -> web.Response:
    """Return the JSON form of an error that aiohttp raises (no such address, wrong method)."""
    allowed = error.headers.get("Allow")
    body = {
        "error": (error.reason or HTTPStatus(error.status).phrase).lower(),
        "hint": f"allowed here: {allowed}" if allowed else "GET /api/openapi.json lists all",
    }
    return json_response(words(body), error.status, {"Allow": allowed} if allowed else None)
