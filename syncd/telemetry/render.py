"""How a line looks: JSON for machines, text for people. Neither lets a control character out.

A line is a mapping: `timestamp`, `level`, `event`, then the keys of the event. Two keys are
special in text: `message` is the sentence that begins the line, `stack` follows it, indented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

Line = Mapping[str, Any]
Renderer = Callable[[Line], str]

_HEAD = frozenset({"timestamp", "level", "event", "message", "run_id", "stack"})
_IS_BARE = re.compile(r'[^\s"=\\]+').fullmatch
_COLOURS = (
    ("debug", "\x1b[2m"),
    ("info", "\x1b[32m"),
    ("warning", "\x1b[33m"),
    ("error", "\x1b[31m"),
    ("critical", "\x1b[1;31m"),
)
_DIM = "\x1b[2m"
_RESET = "\x1b[0m"


def escape(text: str) -> str:
    r"""Return the text with everything that does not print as `\x1b`, `\u202e` and the like.

    Control characters of both sets, bidirectional controls, line separators and lone surrogates
    are escaped: whatever stood in foreign data, a terminal only shows it.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def _plain(value: Any) -> str:
    """Return a value that JSON does not know as text."""
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


_encode = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_plain
).encode


def render_json(line: Line) -> str:
    """Render a line as one JSON object in ASCII."""
    try:
        text = _encode(line)
    except (TypeError, ValueError, RecursionError):
        # Not a number, a key that is no string, a circle: the line matters more than its types.
        text = _encode({str(key): str(value) for key, value in line.items()})
    return text.replace("\x7f", "\\u007f")


class TextRenderer:
    """Render lines for people: `2026-11-22T06:32:10.123Z INFO     message key=value run=4812`.

    Args:
        width: pads the message, so that the keys of most lines stand in one column.
        colour: paints for a terminal.
    """

    def __init__(self, *, width: int = 0, colour: bool = False) -> None:
        self._width = width
        self._paint = dict(_COLOURS) if colour else {}

    def __call__(self, line: Line) -> str:
        """Render one line; a stack follows on indented lines of its own."""
        level = line["level"]
        message = line.get("message")
        head = escape(str(message or line["event"]))
        keys = escape(_keys(line, with_event=bool(message)))
        label = f"{level.upper():<8}"
        if self._paint:
            label = f"{self._paint.get(level, '')}{label}{_RESET}"
            keys = f"{_DIM}{keys}{_RESET}"
        text = f"{line['timestamp']} {label} {head:<{self._width}}{keys}"
        stack = line.get("stack")
        return f"{text}{_indented(str(stack))}" if stack else text


def _keys(line: Line, *, with_event: bool) -> str:
    """Render the keys of a line; the run's number is the last, where everyone looks for it."""
    parts = [f" event={line['event']}"] if with_event else []
    parts.extend(f" {key}={_text(value)}" for key, value in line.items() if key not in _HEAD)
    if "run_id" in line:
        parts.append(f" run={_text(line['run_id'])}")
    return "".join(parts)


def _text(value: Any) -> str:
    """Render one value so that it can be told from what follows it."""
    if isinstance(value, (Mapping, list, tuple)):
        return render_json(value) if isinstance(value, Mapping) else _quoted(str(list(value)))
    text = _plain(value)
    return text if _IS_BARE(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _indented(stack: str) -> str:
    return "".join(f"\n    {escape(part)}" for part in stack.splitlines())
