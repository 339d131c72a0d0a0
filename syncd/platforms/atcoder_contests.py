"""The contests of AtCoder, read from its page for people: running, to come, and the last fifty.

A table that would be empty is not there; of none of them the page is another one. What is always
open (the table of permanent contests, the daily training) has no start and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from syncd.errors import BadPayload, PlatformDown
from syncd.model.contest import Contest, ContestList
from syncd.outbound.answers import Response
from syncd.platforms.announced import Row, collect, end_after, id_in, iso_time_in, name_in, raw_of
from syncd.platforms.page import parse_page, title_of
from syncd.platforms.shape import Shape

_SOURCE = "atcoder"
_TABLES = ("contest-table-action", "contest-table-upcoming", "contest-table-recent")
_ALWAYS_OPEN = "contest-table-permanent"
_ANCHOR = b'id="contest-table-'
_TITLE = re.compile("[^<]*(?:contest|コンテスト)[^<]* - AtCoder".encode(), re.IGNORECASE)
_ADDRESS = "/contests/"
# Hours may be many: 1992:40.
_DURATION = re.compile(r"([0-9]{1,6}):([0-5][0-9])")


def is_list(response: Response) -> bool:
    """Tell whether a page is the one that lists contests, by what it holds or what it is called."""
    return _ANCHOR in response.body or _TITLE.fullmatch(title_of(response)) is not None


def to_contests(page: str) -> ContestList:
    """Map the page.

    Raises:
        PlatformDown: it was cut off.
        BadPayload: it is laid out in another way than is known.
    """
    if "<html" in page and not page.rstrip().endswith("</html>"):
        raise PlatformDown("cannot read contests: the page of atcoder was cut off")
    tree = parse_page(page, _SOURCE)
    tables = [(name, table) for name in _TABLES if (table := tree.css_first(f"#{name}"))]
    if not tables and not _is_bare(tree):
        raise BadPayload(f"{_SOURCE!r}: the page has none of the tables of contests")
    rows = [row for name, table in tables for row in _rows(name, table)]
    return collect(_SOURCE, rows, _contest, is_whole=False)


def _is_bare(tree: LexborHTMLParser) -> bool:
    """Tell whether nothing is announced, while the page is the one it should be."""
    return tree.css_first(f"#{_ALWAYS_OPEN}") is not None


def _rows(name: str, table: LexborNode) -> Iterator[Row]:
    for place, line in enumerate(table.css("tbody tr"), 1):
        yield f"#{name} tr[{place}]", _cells(line)


def _cells(line: LexborNode) -> dict[str, Any]:
    """Return what a line of a table says, by names of ours; what is not there is None."""
    cells = line.css("td")
    if len(cells) < 4:
        return {}
    link, marker = cells[1].css_first("a[href]"), cells[1].css_first("span[title]")
    address = (link.attributes.get("href") if link else None) or ""
    return {
        "id": address.removeprefix(_ADDRESS) if address.startswith(_ADDRESS) else None,
        "name": link.text().strip() if link else None,
        "start": cells[0].text().strip(),
        "duration": cells[2].text().strip(),
        "rated": cells[3].text().strip(),
        "kind": marker.attributes.get("title") if marker else None,
    }


def _contest(row: Shape) -> Contest:
    identity, starts_at = id_in(row, "id"), iso_time_in(row, "start")
    found = _DURATION.fullmatch(row.needed_text("duration"))
    if found is None:
        raise row.wrong("duration", "duration")
    seconds = 3_600 * int(found[1]) + 60 * int(found[2])
    return Contest(
        platform=_SOURCE,
        external_id=identity,
        name=name_in(row, "name"),
        url=f"https://atcoder.jp/contests/{identity}",
        starts_at=starts_at,
        ends_at=end_after(row, "duration", starts_at, seconds),
        duration_seconds=seconds,
        kind=row.text("kind") or "",
        rated_range=row.text("rated") or "",
        raw=raw_of(row),
    )
