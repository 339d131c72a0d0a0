"""Secrets in config.toml: those that stand in files of their own, and those that stand open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from syncd.config.dsn import has_password
from syncd.config.interpolation import literal
from syncd.config.place import Path as Keys
from syncd.config.place import Problem

_SECRETS = (
    "password",
    "token",
    "url",
    "webhook_url",
    "client_secret",
    "private_key",
    "access_token",
)
_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
_LONGEST_SECRET = 64 * 1024


def is_secret_key(key: object) -> bool:
    """Tell whether the value of this key must not be shown."""
    return isinstance(key, str) and any(word in key for word in (*_SECRETS, "secret", "credential"))


def read_secret_files(
    document: dict[str, Any], folder: Path, environ: Mapping[str, str]
) -> Iterator[Problem]:
    """Put what `password_file`, `token_file` and their like name into `password`, `token`, ....

    Changes the document. A relative name is looked for in `$CREDENTIALS_DIRECTORY` (systemd)
    first, then beside the config file. The control port's own token file is not read: the daemon
    makes it.
    """
    places = secret_places(folder, environ)
    for keys, table in _tables(document):
        if keys[:1] == ("web",):
            continue
        for key in _SECRETS:
            name = table.get(f"{key}_file", "")
            if not isinstance(name, str) or not name:
                continue
            path = (*keys, f"{key}_file")
            if table.get(key):
                yield Problem(path=path, message=f"cannot stand beside {key}; leave one of them")
                continue
            try:
                table[key] = _content(key, name, places)
            except ValueError as error:
                yield Problem(path=path, message=str(error))


def secret_places(folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """List where a file of secrets is looked for: systemd's credentials, then `folder`."""
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    return [Path(credentials), folder] if credentials else [folder]


def find_secret(name: str, places: list[Path]) -> Path:
    """Return the first file of that name, or where it would be in the last of these places.

    Raises:
        OSError, ValueError: it is not a file name.
    """
    paths = [place / name for place in places]
    return next((path for path in paths if path.exists()), paths[-1])


def open_secrets(document: Mapping[str, Any], file: Path) -> Iterator[Problem]:
    """Yield a problem for each secret that stands in a config file which others can read.

    Args:
        document: as it was read, before variables are put in.
        file: the config file.
    """
    if os.name != "posix" or not file.stat().st_mode & _READABLE_BY_OTHERS:
        return
    for keys, table in _tables(document):
        for key in _SECRETS:
            value = table.get(key)
            if not isinstance(value, str):
                continue
            text = literal(value)
            if has_password(text) if key == "url" else text:
                yield Problem(
                    path=(*keys, key),
                    message="a secret stands in a file that others can read: "
                    f"run chmod 600 {file}, or name a file by {key}_file",
                )


def others_can_read(file: Path) -> bool:
    """Tell whether a file exists that its group or everybody can read."""
    try:
        return os.name == "posix" and bool(file.stat().st_mode & _READABLE_BY_OTHERS)
    except (OSError, ValueError):
        return False


def _tables(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, dict[str, Any]]]:
    if isinstance(value, dict):
        yield keys, value
        for key, entry in value.items():
            yield from _tables(entry, (*keys, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _tables(entry, (*keys, index))


def _content(key: str, name: str, places: list[Path]) -> str:
    last = path = places[-1] / name
    try:
        path = find_secret(name, places)
        with path.open("rb") as file:
            text = file.read(_LONGEST_SECRET).decode().rstrip("\r\n")
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a file name"
        raise ValueError(f"{path} cannot be read: {reason}") from None
    if not text.strip():
        raise ValueError(f"{path} is empty")
    # Whoever knows a webhook can write to people; systemd sees to the rights of its credentials.
    if key == "webhook_url" and path == last and others_can_read(path):
        raise ValueError(f"others can read {path}: run chmod 600 {path}")
    return text
