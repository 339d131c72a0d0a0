"""One user of the population: what they are called and what their profile says."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from syncd.sandbox.draw import Draw

Document = dict[str, Any]
"""A profile as the API sends it, in the API's order of keys."""

FIRST = ("ada", "bo", "chidi", "dara", "eero", "farah", "goran", "hana", "imre", "juno", "kofi")
LAST = ("akande", "berg", "costa", "dube", "endo", "fischer", "gupta", "holm", "ivanova", "jones")
STYLES = ("{first}{index}", "{first}-{last}-{index}", "{first}{last}{index}", "{first}-{index}")
NAMES = (
    None, "Ada Akande", "Bo  Berg ", "Zoë Müller-Lüdenscheidt", "李小龍", "Ольга Иванова",
    "محمد الفاتح", "O'Neil \"Quote\" D\\Arcy", "Søren 🧪 Ångström", "e\u0301lodie", "x",
)  # fmt: skip
COMPANIES = (None, None, "@example-labs", "Example Ltd. ", "株式会社例", "@a @b @c")
BLOGS = (
    "",
    "",
    "",
    "https://blog.example.org/~{login}",
    "{login}.example.com",
    "http://例え.テスト",
)
LOCATIONS = (None, None, "Kolkata, India", "São Paulo", "Zürich", "127.0.0.1", "🌍")
BIOS = (
    None, None, "Builds small things.", "Line one\r\nline two", "🦀 & 🐍 <b>not bold</b>",
    "'; DROP TABLE profiles; --", "ثنائي الاتجاه mixed with Latin", "z" * 160,
)  # fmt: skip
HIREABLE = (None, None, None, True, False)

FIRST_DAY = datetime(2008, 1, 14, tzinfo=UTC)
MEMBER_SECONDS = 16 * 365 * 86_400
PREFIXES = {"User": "U", "Organization": "O", "Bot": "BOT"}


class AccountType(StrEnum):
    """What stands in `type`."""

    USER = "User"
    ORGANIZATION = "Organization"
    BOT = "Bot"


def natural_type(seed: int, index: int, organizations: float, bots: float) -> AccountType:
    """Decide as what the account was made."""
    draw = Draw(seed, "type", index)
    if draw.happens(organizations):
        return AccountType.ORGANIZATION
    return AccountType.BOT if draw.happens(bots) else AccountType.USER


def natural_login(seed: int, index: int, account_type: AccountType) -> str:
    """Decide the login somebody was born with; it ends in the index, so it can be read back."""
    draw = Draw(seed, "login", index)
    names = {"first": draw.pick(FIRST), "last": draw.pick(LAST)}
    if draw.happens(0.3):
        names = {key: name.title() for key, name in names.items()}
    login = draw.pick(STYLES).format(index=index, **names)
    return f"{login}[bot]" if account_type is AccountType.BOT else login


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as they are now; `edits` counts the changes that move `updated_at`."""

    seed: int
    index: int
    account_id: int
    login: str
    account_type: AccountType
    moved_followers: int
    edits: int

    def document(self) -> Document:
        """Write down the profile."""
        draw = Draw(self.seed, "profile", self.index)
        return self._identity(draw) | self._words(draw) | self._numbers(draw)

    def _identity(self, draw: Draw) -> Document:
        is_bot = self.account_type is AccountType.BOT
        name = self.login.replace("[", "%5B").replace("]", "%5D")
        page = f"apps/{self.login.removesuffix('[bot]')}" if is_bot else self.login
        url = f"https://api.github.com/users/{name}"
        return {
            "login": self.login,
            "id": self.account_id,
            "node_id": self._node_id(draw),
            "avatar_url": f"https://avatars.githubusercontent.com/u/{self.account_id}?v=4",
            "gravatar_id": "",
            "url": url,
            "html_url": f"https://github.com/{page}",
            "followers_url": f"{url}/followers",
            "following_url": f"{url}/following{{/other_user}}",
            "gists_url": f"{url}/gists{{/gist_id}}",
            "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
            "subscriptions_url": f"{url}/subscriptions",
            "organizations_url": f"{url}/orgs",
            "repos_url": f"{url}/repos",
            "events_url": f"{url}/events{{/privacy}}",
            "received_events_url": f"{url}/received_events",
            "type": str(self.account_type),
        }

    def _node_id(self, draw: Draw) -> str:
        kind = str(self.account_type)
        if draw.happens(0.5):
            return b64encode(f"{len(kind):02}:{kind}{self.account_id}".encode()).decode()
        packed = urlsafe_b64encode(b"\x92\x00\xce" + self.account_id.to_bytes(4)).decode()
        return f"{PREFIXES[kind]}_{packed.rstrip('=')}"

    def _words(self, draw: Draw) -> Document:
        is_user = self.account_type is AccountType.USER
        words: Document = {"user_view_type": "public"} if draw.happens(0.7) else {}
        words |= {
            "site_admin": draw.happens(0.002),
            "name": draw.pick(NAMES),
            "company": draw.pick(COMPANIES),
            "blog": draw.pick(BLOGS).format(login=self.login),
            "location": draw.pick(LOCATIONS),
            "email": f"user{self.index}@example.invalid" if draw.happens(0.3) else None,
            "hireable": draw.pick(HIREABLE) if is_user else None,
            "bio": draw.pick(BIOS),
        }
        if draw.happens(0.9):
            words["twitter_username"] = f"user_{self.index}" if draw.happens(0.2) else None
        return words

    def _numbers(self, draw: Draw) -> Document:
        created = FIRST_DAY + timedelta(seconds=draw.below(MEMBER_SECONDS))
        updated = created + timedelta(days=draw.below(600), hours=self.edits)
        # Few have many: the exponent is what is drawn evenly.
        return {
            "public_repos": draw.below(2 ** (1 + draw.below(9))),
            "public_gists": draw.below(2 ** (1 + draw.below(5))),
            "followers": draw.below(2 ** (1 + draw.below(14))) + self.moved_followers,
            "following": draw.below(2 ** (1 + draw.below(8))),
            "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{updated:%Y-%m-%dT%H:%M:%SZ}",
        }
