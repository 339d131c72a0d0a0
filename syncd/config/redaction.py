"""Models back into what a config file holds, without the secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from syncd.config.duration import Rate, format_duration
from syncd.config.size import Size
from syncd.config.values import SecretUrl


def written(value: Any) -> Any:
    """Return a value as JSON and TOML can hold it; what is None is left out of tables."""
    match value:
        case BaseModel():
            fields = type(value).model_fields.items()
            return written({field.alias or name: getattr(value, name) for name, field in fields})
        case Mapping():
            return {str(key): written(entry) for key, entry in value.items() if entry is not None}
        case list() | tuple() | set() | frozenset():
            return [written(entry) for entry in value]
        case _:
            return _scalar(value)


def _scalar(value: Any) -> Any:
    match value:
        case SecretStr():
            url = value.redacted() if isinstance(value, SecretUrl) else "***"
            return url if value.get_secret_value() else ""
        case timedelta():
            return format_duration(value)
        case Rate() | Size() | Path():
            return str(value)
        case Enum():
            return value.value
        case _:
            return value
