from __future__ import annotations

from typing import Any

import pytest

from syncd.telemetry.purpose import Purpose, purpose_of_line

JOBS = {"github-profiles": Purpose.GITHUB}


@pytest.mark.parametrize(
    ("keys", "purpose"),
    [
        ({"event": "daemon.started"}, Purpose.CRON),
        ({"event": "control.used", "job": "github-profiles"}, Purpose.AUDIT),
        ({"event": "job.changed", "job": "github-profiles"}, Purpose.AUDIT),
        ({"event": "config.reloaded"}, Purpose.AUDIT),
        ({"event": "control.refused"}, Purpose.HTTP),
        ({"event": "job.registered", "job": "github-profiles"}, Purpose.CRON),
        ({"event": "run.started", "job": "github-profiles"}, Purpose.GITHUB),
        ({"event": "run.started", "job": "unknown"}, Purpose.CRON),
        ({"event": "run.started", "job": "github-profiles", "purpose": "http"}, Purpose.HTTP),
        ({"event": "x.happened", "purpose": "../../etc/passwd"}, Purpose.CRON),
    ],
)
def test_a_line_goes_where_its_words_say(keys: dict[str, Any], purpose: Purpose) -> None:
    assert purpose_of_line(keys, JOBS) is purpose
