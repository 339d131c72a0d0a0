"""What can go wrong between a stand-in and its caller, scripted or by chance.

A fault is a function from the answer that would have been sent to the one that is sent:

    standin.faults.add(server_error(502), path="/users/*", share=0.05)
    standin.faults.add(too_many(retry_after=3), times=2)
    standin.faults.add(cut(100), path="/user/583231", times=1)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from syncd.sandbox.answer import Answer
from syncd.sandbox.draw import Draw

Fault = Callable[[Answer], Answer]

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
BLOCK_PAGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
TOO_MANY = (
    '{"message":"You have exceeded a secondary rate limit. '
    'Please wait a few minutes before you try again.","documentation_url":"https://docs.github.com'
    '/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}'
)


def latency(seconds: float) -> Fault:
    """Answer right, but later."""
    return lambda answer: replace(answer, delay_seconds=answer.delay_seconds + seconds)


def instead(body: str = "", *, status: int = 200, content_type: str = JSON) -> Fault:
    """Answer with these words: an empty 200, a huge or deeply nested body, anything."""
    return lambda answer: _refused(answer, status, body, {"Content-Type": content_type})


def server_error(status: int = 502) -> Fault:
    """Answer as a proxy whose server is down."""
    return instead(f"<html><h1>{status}</h1></html>", status=status, content_type=HTML)


def html(status: int = 403) -> Fault:
    """Answer with a challenge page."""
    return instead(BLOCK_PAGE, status=status, content_type=HTML)


def too_many(retry_after: float | None = 60, *, as_date: bool = False, status: int = 429) -> Fault:
    """Refuse as the service does under load; Retry-After in seconds, as a date, or absent."""

    def refuse(answer: Answer) -> Answer:
        headers = {"Content-Type": JSON}
        if retry_after is not None and as_date:
            until = datetime.now(UTC) + timedelta(seconds=retry_after)
            headers["Retry-After"] = format_datetime(until, usegmt=True)
        elif retry_after is not None:
            headers["Retry-After"] = f"{retry_after:.15g}"
        return _refused(answer, status, TOO_MANY, headers)

    return refuse


def redirect(location: str, status: int = 302) -> Fault:
    """Send the caller elsewhere."""
    return lambda answer: _refused(answer, status, "", {"Location": location})


def cut(after: int) -> Fault:
    """Close the connection after so many bytes of the body."""
    return lambda answer: replace(answer, cut_after=after)


def drip(bytes_per_second: int) -> Fault:
    """Let the body arrive slowly."""
    return lambda answer: replace(answer, bytes_per_second=bytes_per_second)


def hang() -> Fault:
    """Accept the request and never answer it."""
    return lambda answer: replace(answer, hangs=True)


def without_keys(*keys: str) -> Fault:
    """Leave keys out of a JSON object."""
    return rewritten(lambda body: {key: body[key] for key in body if key not in keys})


def with_values(values: Mapping[str, Any]) -> Fault:
    """Overwrite or add keys of a JSON object: wrong types, extra keys, somebody else's profile."""
    return rewritten(lambda body: {**body, **values})


FAULTS: Mapping[str, Callable[..., Fault]] = MappingProxyType(
    {
        maker.__name__: maker
        for maker in (
            latency, instead, server_error, html, too_many, redirect,
            cut, drip, hang, without_keys, with_values,
        )
    }
)  # fmt: skip
"""Every fault by its name, for those who steer a stand-in from another process."""


def _refused(answer: Answer, status: int, body: str, headers: dict[str, str]) -> Answer:
    kept = {"Server": "github.com", **headers}
    return replace(answer, status=status, headers=kept, body=body.encode())


def rewritten(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    """Change a good answer that is a JSON object; others stay as they are."""

    def rewrite(answer: Answer) -> Answer:
        if answer.status != 200 or not answer.body.startswith(b"{"):
            return answer
        return replace(answer, body=json.dumps(change(json.loads(answer.body))).encode())

    return rewrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a fault strikes: on paths that match, by chance, so many times (None: for ever)."""

    fault: Fault
    path: str
    share: float
    times: int | None


class Faults:
    """The faults of one stand-in, in the order they were added; several may strike one answer.

    Args:
        seed: decides which requests a share strikes.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._rules: list[Rule] = []
        self._draws = 0

    def add(
        self, fault: Fault, *, path: str = "*", share: float = 1.0, times: int | None = None
    ) -> None:
        """Let `fault` strike.

        Args:
            fault: made by one of the functions above.
            path: a pattern with `*`; the path is the decoded one.
            share: which part of the matching requests is struck, 0 to 1.
            times: how many requests in all; None does not end.
        """
        self._rules.append(Rule(fault=fault, path=path, share=share, times=times))

    def clear(self) -> None:
        """Be well again."""
        self._rules.clear()

    def strike(self, path: str, answer: Answer) -> Answer:
        """Return what becomes of `answer`."""
        for rule in tuple(self._rules):
            if fnmatchcase(path, rule.path) and self._happens(rule.share):
                self._use_up(rule)
                answer = rule.fault(answer)
        return answer

    def _happens(self, share: float) -> bool:
        self._draws += 1
        return share >= 1 or Draw(self._seed, "fault", self._draws).happens(share)

    def _use_up(self, rule: Rule) -> None:
        if rule.times is None:
            return
        place = self._rules.index(rule)
        if rule.times > 1:
            self._rules[place] = replace(rule, times=rule.times - 1)
        else:
            del self._rules[place]
