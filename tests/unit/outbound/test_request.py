from __future__ import annotations

import pytest

from syncd.errors import BadInput, ConfigError
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.request import Endpoint, Request


def endpoint(base_url: str, *, allow_private: bool = False) -> Endpoint:
    return Endpoint(
        platform="github",
        base_url=base_url,
        credential=Credential.anonymous(),
        limits=Limits(rate=10),
        allow_private=allow_private,
    )


@pytest.mark.parametrize(
    ("segments", "target"),
    [
        (("users", "octocat"), "/users/octocat"),
        (("users", "shipit[bot]"), "/users/shipit%5Bbot%5D"),
        (("a b", "?x=1#y", "100%"), "/a%20b/%3Fx%3D1%23y/100%25"),
        (("naïve", "日本"), "/na%C3%AFve/%E6%97%A5%E6%9C%AC"),
        (("...", ".git"), "/.../.git"),
        ((), ""),
    ],
)
def test_path_segments_are_percent_encoded(segments: tuple[str, ...], target: str) -> None:
    assert Request(segments=segments).target() == target


@pytest.mark.parametrize(
    "segment", ["", ".", "..", "a/b", "a\\b", "a\0b", "a\r\nb", "\x7f", "\u2028", "\ud800"]
)
def test_a_segment_that_would_change_the_path_is_refused(segment: str) -> None:
    with pytest.raises(BadInput, match="cannot be a part of a web address"):
        Request(segments=("users", segment)).target()


def test_path_ends_with_a_slash_where_that_is_how_it_is_spelled() -> None:
    request = Request(segments=("info",), params={"handle": "ada"}, ends_with_slash=True)

    assert request.target() == "/info/?handle=ada"


def test_parameters_are_encoded() -> None:
    request = Request(segments=("q",), params={"handles": "a;b c", "from": 1})

    assert request.target() == "/q?handles=a%3Bb+c&from=1"


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.github.com",
        "ftp://api.github.com",
        "https://",
        "https://user:pw@api.github.com",
        "https://api.github.com/?x=1",
        "https://api.github.com/#x",
        "https://[::1",
        "https://api.github.com:99999",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="github: base_url"):
        endpoint(base_url).check()


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:1", "http://[::1]", "http://169.254.169.254", "http://127.1"]
)
def test_a_private_address_needs_to_be_allowed(base_url: str) -> None:
    endpoint(base_url, allow_private=True).check()

    with pytest.raises(ConfigError, match="not a public address"):
        endpoint(base_url).check()


def test_a_public_address_and_a_name_are_fine() -> None:
    endpoint("https://api.github.com/api/v3").check()
    endpoint("https://140.82.121.6").check()
