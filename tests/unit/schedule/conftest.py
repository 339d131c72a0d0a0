"""A host in virtual time; says at the end how many of the recorded schedule vectors ran."""

from __future__ import annotations

import pytest
from fakes.clock import FakeClock
from fakes.pretending import Host


@pytest.fixture
def host() -> Host:
    return Host(FakeClock())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    ran = sum(dict(report.user_properties).get("schedule_vectors", 0) for report in passed)
    if ran:
        terminalreporter.write_line(f"schedule vectors: {ran} ran")
