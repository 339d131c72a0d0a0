"""What `pause` and `resume` reach: one job, one platform, or everything."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.reach import ask_job
from syncd.web.client import ControlClient, Json, api_path

PARAMETERS: tuple[click.Parameter, ...] = (
    click.Argument(["job"], required=False),
    click.Option(["--all", "everything"], is_flag=True, help="Every job."),
    click.Option(["--platform"], metavar="NAME", help="Every job's requests to one platform."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Exactly one of the three.

    Raises:
        UsageError: it is none of them, or several.
    """

    job: str | None
    platform: str | None
    everything: bool

    def __post_init__(self) -> None:
        named = [bool(self.job), bool(self.platform), self.everything]
        if sum(named) != 1:
            raise click.UsageError(
                "name one job, or --platform NAME, or --all", click.get_current_context(silent=True)
            )

    def __str__(self) -> str:
        """Name it for a sentence."""
        return self.job or (f"platform {self.platform}" if self.platform else "everything")

    def order(self, client: ControlClient, action: str, body: Json | None = None) -> Json:
        """Order something of it; returns the daemon's answer.

        Raises:
            BadInput: there is no such job.
            NotKnown: there is no such platform.
        """
        if self.job:
            return ask_job(client, self.job, action, body)
        path = ("platforms", self.platform, action) if self.platform else (action,)
        return client.post(api_path(*path), body)
