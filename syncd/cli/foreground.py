"""A run without a daemon: in this process, embedded servers included."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from syncd.cli.console import Console
from syncd.cli.progress import ProgressView
from syncd.cli.reach import load, unknown_job


def run_here(console: Console, job: str, narrowed: dict[str, Any]) -> dict[str, Any]:
    """Run a job once and return the run in the control port's shape.

    Args:
        console: where progress is shown.
        job: its name in the configuration.
        narrowed: the fields of `RunOptions`.

    Raises:
        BadInput: there is no such job.
        SecondInstance: a daemon is there after all; it does not answer on its port.
    """
    config = load(console)
    if job not in config.jobs:
        raise unknown_job(job, list(config.jobs))
    import pydantic_core  # noqa: PLC0415 - heavy, as all of these

    from syncd.daemon.foreground import run_once  # noqa: PLC0415
    from syncd.model.run import RunOptions  # noqa: PLC0415

    options = RunOptions(**{**narrowed, "only": tuple(narrowed["only"])})
    with ProgressView(console) as view:
        run = run_once(config, job, options, lambda told: view.update(dataclasses.asdict(told)))
    answer: dict[str, Any] = json.loads(pydantic_core.to_json(run))
    return answer
