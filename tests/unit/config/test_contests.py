from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.daemon.settings import load_config
from syncd.errors import ConfigError

JOB = '[jobs.x]\nkind = "contests"\n'


def options_of(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "config.toml"
    path.write_text(JOB + text)
    path.chmod(0o600)
    return load_config(path, {}).jobs["x"].options


def test_the_four_platforms_are_asked_unless_it_says_otherwise(tmp_path: Path) -> None:
    options = options_of(tmp_path, 'within = ""\n')

    assert options.platforms == ("codeforces", "leetcode", "codechef", "atcoder")
    assert (options.second_source, options.within, options.attempts) == ("", None, 3)


def test_a_second_source_needs_a_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("somebody:0123456789\n")
    (tmp_path / "key").chmod(0o600)
    clist = '[platforms.clist]\ncredentials = [{ name = "ours", token_file = "key" }]\n'

    options = options_of(tmp_path, f'second_source = "clist"\nwithin = "24h"\n{clist}')

    assert (options.second_source, options.within) == ("clist", timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('platforms = ["github"]\n', 'x.platforms: "github" is read by jobs of kind = "profiles"'),
        ('platforms = ["codeforce"]\n', 'x.platforms: there is no platform "codeforce"'),
        ('platforms = ["clist"]\n', 'clist lists the contests of others: second_source = "clist"'),
        ("platforms = []\n", "x.platforms: "),
        ('second_source = "atcoder"\n', "x.second_source: "),
        (
            'second_source = "clist"\n',
            "x.second_source: needs a key of yours: set credentials of [platforms.clist]",
        ),
        ('within = "soon"\n', "x.within: must be a duration"),
        ("attempts = 0\n", "x.attempts: "),
        ("limit = 5\n", "x.limit: is of no use here: lists of contests are read as a whole"),
        ("claim = 5\n", "x.claim: "),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        options_of(tmp_path, text)

    assert said in str(refused.value)
