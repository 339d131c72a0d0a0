"""Run a stand-in as a process of its own: `python -m syncd.sandbox codeforces --population 10000`.

Prints its base URL in one line as soon as it serves; ends at once on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import cast

from syncd import plugins
from syncd.sandbox.base import StandIn
from syncd.sandbox.control import Controlled
from syncd.sandbox.server import serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m syncd.sandbox")
    names = [*plugins.find("syncd.sandbox")]
    parser.add_argument("platform", nargs="?", default="github", choices=names)
    parser.add_argument("--population", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1, help="limits this many times wider")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--latency-ms", type=float, default=0)
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    made = cast("type[StandIn]", plugins.load("syncd.sandbox", options.platform))
    standin = made.make(
        options.seed,
        options.population,
        scale=options.scale,
        latency_seconds=options.latency_ms / 1_000,
    )
    async with serve(Controlled(standin), port=options.port) as base_url:
        sys.stdout.write(f"{base_url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
