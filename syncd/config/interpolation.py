"""`${NAME}` and `${NAME:-default}` in the values of config.toml.

As in a shell, a default stands in for a variable that is unset or empty. `$${` is a literal
`${`; any other `$` is left alone. A default holds no braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syncd.config.place import Path, Problem

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|\$\{"
)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Put the values of variables in the place of their names.

    Raises:
        ValueError: a variable without a default is not set, or a reference is malformed.
    """

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            raise ValueError('has a malformed "${": write ${NAME}, ${NAME:-default}, or $${')
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set and has no default")
        return environ[name]

    return _REFERENCE.sub(value, text)


def literal(text: str) -> str:
    """Return what stands in the file itself: references count as nothing but their defaults."""
    return _REFERENCE.sub(lambda match: "${" if match["escaped"] else match["default"] or "", text)


def expand_table(
    table: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Expand every string in a document.

    Returns:
        A copy of the document, without the values that could not be expanded, and why not.
    """
    problems: list[Problem] = []
    return _expanded(table, environ, (), problems), problems


def _expanded(value: Any, environ: Mapping[str, str], path: Path, problems: list[Problem]) -> Any:
    if isinstance(value, Mapping):
        items = {
            key: _expanded(entry, environ, (*path, key), problems) for key, entry in value.items()
        }
        return {key: entry for key, entry in items.items() if entry is not None}
    if isinstance(value, list):
        entries = [
            _expanded(entry, environ, (*path, index), problems) for index, entry in enumerate(value)
        ]
        # A place in a list is kept, so that later problems name the right entry.
        return ["" if entry is None else entry for entry in entries]
    if not isinstance(value, str):
        return value
    try:
        return expand(value, environ)
    except ValueError as error:
        problems.append(Problem(path=path, message=str(error)))
        return None
