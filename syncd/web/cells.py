"""Cells of a CSV file that a spreadsheet would compute, and how they are kept from it.

A cell that begins like a formula is given an apostrophe in front, and so is one that begins with
an apostrophe: taking one off again always gives back what was meant.
"""

from __future__ import annotations

_MARK = "'"
_COMPUTED = ("=", "+", "-", "@", _MARK)


def marked(cell: str) -> str:
    """Return the cell as it may stand in an exported file."""
    return _MARK + cell if cell.startswith(_COMPUTED) else cell


def unmarked(cell: str) -> str:
    """Return what was meant by a cell of a file; an apostrophe before anything else stays."""
    is_marked = cell.startswith(_MARK) and cell.startswith(_COMPUTED, 1)
    return cell[1:] if is_marked else cell
