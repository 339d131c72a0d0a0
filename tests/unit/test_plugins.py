import itertools
import sys
from pathlib import Path

import pytest

from syncd import plugins
from syncd.errors import ConfigError, NotKnown

BASE = """
from abc import ABC, abstractmethod

class Kind(ABC):
    @abstractmethod
    def run(self): ...
"""
PLUGIN = """
from {package}.base import Kind

class Sync(Kind):
    def run(self): ...
"""

_numbers = itertools.count()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / f"plugin_folder_{next(_numbers)}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text(BASE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def add(folder: Path, name: str, text: str = PLUGIN, package: str = "") -> None:
    (folder / f"{name}.py").write_text(text.format(package=package or folder.name))


def test_a_plugin_is_the_one_class_of_its_file_and_named_after_it(folder: Path) -> None:
    add(folder, "second")
    add(folder, "first")

    found = plugins.find(folder.name)

    assert list(found) == ["first", "second"]
    assert [kind.__name__ for kind in found.values()] == ["Sync", "Sync"]
    assert found["first"] is plugins.load(folder.name, "first")


def test_helpers_private_files_and_folders_are_passed_over(folder: Path) -> None:
    add(folder, "_private")
    add(folder, "fanout", "from {package}.base import Kind\nclass Fanout: ...\n")
    (folder / "nested").mkdir()
    (folder / "nested" / "__init__.py").write_text(PLUGIN.format(package=folder.name))

    found = plugins.find(folder.name)

    assert dict(found) == {}


def test_a_class_imported_from_another_file_is_not_a_second_plugin(folder: Path) -> None:
    add(folder, "first")
    add(folder, "second", "from {package}.first import Sync\nclass Other(Sync): ...\n")

    found = plugins.find(folder.name)

    assert found["second"].__name__ == "Other"


def test_an_abstract_class_between_contract_and_plugin_is_not_a_plugin(folder: Path) -> None:
    text = PLUGIN.replace("class Sync(Kind)", "class Half(Kind): ...\n\nclass Sync(Half)")
    add(folder, "first", text)

    kind = plugins.load(folder.name, "first")

    assert kind.__name__ == "Sync"


def test_a_contract_may_be_a_protocol(folder: Path) -> None:
    (folder / "base.py").write_text("from typing import Protocol\nclass Kind(Protocol): ...\n")
    add(folder, "first")

    found = plugins.find(folder.name)

    assert list(found) == ["first"]


def test_two_plugins_in_one_file_are_refused_with_both_names(folder: Path) -> None:
    add(folder, "first", PLUGIN + "\nclass Another(Kind):\n    def run(self): ...\n")

    with pytest.raises(ConfigError) as caught:
        plugins.find(folder.name)

    assert caught.value.problems == (
        f"{folder / 'first.py'}: holds two plug-ins, Sync and Another; one file holds one",
    )


def test_every_file_that_cannot_be_loaded_is_named_at_once(folder: Path) -> None:
    add(folder, "broken", "def (")
    add(folder, "hungry", "import nothing_of_this_name")

    with pytest.raises(ConfigError) as caught:
        plugins.find(folder.name)

    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        f"cannot load the plug-in {folder.name}.broken",
        f"cannot load the plug-in {folder.name}.hungry",
    ]


def test_loading_one_plugin_imports_no_other_file(folder: Path) -> None:
    add(folder, "broken", "def (")
    add(folder, "first")

    plugins.load(folder.name, "first")

    assert f"{folder.name}.broken" not in sys.modules


@pytest.mark.parametrize("name", ["thrid", "base", "__init__", "../first", "first.Sync", ""])
def test_a_name_that_is_no_plugin_is_not_known_and_not_imported(folder: Path, name: str) -> None:
    add(folder, "first")

    with pytest.raises(NotKnown, match="holds no plug-in named"):
        plugins.load(folder.name, name)


def test_a_file_in_a_folder_appended_to_the_package_path_is_found(
    folder: Path, tmp_path: Path
) -> None:
    add(folder, "first")
    extra = tmp_path / "extra"
    extra.mkdir()
    add(extra, "second", package=folder.name)
    plugins.find(folder.name)

    sys.modules[folder.name].__path__.append(str(extra))

    assert list(plugins.find(folder.name)) == ["first", "second"]
