"""Requests whose attempts are counted by who asks."""

from __future__ import annotations

import pytest
from fakes.clock import FakeClock
from fakes.scripted import says, scripted_world

from syncd.errors import PlatformDown, PlatformError
from syncd.outbound.request import Request

LIST = Request(segments=("contests",), is_retried=False)


@pytest.mark.parametrize("status", [502, 429])
async def test_failure_is_told_after_one_request_where_who_asks_counts_them(status: int) -> None:
    async with scripted_world() as world:
        world.platform.says(says(status))
        client = await world.client(FakeClock())

        with pytest.raises(PlatformError):
            await client.request(LIST)

        assert len(world.platform.requests) == 1


async def test_next_attempt_of_who_counts_them_is_answered() -> None:
    async with scripted_world() as world:
        world.platform.says(says(502))
        client = await world.client(FakeClock())
        with pytest.raises(PlatformDown):
            await client.request(LIST)
        world.platform.says(says(200))

        assert (await client.request(LIST)).status == 200
