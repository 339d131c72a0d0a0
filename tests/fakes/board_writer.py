"""A process that writes to four boards without a pause, as the users of a platform do.

    writer = await begin(socket)      its first line says that everybody is there
    writer.terminate()                its last one what it wrote, and in how many seconds

Some users are always on one board at least: those who stay change their scores and leave the other
boards, those who move are on the next board before they leave the last. The fleeting come and go.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from types import FrameType

import redis
from fakes.boards import NAMES

KEYS = [f"leaderboard:{name}" for name in NAMES]
STAYING = [f"stays{number:04}" for number in range(8_000)]
MOVING = [f"moves{number:03}" for number in range(300)]
FLEETING = [f"fleets{number:03}" for number in range(100)]
AT_ONCE = 20
PAUSE_SECONDS = 0.004


@dataclass
class Counts:
    """What a writer came to."""

    writes: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.writes / self.seconds

    def read(self, said: bytes) -> None:
        writes, seconds = said.split()
        self.writes, self.seconds = int(writes), float(seconds)


def always() -> set[str]:
    """Return who is always on a board."""
    return {*STAYING, *MOVING}


async def begin(socket: str) -> Process:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fakes.board_writer", socket, stdout=PIPE, env=environment
    )


class Writer:
    """Writes until it is told to end."""

    def __init__(self, socket: str) -> None:
        self._redis = redis.Redis(unix_socket_path=socket)
        self._random = random.Random(6)
        self._place = dict.fromkeys(MOVING, 0)
        self.writes = 0
        self.goes_on = True

    def fill(self) -> None:
        for key in KEYS:
            self._redis.zadd(key, dict.fromkeys(STAYING, 1))
        self._redis.zadd(KEYS[0], dict.fromkeys((*MOVING, *FLEETING), 1))

    def write(self) -> None:
        """Write what twenty users do, in single commands that others may come between."""
        pipe = self._redis.pipeline(transaction=False)
        for _ in range(AT_ONCE):
            choice = self._random.random()
            if choice < 0.05:
                self._move(pipe, self._random.choice(MOVING))
            elif choice < 0.07:
                self._fleet(pipe, self._random.choice(FLEETING))
            else:
                self._stay(pipe, self._random.choice(STAYING))
        self.writes += len(pipe)
        pipe.execute()

    def _move(self, pipe: redis.client.Pipeline, user: str) -> None:
        last = self._place[user]
        self._place[user] = place = (last + self._random.choice((1, 2, 3))) % len(KEYS)
        pipe.zadd(KEYS[place], {user: self._random.randrange(1, 1_000)})
        pipe.zrem(KEYS[last], user)

    def _fleet(self, pipe: redis.client.Pipeline, user: str) -> None:
        pipe.zrem(KEYS[0], user)
        if self._random.random() < 0.5:
            pipe.zadd(KEYS[0], {user: 2})

    def _stay(self, pipe: redis.client.Pipeline, user: str) -> None:
        key = self._random.choice(KEYS[:-1])
        if self._random.random() < 0.3:
            pipe.zrem(key, user)
            pipe.zadd(key, {user: self._random.randrange(1, 1_000)})
        pipe.zincrby(self._random.choice(KEYS), 1, user)


def main(socket: str) -> None:
    writer = Writer(socket)

    def end(_number: int, _frame: FrameType | None) -> None:
        writer.goes_on = False

    signal.signal(signal.SIGTERM, end)
    writer.fill()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begun = time.monotonic()
    while writer.goes_on:
        writer.write()
        time.sleep(PAUSE_SECONDS)
    sys.stdout.write(f"{writer.writes} {time.monotonic() - begun}\n")


if __name__ == "__main__":
    main(sys.argv[1])
