"""`syncd run` before the daemon is there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from syncd.cli.console import Console
from syncd.cli.run import Run
from syncd.errors import ConfigError


def test_order_to_reload_that_comes_while_it_starts_does_not_end_it(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        with pytest.raises(ConfigError):
            Run().run(Console(environ={}, config_path=tmp_path / "config.toml"))
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(ConfigError):
            Run().run(Console(environ={}, config_path=tmp_path / "config.toml"))
    finally:
        signal.signal(signal.SIGHUP, before)
