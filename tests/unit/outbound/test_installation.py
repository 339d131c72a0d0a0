from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from fakes.clock import FakeClock
from fakes.keys import rsa_key

from syncd.errors import CredentialsRejected, PlatformDown
from syncd.outbound.answers import Response
from syncd.outbound.installation import Installation, InstallationTokens

HOUR = 3600.0
INSTALLATION = Installation("12", "34", rsa_key())


class Server:
    """Makes tokens t1, t2, ... as a test wants it; its clock may be wrong."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.error = timedelta()
        self.lifetime = HOUR
        self.proofs: list[str] = []
        self.status = 201
        self.date = ""
        self.believes: Callable[[dict[str, Any]], bool] = lambda claims: True
        self.body: Any = None
        self.holding: asyncio.Event | None = None

    def now(self) -> datetime:
        return self.clock.now() + self.error

    async def ask(self, path: tuple[str, ...], headers: dict[str, str]) -> Response:
        assert path == ("app", "installations", "34", "access_tokens")
        proof = headers["Authorization"].removeprefix("Bearer ")
        self.proofs.append(proof)
        number = len(self.proofs)
        if self.holding is not None:
            await self.holding.wait()
        status = self.status if self.believes(claims_of(proof)) else 401
        ends_at = self.now() + timedelta(seconds=self.lifetime)
        made = {"token": f"t{number}", "expires_at": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}"}
        return Response(
            status=status,
            headers={"Date": self.date or format_datetime(self.now(), usegmt=True)},
            body=b"",
            data=made if self.body is None else self.body,
            received_at=self.clock.now(),
        )


def claims_of(proof: str) -> dict[str, Any]:
    return dict(json.loads(decoded(proof.split(".")[1])))


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def bearer(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer t{number}"}


@pytest.fixture
def server(clock: FakeClock) -> Server:
    return Server(clock)


@pytest.fixture
def tokens(clock: FakeClock) -> InstallationTokens:
    return InstallationTokens(INSTALLATION, clock)


def test_a_proof_is_signed_by_the_key_and_good_for_less_than_ten_minutes(clock: FakeClock) -> None:
    proof = INSTALLATION.proof(clock.now())

    head, claims, signature = proof.split(".")
    signed = f"{head}.{claims}".encode()
    rsa_key().public_key().verify(decoded(signature), signed, PKCS1v15(), SHA256())
    now = int(clock.now().timestamp())
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT"}
    assert claims_of(proof) == {"iat": now - 60, "exp": now + 540, "iss": "12"}


async def test_a_token_is_made_once_and_renewed_five_minutes_before_its_end(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    seen = []
    for minutes in (0, 54.9, 0.2, 54.9, 0.2):
        await clock.advance(minutes * 60)
        await tokens.keep(server.ask)
        seen.append(tokens.headers())

    assert seen == [bearer(1), bearer(1), bearer(2), bearer(2), bearer(3)]


async def test_a_token_is_not_used_in_its_last_minute(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    nothing_yet = tokens.headers()
    await tokens.keep(server.ask)
    await clock.advance(HOUR - 61)
    at_last = tokens.headers()
    await clock.advance(2)

    assert (nothing_yet, at_last, tokens.headers()) == (None, bearer(1), None)


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
async def test_a_server_whose_clock_is_wrong_costs_no_more_tokens(
    tokens: InstallationTokens, server: Server, clock: FakeClock, hours: int
) -> None:
    server.error = timedelta(hours=hours)

    for _ in range(120):
        await tokens.keep(server.ask)
        await clock.advance(30)

    assert len(server.proofs) == 2  # at the start, and after 55 of the 60 minutes


@pytest.mark.parametrize(
    "expires_at", ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon", None, 5]
)
async def test_an_end_that_makes_no_sense_counts_as_an_hour(
    tokens: InstallationTokens, server: Server, clock: FakeClock, expires_at: Any
) -> None:
    server.body = {"token": "t", "expires_at": expires_at}

    for _ in range(120):
        await tokens.keep(server.ask)
        await clock.advance(30)

    assert len(server.proofs) == 2


async def test_our_own_wall_clock_may_jump(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    await tokens.keep(server.ask)
    clock.jump_wall(timedelta(days=-3))
    await clock.advance(50 * 60)
    await tokens.keep(server.ask)
    clock.jump_wall(timedelta(days=7))
    await tokens.keep(server.ask)

    assert (len(server.proofs), tokens.headers()) == (1, bearer(1))


async def test_a_proof_that_is_too_old_for_the_server_is_dated_by_the_server(
    tokens: InstallationTokens, server: Server
) -> None:
    server.error = timedelta(hours=2)
    server.believes = lambda claims: claims["iat"] <= server.now().timestamp() < claims["exp"]

    await tokens.keep(server.ask)

    assert (len(server.proofs), tokens.headers()) == (2, bearer(2))


async def test_server_of_the_year_9999_is_not_believed(
    tokens: InstallationTokens, server: Server
) -> None:
    server.status, server.date = 401, "Fri, 31 Dec 9999 23:59:59 -1200"

    with pytest.raises(CredentialsRejected, match="HTTP 401"):
        await tokens.keep(server.ask)

    assert len(server.proofs) == 1


async def test_renewal_that_fails_does_no_harm_while_the_token_is_good(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    await tokens.keep(server.ask)
    await clock.advance(55 * 60)
    server.status, asked = 404, []
    for _ in range(47):
        await tokens.keep(server.ask)
        asked.append((len(server.proofs), tokens.headers()))
        await clock.advance(5)

    assert asked[-1] == (1 + 8, bearer(1))
    await clock.advance(5)
    with pytest.raises(CredentialsRejected):
        await tokens.keep(server.ask)
    server.status = 201
    await tokens.keep(server.ask)
    assert tokens.headers() == bearer(11)


async def test_nobody_waits_for_a_renewal_while_the_token_is_good(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    await tokens.keep(server.ask)
    await clock.advance(55 * 60)
    server.holding = asyncio.Event()
    first = asyncio.ensure_future(tokens.keep(server.ask))
    await clock.settle()

    await asyncio.wait_for(tokens.keep(server.ask), 1)
    meanwhile = tokens.headers()
    server.holding.set()
    await first

    assert (meanwhile, tokens.headers(), len(server.proofs)) == (bearer(1), bearer(2), 2)


async def test_many_who_need_a_token_share_one_request(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    server.holding = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(tokens.keep(server.ask))
        await clock.settle()
        server.holding.set()

    assert (len(server.proofs), tokens.headers()) == (1, bearer(1))


async def test_many_who_wait_share_one_failure_and_the_next_one_asks_anew(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    server.status, server.holding = 404, asyncio.Event()
    waiting = [asyncio.ensure_future(tokens.keep(server.ask)) for _ in range(50)]
    await clock.settle()
    server.holding.set()
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    asked = len(server.proofs)
    server.status = 201
    await tokens.keep(server.ask)

    assert {type(failure) for failure in failures} == {CredentialsRejected}
    assert (asked, tokens.headers()) == (1, bearer(2))


async def test_one_who_gives_up_leaves_the_asking_to_the_next(
    tokens: InstallationTokens, server: Server, clock: FakeClock
) -> None:
    server.holding = asyncio.Event()
    first, second = (asyncio.ensure_future(tokens.keep(server.ask)) for _ in range(2))
    await clock.settle()
    first.cancel()
    await clock.settle()
    server.holding.set()
    await second

    assert (first.cancelled(), len(server.proofs), tokens.headers()) == (True, 2, bearer(2))


async def test_a_token_that_was_refused_is_renewed_and_a_newer_one_is_not(
    tokens: InstallationTokens, server: Server
) -> None:
    await tokens.keep(server.ask)

    tokens.discard(bearer(1))
    refused = tokens.headers()
    await tokens.keep(server.ask)
    tokens.discard(bearer(1))
    await tokens.keep(server.ask)

    assert (refused, tokens.headers(), len(server.proofs)) == (None, bearer(2), 2)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "HTTP 401: the private key is not one of app 12, or there is no such app"),
        (403, "HTTP 403: app 12 is suspended or has no rights"),
        (404, "HTTP 404: app 12 has no installation 34; it was removed or never installed"),
        (422, "HTTP 422: the platform does not make any"),
    ],
)
async def test_why_no_token_is_made_is_said_in_one_sentence(
    tokens: InstallationTokens, server: Server, status: int, says: str
) -> None:
    server.status = status

    with pytest.raises(CredentialsRejected) as refusal:
        await tokens.keep(server.ask)

    assert str(refusal.value) == says
    assert server.proofs[0] not in str(refusal.value)


@pytest.mark.parametrize(
    "body", [[], {}, {"token": 5}, {"token": ""}, {"token": "a\nb"}, {"token": "é"}]
)
async def test_an_answer_without_a_token_is_a_failure_that_may_pass(
    tokens: InstallationTokens, server: Server, body: Any
) -> None:
    server.body = body

    with pytest.raises(PlatformDown, match="the answer holds none"):
        await tokens.keep(server.ask)
