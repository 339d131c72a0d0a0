"""The records of a CSV or JSON file with their lines, and where such a file breaks off.

Records are read one at a time: a decoder that is given the whole file lets nothing else run.
What is wrong is told without a word of the file: it may hold secrets.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from syncd.errors import BadInput
from syncd.web.cells import unmarked

EntryT = TypeVar("EntryT")
Records = Iterable[tuple[int, Any]]
"""What stands in a file (or what is wrong with it), each with its line."""

_PROBLEMS_SHOWN = 100
_BYTE_ORDER_MARK = "\ufeff"
_SEPARATORS = {";": "';'", "\t": "a tab", "|": "'|'"}

_CSV_WORDS = {
    "unexpected end of data": "a quote opens here and is never closed",
    "field larger than": f"a cell is longer than {csv.field_size_limit()} characters: "
    "is a quote never closed?",
    "expected after": "something stands behind a closing quote; a quote inside a cell is doubled",
    "new-line character": "a line ends in a carriage return alone; end lines in LF or CRLF",
}
_SPACE = re.compile(r"[ \t\r\n]*")


def read_all(records: Records, read: Callable[[int, Any], EntryT]) -> list[EntryT]:
    """Return what `read` makes of every record and its line, all or nothing.

    Raises:
        BadInput: every problem with its line.
    """
    entries: list[EntryT] = []
    problems: list[str] = []
    for line, record in records:
        try:
            if isinstance(record, BadInput):
                raise record
            entries.append(read(line, record))
        except BadInput as error:
            problems.extend(f"line {line}: {problem}" for problem in error.problems)
    if problems:
        refuse(problems)
    return entries


def refuse(problems: list[str]) -> NoReturn:
    """Refuse a file whose problems name their lines.

    Raises:
        BadInput: always; of very many problems it tells the first ones.
    """
    hint = "mend these lines and import the whole file again"
    raise BadInput(*shown(problems), hint=hint)


def shown(problems: Sequence[str]) -> list[str]:
    """Return problems as they are told: of very many the first ones, and how many more."""
    more = len(problems) - _PROBLEMS_SHOWN
    rest = [f"and {more} more"] if more > 0 else []
    return [*problems[:_PROBLEMS_SHOWN], *rest]


def records_of(text: str, layout: str, check_header: Callable[[list[str]], None]) -> Records:
    """Return the records of a whole file, each by the names of its columns or keys.

    Args:
        text: the file.
        layout: `csv`, with a header, or `json`, one object a line or a list of them.
        check_header: refuses columns that cannot be, by BadInput.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    return _csv_rows(text, check_header) if layout == "csv" else json_records(text)


def _csv_rows(text: str, check_header: Callable[[list[str]], None]) -> Iterator[tuple[int, Any]]:
    """Yield the cells of each row (or what is wrong with it) by the header, with its line."""
    records = csv_records(text)
    line, first = next(records, (1, []))
    if isinstance(first, BadInput):
        yield line, first
        return
    header = [name.strip() for name in first]
    _check_separator(header)
    check_header(header)
    for line, cells in records:
        if isinstance(cells, BadInput):
            yield line, cells
        elif any(cell.strip() for cell in cells):
            yield line, _row(header, cells)


def _check_separator(header: list[str]) -> None:
    for separator, shown in _SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            raise BadInput(
                f"line 1: the columns are separated by {shown}",
                hint="separate the columns by commas",
            )


def _row(header: list[str], cells: list[str]) -> dict[str, str] | BadInput:
    if len(cells) != len(header):
        return BadInput(f"{len(cells)} cells, the header has {len(header)}")
    return dict(zip(header, (unmarked(cell.strip()) for cell in cells), strict=True))


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
        raise BadInput("a key stands there twice")
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
