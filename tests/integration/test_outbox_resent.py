"""What a person decides about a delivery, and what the next run of kind notify makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes.clock import FakeClock
from fakes.notified import Notified, notified

from syncd.errors import DeliveryError, DeliveryUnknown
from syncd.model.notification import Message, Receipt
from syncd.model.outbox import Order
from syncd.store.database import Database
from syncd.store.outbox import OutboxStore


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Notified]:
    async with notified(database, FakeClock(), "email") as world:
        yield world


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (DeliveryUnknown("no answer"), "unknown"),
        (DeliveryError("refused", permanent=True), "failed"),
    ],
)
async def test_what_is_retried_is_sent_by_the_next_run_and_what_is_dropped_is_not(
    world: Notified, database: Database, failure: DeliveryError, state: str
) -> None:
    outbox, clock = OutboxStore(database), world.clock
    await world.person("ada", 24)
    await world.contest(5)

    async def fail(_message: Message) -> Receipt:
        raise failure

    world.email.sending = fail
    await world.run()
    [(number, found)] = await world.rows("id, state")
    world.email.sending = world.email.agree

    await outbox.decide(Order.DROP, number, actor="me", at=clock.now())
    await world.run()
    dropped = len(world.email.taken)
    await outbox.decide(Order.RETRY, number, actor="me", at=clock.now())
    await world.run()

    assert (found, dropped, await world.states()) == (state, 1, {"sent": 1})
    assert list(world.email.keys.values()) == [2]
