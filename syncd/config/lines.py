"""On which line of a TOML document a key stands: tomllib does not tell.

The document is taken to be valid (tomllib has read it), so the scanner only has to know where
things begin and end, not what is allowed.
"""

from __future__ import annotations

import bisect
import re
import tomllib

from syncd.config.place import Path

_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


class Lines:
    """The lines, counted from 1, of every table, key and list entry of a document.

    Args:
        text: a valid TOML document.
    """

    def __init__(self, text: str) -> None:
        self._lines = _Scanner(text).scan()

    def line_of(self, path: Path) -> int:
        """Return the line of a path, or of the nearest table around it; 1 if there is none."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._last_entry: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_GAP)
        return self._lines

    def _header(self) -> Path:
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        *parents, key = self._keys()
        self._at += 2 if is_array else 1
        path: Path = ()
        for parent in parents:
            path = self._entered((*path, parent))
            self._lines.setdefault(path, line)
        path = (*path, key)
        if is_array:
            self._lines.setdefault(path, line)
            self._last_entry[path] = self._last_entry.get(path, -1) + 1
        path = self._entered(path)
        self._lines[path] = line
        return path

    def _entered(self, path: Path) -> Path:
        """Go on into the last entry where a path names an array of tables."""
        return (*path, self._last_entry[path]) if path in self._last_entry else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        opening = self._text[self._at]
        if opening not in "[{":
            self._skip(_SCALAR)
            return
        self._at += 1
        self._skip(_GAP)
        position = 0
        while self._text[self._at] not in "]}":
            if opening == "{":
                self._pair(path)
            else:
                self._lines[*path, position] = self._line()
                self._value((*path, position))
            position += 1
            self._skip(_GAP)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_GAP)
        self._at += 1

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _key(self) -> str:
        match = _KEY.match(self._text, self._at)
        assert match is not None, "the document was read by tomllib before"
        self._at = match.end()
        if match.group()[0] not in "\"'":
            return match.group()
        key: str = tomllib.loads(f"key = {match.group()}")["key"]
        return key

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None, "the document was read by tomllib before"
        self._at = match.end()

    def _line(self) -> int:
        return bisect.bisect_left(self._newlines, self._at) + 1
