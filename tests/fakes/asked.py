"""A client that answers by address, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.errors import SyncdError
from syncd.outbound.answers import Response
from syncd.outbound.credentials import Credential
from syncd.outbound.request import Request

Answers = Response | SyncdError


class Asked:
    """Stands where the client does.

    Args:
        answers: what comes by encoded path; an error is raised.
    """

    def __init__(self, answers: Mapping[str, Answers]) -> None:
        self.requests: list[Request] = []
        self.credential = Credential.anonymous()
        self._answers = answers

    @property
    def targets(self) -> list[str]:
        return [request.target() for request in self.requests]

    async def request(self, request: Request) -> Response:
        self.requests.append(request)
        found = self._answers[request.target()]
        if isinstance(found, SyncdError):
            raise found
        return found
