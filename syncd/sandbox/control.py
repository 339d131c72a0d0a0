"""Steer and read a stand-in that runs in another process.

    GET  /_sandbox/counters                what was seen, `Counters.as_json`
    GET  /_sandbox/credentials             how often each credential was asked with
    GET  /_sandbox/fetches                 how often each user was asked for, by index
    GET  /_sandbox/handles                 what each user is called now, by index
    POST /_sandbox/change {"change": "rename", "index": 7, "handle": "ada-new"}
    POST /_sandbox/change {"change": "fault", "fault": "server_error", "share": 0.1, "times": 5}

`change` is a name of the stand-in's `changes` (of every one: `change`, `change_some`, `rename`,
`vanish`, `restore`), or `fault` (one of `faults.FAULTS` or of its odd answers),
`clear_faults`, `clear_counters`; the other keys are its arguments, by the names that the stand-in
gives them (GitHub's `rename` calls the new handle `login`). The answer holds what it returned. A
change that cannot be made answers 400 and its reason.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from syncd.errors import BadInput, SyncdError
from syncd.sandbox.base import StandIn


class Controlled:
    """A stand-in together with the addresses that steer it.

    Args:
        standin: who answers everything else.
    """

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin
        self._changes: Mapping[str, Callable[..., Any]] = {
            **standin.changes(),
            "fault": self._add_fault,
            "clear_faults": standin.faults.clear,
            "clear_counters": standin.counters.clear,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        match (request.method, request.path):
            case ("GET", "/_sandbox/counters"):
                return web.json_response(self._standin.counters.as_json())
            case ("GET", "/_sandbox/credentials"):
                return web.json_response(dict(self._standin.asked_by()))
            case ("GET", "/_sandbox/fetches"):
                return web.json_response(self._fetches())
            case ("GET", "/_sandbox/handles"):
                return web.json_response([*map(self._standin.handle_of, self._everybody())])
            case ("POST", "/_sandbox/change"):
                return await self._change(request)
            case _:
                return await self._standin.handle(request)

    async def _change(self, request: web.BaseRequest) -> web.Response:
        try:
            return web.json_response({"result": self._make_change(await request.text())})
        except SyncdError as error:
            return web.json_response({"error": str(error)}, status=400)

    def _make_change(self, text: str) -> Any:
        try:
            arguments = json.loads(text)
            change = self._changes[arguments.pop("change")]
            bound = inspect.signature(change).bind(**arguments)
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise BadInput(f"no such change: {text[:200]} ({error!r})") from error
        return change(*bound.args, **bound.kwargs)

    def _add_fault(
        self, fault: str, arguments: Mapping[str, Any] | None = None, **when: Any
    ) -> None:
        try:
            made = self._standin.fault(fault, arguments or {})
            self._standin.faults.add(made, **when)
        except (KeyError, TypeError) as error:
            raise BadInput(f"no such fault: {fault} ({error!r})") from error

    def _fetches(self) -> list[int]:
        return [self._standin.counters.fetches(index) for index in self._everybody()]

    def _everybody(self) -> range:
        return range(len(self._standin.population))
