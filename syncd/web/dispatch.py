"""From a request to a route's answer: guard, input, call, audit."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

import pydantic_core
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from syncd.errors import BadInput, SyncdError
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ControlUsed
from syncd.web.answer import error_response, http_error_response, json_response
from syncd.web.body import read_given
from syncd.web.errors import Refused, status_of
from syncd.web.periodic_sync import words_for
from syncd.web.probes import HAS_TOKEN
from syncd.web.routes import Call, Input, Route, Routes
from syncd.web.security import ACTOR, HEADERS, Guard, peer_of
from syncd.web.service import Service
from syncd.web.unsubscribe import UNSUBSCRIBE_PATH

KEY_LENGTH = 128
DETAIL_LENGTH = 200
WHOLE_LENGTH = 80


class Dispatcher:
    """Answers the routes' addresses, and turns every error into its answer."""

    def __init__(self, service: Service, guard: Guard, bus: Bus, *, body_seconds: float) -> None:
        self._service = service
        self._guard = guard
        self._bus = bus
        self._body_seconds = body_seconds

    def register(self, routes: Routes, router: web.UrlDispatcher) -> None:
        """Put routes into a router."""
        for route in routes:
            router.add_route(route.method, route.path, partial(self._answer, route))

    def middleware(self) -> Middleware:
        """Return what stands before every handler, also before 404 and 405."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                if request.path == UNSUBSCRIBE_PATH:
                    self._guard.check_host(request, self._service.public_host())
                else:
                    request[HAS_TOKEN] = self._guard.check(request)
                return await handler(request)
            except Refused as exc:
                self._guard.tell(request, exc.status, str(exc))
                return _refusal(request, exc)
            except SyncdError as exc:
                return _refusal(request, exc)
            except web.RequestPayloadError:
                broken = BadInput("the body is broken", hint="send it again, whole")
                return _refusal(request, broken)
            except web.HTTPException as exc:
                return http_error_response(exc, words_for(request.path))

        return guarded

    async def _answer(self, route: Route[Any], request: web.Request) -> web.StreamResponse:
        call = Call(
            given=await read_given(request, route, self._body_seconds),
            path=dict(request.match_info),
            actor=ACTOR,
            idempotency_key=_idempotency_key(request),
        )
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            if route.needs_store:
                self._service.check_store()
            if route.changes and route.needs_lead:
                self._service.check_may_change()
            async with asyncio.timeout(route.answer_seconds):
                body = await route.answer(call)
            status = route.status
        except SyncdError as exc:
            status = status_of(exc)
            return _refusal(request, exc)
        finally:
            if route.changes:
                self._audit(request, call, status)
        return json_response(body, status)

    def _audit(self, request: web.Request, call: Call[Input], status: int) -> None:
        self._bus.emit(
            ControlUsed(
                actor=call.actor,
                peer=peer_of(request),
                method=request.method,
                path=request.rel_url.raw_path[:DETAIL_LENGTH],
                status=int(status),
                detail=_in_short(call.given),
            )
        )


def _refusal(request: web.Request, error: SyncdError) -> web.Response:
    return error_response(error, words_for(request.path))


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the headers that every answer carries."""
    response.headers.update(HEADERS)


def _idempotency_key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise BadInput(
            f"Idempotency-Key: must be 1 to {KEY_LENGTH} printable ASCII characters",
            hint="use a random one, such as a UUID, for each thing that you order",
        )
    return key


def _in_short(given: Input) -> str:
    """Return what was given, for the audit; what is long or about people by its length only."""
    short = {
        name: _size(value) if name in given.unlogged or _is_long(value) else value
        for name, value in given.model_dump(exclude_unset=True).items()
    }
    return pydantic_core.to_json(short).decode()[:DETAIL_LENGTH] if short else ""


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > WHOLE_LENGTH


def _size(value: object) -> str:
    text = value if isinstance(value, str) else pydantic_core.to_json(value)
    return f"{len(text)} characters"
