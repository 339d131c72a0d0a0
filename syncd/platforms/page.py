"""Web pages that are read where a platform has no API: their title at a glance, and their tree.

A page comes from outside and may be anything. What is done here costs time in proportion to its
length, whatever it holds.
"""

from __future__ import annotations

import re
from itertools import accumulate

from selectolax.lexbor import LexborHTMLParser

from syncd.errors import BadPayload
from syncd.outbound.answers import Response

# The parser's time grows with the square of the depth: 20 ms at 5,000, minutes at 100,000.
_DEEPEST = 5_000
_TITLE = re.compile(rb"<title[^<>]*>([^<]*)</title", re.IGNORECASE)
_LOOKED_AT = 65_536
# Tags that open or close something; those that hold nothing are left out.
_TAG = re.compile(
    r"<(/?)(?!(?:area|base|br|col|embed|hr|img|input|link|meta|path|source|use|wbr)\b)[a-z]",
    re.IGNORECASE,
)


def title_of(response: Response) -> bytes:
    """Return the title of a page as it is written; empty where it is none or has none."""
    found = _TITLE.search(response.body, 0, _LOOKED_AT) if response.is_html else None
    return found[1].strip() if found else b""


def parse_page(text: str, who: str) -> LexborHTMLParser:
    """Return the tree of a page; `who` is the handle that was asked for.

    Raises:
        BadPayload: it is nested so deeply that reading it would hold up everything else.
    """
    steps = (-1 if slash else 1 for slash in _TAG.findall(text))
    if max(accumulate(steps), default=0) > _DEEPEST:
        raise BadPayload(f"{who!r}: the page is nested more than {_DEEPEST} levels deep")
    return LexborHTMLParser(text)
