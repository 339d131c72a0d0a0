"""Says at the end how many of the recorded schedule vectors ran."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    ran = sum(dict(report.user_properties).get("schedule_vectors", 0) for report in passed)
    if ran:
        terminalreporter.write_line(f"schedule vectors: {ran} ran")
