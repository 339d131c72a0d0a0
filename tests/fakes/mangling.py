"""What may become of a recorded answer on its way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from syncd.sandbox.faults import BLOCK_PAGE

PAGES = (
    BLOCK_PAGE.encode(),
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>0</body></html>",
    b"<html><head><title>Redirecting...</title><script>document.cookie='RCPC=0'</script></head>",
    b"<html>" + b"<div>" * 20_000,
)
ELSE = (
    b"", b" ", b"null", b"[]", b"{}", b"0", b'"0"', b"true", b"false", b"NaN", b"Infinity",
    b"0" * 5_000, b"[" * 100_000, b'{"data":' * 100_000, b"\x00", b"\xff\xfe{}", b"ok",
    b'{"message":"Internal error"}', b'{"status":"FAILED"}', b'{"status":"OK","result":[{}]}',
    b'{"data":{}}', b"[{}]", *PAGES,
)  # fmt: skip
DEEP: Any = 0
for _ in range(150):
    DEEP = [DEEP]
GONE = object()
# What no platform means by a rating or a count, except the seven: that is one where it is taken.
WRONG = (GONE, None, "x", "", "7", 7, 1.5, True, False, [], {}, [{}], {"x": 0}, 10**30, 1e300, DEEP)
TAKEN = {7, 1.5}


def same(body: bytes) -> bytes:
    return body


def places(data: Any) -> dict[str, list[tuple[Any, Any]]]:
    """Return where each key of a document stands; items of lists are no keys."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    rest = [data]
    for inner in rest:
        if isinstance(inner, dict):
            for key in inner:
                found.setdefault(key, []).append((inner, key))
            rest.extend(inner.values())
        elif isinstance(inner, list):
            rest.extend(inner)
    return found


def mangled(body: bytes, data: st.DataObject) -> bytes:
    """Put something wrong in one place of a JSON document."""
    document = json.loads(body)
    known = places(document)
    if not known:
        return body
    key = data.draw(st.sampled_from(sorted(known)))
    holder, key = data.draw(st.sampled_from(known[key]))
    value = data.draw(st.sampled_from([wrong for wrong in WRONG if is_wrong(holder[key], wrong)]))
    if value is GONE:
        del holder[key]
    else:
        holder[key] = value
    return json.dumps(document).encode()


def is_wrong(right: Any, wrong: Any) -> bool:
    """A number in the place of another is no mistake that anybody could see, unless it is huge."""
    if type(right) in {int, float}:
        return type(wrong) not in {int, float} or wrong > 2**63
    return type(right) is not type(wrong) or isinstance(right, list | dict)
