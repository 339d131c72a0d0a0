"""A daemon before two platforms: one is struck by what a case of the fault matrix says, one is not.

    async with storm() as world:
        await world.calm()                  everybody is linked, stored and looked at
        world.everybody_changes()
        world.github.faults.add(...)        or world.door.instead = ...
        run = await world.run()
        world.oracle.learn("forge")         what must be stored in spite of it
        await world.oracle.check()

Leaving the context ends the daemon and asks the oracle a last time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from fakes.daemon_config import JOB, Tables, merged
from fakes.daemon_process import DaemonProcess, Start
from fakes.oracle import PULSE, PULSE_EVERY, Oracle
from fakes.raw_server import Says
from fakes.tcp_proxy import TcpProxy, tcp_proxy

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.limits import Limits
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

USERS = range(12)
SLOTS = 4
GITHUB_TOKEN = "ghp_canary-of-the-struck-one"
FORGE_TOKEN = "ghp_canary-of-the-other"
PASSWORD = "canary-of-the-database"
SECRETS = (GITHUB_TOKEN, FORGE_TOKEN, PASSWORD)
WIDE = Limits().scaled(1_000)

# Python imports this at its start: a site adds a folder of platforms, each one file.
SITE = """
import syncd.platforms
syncd.platforms.__path__.append({folder!r})
"""
PLATFORM = '''
from syncd.platforms.github import GitHub


class {name}(GitHub):
    """Another service of the same kind."""
'''


class Storm:
    """The daemon, its two platforms and the door through which it reaches the first."""

    def __init__(
        self, daemon: DaemonProcess, github: GitHubStandIn, forge: GitHubStandIn, door: TcpProxy
    ) -> None:
        self.daemon = daemon
        self.github = github
        self.forge = forge
        self.door = door
        worlds = {"github": github.population, "forge": forge.population}
        self.oracle = Oracle(daemon, worlds, USERS, secrets=SECRETS, door=door)

    async def link(self) -> None:
        rows = [f"u{index},{self.login(index)},{self.login(index)}" for index in USERS]
        text = "\n".join(["key,github,forge", *rows, ""])
        answer = await self.daemon.api(
            "POST", "/api/users/import", {"format": "csv", "content": text}
        )
        assert answer.status == 200, answer

    def login(self, index: int) -> str:
        return self.github.population.login(index)

    def index(self, path: str) -> int:
        """Return about whom a path of the platform that is struck is."""
        return {self.path(index): index for index in USERS}[path]

    def path(self, index: int) -> str:
        """Return what is asked for of somebody who is known."""
        return f"/user/{self.github.population.account_id(index)}"

    def everybody_changes(self) -> None:
        for standin in (self.github, self.forge):
            for index in USERS:
                standin.population.change(index)

    async def run(self, **options: Any) -> dict[str, Any]:
        return await self.daemon.finished(await self.daemon.trigger(**options))

    async def calm(self) -> dict[str, Any]:
        """Link everybody and sync them while nothing is wrong."""
        await self.link()
        run = await self.run()
        self.oracle.learn("github")
        self.oracle.learn("forge")
        assert (run["outcome"], run["created"]) == ("succeeded", 2 * len(USERS)), run
        await self.oracle.check()
        return run

    def mend(self) -> None:
        """Let nothing be wrong any more."""
        self.github.faults.clear()
        self.door.instead = lambda _: None

    async def heals(self) -> dict[str, Any]:
        """Sync once more: in the end everything is stored."""
        run = await self.run()
        self.oracle.learn("github")
        self.oracle.learn("forge")
        await self.oracle.check()
        return run

    async def moves(self, host: str, **more: Any) -> None:
        """Let the config name the platform that is struck by this host, and start again."""
        await self.daemon.stop()
        url = f"http://{host}:{self.door.port}"
        self.daemon.configure({"platforms.github": {"base_url": url, **more}})
        await self.daemon.start()

    async def platform(self, name: str = "github") -> dict[str, Any]:
        told = (await self.daemon.get("/api/platforms"))["platforms"]
        return next(dict(each) for each in told if each["name"] == name)

    async def why(self, index: int) -> dict[str, Any]:
        """Return what is told about somebody's account on the platform that is struck."""
        told = await self.daemon.get(f"/api/users/u{index}/why")
        return next(dict(each) for each in told["accounts"] if each["platform"] == "github")

    async def failures(self, run: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
        """Return what failed in a run: outcome and error by user."""
        items = (await self.daemon.get(f"/api/runs/{run['id']}/items"))["items"]
        told = {"created", "updated", "withdrawn"}
        return {
            item["user_key"]: (item["outcome"], item["error"])
            for item in items
            if item["outcome"] not in told
        }


def after(passed: int, says: Says | bytes) -> Callable[[str], Says | bytes | None]:
    """Let so many requests through the door, and answer all others in the server's place."""
    numbers = itertools.count()
    return lambda _: says if next(numbers) >= passed else None


Storms = Callable[..., contextlib.AbstractAsyncContextManager[Storm]]
"""The fixture: `async with storm(tables, limits=..., tls=...) as world`."""


def site(folder: Path) -> str:
    """Write two more platforms, and return the PYTHONPATH that lets a process find them."""
    platforms = folder / "site" / "platforms"
    platforms.mkdir(parents=True)
    for name in ("forge", PULSE):
        (platforms / f"{name}.py").write_text(PLATFORM.format(name=name.title()))
    (folder / "site" / "sitecustomize.py").write_text(SITE.format(folder=str(platforms)))
    return os.pathsep.join([str(folder / "site"), os.environ.get("PYTHONPATH", "")]).rstrip(":")


def tables(github: str, forge: str) -> Tables:
    """Return a configuration in which nothing takes long and no secret stands."""
    quick = {"allow_private": True, "rate": "500/s", "burst": 10, "slots": SLOTS, "timeout": "2s"}
    platforms = {
        "github": (github, "${GITHUB_TOKEN}"),
        "forge": (forge, "${FORGE_TOKEN}"),
        PULSE: ("http://127.0.0.1:9", "${FORGE_TOKEN}"),
    }
    every = f"{PULSE_EVERY.seconds}s"
    return {
        "database": {"password": "${PASSWORD}", "pool": 4},
        "logging": {"dir": "logs"},
        **{
            f"platforms.{name}": {
                **quick,
                "base_url": url,
                "credentials": [{"name": "main", "token": token}],
            }
            for name, (url, token) in platforms.items()
        },
        # Faults strike the address of one account, so each is asked for alone.
        f"jobs.{JOB}": {
            "kind": "profiles",
            "platforms": ["github", "forge"],
            "attempts": 1,
            "sweep": False,
        },
        f"jobs.{PULSE}": {"kind": "profiles", "platforms": [PULSE], "every": every},
    }


@contextlib.asynccontextmanager
async def storm(
    start: Start,
    folder: Path,
    over: Tables | None = None,
    *,
    limits: Limits = WIDE,
    tls: Any = None,
    environ: Mapping[str, str] | None = None,
    **more: Any,
) -> AsyncIterator[Storm]:
    """Start both platforms and the daemon; end the daemon as a person would."""
    github, forge = (
        GitHubStandIn(Population(7, 40, organizations=0, bots=0), limits=each)
        for each in (limits, WIDE)
    )
    secrets = {"GITHUB_TOKEN": GITHUB_TOKEN, "FORGE_TOKEN": FORGE_TOKEN, "PASSWORD": PASSWORD}
    variables = {"PYTHONPATH": site(folder), **secrets, **(environ or {})}
    scheme = "http" if tls is None else "https"
    async with (
        serve(github) as one,
        serve(forge) as other,
        tcp_proxy(int(one.rpartition(":")[2]), tls) as door,
    ):
        usual = tables(f"{scheme}://127.0.0.1:{door.port}", other)
        async with start(None, merged(usual, over or {}), environ=variables, **more) as daemon:
            world = Storm(daemon, github, forge, door)
            yield world
            await world.oracle.check_end()
