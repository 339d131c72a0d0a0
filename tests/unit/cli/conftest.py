from __future__ import annotations

import pytest

from syncd.cli.console import Console


@pytest.fixture
def console() -> Console:
    return Console(environ={})
