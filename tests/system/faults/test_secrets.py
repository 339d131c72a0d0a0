"""Checks S26, S27: what a library says when it fails tells neither secrets nor anybody's data."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.daemon_process import daemon_process
from fakes.raw_server import http
from fakes.storm import GITHUB_TOKEN, USERS, Storms

JSON = "Content-Type: application/json"
ECHO = GITHUB_TOKEN.encode()
ECHOES = {
    0: http(b"<html>you sent " + ECHO, "Content-Type: text/html"),
    1: http(b"you sent " + ECHO, JSON),
    2: http(b'{"message": "%s"}' % ECHO, JSON, status="403 Forbidden"),
    3: http(b'{"message": "%s"}' % ECHO, JSON, status="500 Sorry"),
    4: http(b"", f"Location: http://elsewhere.example/?token={GITHUB_TOKEN}", status="302 Found"),
    5: http(b"{}", "X-Echo: " + GITHUB_TOKEN + "x" * 10_000),
    6: b"HTTP/1.1 200 OK\r\nX-Echo " + ECHO + b"\r\n\r\n",
    7: http(ECHO, JSON, "Content-Encoding: gzip"),
    8: http(b'{"id": ["Bearer %s"]}' % ECHO, JSON),
}


async def test_platform_that_sends_our_token_back_makes_nobody_tell_it(storm: Storms) -> None:
    async with storm() as world:
        await world.calm()
        world.everybody_changes()
        world.door.instead = {world.path(index): says for index, says in ECHOES.items()}.get

        run = await world.run()
        failures = await world.failures(run)
        world.oracle.learn("forge")
        world.oracle.learn("github", *(index for index in USERS if index not in ECHOES))
        await world.oracle.check()
        asked = set(world.door.requests)

    assert failures.keys() == {f"u{index}" for index in ECHOES}
    assert all("?" not in error for _, error in failures.values())
    assert not any("?" in target for target in asked)


async def test_database_that_refuses_a_row_makes_nobody_tell_what_was_in_it(storm: Storms) -> None:
    canary = "biography-of-a-canary"
    async with storm() as world:
        await world.calm()
        world.github.population.edit(3, {"bio": canary})
        await world.daemon.fetch(
            "ALTER TABLE profiles ADD CONSTRAINT shy CHECK (bio <> 'biography-of-a-canary')"
        )
        world.oracle.keep_secret(canary)

        run = await world.run()
        world.oracle.learn("forge")
        refused = await world.failures(run)
        await world.oracle.check()
        await world.daemon.fetch("ALTER TABLE profiles DROP CONSTRAINT shy")
        healed = await world.heals()

    assert (run["outcome"], list(refused)) == ("partial", ["u3"])
    assert healed["outcome"] == "succeeded"


READABLE = "postgresql://syncd:first#canary@127.0.0.1:9/syncd"
URLS = [
    "postgresql://syncd:canary@one@127.0.0.1:none/syncd",
    "postgresql://syncd:canary/part@[::1/syncd",
    "postgres//syncd:canary@127.0.0.1",
]


@pytest.mark.parametrize(("url", "codes"), [(READABLE, {0, 1}), *((url, {5}) for url in URLS)])
async def test_password_of_a_database_url_is_told_by_no_command(
    tmp_path: Path, url: str, codes: set[int]
) -> None:
    words = (["config", "show"], ["migrate"])
    async with daemon_process(tmp_path, tables={"database": {"url": url}}) as daemon:
        said = [await daemon.command(*each) for each in words]

    assert {each.code for each in said} == codes, said
    assert not any("canary" in each.err + each.out for each in said)
