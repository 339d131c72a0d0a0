"""`syncd reload`: apply config.toml to the running daemon."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.web.client import api_path

_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload(Command):
    """Read config.toml again and apply it, without a restart.

    It is checked first: when anything is wrong, nothing changes. What runs goes on with what it
    began with. SIGHUP does the same.
    """

    parameters = (
        click.Option(["--dry-run"], is_flag=True, help="Only show what is different in it."),
    )
    dry_run: bool

    def run(self, console: Console) -> Exit:
        """Order it, and show what is different."""
        answer = connect(console, needs_config=True).post(
            api_path("reload"), {"dry_run": self.dry_run}
        )
        if console.is_json:
            console.show_json(answer)
            return Exit.OK
        found = answer["differences"]
        for each in found:
            console.show(_in_words(each))
        waiting = sum(each["needs_restart"] for each in found)
        if not found:
            console.say("config.toml says what runs already")
        elif self.dry_run:
            console.say(f"{counted(len(found), 'difference')}, nothing was changed")
        elif len(found) > waiting:
            console.say(f"{counted(len(found) - waiting, 'difference')} applied")
        if waiting:
            console.say(f"{counted(waiting, 'difference')} only a restart applies")
        for job in answer["changed_jobs"]:
            reset = f"syncd reschedule {job} --reset"
            console.say(f"{job} was changed by hand, which stands over config.toml: {reset}")
        return Exit.OK


def _in_words(difference: Mapping[str, Any]) -> str:
    words = f"{difference['change']:7}  {difference['key']}"
    if difference["change"] == "changed":
        words += f": {_value(difference['old'])} -> {_value(difference['new'])}"
    return words + ("  (needs a restart)" if difference["needs_restart"] else "")


def _value(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
