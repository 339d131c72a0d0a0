"""Writing TOML: the standard library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a document: text, numbers, booleans, lists, and tables in tables."""
    yield from _table("", tables)


def _table(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and (values or not table):
        yield f"[{path}]"
    for key, value in values.items():
        yield f"{_key(key)} = {_value(value)}"
    if values:
        yield ""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _table(f"{path}.{_key(key)}" if path else _key(key), value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    match value:
        case Mapping():
            pairs = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
            return f"{{ {pairs} }}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            # JSON's text, numbers and booleans are TOML's.
            return json.dumps(value, ensure_ascii=False)
