"""What every test may use: a real PostgreSQL of the session, a schema of its own for each test."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

pytest_plugins = (
    "fakes.canary",
    "fakes.controlled",
    "fakes.far_database",
    "fakes.granted",
    "fakes.mirroring",
    "fakes.payloads",
    "fakes.pigeons",
    "fakes.pgbouncer",
    "fakes.postgres",
    "fakes.valkey",
)

# A slow machine is no failure: examples have no deadline, tests have one.
settings.register_profile("syncd", deadline=None)
settings.load_profile("syncd")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the heavy sizes unless the environment asks for them."""
    if os.environ.get("SYNCD_FULL") == "1":
        return
    heavy = [item for item in items if item.get_closest_marker("full")]
    if heavy:
        config.hook.pytest_deselected(items=heavy)
        items[:] = [item for item in items if item not in heavy]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test by name where its tool is missing; fail it where the tool had to be there."""
    for mark in item.iter_markers("needs_tool"):
        tool = mark.args[0]
        if shutil.which(tool) is None:
            refuse = pytest.fail if os.environ.get("SYNCD_TOOLS") == "required" else pytest.skip
            refuse(f"{tool} is not installed; packaging/debian-tools names its package")
