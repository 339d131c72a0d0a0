from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock

from syncd.telemetry.logs import Logs, LogSettings, configure_logs


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 22, 6, 32, 10, 123_000, tzinfo=UTC))


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "stdout", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[], list[str]]:
    """Return what stands on the stand-in for stdout."""
    return lambda: (tmp_path / "stdout").read_text("utf-8").splitlines()


@pytest.fixture
def make_logs(clock: FakeClock, output: int) -> Iterator[Callable[..., Logs]]:
    with ExitStack() as stack:

        def make(*, onto: int = output, **settings: Any) -> Logs:
            return stack.enter_context(configure_logs(LogSettings(**settings), clock, output=onto))

        yield make
