"""As what a platform knows us."""

from __future__ import annotations

from enum import StrEnum


class Scheme(StrEnum):
    """What a credential is.

    BEARER: a personal token. BASIC: the id and secret of an OAuth app. PUBLIC: the id of an OAuth
    app that keeps no secret (PKCE). INSTALLATION: a GitHub App where it is installed, with tokens
    that live for an hour.
    """

    ANONYMOUS = "anonymous"
    BEARER = "bearer"
    BASIC = "basic"
    PUBLIC = "public"
    INSTALLATION = "installation"
