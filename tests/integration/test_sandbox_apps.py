"""What the stand-in enforces of apps: signatures, lifetimes, and one budget for each credential."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from fakes.clock import FakeClock
from fakes.keys import public_pem, rsa_key

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.limits import Limits
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

TOKENS = "/app/installations/34/access_tokens"


class Caller:
    def __init__(self, session: aiohttp.ClientSession, standin: GitHubStandIn) -> None:
        self.standin = standin
        self._session = session

    async def ask(
        self, method: str, path: str, authorization: str, **headers: str
    ) -> tuple[int, Mapping[str, str], Any]:
        whole = {"Authorization": authorization, **headers}
        async with self._session.request(method, path, headers=whole) as response:
            text = await response.text()
            return response.status, response.headers, json.loads(text) if text else None

    async def profile(self, authorization: str, **headers: str) -> tuple[int, Mapping[str, str]]:
        path = f"/users/{self.standin.population.login(1)}"
        status, answered, _ = await self.ask("GET", path, authorization, **headers)
        return status, answered

    async def token(self, proof: str) -> tuple[int, Any]:
        status, _, body = await self.ask("POST", TOKENS, f"Bearer {proof}")
        return status, body


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def caller(clock: FakeClock) -> AsyncIterator[Caller]:
    limits = Limits(primary=3)
    standin = GitHubStandIn(Population(7, 10, organizations=0), limits=limits, clock=clock)
    standin.credentials.install("12", 34, public_pem())
    standin.credentials.add_oauth_app("Iv1.ab", "s3cret")
    async with serve(standin) as url, aiohttp.ClientSession(url) as session:
        yield Caller(session, standin)


def proof(clock: FakeClock, *, alg: str = "RS256", bits: int = 2048, **changes: Any) -> str:
    now = int(clock.now().timestamp())
    claims = {"iat": now - 60, "exp": now + 540, "iss": "12", **changes}
    signed = f"{coded({'alg': alg, 'typ': 'JWT'})}.{coded(claims)}"
    signature = rsa_key(bits).sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def coded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def basic(name: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"


async def test_a_proof_of_the_apps_key_gives_a_token_that_lives_for_an_hour(
    caller: Caller, clock: FakeClock
) -> None:
    status, body = await caller.token(proof(clock))
    fresh, _ = await caller.profile(f"Bearer {body['token']}")
    await clock.advance(3600)
    ended, _ = await caller.profile(f"Bearer {body['token']}")

    assert (status, fresh, ended) == (201, 200, 401)
    assert body["expires_at"] == "2026-01-01T01:00:00Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"bits": 3072},
        {"alg": "none"},
        {"iss": "13"},
        {"iat": 4_000_000_000},
        {"exp": 4_000_000_000},
        {"exp": 1},
    ],
)
async def test_any_other_proof_is_401(
    caller: Caller, clock: FakeClock, changes: dict[str, Any]
) -> None:
    status, body = await caller.token(proof(clock, **changes))

    assert (status, body["message"]) == (401, "A JSON web token could not be decoded")


async def test_a_renewed_token_matches_no_etag_of_the_one_before(
    caller: Caller, clock: FakeClock
) -> None:
    tokens = [f"Bearer {(await caller.token(proof(clock)))[1]['token']}" for _ in range(2)]
    _, headers = await caller.profile(tokens[0])
    known = {"If-None-Match": headers["ETag"]}

    same, _ = await caller.profile(tokens[0], **known)
    renewed, _ = await caller.profile(tokens[1], **known)

    assert (same, renewed) == (304, 200)


async def test_tokens_of_one_installation_share_its_budget_and_others_have_their_own(
    caller: Caller, clock: FakeClock
) -> None:
    tokens = [f"Bearer {(await caller.token(proof(clock)))[1]['token']}" for _ in range(2)]
    app = [(await caller.profile(tokens[n % 2]))[0] for n in range(4)]
    oauth = [(await caller.profile(basic("Iv1.ab", "s3cret")))[0] for _ in range(4)]
    personal, _ = await caller.profile("Bearer ghp_one")

    assert (app, oauth, personal) == ([200, 200, 200, 403], [200, 200, 200, 403], 200)


@pytest.mark.parametrize(
    "authorization",
    [basic("Iv1.ab", "wrong"), basic("Iv1.cd", "s3cret"), basic("Iv1.ab", ""), "Basic ***"],
)
async def test_an_oauth_app_is_known_by_its_secret_only(caller: Caller, authorization: str) -> None:
    status, _ = await caller.profile(authorization)

    assert status == 401


@pytest.mark.parametrize(("state", "status"), [("suspended", 403), ("removed", 404)])
async def test_an_app_that_was_turned_off_gets_no_token(
    caller: Caller, clock: FakeClock, state: str, status: int
) -> None:
    caller.standin.credentials.change_installation(34, state)

    assert (await caller.token(proof(clock)))[0] == status
