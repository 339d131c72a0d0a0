"""`syncd config show`: what syncd made of the config file."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import load, running_jobs
from syncd.cli.toml import to_toml
from syncd.cli.words import difference_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigShow(Command):
    """Show the configuration in use.

    With every default and variable filled in, and *** for every secret. Where the daemon runs a
    job otherwise, because somebody changed it, that is said as well.
    """

    def run(self, console: Console) -> Exit:
        """Load it; a daemon that runs is asked what was changed."""
        tables = load(console).redacted()
        for name, job in running_jobs(console).items():
            for each in job.get("differs_from_config", ()):
                console.say(f"jobs.{name} differs as it runs: {difference_in_words(each)}")
        if console.is_json:
            console.show_json(tables)
        else:
            console.show(*to_toml(tables))
        return Exit.OK
