"""The description of the API, made from the very table that answers it."""

from __future__ import annotations

import re
from typing import Any

from syncd import __version__
from syncd.web.routes import Nothing, Route, Routes
from syncd.web.service import Json
from syncd.web.unsubscribe import UNSUBSCRIBE_PATH

PROBE_SUMMARIES = {
    "/live": "Whether the process answers",
    "/ready": "Whether runs can start here; a syncd that stands by is 503, with ?standby=ok 200",
    "/health": "Whether everything needed is there",
}

ERROR = {
    "type": "object",
    "required": ["error", "hint"],
    "properties": {"error": {"type": "string"}, "hint": {"type": "string"}},
}


# What may be wrong with a call, with its body, and with what we ask others for it.
_REFUSALS = (400, 401, 403, 404, 409, 422, 429, 502, 503)
_REFUSED_BODIES = (408, 413, 415)


def describe(routes: Routes, *, metrics_public: bool = False) -> Json:
    """Return an OpenAPI 3.1 document of the routes, the probes, the metrics and the stream."""
    paths: dict[str, Json] = {
        path: {"get": {"summary": summary, "security": [], "responses": _answers(200, 503)}}
        for path, summary in PROBE_SUMMARIES.items()
    }
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths[UNSUBSCRIBE_PATH] = _unsubscribe()
    paths["/metrics"] = {"get": _metrics(is_public=metrics_public)}
    paths["/api/events"] = {"get": _stream()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "syncd", "version": __version__},
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
    }


def _unsubscribe() -> Json:
    link = {"name": "t", "in": "query", "required": True, "schema": {"type": "string"}}
    common: Json = {"security": [], "parameters": [link]}
    pages = {
        str(status): {"description": "A page", "content": {"text/html": {}}}
        for status in (200, 404)
    }
    busy = {"503": {"description": "A page: nothing can be changed now"}}
    return {
        "get": {"summary": "What a link in a message is about", **common, "responses": pages},
        "post": {
            "summary": "End the channel that a link is about (RFC 8058: its one click)",
            **common,
            "responses": pages | busy,
        },
    }


def _operation(route: Route[Any]) -> Json:
    operation: Json = {
        "summary": route.summary,
        "parameters": _path_parameters(route.path),
        "responses": _answers(
            *sorted((route.status, *_REFUSALS, *(_REFUSED_BODIES if route.changes else ())))
        ),
    }
    schema = route.takes.model_json_schema()
    if route.changes:
        required = bool(schema.get("required"))
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": schema}},
        }
    if route.method in {"GET", "DELETE"} and route.takes is not Nothing:
        operation["parameters"] += [
            {"name": name, "in": "query", "schema": part}
            for name, part in schema["properties"].items()
        ]
    return operation


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _answers(*statuses: int) -> Json:
    return {str(int(status)): _answer(status) for status in statuses}


def _answer(status: int) -> Json:
    good = status < 400
    schema = {"type": "object"} if good else {"$ref": "#/components/schemas/Error"}
    return {
        "description": "done" if good else "refused or failed",
        "content": {"application/json": {"schema": schema}},
    }


def _metrics(*, is_public: bool) -> Json:
    return {
        "summary": "Metrics in the text format of Prometheus",
        **({"security": []} if is_public else {}),
        "responses": {
            "200": {"description": "the metrics", "content": {"text/plain": {}}},
            **_answers(401, 403),
        },
    }


def _stream() -> Json:
    return {
        "summary": "What happens, as server-sent events; resumes behind Last-Event-ID",
        "responses": {
            "200": {"description": "the stream", "content": {"text/event-stream": {}}},
            **_answers(401, 403, 503),
        },
    }
