from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes.clock import FakeClock

from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def told(bus: Bus) -> Iterator[list[Event]]:
    events: list[Event] = []
    with bus.subscribed(events.append):
        yield events
