"""A platform that sends back what we are known by: whoever reads the answer never sees it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from fakes.keys import rsa_key
from fakes.scripted import TOKEN, World, scripted_world

from syncd.errors import PlatformBlocked
from syncd.outbound.credentials import Credential
from syncd.outbound.installation import Installation
from syncd.outbound.request import Request

ASK = Request(segments=("users", "octocat"))
MADE = "ghs_madeForTheTest"
SECRET = "s3cret???of~~~theTest"
INSTALLED = Credential.of_installation("app", Installation("12", "34", rsa_key()))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with scripted_world() as world:
        yield world


def echo(request: web.Request) -> web.Response:
    """Answer with what was sent, in JSON as some servers write it: with `\\/`."""
    sent = request.headers["Authorization"].replace("/", "\\/")
    text = f'{{"sent": ["{sent}"], "knows": "{SECRET}", "token": "{MADE}"}}'
    status = 201 if request.method == "POST" else 200
    return web.Response(status=status, text=text, content_type="application/json")


@pytest.mark.parametrize(
    ("credential", "data"),
    [
        (Credential.bearer("main", TOKEN), {"sent": ["Bearer ***"], "knows": SECRET}),
        (Credential.basic("oauth", "Iv1.ab", SECRET), {"sent": ["Basic ***"], "knows": "***"}),
        (INSTALLED, {"sent": ["Bearer ***"], "knows": SECRET}),
    ],
)
async def test_answer_arrives_without_our_secrets(
    world: World, credential: Credential, data: dict[str, object]
) -> None:
    world.platform.says(echo)
    client = await world.client(credential=credential)

    answer = await client.request(ASK)

    made = "***" if credential is INSTALLED else MADE
    assert answer.data == {**data, "token": made}
    for secret in (TOKEN, b64encode(f"Iv1.ab:{SECRET}".encode()).decode()):
        assert secret not in answer.text


async def test_refusal_to_make_a_token_does_not_tell_the_proof(world: World) -> None:
    def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403, text=f"you sent {request.headers['Authorization']}")

    world.platform.says(refuse)
    client = await world.client(credential=INSTALLED)

    with pytest.raises(PlatformBlocked) as told:
        await client.request(ASK)

    assert "you sent Bearer ***" in str(told.value)


async def test_a_token_as_short_as_a_word_changes_nothing_that_people_wrote(world: World) -> None:
    world.platform.says(lambda _: web.json_response({"bio": "one of the ones"}))
    client = await world.client(credential=Credential.bearer("main", "one"))

    assert (await client.request(ASK)).data == {"bio": "one of the ones"}
