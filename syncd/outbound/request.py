"""What is asked: where a platform is, and one request to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from yarl import URL

from syncd.config.addresses import is_literal, is_public
from syncd.errors import BadInput, ConfigError
from syncd.outbound.addresses import HINT
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.reader import Expects
from syncd.outbound.resource import CORE
from syncd.outbound.retry import RetryPolicy

MAX_BODY_BYTES = 8 * 1024 * 1024

# What stands for itself in an address and cannot be a dot or two.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A platform as one credential sees it.

    `headers` go with every request (what the API asks for); the credential's are set last.
    `allow_private` lets `base_url` lead into our own network.
    """

    platform: str
    base_url: str
    credential: Credential
    limits: Limits
    user_agent: str = "syncd"
    headers: Mapping[str, str] = field(default_factory=dict)
    allow_private: bool = False
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_body_bytes: int = MAX_BODY_BYTES

    def check(self) -> None:
        """Refuse an address that we could not, or must not, talk to.

        Raises:
            ConfigError: `base_url` is no plain http(s) address, or not a public one.
        """
        try:
            url = URL(self.base_url)
            host, port = url.host, url.port
        except ValueError as error:
            raise ConfigError(f"{self.platform}: base_url is not an address") from error
        if url.scheme not in {"http", "https"} or not host or not port:
            raise ConfigError(f"{self.platform}: base_url must begin with http:// or https://")
        if url.user or url.password or url.query_string or url.fragment:
            raise ConfigError(
                f"{self.platform}: base_url must hold no user, password, query or fragment"
            )
        if not self.allow_private and is_literal(host) and not is_public(host):
            raise ConfigError(f"{self.platform}: base_url is not a public address", hint=HINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; it must be safe to repeat.

    `segments` are the parts of the path after `base_url`, as people write them: they are
    percent-encoded here, after the last `up` parts of `base_url`'s own path are left out;
    `ends_with_slash` puts a slash behind them. `json` is the body, where there is one. `params`
    never hold a secret. `resource` names the quota it draws on. `is_divisible`: it asks about many
    things at once and can be asked again in smaller parts; so its failure is told at once, and
    neither that nor a good answer says how the platform fares. `follows_redirects` False: a
    redirect is an answer, whose `Location` says something.
    """

    segments: tuple[str, ...]
    method: str = "GET"
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    expects: Expects = Expects.JSON
    resource: str = CORE
    up: int = 0
    ends_with_slash: bool = False
    is_divisible: bool = False
    follows_redirects: bool = True

    def target(self) -> str:
        """Return the encoded path, which begins with a slash, and query.

        Raises:
            BadInput: a segment is empty, a dot or two, or holds a slash or a control character.
        """
        path = "".join([f"/{_encode(segment)}" for segment in self.segments])
        if self.ends_with_slash:
            path += "/"
        return f"{path}?{urlencode(self.params)}" if self.params else path


def _encode(segment: str) -> str:
    if _PLAIN.fullmatch(segment):
        return segment
    unfit = segment in {"", ".", ".."} or "/" in segment or "\\" in segment
    if unfit or not segment.isprintable():
        raise BadInput(f"{segment[:100]!a} cannot be a part of a web address")
    return quote(segment, safe="")
