"""The credentials of a platform: what each may hold, and what is wrong with several of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from syncd.config.place import Path, Problem
from syncd.config.rsa_key import load_rsa_key
from syncd.config.section import Section
from syncd.config.values import EMPTY_IS_NONE, Identifier
from syncd.model.scheme import Scheme

_KINDS = {
    Scheme.BEARER: ("token",),
    Scheme.BASIC: ("client_id", "client_secret"),
    Scheme.INSTALLATION: ("app_id", "installation_id", "private_key"),
}
_IN_WORDS = {
    Scheme.BEARER: "a token",
    Scheme.BASIC: "a client_id with its client_secret",
    Scheme.INSTALLATION: "an app_id with installation_id and private_key",
}
_NONE = "this platform is asked without credentials; leave them out"
_ALONE = "a client_id alone"
_SECOND = "is a second one, and grants belong to the app that got them; leave one"
_MIXED = f"holds two things; leave {', or '.join(_IN_WORDS.values())}"


def _fits_a_path(text: str) -> str:
    if not all(letter.isalnum() or letter in "._-" for letter in text) or not text.isascii():
        raise ValueError("must be an id as the platform shows it")
    return text


Id = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    AfterValidator(_fits_a_path),
]
"""An id that a platform gave out; numbers may stand without quotes."""


class Credential(Section):
    """What a platform knows us by: a token, an OAuth app, or an installation of a GitHub App.

    An OAuth app without its secret is one that has none (PKCE), where the platform takes that.

    Secrets out of files are in `token`, `client_secret` and `private_key`, whatever key named them.
    """

    name: Identifier = "default"
    token: SecretStr = SecretStr("")
    token_file: str = ""
    client_id: Id = ""
    client_secret: SecretStr = SecretStr("")
    client_secret_file: str = ""
    app_id: Id = ""
    installation_id: Annotated[int | None, EMPTY_IS_NONE] = Field(default=None, gt=0)
    private_key: SecretStr = SecretStr("")
    private_key_file: str = ""

    def text(self, key: str) -> str:
        """Return a value as text, empty where it was not given."""
        value = getattr(self, key)
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")

    @property
    def kinds(self) -> Sequence[Scheme]:
        """List what its keys belong to; none where all are empty, several where they are mixed."""
        return [kind for kind, keys in _KINDS.items() if any(self.text(key) for key in keys)]

    @property
    def scheme(self) -> Scheme:
        """Say what it is; an app without its secret is PUBLIC."""
        kind = next(iter(self.kinds), Scheme.ANONYMOUS)
        has_secret = bool(self.text("client_secret") or self.client_secret_file)
        return Scheme.PUBLIC if kind is Scheme.BASIC and not has_secret else kind

    def secrets(self) -> Iterator[str]:
        """List what must not be shown."""
        yield from (self.text(key) for key in ("token", "client_secret", "private_key"))


def usable(given: Sequence[Credential]) -> tuple[Credential, ...]:
    """Return those that hold something, and all of it."""
    return tuple(one for one in given if one.kinds and not list(_problems_of(one, tuple(Scheme))))


def check_credentials(
    given: Sequence[Credential],
    schemes: Collection[Scheme],
    path: Path,
    *,
    taken: Collection[str] = (),
    has_one_app: bool = False,
) -> Iterator[Problem]:
    """Say what is wrong with the credentials of a platform, each and all together.

    Args:
        given: as they stand in the file.
        schemes: what the platform takes.
        path: where they stand.
        taken: names of its other ways out, which no credential may have.
        has_one_app: users grant what it reads to one app.
    """
    if not schemes and any(one.kinds for one in given):
        yield Problem(path=path, message=_NONE)
        return
    names: set[str] = set(taken)
    known: dict[tuple[str, str], str] = {}
    for index, one in enumerate(given):
        place = (*path, index)
        if one.name in names:
            message = f"{one.name} is the name of another one; give each a name of its own"
            yield Problem(path=(*place, "name"), message=message)
        names.add(one.name)
        for key, message in _problems_of(one, schemes):
            yield Problem(path=(*place, _written_as(one, key)), message=message)
        if not one.kinds:
            continue
        yield from _fits(one, schemes, place)
        first = known.setdefault((one.kinds[0], _whose_budget(one)), one.name)
        if has_one_app and len(known) > 1:
            yield Problem(path=place, message=_SECOND)
        elif first != one.name:
            message = f"is the same as {first}, and its budget is there only once; leave one"
            yield Problem(path=place, message=message)


def _fits(one: Credential, schemes: Collection[Scheme], place: Path) -> Iterator[Problem]:
    if one.kinds[0] not in schemes:
        taken = [_IN_WORDS[scheme] for scheme in _KINDS if scheme in schemes]
        taken += [_ALONE] if Scheme.PUBLIC in schemes else []
        yield Problem(path=place, message=f"this platform takes {' or '.join(taken)} only")


def _whose_budget(one: Credential) -> str:
    keys = {Scheme.BASIC: "client_id", Scheme.INSTALLATION: "installation_id"}
    return one.text(keys.get(one.kinds[0], "token")).strip()


def _written_as(one: Credential, key: str) -> str:
    """Return the key that stands in the file: a secret may have come out of a file of its own."""
    file = f"{key}_file"
    return file if getattr(one, file, "") else key


def _missing(one: Credential) -> Iterator[tuple[str, str]]:
    for kind in one.kinds:
        for key in _KINDS[kind]:
            if not one.text(key):
                yield key, f"is missing; give {_IN_WORDS[kind]}"


def _problems_of(one: Credential, schemes: Collection[Scheme]) -> Iterator[tuple[str, str]]:
    """Say, by key, what keeps a credential from being used."""
    if len(one.kinds) > 1:
        yield _KINDS[one.kinds[1]][0], _MIXED
        return
    if not (one.scheme is Scheme.PUBLIC and Scheme.PUBLIC in schemes):
        yield from _missing(one)
    for key in ("token", "client_secret"):
        text = one.text(key).strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            yield key, "holds characters that no secret of an API has"
    if one.text("private_key"):
        try:
            load_rsa_key(one.text("private_key"))
        except ValueError as error:
            yield "private_key", str(error)
