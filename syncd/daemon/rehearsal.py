"""The users that `syncd demo` makes up: what happens to them, and what syncd must find then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from syncd.daemon.coders import Coders
from syncd.daemon.fates import Fates, share_of
from syncd.daemon.listeners import SPOTIFY, Listeners
from syncd.daemon.subscribers import Subscribers
from syncd.model.run import Report
from syncd.sandbox.base import StandIn
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.person import AccountType
from syncd.sandbox.population import Population

GITHUB = "github"

_CHANGED_SHARE = 0.01
_FEW_SHARE = 0.005
_CODERS_SHARE = 0.1
_FEWEST_LISTENERS = 4


class GitHubUsers:
    """Everybody, on GitHub.

    Some users vanish or rename themselves after they were imported and before anybody asked for
    them: they are not found. Between the passes others change, rename themselves or vanish.

    Args:
        users: how many there are.
        seed: decides everything about everybody.
    """

    def __init__(self, users: int, seed: int) -> None:
        self.population = Population(seed, users)
        kinds = [self.population.account_type(index) for index in range(users)]
        self._organizations = Counter(kinds)[AccountType.ORGANIZATION]
        self._bots = Counter(kinds)[AccountType.BOT]
        self._fates = Fates.draw(
            [index for index, kind in enumerate(kinds) if kind is AccountType.USER],
            seed,
            few=share_of(users, _FEW_SHARE),
            changing=share_of(users, _CHANGED_SHARE),
        )

    def happen_before_first(self) -> Report:
        """Let happen what happens before the first pass; return what that must report."""
        self._vanish(self._fates.lost)
        self._rename(self._fates.moved)
        users = self.population.size
        failures = {
            "not_found": len(self._fates.lost) + len(self._fates.moved),
            "unsuitable": self._organizations,
        }
        failed = sum(failures.values())
        return Report(
            created=users - failed, failed=failed, calls=users, failures=_positive(failures)
        )

    def happen_before_second(self) -> Report:
        """Let happen what happens between the passes; return what the second must report.

        Organizations are not asked for again; whoever was not found is, until that is confirmed.
        Sweeps tell of everybody else who is a person. Their calls are not among the expected ones:
        how many it takes depends on how many accounts are under way.
        """
        fates = self._fates
        for index in fates.changing:
            self.population.change(index)
        self._rename(fates.renaming)
        self._vanish(fates.vanishing)
        asked = self.population.size - self._organizations
        missing = len(fates.lost) + len(fates.moved) + len(fates.vanishing)
        updated = len(fates.changing) + len(fates.renaming)
        unchanged = asked - missing - updated
        return Report(
            updated=updated,
            unchanged=unchanged,
            failed=missing,
            calls=updated + missing + self._bots,
            saved=self._bots,
            failures=_positive({"not_found": missing}),
        )

    def _rename(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            self.population.rename(index, f"renamed-{index}")

    def _vanish(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            self.population.vanish(index)


class Rehearsal:
    """All users with their fates on every platform: the same for the same seed.

    Everybody is on GitHub; the first of them, a tenth, are on all coding platforms as well, and
    listen on Spotify; the first of these want to be told of contests.

    Args:
        users: how many there are.
        seed: decides everything about everybody.
        scale: how many times wider than documented the limits of the stand-ins are.
    """

    def __init__(self, users: int, seed: int, *, scale: float = 1) -> None:
        self.github = GitHubUsers(users, seed)
        self.coders = Coders(share_of(users, _CODERS_SHARE), seed, scale=scale)
        listeners = max(self.coders.size, min(users, _FEWEST_LISTENERS))
        self.listeners = Listeners(listeners, seed, scale=scale)
        self.standins: Mapping[str, StandIn] = {
            GITHUB: GitHubStandIn(self.github.population, scale=scale),
            **self.coders.standins,
            SPOTIFY: self.listeners.standin,
        }
        keys = [key_of(index) for index in range(self.coders.size)]
        self.subscribers = Subscribers(keys, self.coders.standins)

    def import_files(self, size: int) -> Iterator[str]:
        """Yield import files (CSV) of at most `size` users, to be read before anything happens."""
        header = ",".join(["key", GITHUB, *self.coders.standins])
        rows = (
            ",".join([key_of(index), login, *self._coding_handles(index)])
            for index, login in enumerate(self.github.population.logins())
        )
        while batch := list(islice(rows, size)):
            yield "\n".join([header, *batch]) + "\n"

    def grants_file(self) -> str:
        """Return the grants (JSON lines) of those who listen."""
        return self.listeners.import_file([key_of(index) for index in range(self.listeners.size)])

    def _coding_handles(self, index: int) -> Sequence[str]:
        if index < self.coders.size:
            return self.coders.handles(index)
        return [""] * len(self.coders.standins)

    def happen_before_first(self) -> Mapping[str, Report]:
        """Let happen what happens before the first pass; return what that must report."""
        return {
            GITHUB: self.github.happen_before_first(),
            **self.coders.happen_before_first(),
            SPOTIFY: self.listeners.happen_before_first(),
        }

    def happen_before_second(self) -> Mapping[str, Report]:
        """Let happen what happens between the passes; return what the second must report."""
        return {
            GITHUB: self.github.happen_before_second(),
            **self.coders.happen_before_second(),
            SPOTIFY: self.listeners.happen_before_second(),
        }


def key_of(index: int) -> str:
    """Return the key of a made-up user."""
    return f"user-{index + 1}"


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: count for word, count in counts.items() if count}
