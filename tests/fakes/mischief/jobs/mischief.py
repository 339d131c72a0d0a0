"""A job kind that does what no job should do."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from syncd.jobs.base import Ending, JobKind, RunContext
from syncd.model.run import Outcome
from syncd.telemetry.purpose import Purpose

# Stacks show lines of code: what stood there as it is would be told by them.
TOKEN = "canary-access-of-a-crash"


class MischiefOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    how: str = "nothing"
    seconds: float = 60.0


class Mischief(JobKind[MischiefOptions]):
    """Blocks the event loop, or does not mind being cancelled."""

    Options: ClassVar[type[BaseModel]] = MischiefOptions

    @property
    def purpose(self) -> Purpose:
        return Purpose.CRON

    async def run(self, context: RunContext) -> Ending:
        await getattr(self, self.options.how)()
        return Ending(outcome=Outcome.SUCCEEDED)

    async def nothing(self) -> None:
        """Behave."""

    async def wait_in_c(self) -> None:
        time.sleep(self.options.seconds)  # noqa: ASYNC251 - that is the mischief

    async def wait_in_c_once(self) -> None:
        """Block the first time that this machine sees it, when syncd is well up."""
        await asyncio.sleep(2)
        seen = Path(os.environ["STATE_DIRECTORY"]) / "mischief"
        if not seen.exists():
            seen.touch()
            await self.wait_in_c()

    async def spin(self) -> None:
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end:
            pass

    async def keep_the_lock(self) -> None:
        """Stay in one call of C that lets no other thread run."""
        end = time.monotonic() + self.options.seconds
        any(map(end.__lt__, iter(time.monotonic, None)))

    async def crash_with_a_secret(self) -> None:
        """Fail as code would that nobody foresaw, with a token at hand."""
        access_token = TOKEN
        await self._ask({"Authorization": f"Bearer {access_token}"}, access_token)

    async def _ask(self, headers: dict[str, str], token: str) -> None:
        try:
            self._check(headers)
        except ValueError as error:
            raise RuntimeError(f"{len(token)} characters were of no use") from error

    def _check(self, headers: dict[str, str]) -> None:
        raise ValueError(f"bad headers {headers}")

    async def block_with_a_secret(self) -> None:
        """Block with a token in a local variable and in an argument."""
        self._block(TOKEN)

    def _block(self, token: str) -> None:
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end:
            time.sleep(len(token) / 1_000)

    async def swallow(self) -> None:
        while True:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                continue

    async def swallow_in_a_task(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.swallow())

    async def swallow_in_a_generator(self) -> None:
        async for _ in self._numbers():
            pass

    async def _numbers(self) -> AsyncIterator[int]:
        yield 1
        await self.swallow()

    async def leave_a_thread(self) -> None:
        await asyncio.to_thread(time.sleep, self.options.seconds)
