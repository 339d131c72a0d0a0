"""What runs came to apart from their own counts: by platform, or by rule of the clean-up."""

from __future__ import annotations

from syncd.daemon.answers import Json, platforms_answer
from syncd.jobs.base import Stores

CLEANUP = "cleanup"
"""The kind of the jobs that clean up."""


async def tell_shares(stores: Stores, *runs: Json) -> None:
    """Put into runs what they came to on each platform, and what each rule cleaned up."""
    reports = await stores.runs.platform_reports([run["id"] for run in runs])
    for run in runs:
        run["platforms"] = platforms_answer(reports[run["id"]])
    cleaning = [run for run in runs if run["kind"] == CLEANUP]
    counts = await stores.cleanup.counts_of([run["id"] for run in cleaning]) if cleaning else {}
    for run in cleaning:
        run["cleaned"] = counts[run["id"]]
