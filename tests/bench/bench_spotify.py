"""A listening run at size: its pace beside the limiter's, its memory, its talk to PostgreSQL.

    python tests/bench/bench_spotify.py [users] [faster]

Spotify is a stand-in as a process of its own, syncd this process with a PostgreSQL of its own. The
default rate of a user in two seconds is 100 times faster, so 10,000 users take 200 s of 5 h 33 min.
Three runs are shown: the first, in which every grant is refreshed and every play is new, as fast as
this machine can; one in which a fifth of the users has new plays, at the limiter's pace; and one in
which nothing is new.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from fakes.listening_pace import Pace, pace_of, told

USUAL = 0.5
UNLIMITED = 5_000.0


async def compare(pace: Pace, faster: float) -> None:
    """Show the runs one after the other."""
    async with pace.syncd(UNLIMITED) as (core, bus):
        await pace.grant(core, has_access=False)
        print("first   ", told(await pace.measured(core, bus, UNLIMITED)))
    await pace.listen()
    async with pace.syncd(USUAL * faster) as (core, bus):
        for name in ("a fifth ", "nothing "):
            print(name, told(await pace.measured(core, bus, USUAL * faster)))


async def bench(users: int, faster: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with pace_of(Path(folder), users) as pace:
            await compare(pace, faster)


def main() -> None:
    given = [*map(float, sys.argv[1:]), *(10_000.0, 100.0)[len(sys.argv) - 1 :]]
    asyncio.run(bench(int(given[0]), given[1]))


if __name__ == "__main__":
    main()
