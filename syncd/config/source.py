"""The config file as it lies on the disk: found, read and parsed, with `.env` beside it.

Nothing here needs pydantic; the command line reads the file through it as well.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.config.lines import Lines
from syncd.config.place import Path as Keys
from syncd.config.place import dotted
from syncd.errors import ConfigError

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_TWICE = re.compile(r"Cannot declare (\(.*\)) twice", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A config file that is valid TOML.

    `path` is as the operator gave it; `environ` is the environment, filled up from `.env`.
    """

    path: Path
    text: str
    document: Mapping[str, Any]
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Return the folder that relative paths in the file begin at."""
        return self.path.absolute().parent


def find_config(explicit: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the config file to use.

    That is the explicit one, `$SYNCD_CONFIG`, `config.toml` in the current folder or
    `/etc/syncd/config.toml`. The first two need not exist (reading says so then); None if
    nothing was named and nothing is there.
    """
    named = explicit or environ.get("SYNCD_CONFIG")
    if named:
        return Path(named)
    places = (Path("config.toml"), Path("/etc/syncd/config.toml"))
    return next((place for place in places if place.is_file()), None)


def default_state_dir(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return where state is kept unless config.toml says: an absolute path.

    That is systemd's `$STATE_DIRECTORY`, `/var/lib/syncd` for a config file below `/etc`, else
    `state` beside the config file.
    """
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given).absolute()
    if folder.is_relative_to("/etc"):
        return Path("/var/lib/syncd")
    return folder / "state"


def read_source(path: Path, environ: Mapping[str, str]) -> Source:
    """Read and parse a config file.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            _broken(path, text, str(error)),
            hint='a table is [name], a value key = "text"; each table and each key stands once',
        ) from None
    except RecursionError:
        raise too_deep(path) from None
    return Source(
        path=path,
        text=text,
        document=document,
        environ=with_dotenv(path.absolute().parent, environ),
    )


def too_deep(path: Path) -> ConfigError:
    """Return the error for a file that no parser can follow."""
    return ConfigError(f"{path}: is nested too deeply", hint="no table of syncd has ten levels")


def with_dotenv(folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment, filled up with what `.env` in this folder says."""
    path = folder / ".env"
    if not path.is_file():
        return environ
    from dotenv import dotenv_values  # noqa: PLC0415  # most installations have no .env

    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {_reason(error)}") from None
    return {key: value for key, value in values.items() if value is not None} | dict(environ)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file", hint="name the config file with --config or SYNCD_CONFIG"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {_reason(error)}") from None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8 text"


def _broken(path: Path, text: str, message: str) -> str:
    match = _AT_LINE.search(message)
    line = int(match[1]) if match else text.rstrip().count("\n") + 1
    message = _AT_LINE.sub("", message)
    twice = _TWICE.fullmatch(message)
    if twice is not None:
        return f"{path}:{line}: {_declared_twice(text, line, ast.literal_eval(twice[1]))}"
    if message == "Cannot overwrite a value":
        return f"{path}:{line}: a key is set a second time"
    return f"{path}:{line}: is not valid TOML: {message[:1].lower()}{message[1:]}"


def _declared_twice(text: str, line: int, keys: Keys) -> str:
    before = "\n".join(text.split("\n")[: line - 1])
    first = Lines(before).line_of(keys)
    is_job = len(keys) == 2 and keys[0] == "jobs"
    what = f"two jobs are named {dotted(keys[1:])}" if is_job else "this table stands here twice"
    mend = "rename one" if is_job else "make them one"
    return f"{dotted(keys)}: {what}, the first at line {first}: {mend}"
