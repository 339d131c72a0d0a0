"""Credentials as their operator meets them: named at the check, at the start, and at a run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fakes.daemon_process import Start, daemon_process
from fakes.keys import ec_pem, private_pem, public_pem
from fakes.sandbox_process import sandbox_process
from fakes.waiting import until

PEOPLE = 30
OTHER = {"name": "other", "token": "of-another-user"}
OAUTH = {"name": "oauth", "client_id": "Iv1.ab", "client_secret": "s3cretOfTheOAuthApp"}
APP = {"name": "app", "app_id": 12, "installation_id": 34, "private_key_file": "app.pem"}


def github(*credentials: dict[str, Any]) -> dict[str, Any]:
    return {"platforms.github": {"credentials": list(credentials)}}


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        ("no key\n", "holds no RSA private key in PEM form; download it again"),
        (public_pem(), "holds no RSA private key in PEM form but a public one"),
        (ec_pem(), "holds a private key that is not RSA"),
        (None, "there is no file"),
    ],
    ids=["text", "public", "ec", "absent"],
)
async def test_a_key_that_is_none_ends_check_and_run_with_5_and_its_line(
    tmp_path: Path, pem: str | None, says: str
) -> None:
    if pem is not None:
        (tmp_path / "app.pem").write_text(pem)
    async with daemon_process(tmp_path, None, github(OTHER, APP)) as daemon:
        lines = daemon.config.read_text().splitlines()
        place = next(n for n, line in enumerate(lines, 1) if line.startswith("credentials"))
        checked, started = await daemon.command("check"), await daemon.command("run")

    where = f"config.toml:{place}: platforms.github.credentials[1].private_key_file: "
    for said in (checked, started):
        assert said.code == 5
        assert where in said.err
        assert says in said.err
    assert not (tmp_path / "state").exists()


async def test_a_refused_credential_is_named_right_after_the_start_and_by_a_run(
    external_daemon: Start, tmp_path: Path
) -> None:
    (tmp_path / "app.pem").write_text(private_pem())
    async with (
        sandbox_process(PEOPLE) as sandbox,
        external_daemon(sandbox, github(OTHER, OAUTH, APP)) as daemon,
    ):
        told = [await daemon.told("credential.refused", credential=n) for n in ("oauth", "app")]
        await daemon.follow(sandbox)
        ended = await daemon.finished(await daemon.trigger())
        status = (await daemon.api("GET", "/api/status")).body
        shown = (await daemon.command("status")).out
        config = (await daemon.command("config", "show")).out
        # Mended at GitHub, not here.
        await sandbox.change("install", app_id="12", installation_id=34, public_key=public_pem())
        await sandbox.change(
            "add_oauth_app", client_id="Iv1.ab", client_secret=OAUTH["client_secret"]
        )
        again = await daemon.finished(await daemon.trigger())
        mended = (await daemon.api("GET", "/api/status")).body

    says = [
        "github refuses the credential oauth: HTTP 401",
        (
            "github refuses the credential app: HTTP 401: the private key is not one of app 12, "
            "or there is no such app"
        ),
    ]
    assert [line["error"] for line in told] == says
    assert [line["level"] for line in told] == ["error", "error"]
    assert len(daemon.said("credential.refused")) == 2
    assert (ended["outcome"], ended["failed"]) == ("partial", 0)
    assert ended["error"] == "; ".join(says)
    assert set(says) < {problem["what"] for problem in status["problems"]}
    assert all(text in shown for text in says)
    assert shown.count("nothing: it is refused") == 2
    assert (again["outcome"], again["seen"]) == ("succeeded", PEOPLE)
    assert mended["problems"] == []
    everything = (tmp_path / "stdout.log").read_text() + shown + config + str(status)
    for secret in (OAUTH["client_secret"], OTHER["token"], private_pem().splitlines()[4], "ghs_"):
        assert secret not in everything


async def test_a_platform_that_is_away_neither_delays_the_start_nor_accuses_a_credential(
    external_daemon: Start,
) -> None:
    began = time.monotonic()
    tables = {**github(OTHER), "logging": {"level": "debug"}}
    async with external_daemon(None, tables) as daemon:

        async def is_tried() -> bool:
            return bool(daemon.said("request.retried"))

        await until(is_tried, what="the platform to be asked")
        status = (await daemon.api("GET", "/api/status")).body

    assert time.monotonic() - began < 40
    assert (status["ready"], status["problems"]) == (True, [])
