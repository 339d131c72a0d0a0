"""Models back into what a config file holds, without the secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from syncd.config.duration import Rate, format_duration
from syncd.config.size import Size
from syncd.config.values import SecretUrl

Hide = Callable[[SecretStr], str]
"""What stands in the place of a secret."""


def hidden(secret: SecretStr) -> str:
    """Return `***`, of a URL everything but its password, of an empty secret nothing."""
    text = secret.redacted() if isinstance(secret, SecretUrl) else "***"
    return text if secret.get_secret_value() else ""


def digest(secret: SecretStr) -> str:
    """Return what tells a secret from another one, and nothing else about it; nothing of none."""
    text = secret.get_secret_value()
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def written(value: Any, hide: Hide = hidden) -> Any:
    """Return a value as JSON and TOML can hold it; what is None is left out of tables."""
    match value:
        case BaseModel():
            fields = type(value).model_fields.items()
            table = {field.alias or name: getattr(value, name) for name, field in fields}
            return written(table, hide)
        case Mapping():
            given = {key: entry for key, entry in value.items() if entry is not None}
            return {str(key): written(entry, hide) for key, entry in given.items()}
        case list() | tuple() | set() | frozenset():
            return [written(entry, hide) for entry in value]
        case SecretStr():
            return hide(value)
        case _:
            return _scalar(value)


def _scalar(value: Any) -> Any:
    match value:
        case timedelta():
            return format_duration(value)
        case Rate() | Size() | Path():
            return str(value)
        case Enum():
            return value.value
        case _:
            return value
