"""A platform over real sockets that answers as a script says, and clients that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from aiohttp import web
from aiohttp.test_utils import TestServer
from fakes.clock import FakeClock

from syncd.clock import Clock
from syncd.outbound.answers import Classifier, Response, Verdict, judge_by_status
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.quota import QuotaReport
from syncd.outbound.request import Endpoint
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

TOKEN = "ghp_s3cretOfTheTest"
Answer = Callable[[web.Request], web.StreamResponse]


class Platform:
    """A server that answers with each of `answers` in turn, and with the last one for ever."""

    def __init__(self) -> None:
        self.base_url = ""
        self.answers: list[Answer] = []
        self.requests: list[web.Request] = []
        self.holding: asyncio.Event | None = None
        self._arrived = asyncio.Condition()

    def says(self, *answers: Answer) -> None:
        self.answers = list(answers)

    @property
    def paths(self) -> list[str]:
        return [request.raw_path for request in self.requests]

    async def asked(self, times: int) -> None:
        """Wait until so many requests have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= times)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        async with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        if self.holding is not None:
            await self.holding.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request)


def says(status: int, text: str = "{}", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named.setdefault("Content-Type", "application/json")
    return lambda _: web.Response(status=status, text=text, headers=named)


def moves(status: int, location: str) -> Answer:
    return says(status, Location=location)


def github(response: Response) -> Verdict:
    """A judgement with quota headers and free 304s, as an adapter would write it."""
    verdict = judge_by_status(response)
    remaining = response.headers.get("X-RateLimit-Remaining")
    return Verdict(
        kind=verdict.kind,
        cause=verdict.cause,
        pause_seconds=verdict.pause_seconds,
        quota=QuotaReport(remaining=int(remaining), resets_in_seconds=600) if remaining else None,
        is_free=response.status == 304,
    )


class World:
    """Makes clients of the platform and keeps what they tell."""

    def __init__(self, platform: Platform, stack: AsyncExitStack) -> None:
        self.events: list[Event] = []
        self.first_event = asyncio.Event()
        self.platform = platform
        self._stack = stack

    async def client(
        self,
        clock: Clock | None = None,
        limits: Limits | None = None,
        credential: Credential | None = None,
        classify: Classifier = github,
    ) -> PlatformClient:
        bus = Bus()
        self._stack.enter_context(bus.subscribed(self.events.append))
        self._stack.enter_context(bus.subscribed(lambda _: self.first_event.set()))
        endpoint = Endpoint(
            platform="github",
            base_url=self.platform.base_url + "/api/",
            credential=credential or Credential.bearer("main", TOKEN),
            limits=limits or Limits(rate=1_000, burst=100, slots=5, timeout_seconds=5),
            user_agent="syncd/0.1",
            headers={"Accept": "application/vnd.github+json"},
            allow_private=True,
        )
        return await self._stack.enter_async_context(
            PlatformClient(
                endpoint, classify, clock=clock or FakeClock(), bus=bus, random=Random(1)
            )
        )


@asynccontextmanager
async def scripted_world() -> AsyncIterator[World]:
    platform = Platform()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", platform.handle)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(TestServer(app))
        platform.base_url = str(server.make_url("/")).rstrip("/")
        yield World(platform, stack)
