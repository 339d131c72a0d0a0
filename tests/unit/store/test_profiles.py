from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.profile import Profile
from syncd.store.profiles import hash_answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def profile(raw: dict[str, Any], *volatile: str) -> Profile:
    return Profile(external_id="1", handle="ada", raw=raw, volatile=frozenset(volatile))


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_keys_means_nothing(raw: dict[str, Any]) -> None:
    turned = dict(reversed(raw.items()))

    assert hash_answer(profile(raw)) == hash_answer(profile(turned))


def test_a_volatile_key_means_nothing_and_any_other_does() -> None:
    before = hash_answer(profile({"a": 1, "seen": 1}, "seen"))

    assert hash_answer(profile({"a": 1, "seen": 2}, "seen")) == before
    assert hash_answer(profile({"a": 2, "seen": 1}, "seen")) != before


def test_a_missing_key_is_not_an_empty_one() -> None:
    assert hash_answer(profile({})) != hash_answer(profile({"bio": None}))


def test_text_no_encoding_can_hold_still_has_a_hash() -> None:
    assert hash_answer(profile({"bio": "\ud800"})) != hash_answer(profile({"bio": "?"}))
