from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from syncd.config.build import PluginFolders
from syncd.config.load import load
from syncd.config.models import Config
from syncd.config.rules import Check
from syncd.errors import ConfigError

BASE = """
from abc import ABC, abstractmethod

class Contract(ABC):
    @abstractmethod
    def work(self): ...
"""
PROFILES = """
from datetime import timedelta
from typing import Literal

from config_test_jobs.base import Contract
from pydantic import Field
from syncd.config.duration import Duration
from syncd.config.section import Section

class Profiles(Contract):
    class Options(Section):
        platforms: list[str] = Field(min_length=1)
        mode: Literal["full", "catch_up"] = "full"
        claim: int = Field(default=100, gt=0)
        fresh_for: Duration = timedelta(hours=12)

    def work(self): ...
"""
GITHUB = """
from config_test_platforms.base import Contract
from syncd.config.duration import Rate
from syncd.config.models import PlatformSettings

class Github(Contract):
    defaults = PlatformSettings(
        base_url="https://api.github.com", rate=Rate(count=10, seconds=1), burst=10
    )

    def work(self): ...
"""


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginFolders]:
    root = tmp_path_factory.mktemp("plugins")
    for package, name, text in (
        ("config_test_jobs", "profiles", PROFILES),
        ("config_test_platforms", "github", GITHUB),
    ):
        (root / package).mkdir()
        (root / package / "__init__.py").write_text("")
        (root / package / "base.py").write_text(BASE)
        (root / package / f"{name}.py").write_text(text)
    sys.path.insert(0, str(root))
    yield PluginFolders(jobs="config_test_jobs", platforms="config_test_platforms")
    sys.path.remove(str(root))


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def loaded(config_file: Path, folders: PluginFolders) -> Callable[..., Config]:
    def load_text(
        text: str, environ: Mapping[str, str] | None = None, checks: Sequence[Check] = ()
    ) -> Config:
        config_file.write_text(text)
        return load(config_file, environ or {}, checks, folders)

    return load_text


@pytest.fixture
def problems(loaded: Callable[..., Config], config_file: Path) -> Callable[..., list[str]]:
    def problems_of(
        text: str, environ: Mapping[str, str] | None = None, checks: Sequence[Check] = ()
    ) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text, environ, checks)
        folder = f"{config_file.parent}/"
        return [problem.replace(folder, "") for problem in caught.value.problems]

    return problems_of
