"""`syncd users export`: the users as `users import` reads them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.people import iter_users
from syncd.cli.reach import connect
from syncd.web.cells import marked
from syncd.web.client import Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersExport(Command):
    """Write all users to standard output.

    As CSV, or as JSON with one object a line; users import reads both. In CSV a cell that a
    spreadsheet would take for a formula begins with an apostrophe; users import takes it off.
    """

    parameters = (
        click.Option(
            ["--format", "layout"],
            type=click.Choice(["csv", "json"]),
            default="csv",
            show_default=True,
        ),
    )
    layout: str

    def run(self, console: Console) -> Exit:
        """Read page by page and write line by line."""
        client = connect(console)
        if console.is_json or self.layout == "json":
            lines = json_lines(iter_users(client))
        else:
            platforms = client.get(api_path("platforms"))["platforms"]
            lines = csv_lines(iter_users(client), [platform["name"] for platform in platforms])
        for line in lines:
            console.show(line)
        return Exit.OK


def json_lines(users: Iterable[Json]) -> Iterator[str]:
    """Write each user as an object on a line of its own."""
    for user in users:
        entry = {
            "key": user["key"],
            "accounts": _handles(user),
            "opted_out": user["opted_out"],
            "last_login_at": user["last_login_at"],
            **({"notify": user["notify"]} if user.get("notify") else {}),
        }
        yield json.dumps(entry)


def csv_lines(users: Iterable[Json], platforms: Sequence[str]) -> Iterator[str]:
    """Write a header, then each user as a row with a column per platform."""
    yield _csv_line(["key", "opted_out", "last_login_at", *platforms, "notify"])
    for user in users:
        handles = _handles(user)
        yield _csv_line(
            [
                user["key"],
                "true" if user["opted_out"] else "false",
                user["last_login_at"] or "",
                *(handles.get(platform, "") for platform in platforms),
                json.dumps(user["notify"]) if user.get("notify") else "",
            ]
        )


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(marked, cells))
    return line.getvalue()


def _handles(user: Json) -> dict[str, str]:
    return {account["platform"]: account["handle"] for account in user["accounts"]}
