"""Six small platforms, each one file, and the service that they read: `quiz_one` to `quiz_six`."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from fakes.daemon_config import Tables

import syncd.platforms

QUIZZES = tuple(f"quiz_{word}" for word in ("one", "two", "three", "four", "five", "forquizzes"))
MAIN, BACKUP = "profiles-main", "profiles-backup"

_FILE = '''
"""One of six."""

import re

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, AccountUnsuitable, BadPayload
from syncd.model.profile import Fetched, Profile
from syncd.outbound.request import Request
from syncd.platforms.base import Platform


class Quiz(Platform):
    """A game's public API."""

    defaults = PlatformSettings.model_validate(
        {{"base_url": "https://quiz.example", "rate": "1000/s", "slots": 4}}
    )
    handle_rule = re.compile("[a-z0-9]{{1,20}}")

    async def fetch(self, account):
        """Read a player."""
        response = await self.client.request(Request(segments=("{name}", account.handle)))
        if response.status == 404:
            raise AccountNotFound(f"{{account.handle!r}} does not exist")
        match response.data:
            case {{"score": int(score)}}:
                profile = Profile(
                    external_id=account.handle,
                    handle=account.handle,
                    solved=score,
                    raw=response.data,
                )
                return Fetched(profile=profile)
            case {{"team": _}}:
                raise AccountUnsuitable(f"{{account.handle!r}} is a team")
        raise BadPayload(f"{{account.handle!r}} has no score")
'''
_BRING = """
from pathlib import Path

import syncd.platforms

syncd.platforms.__path__.append(str(Path(__file__).parent / "platforms"))
"""


class QuizService:
    """Answers for all six; `asked` counts by platform and player who was asked for.

    `gone` do not exist, `teams` are no players, `odd` are answered without a score.
    """

    def __init__(self, *, latency_seconds: float = 0.0) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.latency_seconds = latency_seconds
        self.gone: set[str] = set()
        self.teams: set[str] = set()
        self.odd: set[str] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, platform, player = request.path.split("/")
        self.asked[platform, player] += 1
        await asyncio.sleep(self.latency_seconds)
        if player in self.gone:
            return web.json_response({"error": "no such player"}, status=404)
        if player in self.teams:
            return web.json_response({"team": player})
        return web.json_response({} if player in self.odd else {"score": len(player)})

    def times(self, *players: str) -> set[int]:
        """Return how often each player was asked for on each of the six, without repetitions."""
        return {self.asked[platform, player] for platform in QUIZZES for player in players}


def write_quizzes(folder: Path) -> Path:
    """Write the six files, and what brings them into a process with this folder in PYTHONPATH."""
    platforms = folder / "platforms"
    platforms.mkdir(parents=True)
    for name in QUIZZES:
        (platforms / f"{name}.py").write_text(_FILE.format(name=name))
    (folder / "sitecustomize.py").write_text(_BRING)
    return platforms


@contextmanager
def quizzes_here(folder: Path) -> Iterator[None]:
    """Bring the six into this process, and take them out again."""
    platforms = str(write_quizzes(folder))
    syncd.platforms.__path__.append(platforms)
    try:
        yield
    finally:
        syncd.platforms.__path__.remove(platforms)
        for name in QUIZZES:
            sys.modules.pop(f"syncd.platforms.{name}", None)


def quiz_tables(base_url: str, **options: Any) -> Tables:
    """Return the six and the two jobs that read them as config.toml has them shipped."""
    platform = {"base_url": base_url, "allow_private": True, "timeout": "10s"}
    both = {"kind": "profiles", "platforms": list(QUIZZES), "timezone": "Asia/Kolkata", **options}
    main = {"schedule": "0 0 * * *", "claim": 5, "fresh_for": "6h"}
    backup = {"schedule": "25 17 * * *", "claim": 10, "fresh_for": "20h", "mode": "catch_up"}
    return {
        **{f"platforms.{name}": platform for name in QUIZZES},
        f"jobs.{MAIN}": {**both, **main},
        f"jobs.{BACKUP}": {**both, **backup},
    }


def linked(players: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return users for `/api/users/import`, each with one player on all six."""
    return [
        {"key": key, "accounts": dict.fromkeys(QUIZZES, player)} for key, player in players.items()
    ]
