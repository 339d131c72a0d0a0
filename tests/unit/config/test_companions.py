from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncd.config.models import Config
from syncd.plugins import find

PLACE = "config.toml:2: platforms.github.urls.{}: "
TABLE = "[platforms.github]\nurls = {{ {} }}\n"


@pytest.fixture
def platform(folders: object) -> Iterator[Any]:
    """A platform that asks a second service, without credentials."""
    kind: Any = find("config_test_platforms")["github"]
    kind.companions = {"problems": "https://problems.example.com/atcoder"}
    kind.schemes = ()
    yield kind
    del kind.companions
    del kind.schemes


@pytest.mark.usefixtures("platform")
def test_a_companion_is_where_the_platform_says_or_where_the_file_says(
    loaded: Callable[..., Config],
) -> None:
    plain = loaded("").platforms["github"]
    moved = loaded(TABLE.format('problems = "https://mirror.example.com/"')).platforms["github"]

    assert plain.urls == {"problems": "https://problems.example.com/atcoder"}
    assert moved.urls == {"problems": "https://mirror.example.com"}


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            'problem = "https://a.example.com"',
            PLACE.format("problem")
            + 'github has no such service, did you mean "problems"?; it has problems',
        ),
        (
            'problems = "ftp://a.example.com"',
            PLACE.format("problems") + "must be the address of an API, https://host or http://host",
        ),
        (
            'problems = "http://10.0.0.1"',
            PLACE.format("problems")
            + "10.0.0.1 is not a public address; set allow_private = true if it is meant",
        ),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_its_line(
    problems: Callable[..., list[str]], given: str, says: str
) -> None:
    assert problems(TABLE.format(given)) == [says]


def test_a_platform_without_companions_takes_no_urls(problems: Callable[..., list[str]]) -> None:
    said = problems(TABLE.format('problems = "https://a.example.com"'))

    assert said == [
        PLACE.format("problems") + "github is read from its base_url alone; leave this out"
    ]


@pytest.mark.usefixtures("platform")
def test_a_platform_that_is_asked_without_credentials_takes_none(
    problems: Callable[..., list[str]], loaded: Callable[..., Config]
) -> None:
    said = problems('[platforms.github]\ncredentials = [{ token = "hunter2" }]\n')

    [sentence] = said
    assert sentence == (
        "config.toml:2: platforms.github.credentials: "
        "this platform is asked without credentials; leave them out"
    )
    assert loaded("[platforms.github]\ncredentials = []\n").platforms["github"].credentials == ()


def test_a_companions_address_is_shown_and_no_empty_table(
    platform: Any, loaded: Callable[..., Config]
) -> None:
    shown = loaded("").redacted()["platforms"]["github"]
    platform.companions = {}

    assert shown["urls"] == {"problems": "https://problems.example.com/atcoder"}
    assert "urls" not in loaded("").redacted()["platforms"]["github"]
