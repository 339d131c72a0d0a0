"""Where `syncd demo` plays: folders that go with it, a config, servers, logs that stay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from syncd import plugins
from syncd.config.duration import Rate
from syncd.config.models import Config
from syncd.daemon.core import Core
from syncd.daemon.listeners import SPOTIFY
from syncd.daemon.process import logging_to
from syncd.daemon.rehearsal import GITHUB, Rehearsal
from syncd.daemon.settings import load_config
from syncd.embedded.directory import socket_directory
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.embedded.valkey import EmbeddedValkey
from syncd.errors import ConfigError, StartError
from syncd.platforms.base import Platform
from syncd.sandbox.base import StandIn
from syncd.sandbox.server import serve
from syncd.sandbox.smtp import serve_mail
from syncd.sandbox.spotify_accounts import CLIENT_ID, CLIENT_SECRET

SCALE = 100
"""How many times wider than in reality the limits are, the stand-ins' and ours."""

GITHUB_JOB = "github-profiles"
CODING_JOB = "profiles-main"
LISTENING_JOB = "listening"
CONTESTS_JOB = "contests"
NOTIFY_JOB = "notify"

_CONFIG = """\
[daemon]
state_dir = "state"

[logging]
level = "debug"
format = "json"
dir = {log_dir}
{platforms}
[jobs.{github_job}]
kind = "profiles"
platforms = ["github"]
every = "12h"

[jobs.{coding_job}]
kind = "profiles"
schedule = "0 0 * * *"
timezone = "Asia/Kolkata"
platforms = {coding_platforms}
mode = "full"
claim = 5
fresh_for = "6h"

[jobs.{listening_job}]
kind = "listening"
every = "60m"

[jobs.{contests_job}]
kind = "contests"
schedule = "0 */6 * * *"
platforms = {announcing_platforms}

[jobs.{notify_job}]
kind = "notify"
schedule = "*/30 * * * *"
after = ["{contests_job}"]

[channels.email]
allow_private = true
host = "127.0.0.1"
port = {mail_port}
security = "none"
sender = "syncd <notify@example.org>"

[channels.webhook]
allow_private = true
"""
_CREDENTIALS = {
    GITHUB: '{ name = "demo", token_file = "github-token" }',
    SPOTIFY: f'{{ client_id = "{CLIENT_ID}", client_secret_file = "spotify-secret" }}',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """How many users, made from which seed, and whether to stay when they are synced."""

    users: int
    seed: int
    stays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the demo plays with: its config, our limits in it, and where the logs are.

    `limits` are the rates of each platform, the one of the shorter time first.
    """

    plan: DemoPlan
    config: Config
    log_dir: Path
    coders: int
    limits: Mapping[str, tuple[Rate, ...]]
    scale: int = SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where stand-ins are served: platforms by name, the mail server, and webhooks."""

    platforms: Mapping[str, str]
    mail_port: int
    hooks: str


async def serve_all(rehearsal: Rehearsal, stack: contextlib.AsyncExitStack) -> Addresses:
    """Serve every stand-in until the stack is closed."""
    subscribers = rehearsal.subscribers
    return Addresses(
        platforms={
            name: await stack.enter_async_context(serve(standin))
            for name, standin in rehearsal.standins.items()
        },
        mail_port=await stack.enter_async_context(serve_mail(subscribers.sink)),
        hooks=await stack.enter_async_context(serve(subscribers.hooks)),
    )


def set_stage(
    plan: DemoPlan, folder: Path, log_dir: Path, rehearsal: Rehearsal, served: Addresses
) -> Stage:
    """Write the config file of the demo into a folder, and load it as any other.

    Args:
        plan: what is played.
        folder: where the file is written.
        log_dir: where logs go.
        rehearsal: whose stand-ins are asked.
        served: where each of them is served.
    """
    (folder / "github-token").write_text("made-up-by-the-demo\n")
    (folder / "spotify-secret").write_text(f"{CLIENT_SECRET}\n")
    path = folder / "config.toml"
    path.write_text(_config_text(log_dir, rehearsal, served))
    config = load_config(path, {})
    limits = {
        name: tuple(filter(None, (config.platforms[name].rate, config.platforms[name].quota)))
        for name in rehearsal.standins
    }
    return Stage(
        plan=plan, config=config, log_dir=log_dir, coders=rehearsal.coders.size, limits=limits
    )


def _config_text(log_dir: Path, rehearsal: Rehearsal, served: Addresses) -> str:
    tables = [
        _platform_table(name, standin, served.platforms[name])
        for name, standin in rehearsal.standins.items()
    ]
    return _CONFIG.format(
        log_dir=_quoted(str(log_dir)),
        platforms="\n".join(tables),
        github_job=GITHUB_JOB,
        coding_job=CODING_JOB,
        listening_job=LISTENING_JOB,
        contests_job=CONTESTS_JOB,
        notify_job=NOTIFY_JOB,
        mail_port=served.mail_port,
        announcing_platforms=json.dumps(list(rehearsal.subscribers.announcers)),
        coding_platforms=json.dumps(list(rehearsal.coders.standins)),
    )


def _platform_table(name: str, standin: StandIn, url: str) -> str:
    """Write the settings that lead to a stand-in, with the limits of the platform scaled."""
    defaults = cast("type[Platform]", plugins.load("syncd.platforms", name)).defaults
    lines = [f"\n[platforms.{name}]", "allow_private = true"]
    lines += [f"{key} = {_toml(value)}" for key, value in standin.addresses(url).items()]
    limits = {"rate": defaults.rate, "quota": defaults.quota}
    lines += [
        f'{key} = "{replace(limit, count=limit.count * SCALE)}"'
        for key, limit in limits.items()
        if limit is not None
    ]
    if standin.takes_credentials:
        lines.append(f"credentials = [{_CREDENTIALS[name]}]")
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def move_control_port(config: Config, listen: str) -> None:
    """Let the command line find the control port elsewhere by the config file."""
    with config.path.open("a") as file:
        file.write(f'\n[web]\nlisten = "{listen}"\n')


@contextlib.contextmanager
def log_folder() -> Iterator[Path]:
    """Make a folder that stays, unless nothing is in it or a signal ends the demo."""
    folder = _temporary("syncd-demo-logs-")
    try:
        yield folder
    except asyncio.CancelledError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def home_folder() -> Iterator[Path]:
    """Make the folder of everything but the logs; in the end it is gone."""
    home = _temporary("syncd-demo-")
    state = home / "state"
    try:
        state.mkdir(mode=0o700)
        if os.geteuid() == 0:
            # Where the servers cannot run as root they are another user, who must get through.
            home.chmod(0o711)
            state.chmod(0o711)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        for server in (EmbeddedPostgres, EmbeddedValkey):
            # They lie elsewhere when the path of home is too long for sockets.
            shutil.rmtree(socket_directory(state, server.socket_name), ignore_errors=True)


def _temporary(prefix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as error:
        raise StartError(
            f"cannot make a temporary directory: {error.strerror}",
            hint="let TMPDIR name a directory that you may write and that has room",
        ) from error


@contextlib.contextmanager
def logs_in_files(core: Core) -> Iterator[None]:
    """Write log lines into their files and nowhere else, as long as the context lasts."""
    with (
        Path(os.devnull).open("wb") as nowhere,
        logging_to(core.config, core.clock, core.bus, output=nowhere.fileno()),
    ):
        yield


async def start_servers(core: Core, stage: Stage) -> None:
    """Start PostgreSQL and Valkey; what they say when they do not start is kept with the logs.

    Raises:
        StartError: one of them is not installed or cannot start here.
    """
    try:
        # Shielded: a start that is under way can be given up only while somebody waits for it.
        await asyncio.shield(core.servers.start())
    except ConfigError as error:
        hint = "install syncd[embedded]: the demo runs on servers of its own"
        raise StartError(str(error), hint=hint) from error
    except StartError as error:
        for log in stage.config.daemon.state_dir.glob("*.log"):
            shutil.copy(log, stage.log_dir)
        raise StartError(str(error), hint=f"what it said is kept in {stage.log_dir}") from error
    finally:
        core.servers.give_up_starting()
