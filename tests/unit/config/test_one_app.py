from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncd.config.models import Config
from syncd.model.scheme import Scheme
from syncd.plugins import find

PLACE = "config.toml:2: platforms.github.credentials[{}]"
TABLE = "[platforms.github]\ncredentials = [{}]\n"


@pytest.fixture(autouse=True)
def platform(folders: object) -> Iterator[None]:
    """A platform that users grant an app to read, as Spotify is."""
    kind: Any = find("config_test_platforms")["github"]
    kind.schemes, kind.has_one_app = (Scheme.BASIC, Scheme.PUBLIC), True
    yield
    del kind.schemes
    del kind.has_one_app


@pytest.mark.parametrize(
    ("given", "scheme"),
    [
        ('{ client_id = "a", client_secret = "s" }', Scheme.BASIC),
        ('{ client_id = "a", client_secret = "${UNSET:-}" }', Scheme.PUBLIC),
        ('{ client_id = "a" }', Scheme.PUBLIC),
    ],
)
def test_app_without_a_secret_is_one_that_has_none(
    loaded: Callable[..., Config], given: str, scheme: Scheme
) -> None:
    [credential] = loaded(TABLE.format(given)).platforms["github"].credentials

    assert credential.scheme is scheme


def test_app_whose_variables_are_unset_is_none(loaded: Callable[..., Config]) -> None:
    unset = '{ client_id = "${UNSET:-}", client_secret = "${UNSET:-}" }'

    assert loaded(TABLE.format(unset)).platforms["github"].credentials == ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            '{ name = "a", client_id = "a" }, { name = "b", client_id = "b" }',
            PLACE.format(1) + ": is a second one, and grants belong to the app that got them; "
            "leave one",
        ),
        (
            '{ client_secret = "s" }',
            PLACE.format(0) + ".client_id: is missing; give a client_id with its client_secret",
        ),
        (
            '{ token = "t" }',
            PLACE.format(0) + ": this platform takes a client_id with its client_secret or "
            "a client_id alone only",
        ),
    ],
)
def test_what_is_not_one_app_is_refused_with_its_line(
    problems: Callable[..., list[str]], given: str, says: str
) -> None:
    assert problems(TABLE.format(given)) == [says]
