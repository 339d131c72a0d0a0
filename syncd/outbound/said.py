"""How an answer begins, for an error's message: escaped, and without what nobody may read."""

from __future__ import annotations

from collections.abc import Sequence

from yarl import URL

from syncd.outbound.reader import excerpt

# Of an address: what is shorter is no secret, and would be found in any text.
_SHORTEST_SECRET = 8


def said(body: bytes, url: URL, secrets: Sequence[str] = ()) -> str:
    """Return how a body begins; some answers repeat what they were asked.

    Args:
        body: of the answer.
        url: where it came from; its host alone is no secret.
        secrets: what else was sent with the request and is not repeated, however short.
    """
    text = body.decode("utf-8", "replace")
    pieces = [str(url), url.raw_path_qs, *url.raw_parts, *url.parts, url.raw_query_string]
    pieces = [piece for piece in pieces if len(piece) >= _SHORTEST_SECRET]
    for piece in sorted([*pieces, *filter(None, secrets)], key=len, reverse=True):
        text = text.replace(piece, "***")
    return excerpt(text.encode())
