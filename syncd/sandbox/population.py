"""A population of any size from a seed: users are made on demand, only changes are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from syncd.errors import BadInput, NotKnown
from syncd.sandbox.draw import Draw, choose_some
from syncd.sandbox.person import AccountType, Document, Person, natural_login, natural_type

# A prime: multiplication by anything but 0 shuffles the ids below it without collisions, so that
# index -> id and id -> index are one multiplication each. Ids of github.com have this size.
ID_SPACE = 2**28 - 57

NATURAL_INDEX = re.compile(r"([0-9]{1,9})(?:\[bot\])?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How somebody differs from how they were born; `version` counts the differences."""

    version: int = 0
    edits: int = 0
    moved_followers: int = 0
    login: str | None = None
    is_organization: bool = False
    is_hidden: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)


UNCHANGED = Change()


class Population:
    """Users 0 to `size` - 1, the same for the same seed, and the strangers who came later.

    Args:
        seed: decides everything about everybody.
        size: how many there are at first; any number, memory does not depend on it.
        organizations: the share of logins that belong to an organization.
        bots: the share of logins that belong to a bot.
    """

    def __init__(
        self, seed: int, size: int, *, organizations: float = 0.02, bots: float = 0.003
    ) -> None:
        self.seed = seed
        self.size = size
        self._shares = (organizations, bots)
        self._total = size
        self._changes: dict[int, Change] = {}
        self._moved_logins: dict[str, int] = {}
        shuffle = Draw(seed, "ids")
        self._factor = 1 + shuffle.below(ID_SPACE - 1)
        self._shift = shuffle.below(ID_SPACE)
        self._inverse = pow(self._factor, -1, ID_SPACE)

    def __len__(self) -> int:
        """Count everybody, strangers included."""
        return self._total

    def logins(self) -> Iterator[str]:
        """Name the present login of everybody of the first `size`, in the order of the index."""
        return (self.login(index) for index in range(self.size))

    def account_id(self, index: int) -> int:
        """Return the numeric id, which nobody ever loses."""
        return 1 + (self._factor * self._known(index) + self._shift) % ID_SPACE

    def login(self, index: int) -> str:
        """Return the present login in its canonical spelling."""
        moved = self._change_of(self._known(index)).login
        return natural_login(self.seed, index, self._born_as(index)) if moved is None else moved

    def account_type(self, index: int) -> AccountType:
        """Tell what kind of account this is by now."""
        if self._change_of(index).is_organization:
            return AccountType.ORGANIZATION
        return self._born_as(index)

    def version(self, index: int) -> int:
        """Count how often the answer about this user has changed."""
        return self._change_of(index).version

    def document(self, index: int) -> Document:
        """Return the user's public profile in the keys, types and order of the real answer."""
        change = self._change_of(index)
        person = Person(
            seed=self.seed,
            index=index,
            account_id=self.account_id(index),
            login=self.login(index),
            account_type=self.account_type(index),
            moved_followers=change.moved_followers,
            edits=change.edits,
        )
        return {**person.document(), **change.fields}

    def find_login(self, login: str) -> int | None:
        """Return who visibly holds `login` now, in any spelling."""
        asked = login.lower()
        natural = NATURAL_INDEX.search(asked)
        for index in (self._moved_logins.get(asked), natural and int(natural[1])):
            if index is not None and self._holds(index, asked):
                return index
        return None

    def find_id(self, account_id: int) -> int | None:
        """Return who has `account_id`, unless they are gone or suspended."""
        index = (account_id - 1 - self._shift) * self._inverse % ID_SPACE
        in_space = 0 < account_id <= ID_SPACE
        return index if in_space and index < self._total and self._is_visible(index) else None

    def change(self, index: int) -> None:
        """Move the number of followers; as on the real service `updated_at` stays."""
        moved = self._change_of(index).moved_followers + 1 + Draw(self.seed, index).below(9)
        self._alter(index, moved_followers=moved)

    def change_some(self, share: float) -> list[int]:
        """Move the followers of `share` (0 to 1) of the first `size`; return whose, in order."""
        chosen = choose_some(self.size, share, self.seed, "some", len(self._changes))
        for index in chosen:
            self.change(index)
        return chosen

    def edit(self, index: int, fields: Mapping[str, Any]) -> None:
        """Overwrite or add keys of the profile; any JSON value, also an unlikely one."""
        before = self._change_of(index)
        self._alter(index, fields={**before.fields, **fields}, edits=before.edits + 1)

    def rename(self, index: int, login: str) -> None:
        """Give the user another login; the id stays, the old login is free from now on.

        Raises:
            BadInput: somebody else holds `login`.
        """
        holder = self.find_login(login)
        if holder is not None and holder != index:
            raise BadInput(f"login '{login}' is taken by index {holder}")
        self._moved_logins[login.lower()] = index
        self._alter(index, login=login, edits=self._change_of(index).edits + 1)

    def take_over(self, login: str) -> int:
        """Let a stranger with another id have `login`; a present holder is renamed first.

        Returns:
            The stranger's index.
        """
        holder = self.find_login(login)
        stranger = self._total
        if holder is not None:
            self.rename(holder, f"{login}-formerly-{stranger}")
        self._total += 1
        self.rename(stranger, login)
        return stranger

    def vanish(self, index: int) -> None:
        """Delete the account: not found by login or id, the login is free."""
        self._alter(index, is_hidden=True)

    def suspend(self, index: int, *, shown: bool = False) -> None:
        """Suspend the account.

        github.com hides it like a deleted one; an Enterprise server shows it (`shown`) with the
        date.
        """
        if shown:
            self.edit(index, {"suspended_at": "2024-08-08T00:00:00Z"})
        else:
            self._alter(index, is_hidden=True)

    def restore(self, index: int) -> None:
        """Bring back who vanished or was suspended.

        Raises:
            BadInput: their login was taken over in the meantime.
        """
        if self.find_login(self.login(index)) not in {None, index}:
            raise BadInput(f"login '{self.login(index)}' is taken: rename index {index} first")
        self._alter(index, is_hidden=False)

    def become_organization(self, index: int) -> None:
        """Turn a user into an organization, as their settings page offers."""
        self._alter(index, is_organization=True, edits=self._change_of(index).edits + 1)

    def _alter(self, index: int, **differences: Any) -> None:
        before = self._change_of(self._known(index))
        self._changes[index] = replace(before, version=before.version + 1, **differences)

    def _change_of(self, index: int) -> Change:
        return self._changes.get(index, UNCHANGED)

    def _born_as(self, index: int) -> AccountType:
        return natural_type(self.seed, index, *self._shares)

    def _is_visible(self, index: int) -> bool:
        return not self._change_of(index).is_hidden

    def _holds(self, index: int, login: str) -> bool:
        is_known = index < self._total
        return is_known and self._is_visible(index) and self.login(index).lower() == login

    def _known(self, index: int) -> int:
        if not 0 <= index < self._total:
            raise NotKnown(f"nobody has index {index} in a population of {self._total}")
        return index
