"""How a command comes to the daemon, and to the configuration."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.cli.console import Console
from syncd.config.control import ControlAddress, control_address, likely_state_dirs
from syncd.errors import BadInput, ConfigError, NotKnown, StartError, SyncdError
from syncd.web.address import find_address
from syncd.web.client import (
    DEFAULT_PATIENCE_SECONDS,
    ControlClient,
    DaemonUnreachable,
    Json,
    TokenRefused,
    api_path,
)
from syncd.web.token import read_token

if TYPE_CHECKING:
    from syncd.config.models import Config

_NO_CONFIG = "there is no config.toml here and no /etc/syncd/config.toml"
# For commands that can do without the daemon.
_PATIENCE_SECONDS = 5.0


def connect(
    console: Console,
    *,
    timeout_seconds: float = DEFAULT_PATIENCE_SECONDS,
    needs_config: bool = False,
) -> ControlClient:
    """Return the way to the daemon of this configuration.

    A daemon that runs is found by what it told itself: config.toml may say where the next one will
    listen. Where it cannot be used or is gone, the problem is one line of warning; not so for what
    `needs_config`.

    Raises:
        ConfigError: config.toml cannot be used, and no daemon was found without it.
        DaemonUnreachable: no daemon was ever started with it.
        TokenRefused: we may not read its token.
    """
    where = _where(console, needs_config=needs_config)
    if not os.path.lexists(where.token_file):
        raise DaemonUnreachable(
            f"no syncd has run here yet: there is no token file {where.token_file}",
            hint="start it (syncd run), or name its config file with --config",
        )
    try:
        token = read_token(where.token_file)
    except StartError as error:
        raise TokenRefused(str(error), hint=_token_hint(where.token_file, error)) from error
    return ControlClient(
        where.host,
        where.port,
        token,
        socket_path=where.socket,
        timeout_seconds=timeout_seconds,
    )


def _where(console: Console, *, needs_config: bool) -> ControlAddress:
    try:
        where = control_address(console.config_path, console.environ)
        if console.config_path:
            return find_address(where.state_dir) or where
        problem = ConfigError(_NO_CONFIG)
    except ConfigError as error:
        where, problem = None, error
    if not needs_config:
        places = likely_state_dirs(console.config_path, console.environ)
        running = next(filter(None, map(find_address, places)), None)
        if running is not None:
            console.say(f"syncd: {problem}: the running syncd is asked all the same")
            return running
    if where is None:
        raise problem
    return where


def load(console: Console) -> Config:
    """Return the whole configuration.

    Raises:
        ConfigError: there is none, or everything that is wrong with it.
    """
    from syncd.daemon.settings import load_config  # noqa: PLC0415 - half a second

    return load_config(config_file(console), console.environ)


def config_file(console: Console) -> Path:
    """Return the config file.

    Raises:
        ConfigError: nothing was named and nothing is there.
    """
    if console.config_path is None:
        raise ConfigError(
            _NO_CONFIG,
            hint="name the config file with --config or SYNCD_CONFIG",
        )
    return console.config_path


def ask_job(client: ControlClient, job: str, action: str, body: Json | None = None) -> Json:
    """Order something of a job.

    Raises:
        BadInput: there is no such job; the hint names the one that was probably meant.
    """
    with known_job(client, job):
        return client.post(api_path("jobs", job, action), body)


def change_job(client: ControlClient, job: str, body: Json) -> Json:
    """Change a job over config.toml and return it as it is then; raises like `ask_job`."""
    with known_job(client, job):
        return client.patch(api_path("jobs", job), body)


@contextlib.contextmanager
def known_job(client: ControlClient, job: str) -> Iterator[None]:
    """Say which job was probably meant where the daemon knows none of that name."""
    try:
        yield
    except NotKnown as error:
        names = [str(each["name"]) for each in client.get(api_path("jobs"))["jobs"]]
        raise unknown_job(job, names) from error


def running_jobs(console: Console) -> Mapping[str, Json]:
    """Return every job as it runs, by its name; none where no daemon can be asked."""
    try:
        jobs = connect(console, timeout_seconds=_PATIENCE_SECONDS).get(api_path("jobs"))["jobs"]
    except SyncdError:
        return {}
    return {str(job["name"]): job for job in jobs}


def unknown_job(job: str, names: list[str]) -> BadInput:
    """Return the error that says there is no such job, and which one was probably meant."""
    near = difflib.get_close_matches(job, names, n=1)
    meant = f'did you mean "{near[0]}"?' if near else f"jobs: {', '.join(names) or 'none'}"
    return BadInput(f"there is no job {job!r}", hint=meant)


def _token_hint(path: Path, error: StartError) -> str | None:
    try:
        is_ours = path.lstat().st_uid == os.geteuid()
    except OSError:
        is_ours = False
    return error.hint if is_ours else "run this as the user that syncd runs as"
