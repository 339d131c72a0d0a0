from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.channels.lengths import in_bytes, in_json, in_units, shortened

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@pytest.mark.parametrize("length", [len, in_bytes, in_json, in_units])
@given(text=TEXTS, limit=st.integers(10, 60))
def test_a_text_fits_and_is_cut_only_where_it_must_be(
    length: Callable[[str], int], text: str, limit: int
) -> None:
    cut = shortened(text, limit, length)

    assert length(cut) <= limit
    assert (cut == text) is (length(text) <= limit)
    assert text.startswith(cut.removesuffix("…"))


def test_a_text_is_counted_as_the_service_counts_it() -> None:
    assert in_bytes("é🎈") == 6
    assert in_units("é🎈") == 3
    assert in_json("é🎈") == len('"\\u00e9\\ud83c\\udf88"')
