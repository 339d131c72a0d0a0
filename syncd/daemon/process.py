"""The daemon as a process: its root tasks, its signals, its way down."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

import structlog

from syncd import __version__
from syncd.clock import Clock, SystemClock
from syncd.config.control import ControlAddress
from syncd.config.models import Config
from syncd.daemon.collector import calm_collector
from syncd.daemon.control import Control
from syncd.daemon.core import Core, assemble
from syncd.daemon.credentials import watch_credentials
from syncd.daemon.instance import introduce, only_instance
from syncd.daemon.leadership import race
from syncd.daemon.settings import secrets_of, to_logs, to_schedules
from syncd.daemon.signals import SECOND_SIGNAL, Farewell, watch_signals
from syncd.daemon.supervision import Supervision
from syncd.daemon.systemd import Notifier
from syncd.daemon.watchdog import Watchdog
from syncd.errors import LeaseLost, StartError, StoreUnavailable, SyncdError
from syncd.telemetry.bus import Bus
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import (
    ConditionNoticed,
    DaemonDraining,
    DaemonStarted,
    DaemonStopped,
    Level,
    RunsCancelled,
)
from syncd.telemetry.logs import Logs, configure_logs
from syncd.web.address import address_told
from syncd.web.server import ControlServer, ControlSettings
from syncd.web.token import load_or_create_token

_STORE_RETRY_SECONDS = 5.0
# What is being claimed when a signal comes may take so long; the drain begins then at the latest.
_CLOSE_SECONDS = 2.0
# What is left when everything has stopped (threads, generators) may take so long to end.
_EXIT_SECONDS = 10.0

log = structlog.get_logger()


def serve(config: Config, environ: Mapping[str, str]) -> int:
    """Run the daemon until a signal ends it, and return its exit code.

    Raises:
        StartError, ConfigError: it cannot start here.
    """
    clock, bus = SystemClock(), Bus()
    notifier = Notifier(environ, clock)
    calm_collector()
    # SIGABRT, by which systemd ends what does not answer, writes the stacks of all threads.
    faulthandler.enable()
    with (
        only_instance(config.daemon.state_dir),
        logging_to(config, clock, bus) as logs,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        return runner.run(Daemon(config, clock, bus, logs).run(notifier))


@contextlib.contextmanager
def logging_to(config: Config, clock: Clock, bus: Bus, *, output: int = 1) -> Iterator[Logs]:
    """Write what happens to the logs, with every secret blanked, as long as the context lasts."""
    with configure_logs(to_logs(config.logging, output=output), clock, output=output) as logs:
        adapt_logs(logs, config)
        timezones = {name: job.timezone for name, job in config.jobs.items()}
        with bus.subscribed(EventLog(logs, timezones)):
            yield logs


def adapt_logs(logs: Logs, config: Config) -> None:
    """Let the logs know a configuration's secrets, jobs and level."""
    logs.secrets.add(*secrets_of(config))
    logs.set_level(Level(config.logging.level))
    for schedule in to_schedules(config):
        logs.route(schedule.job.name, schedule.job.work.purpose)


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
        self._code = 0

    async def run(self, notifier: Notifier) -> int:
        """Run until asked to end; 0 after a drain, 130 when a second signal ended it."""
        core = assemble(
            self._config, self._clock, self._bus, is_firing=self._config.daemon.schedule
        )
        control = self._controlling(core)
        watchdog = Watchdog(self._clock, self._bus)
        supervision = Supervision(core, notifier, watchdog)
        control.reloading.on_begin = supervision.reloading
        control.reloading.on_end = supervision.reloaded
        port = self._control_port(control)
        farewell = watch_signals(self._ending.set, lambda: self._hurry(core))
        with (
            self._bus.subscribed(control.note),
            self._bus.subscribed(supervision.note),
            self._bus.subscribed(core.alerts.note),
            watchdog,
        ):
            async with supervision, core, port as server:
                control.listen = f"{self._config.web.host}:{server.port}"
                introduce(core.leadership, self._config.daemon.state_dir, control.listen)
                with address_told(self._config.daemon.state_dir, self._address(server.port)):
                    await self._live(core, control, supervision)
        self._bus.emit(DaemonStopped())
        return self._leave(core, farewell)

    def _address(self, port: int) -> ControlAddress:
        web = self._config.web
        return ControlAddress(
            host=web.host,
            port=port,
            token_file=web.token_file,
            state_dir=self._config.daemon.state_dir,
            socket=web.socket,
        )

    def _controlling(self, core: Core) -> Control:
        """Connect the control port's side with what it changes."""
        control = Control(core)
        control.scraper.logs = self._logs
        core.leadership.on_standby = core.settle
        core.leadership.enter()
        core.changes.on_adopt(partial(adapt_logs, self._logs))
        core.changes.on_adopt(core.scoring.adopt)
        core.changes.on_adopt(lambda config: core.alerts.adopt(config.alerts))
        control.reloading.listen()
        return control

    def _control_port(self, control: Control) -> ControlServer:
        web = self._config.web
        settings = ControlSettings(
            host=web.host,
            port=web.port,
            socket=web.socket,
            token=load_or_create_token(web.token_file),
            allowed_hosts=web.allowed_hosts,
            allow_remote=web.allow_remote,
            metrics_public=web.metrics_public,
        )
        return ControlServer(control, settings, bus=self._bus, clock=self._clock)

    def _leave(self, core: Core, farewell: Farewell) -> int:
        """Return the exit code, or leave at once where something cannot be stopped."""
        code = self._code or int(self._failure is not None)
        if core.engine.has_stuck:
            os._exit(code)
        farewell.leave_within(_EXIT_SECONDS, code)
        if self._failure is not None and not self._code:
            raise self._failure
        return code

    def _hurry(self, core: Core) -> None:
        """Cancel what runs: a second signal came."""
        self._code = SECOND_SIGNAL
        self._bus.emit(RunsCancelled(active_runs=len(core.engine.active())))
        core.engine.hurry()

    async def _live(self, core: Core, control: Control, supervision: Supervision) -> None:
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
            reloads = roots.create_task(self._guard(control.reloading.watch()))
            scores = roots.create_task(self._guard(core.scoring.keep()))
            alerts = roots.create_task(self._guard(core.alerts.keep()))
            await self._ending.wait()
            supervision.stopping()
            control.is_stopping = True
            await self._close(core)
            credentials.cancel()
            reloads.cancel()
            scores.cancel()
            await self._drain(core)
            alerts.cancel()
            # Not before: what is drained is still written as the leader.
            schedule.cancel()
            await core.leadership.release()
            health.cancel()
            gates.cancel()
            metrics.cancel()

    async def _schedule(self, core: Core, control: Control, servers_up: asyncio.Event) -> None:
        """Start the servers, then lead or stand by, for ever."""
        await core.servers.start()
        servers_up.set()
        # Jobs, clients and templates stay as long as we do: a collection need not walk them.
        calm_collector()
        self._tell_started(control)
        await core.health.ready.wait()
        await core.leadership.keep(partial(self._lead, core))

    async def _lead(self, core: Core) -> None:
        """Fire as long as we lead, until the daemon ends; a lost database does not end it."""
        await race(self._fire(core), self._ended())

    async def _ended(self) -> None:
        await self._ending.wait()

    async def _fire(self, core: Core) -> None:
        with contextlib.suppress(LeaseLost):  # told where the lease is kept
            while True:
                try:
                    await core.learn()
                    await core.alerts.look()
                    await core.scheduler.run()
                except StoreUnavailable:
                    await self._clock.sleep(_STORE_RETRY_SECONDS)

    async def _watch_health(self, core: Core, servers_up: asyncio.Event) -> None:
        await servers_up.wait()
        await core.health.watch()

    async def _watch_credentials(self, core: Core) -> None:
        """Wait for what gates remember, so that nothing is asked in the middle of a pause."""
        await core.health.ready.wait()
        await watch_credentials(core.outlets.all, self._clock)

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

    async def _close(self, core: Core) -> None:
        """Start nothing any more; who waits for a lost database does not hold up the drain."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await core.scheduler.close()

    async def _drain(self, core: Core) -> None:
        seconds = core.config.daemon.drain.total_seconds()
        active = len(core.engine.active())
        self._bus.emit(DaemonDraining(drain_seconds=seconds, active_runs=active))
        core.servers.give_up_starting()
        await core.engine.drain(seconds)
