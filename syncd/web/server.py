"""The control port itself: everything put together, on a socket, with a life."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from syncd.clock import Clock
from syncd.errors import ConfigError, PortTaken, StartError
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ConditionNoticed
from syncd.web.alerts import Alerts
from syncd.web.changes import Changes
from syncd.web.connections import Doorman
from syncd.web.contest_sync import ContestSync
from syncd.web.dispatch import Dispatcher, add_headers
from syncd.web.events import EventStream, StreamLimits
from syncd.web.freshness import Freshness
from syncd.web.jobs import Jobs, Triggers
from syncd.web.letters import DeadLetters
from syncd.web.metrics import METRICS_PATH, MetricsPage
from syncd.web.notify import Notify
from syncd.web.openapi import describe
from syncd.web.outbox import Outbox
from syncd.web.periodic_sync import PeriodicSync
from syncd.web.plans import Plans
from syncd.web.probes import Probes
from syncd.web.routes import Call, Nothing, Route, Routes
from syncd.web.runs import Runs
from syncd.web.scores import Scores
from syncd.web.security import OPEN_PATHS, Guard, is_loopback
from syncd.web.service import Json, Service
from syncd.web.socket import bound_socket
from syncd.web.spotify_sync import SpotifySync
from syncd.web.tokens import Tokens
from syncd.web.unsubscribe import Unsubscribe
from syncd.web.users import Users

# aiohttp waits this long twice: for answers under way, and for what it then cancels.
STOP_SECONDS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """Where the control port listens, and whom it lets in.

    Port 0 takes any free one. `socket` is the path of a Unix socket besides. `allowed_hosts` are
    names and addresses by which clients may call it besides loopback addresses and `localhost`. A
    `host` that is not loopback needs `allow_remote`, and excludes `metrics_public`, which answers
    `/metrics` without the token.
    """

    host: str = "127.0.0.1"
    port: int = 8642
    socket: Path | None = None
    token: str = field(repr=False)
    allowed_hosts: tuple[str, ...] = ()
    allow_remote: bool = False
    metrics_public: bool = False
    connections: int = 64
    body_seconds: float = 10.0
    streams: StreamLimits = field(default_factory=StreamLimits)


class ControlServer:
    """The control port as an async context manager: it serves as long as the context lasts.

    Raises on entering:
        ConfigError: the address is not loopback, and `allow_remote` is not set or
            `metrics_public` is.
        StartError: nothing can listen there (port or socket taken, no such address).
    """

    def __init__(
        self, service: Service, settings: ControlSettings, *, bus: Bus, clock: Clock
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._stream = EventStream(settings.streams)
        self._runner = web.AppRunner(
            self._build(service, clock), handle_signals=False, shutdown_timeout=STOP_SECONDS
        )
        self._stack = contextlib.AsyncExitStack()
        self._port = settings.port

    @property
    def port(self) -> int:
        """Return the port that is listened on, also when any was asked for."""
        return self._port

    async def __aenter__(self) -> Self:
        self._check_reach()
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._bus.subscribed(self._stream.accept))
            stack.push_async_callback(self._runner.cleanup)
            await self._runner.setup()
            listener = await self._listen()
            stack.callback(listener.close)
            self._port = listener.sockets[0].getsockname()[1]
            if self._settings.socket is not None:
                entrance = stack.enter_context(bound_socket(self._settings.socket))
                loop = asyncio.get_running_loop()
                second = await loop.create_unix_server(self._receive, sock=entrance)
                stack.callback(second.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def _build(self, service: Service, clock: Clock) -> web.Application:
        settings = self._settings
        guard = Guard(
            token=settings.token,
            allowed_hosts=settings.allowed_hosts,
            open_paths=OPEN_PATHS | ({METRICS_PATH} if settings.metrics_public else set()),
            clock=clock,
            bus=self._bus,
        )
        dispatcher = Dispatcher(service, guard, self._bus, body_seconds=settings.body_seconds)
        app = web.Application(middlewares=[dispatcher.middleware()])
        app.on_response_prepare.append(add_headers)
        app.on_shutdown.append(self._close_streams)
        Probes(service).register(app.router)
        MetricsPage(service).register(app.router)
        Unsubscribe(service, self._bus, clock).register(app.router)
        dispatcher.register(
            all_routes(service, clock, metrics_public=settings.metrics_public), app.router
        )
        app.router.add_route("GET", "/api/events", self._stream.serve)
        return app

    async def _listen(self) -> asyncio.Server:
        host, port = self._settings.host, self._settings.port
        try:
            return await asyncio.get_running_loop().create_server(self._receive, host, port)
        except OSError as exc:
            taken = exc.errno == errno.EADDRINUSE
            if taken:
                raise PortTaken(
                    f"cannot listen on {host}:{port}: the port is taken",
                    hint="stop the program that listens there, or set [web] listen to a free port",
                ) from exc
            raise StartError(
                f"cannot listen on {host}:{port}: {exc.strerror or exc}",
                hint="set [web] listen to an address of this machine and a port above 1023",
            ) from exc

    def _receive(self) -> Doorman:
        http = self._runner.server
        assert http is not None
        return Doorman(http, self._settings.connections)

    async def _close_streams(self, _app: web.Application) -> None:
        # An open stream would hold up the stop until aiohttp gives up on it.
        self._stream.close()

    def _check_reach(self) -> None:
        host = self._settings.host
        if is_loopback(host):
            return
        if not self._settings.allow_remote:
            raise ConfigError(
                f"web.listen: {host!r} is no loopback address: everybody who reaches it could try",
                hint="listen on 127.0.0.1, or set [web] allow_remote = true behind a TLS proxy",
            )
        if self._settings.metrics_public:
            raise ConfigError(
                f"web.metrics_public: everybody who reaches {host!r} could read the metrics",
                hint="leave it false and let Prometheus send the token",
            )
        self._bus.emit(
            ConditionNoticed(
                condition=f"the control port listens on {host}, without TLS",
                hint="put a TLS proxy in front, or listen on 127.0.0.1",
            )
        )


def all_routes(service: Service, clock: Clock, *, metrics_public: bool = False) -> Routes:
    """Return every JSON address, the description of the others included."""
    triggers = Triggers(service, clock)
    routes = (
        *Jobs(service, clock, triggers).routes(),
        *Runs(service).routes(),
        *Users(service).routes(),
        *Tokens(service).routes(),
        *Freshness(service).routes(),
        *DeadLetters(service).routes(),
        *Outbox(service).routes(),
        *Plans(service, triggers).routes(),
        *Changes(service).routes(),
        *Scores(service).routes(),
        *PeriodicSync(service, clock, triggers).routes(),
        *SpotifySync(service, triggers).routes(),
        *ContestSync(service, triggers).routes(),
        *Alerts(service).routes(),
        *Notify(service).routes(),
    )

    async def openapi(_call: Call[Nothing]) -> Json:
        return describe((*routes, itself), metrics_public=metrics_public)

    itself = Route(
        method="GET",
        path="/api/openapi.json",
        summary="This description",
        takes=Nothing,
        answer=openapi,
        needs_store=False,
    )
    return (*routes, itself)
