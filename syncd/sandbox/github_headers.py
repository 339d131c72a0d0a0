"""The headers that GitHub sends: which depend on the request alone, and what tells the quota."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from syncd.sandbox.limits import Budget

EXPOSED = (
    "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, "
    "X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, "
    "X-GitHub-Request-Id, Deprecation, Sunset"
)
VARY_PUBLIC = "Accept, Accept-Encoding, Accept, X-Requested-With"
VARY_PRIVATE = (
    "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"
)


def common_headers(number: int) -> dict[str, str]:
    """Return what every answer has; `number` counts them."""
    return {
        "Server": "github.com",
        "X-GitHub-Media-Type": "github.v3; format=json",
        "x-github-api-version-selected": "2022-11-28",
        "Access-Control-Expose-Headers": EXPOSED,
        "X-GitHub-Request-Id": f"5A4D:{number:X}:0:0",
    }


def http_date(written: str) -> str:
    """Return a date of the API as HTTP writes it."""
    return format_datetime(datetime.fromisoformat(written).astimezone(UTC), usegmt=True)


def rate_headers(budget: Budget, resource: str = "core") -> dict[str, str]:
    """Return what tells a caller of their primary limit."""
    return {
        "X-RateLimit-Limit": str(budget.limit),
        "X-RateLimit-Remaining": str(max(0, budget.remaining)),
        "X-RateLimit-Reset": str(budget.reset_at),
        "X-RateLimit-Used": str(budget.used),
        "X-RateLimit-Resource": resource,
    }


def holds_tag(asked: str, etag: str) -> bool:
    """Tell whether `etag` is among those that If-None-Match names, weak or strong."""
    known = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    return etag.removeprefix("W/") in known
