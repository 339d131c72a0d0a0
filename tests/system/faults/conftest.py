"""The storm: a daemon before a platform that is struck, and one that is not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from fakes.daemon_process import Start
from fakes.storm import Storms, storm


@pytest.fixture(name="storm")
def storms(external_daemon: Start, tmp_path: Path) -> Storms:
    """Start a storm: `async with storm(tables) as world`."""
    return partial(storm, external_daemon, tmp_path)
