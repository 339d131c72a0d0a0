"""config.toml is read again: checked first, then applied as a whole, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.controlled import Desk
from fakes.running import JOB
from fakes.waiting import until

from syncd.errors import ConfigError
from syncd.model.override import JobChange
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.telemetry.events import ConfigRefused, ConfigReloaded

MORE = '\n[jobs.more]\nkind = "profiles"\nplatforms = ["github"]\nschedule = "0 * * * *"\n'


class ConfigFile:
    """The config.toml of the daemon, as an editor changes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._good = path.read_text()

    def replace(self, before: str, after: str) -> None:
        assert before in self._good
        self.path.write_text(self._good.replace(before, after))

    def add(self, text: str) -> None:
        self.path.write_text(self._good + text)

    def delete(self) -> None:
        self.path.unlink()

    def mend(self) -> None:
        self.path.write_text(self._good)


@pytest.fixture
def config(tmp_path: Path, desk: Desk) -> ConfigFile:
    del desk  # it wrote the file
    return ConfigFile(tmp_path / "config.toml")


async def reloaded(desk: Desk, *, dry_run: bool = False) -> dict[str, Any]:
    return await desk.control.reload(dry_run=dry_run, actor="ops")


async def names(desk: Desk) -> list[str]:
    return [job["name"] for job in await desk.control.jobs()]


async def test_a_signal_while_the_lease_is_lost_is_followed_as_on_a_standby(
    desk: Desk, config: ConfigFile
) -> None:
    desk.core.around.stores.runs.fence.close()
    config.add(MORE)
    watching = asyncio.create_task(desk.control.reloading.watch())
    desk.control.reloading._asked.set()

    async def has_more() -> bool:
        return "more" in await names(desk)

    await until(has_more, what="the job to be there")
    assert not watching.done()
    watching.cancel()


async def test_a_new_job_is_there_and_the_difference_is_told(
    desk: Desk, config: ConfigFile
) -> None:
    config.add(MORE)
    events: list[Any] = []
    with desk.core.bus.subscribed(events.append):
        answer = await reloaded(desk)

    assert answer["applied"] is True
    assert [(each["change"], each["key"]) for each in answer["differences"]] == [
        ("added", "jobs.more")
    ]
    assert await names(desk) == [JOB, "more"]
    (event,) = [event for event in events if isinstance(event, ConfigReloaded)]
    assert (event.actor, event.added) == ("ops", ("jobs.more",))


async def test_a_dry_run_tells_the_difference_and_changes_nothing(
    desk: Desk, config: ConfigFile
) -> None:
    config.add(MORE)

    answer = await reloaded(desk, dry_run=True)

    assert (answer["applied"], len(answer["differences"])) == (False, 1)
    assert await names(desk) == [JOB]
    assert (await desk.control.status())["reload"] is None


def break_keys(config: ConfigFile) -> None:
    config.add(MORE.replace("0 *", "77 *") + "[deamon]\n")


def break_text(config: ConfigFile) -> None:
    config.add("[jobs.")


def nest_deeply(config: ConfigFile) -> None:
    config.add(f"x = {'[' * 20_000}")


def empty(config: ConfigFile) -> None:
    """Do as an editor does before it writes."""
    config.path.write_text("")


@pytest.mark.parametrize(
    ("damage", "sentences"),
    [
        (break_keys, ["jobs.more.schedule: ", 'deamon: unknown key, did you mean "daemon"?']),
        (break_text, ["is not valid TOML"]),
        (nest_deeply, ["is nested too deeply"]),
        (ConfigFile.delete, ["no such file"]),
        (empty, ["there is no job left in it"]),
    ],
)
async def test_a_file_that_cannot_be_used_changes_nothing_and_is_a_problem_until_mended(
    desk: Desk, config: ConfigFile, damage: Callable[[ConfigFile], None], sentences: list[str]
) -> None:
    events: list[Any] = []
    damage(config)
    with desk.core.bus.subscribed(events.append), pytest.raises(ConfigError) as refusal:
        await reloaded(desk)
    broken, metrics = await desk.control.status(), await desk.control.metrics()
    config.mend()
    await reloaded(desk)
    mended = await desk.control.status()

    assert len(refusal.value.problems) == len(sentences)
    for sentence, problem in zip(sentences, refusal.value.problems, strict=True):
        assert str(config.path) in problem
        assert sentence in problem
        assert sentence in broken["problems"][0]["what"]
    assert broken["reload"]["ok"] is False
    assert b"\nsyncd_config_reload_ok 0.0\n" in metrics
    assert [event.actor for event in events if isinstance(event, ConfigRefused)] == ["ops"]
    assert (mended["problems"], mended["reload"]["ok"]) == ([], True)
    assert b"\nsyncd_config_reload_ok 1.0\n" in await desk.control.metrics()


async def test_what_needs_a_restart_is_told_until_it_is_taken_back(
    desk: Desk, config: ConfigFile
) -> None:
    config.add('[web]\nlisten = "127.0.0.1:9999"\n')
    answer = await reloaded(desk)
    waiting = (await desk.control.status())["notes"]
    config.add("[web")
    with pytest.raises(ConfigError):
        await reloaded(desk)
    still = (await desk.control.status())["notes"]
    config.mend()
    await reloaded(desk)

    (difference,) = answer["differences"]
    assert (difference["key"], difference["needs_restart"]) == ("web.listen", True)
    assert waiting == still
    assert waiting == [
        {"what": "config.toml differs from what runs: web.listen", "hint": "restart syncd"}
    ]
    assert (await desk.control.status())["notes"] == []


async def test_what_somebody_changed_stands_over_the_new_file(
    desk: Desk, config: ConfigFile
) -> None:
    await desk.control.change_job(JOB, JobChange(schedule="5 * * * *"), actor="ops")
    config.replace("sweep =", 'schedule = "0 * * * *"\nsweep =')

    answer = await reloaded(desk)

    job = await desk.control.job(JOB)
    assert (answer["changed_jobs"], job["cron"]) == ([JOB], "5 * * * *")
    assert [each["config"] for each in job["differs_from_config"]] == ["0 * * * *"]


async def test_a_job_that_went_fires_no_more_and_its_pause_can_be_ended(
    desk: Desk, config: ConfigFile
) -> None:
    config.add(MORE)
    await reloaded(desk)
    await desk.control.pause(PauseScope.JOB, "more", why="upkeep", until=None, actor="ops")
    config.mend()
    await reloaded(desk)

    left = (await desk.control.status())["problems"]
    await desk.control.resume(PauseScope.JOB, "more", actor="ops")

    assert [problem["hint"] for problem in left] == ["syncd resume more"]
    assert (await desk.control.status())["problems"] == []
    assert await names(desk) == [JOB]


async def test_a_reload_and_a_change_at_the_same_moment_both_stand(
    desk: Desk, config: ConfigFile
) -> None:
    config.add(MORE)

    await asyncio.gather(
        reloaded(desk),
        desk.control.change_job(JOB, JobChange(enabled=False), actor="ops"),
        reloaded(desk),
    )

    jobs = {job["name"]: job["enabled"] for job in await desk.control.jobs()}
    assert jobs == {JOB: False, "more": True}


async def test_runs_of_a_new_job_are_counted(desk: Desk, config: ConfigFile) -> None:
    config.add(MORE)
    await reloaded(desk)

    run = await desk.control.trigger("more", RunOptions(), None)
    await desk.end(run["id"])

    series = b'syncd_runs_total{cause="manual",job="more",outcome="succeeded"} 1.0'
    assert series in await desk.control.metrics()
