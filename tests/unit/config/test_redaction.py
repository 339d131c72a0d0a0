from __future__ import annotations

import json
from collections.abc import Callable

from syncd.config.models import Config

TEXT = """
[database]
url = "postgres://u:hunter2@db/d?sslmode=require"
[redis]
host = "cache"
password = "hunter2"
[platforms.github]
credentials = [{ name = "main", token = "hunter2" }]
quota = "5000/h"
[jobs.x]
kind = "profiles"
platforms = ["github"]
every = "90m"
"""


def test_a_config_is_shown_as_it_would_be_written_without_its_secrets(
    loaded: Callable[..., Config],
) -> None:
    shown = loaded(TEXT).redacted()

    assert shown["database"]["url"] == "postgres://u:***@db/d?sslmode=require"
    assert shown["redis"]["password"] == "***"
    assert shown["platforms"]["github"] == {
        "base_url": "https://api.github.com",
        "rate": "10/s",
        "burst": 10,
        "quota": "5000/h",
        "reserve": 0.2,
        "slots": 4,
        "timeout": "30s",
        "credentials": [{"name": "main", "token": "***"}],
        "allow_private": False,
    }
    assert shown["jobs"]["x"] == {
        "kind": "profiles",
        "schedule": "",
        "every": "1h30m",
        "timezone": "UTC",
        "misfire": "once",
        "overlap": "skip",
        "jitter": "0s",
        "retries": 2,
        "after": [],
        "after_created": False,
        "enabled": True,
        "run_on_start": False,
        "alerts": True,
        "platforms": ["github"],
        "mode": "full",
        "claim": 100,
        "fresh_for": "12h",
    }
    assert shown["logging"]["max_size"] == "100MB"
    assert "hunter2" not in json.dumps(shown)


def test_what_was_never_set_is_not_shown_as_a_secret(loaded: Callable[..., Config]) -> None:
    shown = loaded("").redacted()

    assert shown["database"]["password"] == ""
    assert shown["database"]["url"] == ""
