"""Steer and read a stand-in that runs in another process.

    GET  /_sandbox/counters                what was seen, `Counters.as_json`
    GET  /_sandbox/credentials             how often each credential was asked with
    GET  /_sandbox/fetches                 how often each user was asked for, by index
    POST /_sandbox/change {"change": "rename", "index": 7, "login": "ada-new"}
    POST /_sandbox/change {"change": "fault", "fault": "server_error", "share": 0.1, "times": 5}

`change` is the name of a method of the population (`change`, `change_some`, `edit`, `rename`,
`take_over`, `vanish`, `suspend`, `restore`, `become_organization`), of the stand-in's credentials
(`revoke`, `add_oauth_app`, `install`, `change_installation`, `revoke_tokens`), or `fault`,
`clear_faults`, `clear_counters`; the other keys are its arguments. The answer holds what it
returned. A change that cannot be made answers 400 and its reason.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from syncd.errors import BadInput, SyncdError
from syncd.sandbox.faults import FAULTS
from syncd.sandbox.github import GitHubStandIn


class Controlled:
    """A stand-in together with the addresses that steer it.

    Args:
        standin: who answers everything else.
    """

    def __init__(self, standin: GitHubStandIn) -> None:
        population = standin.population
        self._standin = standin
        self._changes: Mapping[str, Callable[..., Any]] = {
            "change": population.change,
            "change_some": population.change_some,
            "edit": population.edit,
            "rename": population.rename,
            "take_over": population.take_over,
            "vanish": population.vanish,
            "suspend": population.suspend,
            "restore": population.restore,
            "become_organization": population.become_organization,
            "revoke": standin.revoke,
            "add_oauth_app": standin.credentials.add_oauth_app,
            "install": standin.credentials.install,
            "change_installation": standin.credentials.change_installation,
            "revoke_tokens": standin.credentials.revoke_tokens,
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
                return web.json_response(self._standin.credentials.asked)
            case ("GET", "/_sandbox/fetches"):
                return web.json_response(self._fetches())
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
            made = FAULTS[fault](**arguments or {})
            self._standin.faults.add(made, **when)
        except (KeyError, TypeError) as error:
            raise BadInput(f"no such fault: {fault} ({error!r})") from error

    def _fetches(self) -> list[int]:
        everybody = range(len(self._standin.population))
        return [self._standin.counters.fetches(index) for index in everybody]
