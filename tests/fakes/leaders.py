"""Two daemons on one PostgreSQL: one leads, the other stands by."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.daemon_config import JOB, Tables, merged
from fakes.daemon_process import DaemonProcess, daemon_process
from fakes.oracle import Books
from fakes.sandbox_process import SandboxProcess
from fakes.waiting import until

from syncd.model.address import PostgresAddress

LEASE_SECONDS = 4
CLAIM = 50
STANDBY = "/ready?standby=ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where daemons keep their tables, and the lines that lead there."""

    address: PostgresAddress
    schema: str
    folder: Path
    sandbox: SandboxProcess

    @contextlib.asynccontextmanager
    async def daemon(
        self, name: str, tables: Tables | None = None, *, port: int | None = None, **more: Any
    ) -> AsyncIterator[DaemonProcess]:
        """Configure a daemon with a folder of its own; it is not started yet.

        With `port` it reaches PostgreSQL by that port of this machine.
        """
        (self.folder / name).mkdir()
        outside: dict[str, Any] = {"host": self.address.host, "schema": self.schema}
        if port is not None:
            outside |= {"host": "127.0.0.1", "port": port, "user": self.address.user}
            outside |= {"database": self.address.database}
        usual = {
            "daemon": {"lease": f"{LEASE_SECONDS}s"},
            "database": outside,
            f"jobs.{JOB}": {"claim": CLAIM, "sweep": False},
        }
        whole = merged(usual, tables or {})
        async with daemon_process(self.folder / name, self.sandbox, whole, **more) as daemon:
            daemon.database, daemon.schema = self.address, self.schema
            yield daemon

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Ask PostgreSQL behind everybody's back."""
        asker = object.__new__(DaemonProcess)
        asker.database, asker.schema = self.address, self.schema
        return await DaemonProcess.fetch(asker, sql, *values)

    async def leader(self) -> Mapping[str, Any]:
        """Return the row of the lease."""
        [row] = await self.fetch("SELECT *, expires_at > clock_timestamp() AS lasts FROM leases")
        return dict(row)

    async def led_by(self, daemon: DaemonProcess, **limits: float) -> None:
        """Return once a daemon leads."""

        async def ask() -> bool:
            lease = await self.leader()
            return bool(lease["lasts"] and lease["listen"] == daemon.listen)

        await until(ask, what=f"{daemon.folder} to lead", **limits)

    async def check_stored(self) -> None:
        """Everybody's row is what the stand-in answers, and runs counted what they wrote down."""
        books = Books(self.fetch)
        people = self.sandbox.people
        model = {("github", f"u{index}"): self.sandbox.document(index) for index in people}
        await books.check_profiles(model)
        await books.check_counts()
        await books.check_running(JOB)


def assert_whole(run: Mapping[str, Any], users: int) -> None:
    """Everybody was stored by one run that was gone on with once, and counted once."""
    assert (run["outcome"], run["seen"], run["created"]) == ("succeeded", users, users), run


@contextlib.asynccontextmanager
async def standing_by(daemon: DaemonProcess) -> AsyncIterator[DaemonProcess]:
    """Start a daemon that is to stand by."""
    await daemon.start(until_answers=STANDBY)
    answer = await daemon.api("GET", "/ready")
    assert (answer.status, answer.body["status"]) == (503, "standby"), answer
    yield daemon
