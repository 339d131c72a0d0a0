"""The storm: a daemon before a platform that is struck, and one that is not; and the concert."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from fakes.concert import Concerts
from fakes.concert import concert as concerted
from fakes.daemon_process import Start
from fakes.perils import Perils
from fakes.perils import perils as perilous
from fakes.storm import Storms, storm

from syncd.model.address import PostgresAddress


@pytest.fixture(name="storm")
def storms(external_daemon: Start, tmp_path: Path) -> Storms:
    """Start a storm: `async with storm(tables) as world`."""
    return partial(storm, external_daemon, tmp_path)


@pytest.fixture
def perils(storm: Storms, postgres: PostgresAddress) -> Perils:
    """Start a storm whose line to PostgreSQL strikes: `async with perils(tables) as peril`."""
    return partial(perilous, storm, postgres)


@pytest.fixture
def concert(external_daemon: Start, postgres: PostgresAddress) -> Concerts:
    """Start a daemon that reads Spotify: `async with concert(tables, users=4) as world`."""
    return partial(concerted, external_daemon, postgres)
