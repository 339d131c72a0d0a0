"""What is asked: where a platform is, and one request to it."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
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
_SECRET_FIELDS = ("refresh_token", "client_secret")


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
    """One request; unless `is_repeatable` is False it must be safe to repeat.

    `segments` are the parts of the path after `base_url`, as people write them: they are
    percent-encoded here, after the last `up` parts of `base_url`'s own path are left out;
    `ends_with_slash` puts a slash behind them. `json` is the body, where there is one. `params`
    never hold a secret. `resource` names the quota it draws on. `is_divisible`: it asks about many
    things at once and can be asked again in smaller parts; so its failure is told at once, and
    neither that nor a good answer says how the platform fares. `follows_redirects` False: a
    redirect is an answer, whose `Location` says something.

    `authorization` stands in for the client's own (a user's access token), and `form` is the body,
    urlencoded: neither is ever shown, nor told back by an answer. `content` is a body of bytes.
    `about` says for whom it asks where its address does not. `is_repeatable` False: it is sent once
    more only where it never left, or where it was told to come later. `is_retried` False: whoever
    asks counts the attempts, each failure is told at once. `tells_secrets`: so does a good answer.
    """

    segments: tuple[str, ...]
    method: str = "GET"
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    content: bytes = field(default=b"", repr=False)
    authorization: str = field(default="", repr=False)
    about: str = ""
    expects: Expects = Expects.JSON
    resource: str = CORE
    up: int = 0
    ends_with_slash: bool = False
    is_divisible: bool = False
    follows_redirects: bool = True
    is_repeatable: bool = True
    is_retried: bool = True
    tells_secrets: bool = False

    def target(self) -> str:
        """Return the encoded path, which begins with a slash, and query.

        Raises:
            BadInput: a segment is empty, a dot or two, or holds a slash or a control character.
        """
        path = "".join([f"/{_encode(segment)}" for segment in self.segments])
        if self.ends_with_slash:
            path += "/"
        return f"{path}?{urlencode(self.params)}" if self.params else path

    def address(self, target: str) -> Hashable:
        """Return what is asked for at a target; equal where the same is asked again."""
        if self.about:
            return target.partition("?")[0], self.about
        return target if self.json is None else (target, str(self.json))

    def body(self) -> tuple[str, bytes]:
        """Return the body with its content type; both are empty where there is none."""
        if self.form is not None:
            return "application/x-www-form-urlencoded", urlencode(self.form).encode()
        if self.content:
            return "application/octet-stream", self.content
        if self.json is None:
            return "", b""
        return "application/json", json.dumps(self.json).encode()

    def secrets(self) -> Sequence[str]:
        """List what is sent with it that nobody may read in an answer."""
        form = self.form or {}
        sent = [form[key] for key in _SECRET_FIELDS if key in form]
        return [self.authorization.rpartition(" ")[2], *sent] if self.authorization else sent


def _encode(segment: str) -> str:
    if _PLAIN.fullmatch(segment):
        return segment
    unfit = segment in {"", ".", ".."} or "/" in segment or "\\" in segment
    if unfit or not segment.isprintable():
        raise BadInput(f"{segment[:100]!a} cannot be a part of a web address")
    return quote(segment, safe="")
