"""What a gate is told here is newer than what the database says, from that moment on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes.controlled import Desk, controlled, text_for
from fakes.waiting import until

from syncd.daemon.core import clients_of
from syncd.daemon.gates import GateKeeper
from syncd.errors import PlatformBlocked
from syncd.model.gate import GateState
from syncd.outbound.gate import Gate
from syncd.outbound.resource import CORE
from syncd.store.database import Database
from syncd.store.gates import GateStore

WAIT_TO_WRITE = """
    SELECT count(*) FROM pg_locks WHERE relation = 'gates'::regclass AND NOT granted
"""


class LateAnswers(GateStore):
    """Tells what it read when it is allowed to."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.has_read = asyncio.Event()
        self.may_tell = asyncio.Event()

    async def read(self) -> Sequence[GateState]:
        states = await super().read()
        self.has_read.set()
        await self.may_tell.wait()
        return states


def pause(gate: Gate) -> None:
    gate.pauses.pause(36_000, "secondary limit")


def trip(gate: Gate) -> None:
    with contextlib.suppress(PlatformBlocked), gate.breaker.judging("ada"):
        raise PlatformBlocked("a captcha", is_certain=True)


def use_up(gate: Gate) -> None:
    gate.resources.named(CORE).used_up.pause(36_000, "quota")


def gate_of(desk: Desk) -> Gate:
    gate: Gate = desk.core.around.platforms["github"][0].client.gate
    return gate


async def is_closed(store: GateStore) -> bool:
    """Tell whether anything that closes a gate is written down."""
    return any(
        state.paused_until or state.openings or state.used_up for state in await store.read()
    )


async def paused(desk: Desk, store: GateStore, close: Callable[[Gate], None] = pause) -> Gate:
    """Return a gate that is closed, as is written down."""
    gate = gate_of(desk)
    close(gate)
    await until(lambda: is_closed(store), what="the pause to be written")
    return gate


async def nothing_kept(store: GateStore) -> None:
    async def is_written() -> bool:
        return not await is_closed(store)

    await until(is_written, what="the end of the pause to be written")


async def test_pause_that_a_person_lifted_does_not_come_back_while_that_is_being_written(
    desk: Desk, database: Database
) -> None:
    store = GateStore(database)
    gate = await paused(desk, store)

    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE gates IN SHARE MODE")
        lifted = desk.core.gates.lift("github")

        async def is_being_written() -> bool:
            return bool(await connection.fetchval(WAIT_TO_WRITE))

        await until(is_being_written, what="the end of the pause on its way to the database")
        # As whoever begins to lead does it, soon after the first contact did.
        await desk.core.gates.restore()

    await nothing_kept(store)
    assert len(lifted) == 1
    assert gate.pauses.active is None


async def test_pause_that_a_person_lifted_does_not_come_back_by_an_answer_of_before(
    desk: Desk, database: Database
) -> None:
    store = LateAnswers(database)
    core = desk.core
    gate = await paused(desk, GateStore(database))
    keeper = GateKeeper(clients_of(core.around), store, core.clock, core.bus)

    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(keeper.keep())
        restoring = group.create_task(keeper.restore())
        await store.has_read.wait()
        keeper.lift("github")
        await nothing_kept(GateStore(database))
        store.may_tell.set()
        await restoring
        keeping.cancel()

    assert gate.pauses.active is None


async def test_gate_that_is_told_nothing_goes_on_as_the_database_says(
    desk: Desk, database: Database
) -> None:
    gate = await paused(desk, GateStore(database))
    gate.remember = lambda _: None
    gate.pauses.lift()

    await desk.core.gates.restore()

    assert gate.pauses.active is not None


@pytest.mark.parametrize("close", [pause, trip, use_up])
async def test_who_stood_by_leads_with_nothing_that_the_leader_before_lifted(
    desk: Desk, database: Database, base_url: str, tmp_path: Path, close: Callable[[Gate], None]
) -> None:
    store, settings = GateStore(database), database.settings
    await paused(desk, store, close)
    folder = tmp_path / "standby"
    folder.mkdir()

    async with controlled(
        text_for(settings.address, settings.schema, base_url), folder, desk.clock
    ) as standby:
        # At its first contact with the database it learns what holds then.
        await standby.core.health.ready.wait()
        before = gate_of(standby).closed_until()
        desk.core.gates.lift("github")
        await nothing_kept(store)
        await standby.core.learn()
        after = gate_of(standby).closed_until()

    assert before is not None
    assert after is None
    assert not await is_closed(store)
