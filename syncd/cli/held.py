"""Plans that wait for a person: which one is meant, and how it reads."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from syncd.cli.reach import known_job
from syncd.cli.words import part_in_words
from syncd.errors import NotKnown
from syncd.web.client import ControlClient, Json, Query, api_path

_OPEN = ("held", "approved")


def find_plan(client: ControlClient, which: str) -> Json:
    """Return the plan of a number, or the open one of a job.

    Raises:
        NotKnown: there is no such plan.
        BadInput: there is no such job.
    """
    if which.isascii() and which.isdecimal():
        return client.get(api_path("plans", int(which)))
    plan = open_plan(client, which)
    if plan is None:
        raise NotKnown(
            f"no plan of {which} waits for a person",
            hint=f"`syncd plans {which}` lists all of them",
        )
    return plan


def open_plan(client: ControlClient, job: str) -> Json | None:
    """Return the plan of a job that is held, or approved and not applied yet.

    Raises:
        BadInput: there is no such job, or it makes no plans.
    """
    for state in _OPEN:
        for plan in list_plans(client, job, state, 1):
            return plan
    return None


def list_plans(
    client: ControlClient, job: str | None, state: str | None, limit: int
) -> Sequence[Json]:
    """Return plans, newest first, of one job and state or of all; raises like `open_plan`."""
    with known_job(client, job) if job else contextlib.nullcontext():
        query: Query = {"job": job, "state": state, "limit": limit}
        plans: Sequence[Json] = client.get(api_path("plans"), query)["plans"]
        return plans


def weight(plan: Json) -> str:
    """Write what a plan does: `delete 212 of 1,180 rows (18 %)`."""
    share = part_in_words(plan["deletes"], plan["base"])
    if not plan["holds_updates"]:
        return f"delete {plan['deletes']:,} of {plan['base']:,} rows ({share})"
    whole = f"of {plan['base']:,} rows"
    updates = f"update {plan['updates']:,} {whole} ({part_in_words(plan['updates'], plan['base'])})"
    return f"{updates} and delete {plan['deletes']:,} ({share})" if plan["deletes"] else updates
