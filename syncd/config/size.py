"""Sizes of files, as people write them: "100MB", "1GB"."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNITS = {"GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1}
_SIZE = re.compile(r"(\d{1,12})\s?(GB|MB|KB|B)", re.ASCII | re.IGNORECASE)


class Size(int):
    """A number of bytes, more than 0; its units are powers of 1000."""

    __slots__ = ()

    def __str__(self) -> str:
        """Write the size the way `parse_size` reads it."""
        unit, size = next((unit, size) for unit, size in _UNITS.items() if self % size == 0)
        return f"{self // size}{unit}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let models read a size from its text."""
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, Size) else parse_size(str(value))
        )


def parse_size(text: str) -> Size:
    """Read a size.

    Raises:
        ValueError: the text is not a size of more than 0 bytes; the message does not repeat it.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError('must be a size such as "500kB", "100MB" or "1GB"')
    units = {unit.upper(): size for unit, size in _UNITS.items()}
    return Size(int(match[1]) * units[match[2].upper()])
