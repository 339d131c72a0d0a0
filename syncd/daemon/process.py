"""The daemon as a process: its root tasks, its signals, its way down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping

import structlog

from syncd import __version__
from syncd.clock import Clock, SystemClock
from syncd.config.models import Config
from syncd.daemon.collector import calm_collector
from syncd.daemon.control import Control
from syncd.daemon.core import Core, assemble
from syncd.daemon.credentials import watch_credentials
from syncd.daemon.instance import only_instance
from syncd.daemon.settings import secrets_of, to_logs, to_schedules
from syncd.errors import StartError, StoreUnavailable, SyncdError
from syncd.telemetry.bus import Bus
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import (
    ConditionNoticed,
    DaemonDraining,
    DaemonStarted,
    DaemonStopped,
)
from syncd.telemetry.logs import Logs, configure_logs
from syncd.web.server import ControlServer, ControlSettings
from syncd.web.token import load_or_create_token

SECOND_SIGNAL = 130
_STORE_RETRY_SECONDS = 5.0

log = structlog.get_logger()


def serve(config: Config, environ: Mapping[str, str]) -> int:
    """Run the daemon until a signal ends it, and return its exit code.

    Raises:
        StartError, ConfigError: it cannot start here.
    """
    del environ
    clock, bus = SystemClock(), Bus()
    calm_collector()
    with (
        only_instance(config.daemon.state_dir),
        logging_to(config, clock, bus) as logs,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        return runner.run(Daemon(config, clock, bus, logs).run())


@contextlib.contextmanager
def logging_to(config: Config, clock: Clock, bus: Bus, *, output: int = 1) -> Iterator[Logs]:
    """Write what happens to the logs, with every secret blanked, as long as the context lasts."""
    with configure_logs(to_logs(config.logging, output=output), clock, output=output) as logs:
        logs.secrets.add(*secrets_of(config))
        for schedule in to_schedules(config):
            logs.route(schedule.job.name, schedule.job.work.purpose)
        with bus.subscribed(EventLog(logs)):
            yield logs


def watch_signals(drain: Callable[[], None]) -> None:
    """Call `drain` at the first SIGTERM or SIGINT; leave at the second as if killed.

    Nothing is lost by that: a kill may come at any line anyway.
    """
    asked = asyncio.Event()

    def on_signal() -> None:
        if asked.is_set():
            os._exit(SECOND_SIGNAL)
        asked.set()
        drain()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Use uvloop where the extra `fast` is installed."""
    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ImportError:
        return None
    return uvloop.new_event_loop


class Daemon:
    """Builds the parts, keeps them running, and takes them down in reverse."""

    def __init__(self, config: Config, clock: Clock, bus: Bus, logs: Logs) -> None:
        self._config = config
        self._clock = clock
        self._bus = bus
        self._logs = logs
        self._ending = asyncio.Event()
        self._failure: SyncdError | None = None

    async def run(self) -> int:
        """Run until asked to end; 0 after a drain."""
        core = assemble(
            self._config, self._clock, self._bus, is_firing=self._config.daemon.schedule
        )
        control = Control(core)
        control.scraper.logs = self._logs
        token = load_or_create_token(self._config.web.token_file)
        settings = ControlSettings(
            host=self._config.web.host,
            port=self._config.web.port,
            socket=self._config.web.socket,
            token=token,
            allowed_hosts=self._config.web.allowed_hosts,
            allow_remote=self._config.web.allow_remote,
            metrics_public=self._config.web.metrics_public,
        )
        watch_signals(self._ending.set)
        with self._bus.subscribed(control.note):
            async with (
                core,
                ControlServer(control, settings, bus=self._bus, clock=self._clock) as server,
            ):
                control.listen = f"{self._config.web.host}:{server.port}"
                await self._live(core, control)
        self._bus.emit(DaemonStopped())
        if self._failure is not None:
            raise self._failure
        return 0

    async def _live(self, core: Core, control: Control) -> None:
        """Keep the root tasks running until one ends or a signal comes, then drain."""
        if os.geteuid() == 0:
            hint = "run it as a user of its own"
            self._bus.emit(ConditionNoticed(condition="syncd runs as root", hint=hint))
        servers_up = asyncio.Event()
        async with asyncio.TaskGroup() as roots:
            schedule = roots.create_task(self._guard(self._schedule(core, control, servers_up)))
            health = roots.create_task(self._guard(self._watch_health(core, servers_up)))
            gates = roots.create_task(self._guard(core.gates.keep()))
            credentials = roots.create_task(self._guard(self._watch_credentials(core)))
            metrics = roots.create_task(self._guard(control.scraper.keep()))
            await self._ending.wait()
            control.is_stopping = True
            await core.scheduler.close()
            schedule.cancel()
            credentials.cancel()
            await self._drain(core)
            health.cancel()
            gates.cancel()
            metrics.cancel()

    async def _schedule(self, core: Core, control: Control, servers_up: asyncio.Event) -> None:
        """Start the servers, then fire for ever; a database that goes away does not end it."""
        await core.servers.start()
        servers_up.set()
        self._tell_started(control)
        await core.health.ready.wait()
        while True:
            try:
                await core.load_pauses()
                await core.scheduler.run()
            except StoreUnavailable:
                await self._clock.sleep(_STORE_RETRY_SECONDS)

    async def _watch_health(self, core: Core, servers_up: asyncio.Event) -> None:
        await servers_up.wait()
        await core.health.watch()

    async def _watch_credentials(self, core: Core) -> None:
        """Wait for what gates remember, so that nothing is asked in the middle of a pause."""
        await core.health.ready.wait()
        platforms = [one for each in core.around.platforms.values() for one in each]
        await watch_credentials(platforms, self._clock)

    def _tell_started(self, control: Control) -> None:
        ready, _ = control.is_ready()
        event = DaemonStarted(version=__version__, listen=control.listen, ready=ready)
        self._bus.emit(event)

    async def _guard(self, work: Awaitable[None]) -> None:
        """Let a root task that ends, for any reason, end the daemon in order."""
        try:
            await work
        except SyncdError as error:
            self._failure = error
        except Exception as error:  # a root task's guard: the daemon drains, the stack is logged
            log.exception("daemon.crashed", error=type(error).__name__)
            hint = "the stack is in the log; syncd stopped what ran and can be started again"
            self._failure = StartError(f"unforeseen {type(error).__name__}", hint=hint)
        finally:
            self._ending.set()

    async def _drain(self, core: Core) -> None:
        seconds = self._config.daemon.drain.total_seconds()
        active = len(core.engine.active())
        self._bus.emit(DaemonDraining(drain_seconds=seconds, active_runs=active))
        core.servers.give_up_starting()
        await core.engine.drain(seconds)
