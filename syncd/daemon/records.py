"""The records of a CSV or JSON file with their lines, and where such a file breaks off.

Records are read one at a time: a decoder that is given the whole file lets nothing else run.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from syncd.errors import BadInput

_CSV_WORDS = {
    "unexpected end of data": "a quote opens here and is never closed",
    "field larger than": f"a cell is longer than {csv.field_size_limit()} characters: "
    "is a quote never closed?",
    "expected after": "something stands behind a closing quote; a quote inside a cell is doubled",
    "new-line character": "a line ends in a carriage return alone; end lines in LF or CRLF",
}
_SPACE = re.compile(r"[ \t\r\n]*")


def csv_records(text: str) -> Iterator[tuple[int, list[str] | BadInput]]:
    """Yield each record with the line it ends in; what breaks the file is the last.

    That one comes with the line where the broken record begins.
    """
    reader = csv.reader(io.StringIO(text), strict=True)
    begins = 1
    try:
        for cells in reader:
            yield reader.line_num, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        yield begins, BadInput(_csv_problem(str(error)))


def _csv_problem(told: str) -> str:
    return next((words for part, words in _CSV_WORDS.items() if part in told), "this is not CSV")


def json_records(text: str) -> Iterator[tuple[int, Any]]:
    """Yield each object (or what is wrong with it) with the line it begins in."""
    if text.lstrip().startswith("["):
        yield from _of_list(text)
        return
    # Not splitlines: a string of JSON may hold what Python takes for the end of a line.
    for line, row in enumerate(text.split("\n"), 1):
        if row.strip():
            yield line, _whole(row)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, unless a key stands in it twice: either value could be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise BadInput(f"key {twice[:60]!a} stands there twice")
    return found


def _whole(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except BadInput as problem:
        return problem
    except (ValueError, RecursionError) as error:
        return _not_json(error)


def _of_list(text: str) -> Iterator[tuple[int, Any]]:
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    line, counted, at = 1, 0, _behind_space(text, text.index("[") + 1)
    has_more = not text.startswith("]", at)
    while has_more:
        line, counted = line + text.count("\n", counted, at), at
        try:
            row, at = decoder.raw_decode(text, at)
        except BadInput as problem:
            yield line, problem
            return
        except (ValueError, RecursionError) as error:
            yield getattr(error, "lineno", line), _not_json(error)
            return
        yield line, row
        at = _behind_space(text, at)
        has_more = text.startswith(",", at)
        at = _behind_space(text, at + 1) if has_more else at
    if text.startswith("]", at):
        at = _behind_space(text, at + 1)
        if at == len(text):
            return
    broken = json.JSONDecodeError("the list goes on or breaks off", text, at)
    yield broken.lineno, _not_json(broken)


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _not_json(error: ValueError | RecursionError) -> BadInput:
    where = f" at character {error.colno - 1}" if isinstance(error, json.JSONDecodeError) else ""
    return BadInput(f"this is not JSON{where}")
