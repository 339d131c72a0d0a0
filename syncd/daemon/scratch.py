"""Where a trial plays: on the servers of a configuration, with nothing that anybody else has."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from syncd.clock import Clock
from syncd.config.models import Config, Database, Job, Logging, Redis, Users
from syncd.daemon.instance import only_instance
from syncd.daemon.servers import Servers
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.embedded.server import EmbeddedServer
from syncd.embedded.valkey import EmbeddedValkey
from syncd.errors import SecondInstance
from syncd.jobs.boards import GuardOptions, LeaderboardOptions
from syncd.model.address import PostgresAddress, RedisAddress
from syncd.store.scratch import SCRATCH
from syncd.telemetry.bus import Bus

JOB = "selftest"
_RUN_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """A configuration whose schema and keys are made up, and where they are."""

    config: Config
    schema: str
    prefix: str
    keys: tuple[str, ...]
    database: PostgresAddress
    redis: RedisAddress


def set_scratch(config: Config, state_dir: Path, bus: Bus, clock: Clock) -> Scratch:
    """Return `config` with one leaderboard in place of its jobs, and a state directory of its own.

    The job deletes who is missing once; its other options are the defaults.
    """
    own = config.daemon.state_dir
    database = config.database.address() or EmbeddedPostgres(own, bus, clock).address
    redis = config.redis.address() or EmbeddedValkey(own, bus, clock).address
    name = secrets.token_hex(6)
    schema, prefix = f"{SCRATCH}{name}", f"syncd:selftest:{name}:"
    guard = GuardOptions(runs=1, wait=timedelta())
    options = LeaderboardOptions(prefix=prefix, details="", dirty="", guard=guard)
    job = Job(
        kind="leaderboard", retries=0, timeout=timedelta(seconds=_RUN_SECONDS), options=options
    )
    sections = {
        "daemon": config.daemon.model_copy(update={"state_dir": state_dir}),
        "database": _database(config, database).model_copy(update={"schema_name": schema}),
        "redis": _redis(config, redis),
        "logging": Logging(format="json"),
        "users": Users(),
        "platforms": {},
        "jobs": {JOB: job},
    }
    return Scratch(
        config=config.model_copy(update=sections),
        schema=schema,
        prefix=prefix,
        keys=tuple(board.key for board in options.all_boards()),
        database=database,
        redis=redis,
    )


def _database(config: Config, address: PostgresAddress) -> Database:
    """Name the server, also where it is our own: whoever reads this is not to start one."""
    if config.database.address() is not None:
        return config.database
    server = {name: getattr(address, name) for name in ("host", "port", "user", "database")}
    return config.database.model_copy(update=server)


def _redis(config: Config, address: RedisAddress) -> Redis:
    if config.redis.address() is not None:
        return config.redis
    return config.redis.model_copy(update={"url": SecretStr(f"unix://{quote(address.socket)}")})


@contextlib.asynccontextmanager
async def servers_of(config: Config, bus: Bus, clock: Clock) -> AsyncIterator[None]:
    """Run the servers that `config` does not name, unless a daemon runs them.

    Raises:
        StartError: one of them cannot start here.
    """
    state_dir = config.daemon.state_dir
    servers: list[EmbeddedServer] = []
    if config.database.address() is None:
        servers.append(EmbeddedPostgres(state_dir, bus, clock))
    if config.redis.address() is None:
        servers.append(EmbeddedValkey(state_dir, bus, clock))
    with contextlib.ExitStack() as stack:
        if servers:
            try:
                stack.enter_context(only_instance(state_dir))
            except SecondInstance:
                servers = []
        async with Servers(servers) as running:
            try:
                # Shielded: a start that is under way can be given up only while somebody waits.
                await asyncio.shield(running.start())
            finally:
                running.give_up_starting()
            yield
