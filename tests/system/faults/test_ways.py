"""Faults 46, 47, 48: platforms that fail, cannot be found, or cannot be trusted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fakes.certificates import Authority
from fakes.other_hosts import NO_REDIS, other_hosts
from fakes.storm import USERS, Storm, Storms

from syncd.sandbox.faults import server_error


async def struck(world: Storm) -> dict[str, Any]:
    """Run while the first platform is struck: the other one is stored, and nothing is lost."""
    world.everybody_changes()
    run = await world.run()
    world.oracle.learn("forge")
    await world.oracle.check()
    assert run["updated"] == len(USERS)
    return run


async def test_three_failures_in_ten_cost_at_most_twice_the_requests_and_few_accounts(
    storm: Storms,
) -> None:
    async with storm() as world:
        await world.calm()
        world.everybody_changes()
        world.door.requests.clear()
        for status in (500, 502, 503, 504):
            world.github.faults.add(server_error(status), share=0.085)

        run = await world.run()
        asked = len(world.door.requests)
        failures = await world.failures(run)
        world.oracle.learn("forge")
        world.oracle.learn("github", *(i for i in USERS if f"u{i}" not in failures))
        await world.oracle.check()
        world.mend()
        healed = await world.heals()

    assert len(USERS) < asked <= 2 * len(USERS) + 10
    assert run["updated"] >= 2 * len(USERS) - 3
    assert run["failures"] == ({"transient": len(failures)} if failures else {})
    assert healed["outcome"] == "succeeded"


async def test_platform_that_fails_everybody_gets_at_most_twice_the_requests(
    storm: Storms,
) -> None:
    async with storm() as world:
        await world.calm()
        world.door.requests.clear()
        world.github.faults.add(server_error(503))

        run = await struck(world)
        asked = len(world.door.requests)

    # One retry for each request, and those few that a lone request may always have.
    assert asked <= 2 * len(USERS) + 10
    assert (run["outcome"], run["failures"]) == ("partial", {"transient": len(USERS)})


async def test_refused_connection_fails_the_accounts_and_heals_by_itself(storm: Storms) -> None:
    async with storm() as world:
        await world.calm()
        await world.door.cut()

        run = await struck(world)
        failures = await world.failures(run)
        await world.door.mend()
        healed = await world.heals()

    assert len(failures) == len(USERS)
    assert all("cannot connect" in error for _, error in failures.values())
    # Nothing reached the platform, so nothing was used of its quota.
    assert run["calls"] == len(USERS)
    assert healed["outcome"] == "succeeded"


async def test_certificate_that_cannot_be_trusted_stops_the_platform_until_it_is_mended(
    storm: Storms, tmp_path: Path
) -> None:
    authority = Authority.make(tmp_path)
    bad = {
        "expired": authority.server(days=-1),
        "wrong host": authority.server(host="elsewhere.example"),
        "self-signed": authority.server(signs_itself=True),
    }
    trusted = {"SSL_CERT_FILE": str(authority.path)}
    told: dict[str, dict[str, Any]] = {}
    async with storm(tls=authority.server(), environ=trusted) as world:
        await world.calm()
        for name, tls in bad.items():
            await world.daemon.restart()
            await speaks(world, tls)
            world.door.requests.clear()
            told[name] = await struck(world)
            assert world.door.requests == []
        again = await world.run()
        await speaks(world, authority.server())
        healed = await world.heals()
        retried = world.daemon.said("request.retried")

    sentences = {
        "expired": "certificate has expired",
        "wrong host": "IP address mismatch",
        "self-signed": "self-signed certificate",
    }
    for name, words in sentences.items():
        assert told[name]["outcome"] == "partial"
        assert told[name]["failed"] == 0
        assert "no trusted TLS connection" in told[name]["error"]
        assert words in told[name]["error"]
        assert "check the certificate" in told[name]["hint"]
    assert (again["outcome"], again["unchanged"]) == ("partial", len(USERS))
    assert healed["outcome"] == "succeeded"
    assert retried == []


async def speaks(world: Storm, tls: Any) -> None:
    """Let the platform show another certificate from now on."""
    await world.door.cut()
    world.door.tls = tls
    await world.door.mend()


async def test_dead_address_of_a_name_is_passed_over_and_a_lost_name_hurts_nobody_else(
    storm: Storms, tmp_path: Path
) -> None:
    alive = ("127.0.0.1 localhost", "::1 both.test", "2001:db8::1 both.test", "127.0.0.1 both.test")
    hosts = other_hosts(tmp_path, *alive)
    addresses = await asyncio.to_thread(hosts.resolve, "both.test")
    async with storm(NO_REDIS, prefix=hosts.prefix) as world:
        await world.moves("both.test")
        await world.calm()
        hosts.write("127.0.0.1 localhost")
        await world.daemon.restart()

        run = await struck(world)
        failures = await world.failures(run)
        hosts.write(*alive)
        await world.daemon.restart()
        healed = await world.heals()

    assert "'::1'" in addresses
    assert "'127.0.0.1'" in addresses
    assert len(failures) == len(USERS)
    assert {outcome for outcome, _ in failures.values()} == {"transient"}
    assert all("cannot connect" in error for _, error in failures.values())
    assert healed["outcome"] == "succeeded"
