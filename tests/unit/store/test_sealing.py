from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from syncd.config.keyring import key_line
from syncd.errors import KeysUnfit
from syncd.model.account import AccountId
from syncd.store.key_file import KeyFile
from syncd.store.sealing import Bound, SealBroken, Sealer

OLD = key_line("old", b"o" * 32)
NEW = key_line("new", b"n" * 32)
BOUNDS = st.builds(
    Bound,
    account_id=st.integers(0, 2**63 - 1).map(AccountId),
    platform=st.text(max_size=20).filter(lambda text: text.isprintable()),
    field=st.sampled_from(["refresh", "access", "answer-1"]),
)
HERE = Bound(account_id=AccountId(7), platform="spotify", field="refresh")
quickly = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ring(path: Path, text: str = OLD + NEW) -> KeyFile:
    path.write_text(text)
    path.chmod(0o600)
    return KeyFile(path)


@pytest.fixture
async def sealer(tmp_path: Path) -> Sealer:
    sealer = Sealer(ring(tmp_path / "keys"))
    await sealer.load()
    return sealer


@quickly
@given(bound=BOUNDS, text=st.text())
async def test_what_was_sealed_for_something_opens_for_it(
    sealer: Sealer, bound: Bound, text: str
) -> None:
    assert sealer.open(bound, "new", sealer.seal(bound, text)) == text


@quickly
@given(bound=BOUNDS, other=BOUNDS)
async def test_for_anything_else_it_does_not(sealer: Sealer, bound: Bound, other: Bound) -> None:
    assume(bound != other)
    content = sealer.seal(bound, "canary-token")

    with pytest.raises(SealBroken, match="changed, or sealed for another user") as caught:
        sealer.open(other, "new", content)
    assert "canary" not in repr(caught.value)


@quickly
@given(data=st.data())
async def test_a_bit_that_was_changed_and_a_byte_that_is_missing_are_seen(
    sealer: Sealer, data: st.DataObject
) -> None:
    content = sealer.seal(HERE, "canary-token")
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    cut = content[: data.draw(st.integers(0, len(content) - 1))]

    for broken in (bytes(changed), cut, content + b"\0"):
        with pytest.raises(SealBroken):
            sealer.open(HERE, "new", broken)


async def test_no_two_ciphertexts_of_one_text_are_alike(sealer: Sealer) -> None:
    sealed = {sealer.seal(HERE, "same") for _ in range(100)}

    assert len(sealed) == 100
    assert len({content[:12] for content in sealed}) == 100


async def test_an_older_key_opens_what_it_sealed_and_no_other_key_does(
    sealer: Sealer, tmp_path: Path
) -> None:
    before = Sealer(ring(tmp_path / "before", OLD))
    await before.load()
    content = before.seal(HERE, "token")

    assert sealer.newest == "new"
    assert sealer.open(HERE, "old", content) == "token"
    with pytest.raises(SealBroken):
        sealer.open(HERE, "new", content)
    with pytest.raises(SealBroken, match="its key 'gone' is not in"):
        sealer.open(HERE, "gone", content)


async def test_a_key_that_is_added_seals_and_is_found_by_who_needs_it(tmp_path: Path) -> None:
    file = ring(tmp_path / "keys", "# ours\n" + OLD)
    here, there = Sealer(file), Sealer(file)
    await there.load()

    await here.add_key()

    content = here.seal(HERE, "token")
    assert here.newest != "old"
    await there.load([here.newest])
    assert there.open(HERE, here.newest, content) == "token"
    ring_now = file.read()
    assert ring_now is not None
    assert list(ring_now.keys) == ["old", here.newest]
    assert os.listdir(tmp_path) == ["keys"]  # noqa: PTH208 - no path is asked inside a loop


async def test_a_file_that_is_made_is_for_us_alone_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first, second = Sealer(KeyFile(path)), Sealer(KeyFile(path))

    await first.make()
    await second.make()

    assert first.newest == second.newest
    assert path.stat().st_mode & 0o777 == 0o600
    assert second.open(HERE, first.newest, first.seal(HERE, "token")) == "token"


async def test_without_a_file_nothing_is_sealed_and_the_mend_is_told(tmp_path: Path) -> None:
    sealer = Sealer(KeyFile(tmp_path / "keys"))

    with pytest.raises(KeysUnfit, match="there is no key file") as caught:
        await sealer.load()

    assert "put it back from a backup" in str(caught.value.hint)
    with pytest.raises(KeysUnfit, match="there is no key file"):
        sealer.seal(HERE, "token")


async def test_keys_that_are_known_outlive_their_file_but_not_a_broken_one(
    tmp_path: Path,
) -> None:
    file = ring(tmp_path / "keys")
    sealer = Sealer(file)
    await sealer.load()

    file.path.unlink()
    await sealer.reload()
    assert sealer.newest == "new"

    ring(file.path, "half a line of it")
    with pytest.raises(KeysUnfit, match="line 1"):
        await sealer.reload()
    assert sealer.newest == "new"


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    sealer = Sealer(KeyFile(tmp_path / "nowhere" / "keys"))

    with pytest.raises(KeysUnfit, match="cannot make the key file") as caught:
        await sealer.make()
    assert "writable" in str(caught.value.hint)


async def test_a_key_cannot_be_added_where_the_file_is_not_ours_to_write(tmp_path: Path) -> None:
    sealer = Sealer(KeyFile(tmp_path / "keys"))

    with pytest.raises(KeysUnfit, match="cannot add a key to") as caught:
        await sealer.add_key()

    assert "openssl rand -base64 32" in str(caught.value.hint)
