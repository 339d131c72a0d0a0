"""Secrets never reach a line: known values, and what looks like a credential, become `***`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_MASK = "***"
_SHORTEST = 4
_PLAIN = (bool, int, float, type(None))

# Tokens of users are known to nobody here, but a library that quotes a header or a body gives them
# this shape. Sixteen characters: no word that may stand behind "basic" is as long.
_HINTS = ("earer", "asic", "EARER", "ASIC", "_token", "client_secret")
_CREDENTIAL = re.compile(
    r"""(\b(?:bearer|basic)\s+)[\w.~+/=%-]{16,}
    |(\b(?:access_token|refresh_token|client_secret)\\?["']?\s*[=:]\s*\\?["']?)[\w.~+/=%-]{8,}""",
    re.IGNORECASE | re.VERBOSE,
)


class Secrets:
    """The secret values of this process, registered as they are loaded.

    Lines are searched once rendered, which also finds a secret inside an exception's text; only
    a line that holds one is cleaned, value by value, so that a number is never broken.
    Values under four characters are no secrets: masking them would only garble the lines.
    """

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()
        self._forms: tuple[str, ...] = ()

    def add(self, *values: str) -> None:
        """Mask these values from now on; empty and very short ones are left alone."""
        known = {*self._values, *(value for value in values if len(value) >= _SHORTEST)}
        # A secret may begin with another one: the longer goes first.
        self._values = tuple(sorted(known, key=len, reverse=True))
        forms = {form: None for value in self._values for form in _forms(value)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def appear_in(self, text: str) -> bool:
        """Tell whether a secret stands in the text, as it is, escaped or percent-encoded."""
        return any(form in text for form in self._forms) or (
            any(hint in text for hint in _HINTS) and _CREDENTIAL.search(text) is not None
        )

    def masked(self, text: str) -> str:
        """Return the text with every secret replaced."""
        for form in self._forms:
            text = text.replace(form, _MASK)
        return _CREDENTIAL.sub(rf"\1\2{_MASK}", text)

    def masked_line(self, line: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the line with every secret replaced, in keys and nested values too."""
        return {self.masked(str(key)): self._masked_value(value) for key, value in line.items()}

    def _masked_value(self, value: Any) -> Any:
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, Mapping):
            return self.masked_line(value)
        if isinstance(value, (list, tuple)):
            return [self._masked_value(part) for part in value]
        return self.masked(str(value))


def _forms(secret: str) -> tuple[str, ...]:
    """Return how a secret may look in a line: plain, as a JSON or Python string, in a URL."""
    return (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe=""))
