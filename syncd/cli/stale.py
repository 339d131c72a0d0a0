"""`syncd stale`: what has not been fresh for longest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import NONE, counted, in_words, instant
from syncd.web.client import Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale(Command):
    """List what has not been fresh for longest.

    Accounts that never had a good answer come first. Exit code 4 when an account, shown or not, is
    older than its job promises; times are UTC.
    """

    parameters = (
        click.Option(["--platform"], default="", metavar="NAME", help="Of this platform only."),
        click.Option(["--limit"], type=click.IntRange(1, 1_000), default=20, show_default=True),
    )
    platform: str
    limit: int

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        query = {"platform": self.platform or None, "limit": self.limit}
        answer = connect(console).get(api_path("stale"), query)
        if console.is_json:
            console.show_json(answer)
        elif answer["accounts"]:
            header = ("FRESH", "USER", "PLATFORM", "HANDLE", "LAST SUCCESS", "AGE", "LAST TRY")
            rows = [_row(account) for account in answer["accounts"]]
            console.show_table([(*header, "FAILS", "NEXT", "ERROR"), *rows])
        else:
            console.say("no accounts are followed")
        if answer["stale"] and not console.is_json:
            verb = "is" if answer["stale"] == 1 else "are"
            console.say(
                f"{counted(answer['stale'], 'account')} {verb} older than promised; "
                "`syncd why USER` tells why"
            )
        return Exit.PROBLEMS if answer["stale"] else Exit.OK


def _row(account: Json) -> tuple[str, ...]:
    return (
        "stale" if account["is_stale"] else "ok",
        account["user_key"],
        account["platform"],
        account["handle"],
        _short(instant(account["fresh_at"]), "never"),
        NONE if account["age_seconds"] is None else in_words(account["age_seconds"]),
        account["outcome"] or NONE,
        str(account["fail_streak"]),
        _short(instant(account["next"]["at"]), NONE),
        account["error"] or NONE,
    )


def _short(at: datetime | None, absent: str) -> str:
    return absent if at is None else f"{at:%Y-%m-%d %H:%M}"
