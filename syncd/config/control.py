"""Where the daemon of this config file listens, read without the weight of a whole load.

`syncd status` must answer at once, so this looks at four keys, needs no pydantic, and leaves
every other mistake in the file to `syncd check`.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.config.interpolation import expand
from syncd.config.lines import Lines
from syncd.config.listen import DEFAULT_LISTEN, split_listen
from syncd.config.source import Source, default_state_dir, read_source, with_dotenv
from syncd.errors import ConfigError

_DAEMON_TABLE = re.compile(r"^[ \t]*\[daemon\].*?(?=^[ \t]*\[|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAddress:
    """How to talk to the daemon of a state directory.

    Where there is a `socket`, it goes before host and port.
    """

    host: str
    port: int
    token_file: Path
    state_dir: Path
    socket: Path | None = None


def control_address(path: Path | None, environ: Mapping[str, str]) -> ControlAddress:
    """Read where the daemon listens and where its token lies.

    Args:
        path: the config file (see `find_config`); None means the defaults.
        environ: the environment; `.env` beside the file fills it up.

    Raises:
        ConfigError: the file cannot be read, or one of the keys concerned is wrong.
    """
    if path is None:
        here = Path.cwd()
        source = Source(path=here / "-", text="", document={}, environ=with_dotenv(here, environ))
    else:
        source = read_source(path, environ)
    folder = source.folder
    listen = _value(source, "web", "listen") or DEFAULT_LISTEN
    state_dir = _value(source, "daemon", "state_dir")
    state = folder / state_dir if state_dir else default_state_dir(folder, source.environ)
    token_file = _value(source, "web", "token_file")
    socket = _value(source, "web", "socket")
    try:
        host, port = split_listen(listen)
    except ValueError as error:
        raise _wrong(source, "web", "listen", str(error)) from None
    return ControlAddress(
        host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host),  # noqa: S104  # to connect to
        port=port,
        token_file=folder / token_file if token_file else state / "token",
        state_dir=state,
        socket=folder / socket if socket else None,
    )


def likely_state_dirs(path: Path | None, environ: Mapping[str, str]) -> Sequence[Path]:
    """List where the state of a daemon may be whose config file is gone or cannot be used.

    What its table [daemon] says goes first, where that part of the file can be read by itself.
    """
    if path is None:
        folders = (Path.cwd(), Path("/etc/syncd"))
        return [default_state_dir(folder, environ) for folder in folders]
    folder = path.absolute().parent
    found = [default_state_dir(folder, environ)]
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError, ConfigError):
        document = tomllib.loads(_daemon_table(path.read_text("utf-8-sig")))
        given = expand(document["daemon"]["state_dir"], with_dotenv(folder, environ))
        found = [folder / given, *found] if given else found
    return found


def _daemon_table(text: str) -> str:
    """Cut the table [daemon] out of a file."""
    match = _DAEMON_TABLE.search(text)
    return match[0] if match else ""


def _value(source: Source, section: str, key: str) -> str:
    table: Any = source.document.get(section)
    value = table.get(key, "") if isinstance(table, dict) else ""
    if not isinstance(value, str):
        raise _wrong(source, section, key, "must be text in quotes")
    try:
        return expand(value, source.environ)
    except ValueError as error:
        raise _wrong(source, section, key, str(error)) from None


def _wrong(source: Source, section: str, key: str, message: str) -> ConfigError:
    line = Lines(source.text).line_of((section, key))
    return ConfigError(f"{source.path}:{line}: {section}.{key}: {message}")
