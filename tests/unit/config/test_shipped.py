from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from syncd.channels.email import EmailSettings
from syncd.channels.ntfy import NtfySettings
from syncd.channels.webhook import WebhookSettings
from syncd.channels.webpush import WebPushSettings
from syncd.channels.whatsapp import WhatsAppSettings
from syncd.config.channels import ChannelSettings, Notify
from syncd.config.load import load
from syncd.config.models import (
    Alerts,
    Config,
    Database,
    Job,
    Logging,
    PlatformSettings,
    Redis,
    Tokens,
    Users,
    Web,
)
from syncd.config.score import SCORE_DEFAULTS, ScoreSettings
from syncd.config.validation import keys_of
from syncd.jobs.profiles import Profiles

SHIPPED = Path(__file__).parents[3] / "config.toml"


def test_the_shipped_file_loads_without_any_environment() -> None:
    config = load(SHIPPED, {})

    job = config.jobs["github-profiles"]
    assert config.database.address() is None
    assert config.redis.address() is None
    assert (job.every, job.options.claim) == (timedelta(hours=12), 100)


def test_the_shipped_file_has_a_main_and_a_backup_run_of_the_coding_profiles() -> None:
    config = load(SHIPPED, {})

    main, backup = config.jobs["profiles-main"], config.jobs["profiles-backup"]
    assert main.options.platforms == backup.options.platforms
    assert set(main.options.platforms) == {
        *("leetcode", "codeforces", "codechef"),
        *("atcoder", "hackerrank", "geeksforgeeks"),
    }
    assert (main.schedule, main.timezone) == ("0 0 * * *", "Asia/Kolkata")
    assert (backup.schedule, backup.timezone) == ("25 17 * * *", "Asia/Kolkata")
    assert (main.options.mode, main.options.claim) == ("full", 5)
    assert (backup.options.mode, backup.options.claim) == ("catch_up", 10)
    # What the main run got at midnight is fresh when the backup run begins.
    assert backup.options.fresh_for > timedelta(hours=17, minutes=25)


def test_the_shipped_file_reads_the_variables_of_the_replaced_systems() -> None:
    config = load(
        SHIPPED,
        {
            "POSTGRES_HOST": "db",
            "POSTGRES_PORT": "6432",
            "POSTGRES_USER": "u",
            "POSTGRES_PASSWORD": "p",
            "POSTGRES_DB": "d",
            "REDIS_HOST": "cache",
            "REDIS_PASSWORD": "p",
            "GITHUB_TOKEN": "t",
            "CLIST_KEY": "ada:key",
        },
    )

    assert str(config.database.address()) == "u@db:6432/d"
    assert str(config.redis.address()) == "cache:6379/0"
    assert len(config.platforms["github"].credentials) == 1
    assert len(config.platforms["clist"].credentials) == 1


def test_the_shipped_file_turns_on_no_channel_but_by_the_environment() -> None:
    environment = {
        "SMTP_HOST": "mail.example.org",
        "SMTP_SENDER": "notify@example.org",
        "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
        "WHATSAPP_TOKEN": "t",
        "VAPID_SUBJECT": "mailto:ops@example.org",
        "VAPID_PRIVATE_KEY": "A" * 42 + "E",
    }

    without, given = load(SHIPPED, {}).channels, load(SHIPPED, environment).channels

    assert without["email"] == EmailSettings()
    assert [name for name, channel in without.items() if channel.is_on] == []
    assert [name for name, channel in given.items() if channel.is_on] == [
        "email",
        "whatsapp",
        "webpush",
    ]


def test_the_shipped_file_shows_the_default_parameters_of_the_score() -> None:
    assert load(SHIPPED, {}).score == SCORE_DEFAULTS


def test_the_shipped_file_names_every_key_there_is() -> None:
    text = SHIPPED.read_text().replace("# ", "")
    models = (
        *(Database, Redis, Users, Web, Logging, Alerts, Tokens, Notify),
        *(ChannelSettings, EmailSettings),
        *(WhatsAppSettings, WebPushSettings, NtfySettings, WebhookSettings),
        *(PlatformSettings, ScoreSettings, Job, Profiles.Options),
    )

    keys = {key for model in models for key in keys_of(model)} - {"options"}

    assert {key for key in keys if f"\n{key} = " not in text} == set()


def test_the_shipped_file_says_the_defaults(tmp_path: Path) -> None:
    config = load(SHIPPED, {})
    empty = tmp_path / SHIPPED.name
    empty.touch()
    bare = load(empty, {"STATE_DIRECTORY": str(config.daemon.state_dir)})

    def common(config: Config) -> dict[str, object]:
        tables = config.redacted()
        return {
            name: tables[name]
            for name in (
                "daemon",
                "database",
                "redis",
                "users",
                "web",
                "logging",
                "alerts",
                "tokens",
                "notify",
            )
        }

    assert common(config) == common(bare)
    assert config.platforms["github"] == bare.platforms["github"]


def test_the_shipped_file_says_the_defaults_of_each_channel() -> None:
    shown = load(SHIPPED, {}).channels

    for name, kind in {
        "whatsapp": WhatsAppSettings,
        "webpush": WebPushSettings,
        "ntfy": NtfySettings,
        "webhook": WebhookSettings,
    }.items():
        ours = {"rate": None, "burst": 1, "enabled": True}
        assert shown[name].model_copy(update=ours) == kind()
