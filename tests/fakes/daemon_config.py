"""What stands in the config.toml of a daemon under test."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

# Below the ports that connections get, so that none of these is taken before a daemon listens.
_FIRST_PORT, _PORTS = 12_000, 2_000
_NUMBERS = itertools.count(os.getpid() % _PORTS)

Tables = Mapping[str, Mapping[str, Any]]

JOB = "github"


def usual_tables() -> Tables:
    """Return a configuration that is fast: limits far above GitHub's, and one job."""
    return {
        "daemon": {"state_dir": "state"},
        "web": {"listen": f"127.0.0.1:{free_port()}"},
        "platforms.github": {
            "base_url": "http://127.0.0.1:9",
            "allow_private": True,
            "rate": "500/s",
            "burst": 10,
            "quota": "1000000/h",
            "slots": 50,
            "timeout": "10s",
            "credentials": [{"name": "main", "token": "canary-of-the-sandbox"}],
        },
        f"jobs.{JOB}": {"kind": "profiles", "platforms": ["github"], "claim": 100},
    }


def merged(tables: Tables, over: Tables) -> Tables:
    """Return the tables with the keys of `over` in place of their own."""
    names = [*tables, *(name for name in over if name not in tables)]
    return {name: {**tables.get(name, {}), **over.get(name, {})} for name in names}


def to_toml(tables: Tables) -> str:
    """Write a config file."""
    return "\n".join(
        "\n".join([f"[{name}]", *(f"{key} = {_written(table[key])}" for key in table), ""])
        for name, table in tables.items()
    )


def _written(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{key} = {_written(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value)


def free_port() -> int:
    """Return a port that nobody listens on now, nor is given by the kernel or to another worker."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = _FIRST_PORT + worker * _PORTS + next(_NUMBERS) % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
