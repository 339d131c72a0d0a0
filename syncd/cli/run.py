"""`syncd run`: the daemon itself."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Command):
    """Run the daemon.

    In the foreground, logs on standard output; a first SIGTERM or Ctrl-C lets what runs finish, a
    second cancels it, a third leaves at once.
    """

    def run(self, console: Console) -> Exit:
        """Serve until a signal comes."""
        # Until somebody listens: config.toml is read after this anyway. Not SIG_IGN, which the
        # servers that syncd starts would inherit.
        signal.signal(signal.SIGHUP, lambda *_: None)
        config = load(console)
        from syncd.daemon.process import serve  # noqa: PLC0415 - a broken config is told sooner

        return Exit(serve(config, console.environ))
