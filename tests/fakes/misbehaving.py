"""The job kind `mischief` in a daemon under test."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fakes.control_caller import TRANSIENT
from fakes.daemon_config import Tables
from fakes.daemon_process import DaemonProcess
from fakes.waiting import until

MISCHIEF = "mischief"
MISCHIEF_FOLDER = Path(__file__).parent / "mischief"


def with_mischief(**environ: str) -> Mapping[str, str]:
    """Return the environment of a process that knows the kind."""
    path = os.pathsep.join(filter(None, (str(MISCHIEF_FOLDER), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path, **environ}


def mischief(how: str, **more: Any) -> Tables:
    """Return a job that does something it should not, when it is triggered."""
    return {f"jobs.{MISCHIEF}": {"kind": MISCHIEF, "how": how, **more}}


async def begin_mischief(daemon: DaemonProcess) -> int:
    """Start the run and return its number once it began; a blocked daemon may not answer."""

    async def trigger() -> bool:
        with contextlib.suppress(TimeoutError, *TRANSIENT):
            async with asyncio.timeout(3):
                answer = await daemon.api("POST", f"/api/jobs/{MISCHIEF}/trigger", {})
                return answer.status == HTTPStatus.ACCEPTED
        return bool(daemon.said("run.started", job=MISCHIEF))

    await until(trigger, what="the run to begin")
    return int((await daemon.told("run.started", job=MISCHIEF))["run_id"])
