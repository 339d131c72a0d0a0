"""Links in what is sent: signed, and good only as they are."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.channels import Notify
from syncd.daemon.links import Links
from syncd.errors import ConfigError
from syncd.store.key_file import KeyFile

URL = "https://notify.example.org/n"


def opened(folder: Path, url: str = URL) -> Links:
    """Return links signed by the key in a folder."""
    links = Links(Notify(public_url=url, key_file=folder / "notify-key"))
    links.open()
    return links


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["t"][0]


@pytest.fixture
def links(tmp_path: Path) -> Links:
    return opened(tmp_path)


@pytest.mark.parametrize("user", ["ada", "4711", "é ü", "a" * 128, "x.y~z", "日本"])
def test_a_link_says_who_and_which_channel_and_nobody_reads_the_name_in_it(
    links: Links, user: str
) -> None:
    link = links.link(user, "email")

    assert link.startswith(f"{URL}/unsubscribe?t=")
    assert links.read(token_of(link)) == (user, "email")
    assert link.isascii()
    assert user not in link.removeprefix(URL)


def test_a_link_stays_good_over_a_restart(tmp_path: Path, links: Links) -> None:
    assert opened(tmp_path).read(token_of(links.link("ada", "email"))) == ("ada", "email")


def test_a_link_stays_good_when_there_is_a_newer_key(tmp_path: Path, links: Links) -> None:
    KeyFile(tmp_path / "notify-key").add()

    later = opened(tmp_path)

    assert later.read(token_of(links.link("ada", "email"))) == ("ada", "email")
    assert later.link("ada", "email") != links.link("ada", "email")


def test_a_link_of_another_key_is_none_of_ours(tmp_path: Path, links: Links) -> None:
    (tmp_path / "other").mkdir()

    assert opened(tmp_path / "other").read(token_of(links.link("ada", "email"))) is None


def test_changing_any_letter_of_a_link_spoils_it(links: Links) -> None:
    token = token_of(links.link("ada", "email"))

    for place in range(len(token) - 1):  # the last letter of base64 holds bits that mean nothing
        other = "A" if token[place] != "A" else "B"
        assert links.read(token[:place] + other + token[place + 1 :]) is None


def test_what_two_users_and_channels_are_called_cannot_be_mixed_up(links: Links) -> None:
    pairs = [("b", "a"), ("ab", ""), ("", "ab"), ("a", "b")]

    assert len({links.link(user, channel) for user, channel in pairs}) == len(pairs)


@given(text=st.text(max_size=200))
def test_what_is_no_link_is_none_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    assert opened(tmp_path_factory.getbasetemp()).read(text) is None


def test_without_a_public_address_there_is_no_link_and_no_key(tmp_path: Path) -> None:
    links = opened(tmp_path, "")

    assert links.link("ada", "email") == ""
    assert links.read("k.a.b") is None
    assert not (tmp_path / "notify-key").exists()


def test_the_key_is_made_for_us_alone(tmp_path: Path, links: Links) -> None:
    assert (tmp_path / "notify-key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, links: Links) -> None:
    (tmp_path / "notify-key").chmod(0o640)

    with pytest.raises(ConfigError, match=r"notify\.key_file: others can read .*: run chmod 600"):
        opened(tmp_path)
