from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from syncd.cli.toml import to_toml

# A lone surrogate is no text, and DEL is escaped by nobody but TOML.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_reads_back_as_it_was(tables: dict[str, object]) -> None:
    written = "\n".join(to_toml(tables))

    assert tomllib.loads(written) == tables
