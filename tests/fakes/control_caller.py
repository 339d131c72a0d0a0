"""Calls a daemon's control port as the platform and the command line do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from fakes.canary import refuse
from fakes.daemon_config import JOB
from fakes.sandbox_process import SandboxProcess
from fakes.waiting import DEADLINE_SECONDS, until

IMPORTED_AT_ONCE = 20_000
TRANSIENT = (OSError, aiohttp.ClientError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the control port answered."""

    status: int
    body: Any


class ControlCaller(ABC):
    """Asks and orders; `patience_seconds` is how long it waits for what it was asked to await."""

    def __init__(self) -> None:
        self.patience_seconds = DEADLINE_SECONDS
        self._session: aiohttp.ClientSession | None = None

    @property
    @abstractmethod
    def listen(self) -> str:
        """Return host and port."""

    @property
    @abstractmethod
    def token(self) -> str:
        """Return the right token."""

    async def hang_up(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask the control port; with the right token, another one, or (None) without."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30))
        if token == "":
            token = self.token
        shown = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"http://{self.listen}{path}"
        async with self._session.request(
            method, url, json=body, headers={**shown, **(headers or {})}
        ) as response:
            refuse(f"the answer to {method} {path}", await response.read())
            is_json = response.content_type == "application/json"
            body_told = await (response.json() if is_json else response.text())
            return Answer(status=response.status, body=body_told)

    async def get(self, path: str) -> Any:
        """Return what an address tells."""
        answer = await self.api("GET", path)
        assert answer.status == 200, answer
        return answer.body

    async def follow(self, sandbox: SandboxProcess) -> None:
        """Import everybody of a stand-in as users."""
        for start in range(0, len(sandbox.people), IMPORTED_AT_ONCE):
            text = sandbox.as_csv(start, start + IMPORTED_AT_ONCE)
            body = {"format": "csv", "content": text}
            answer = await self.api("POST", "/api/users/import", body)
            assert answer.status == 200, answer

    async def trigger(self, **options: Any) -> int:
        """Start the job and return the number of its run."""
        return await self.trigger_job(JOB, **options)

    async def trigger_job(self, job: str, **options: Any) -> int:
        """Start any job and return the number of its run."""
        answer = await self.api("POST", f"/api/jobs/{job}/trigger", options)
        assert answer.status == 202, answer
        return int(answer.body["id"])

    async def reached(self, run_id: int, seen: int) -> dict[str, Any]:
        """Return a run as it is once it has committed so many items."""
        return await self.until_true(f"/api/runs/{run_id}", lambda run: run.get("seen", 0) >= seen)

    async def finished(self, run_id: int) -> dict[str, Any]:
        """Return a run once it has ended."""
        return await self.until_true(f"/api/runs/{run_id}", lambda run: run.get("finished_at"))

    async def until_true(self, path: str, is_it: Callable[[Any], Any]) -> Any:
        """Return what an address tells once that is as it should be."""

        async def ask() -> Any:
            try:
                body = (await self.api("GET", path)).body
            except TRANSIENT:
                return None
            return body if is_it(body) else None

        return await until(ask, what=f"the right answer of {path}", seconds=self.patience_seconds)
