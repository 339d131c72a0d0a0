"""Find the one class in each file of a plug-in folder.

A plug-in is one file: its name is the plug-in's name in config.toml, in logs and in metrics.
`base.py` of the folder holds the contract: a class that is abstract (or a protocol). A file
declares a plug-in by holding one concrete subclass of it; files without one are helpers and are
passed over, as are `base.py` and names that begin with an underscore.

Folders are searched along the package's `__path__`, so a test (or a site) adds a plug-in by
appending a folder to it and dropping one file in.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType

from syncd.errors import ConfigError, NotKnown


def find(package: str) -> Mapping[str, type]:
    """Return every plug-in of a folder by name, in the order of the names.

    Imports all files of the folder; where one name is enough, `load` imports one.

    Raises:
        ConfigError: a file holds two plug-ins or cannot be imported; names all such files.
    """
    found: dict[str, type] = {}
    problems: list[str] = []
    for name in sorted(_files(package)):
        try:
            plugin = _plugin(package, name)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if plugin is not None:
            found[name] = plugin
    if problems:
        raise ConfigError(*problems)
    return MappingProxyType(found)


@functools.cache
def load(package: str, name: str) -> type:
    """Return one plug-in, importing its file only; it stays the same from then on.

    Raises:
        NotKnown: the folder holds no plug-in of this name.
        ConfigError: the file holds two plug-ins or cannot be imported.
    """
    plugin = _plugin(package, name) if name in set(_files(package)) else None
    if plugin is None:
        raise NotKnown(f"{package} holds no plug-in named {name!r}")
    return plugin


def _files(package: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.name != "base" and not module.name.startswith("_") and not module.ispkg:
            yield module.name


def _plugin(package: str, name: str) -> type | None:
    module = _imported(f"{package}.{name}")
    contracts = _contracts(package)
    plugins = [
        value
        for value in _classes(module)
        if not contracts.isdisjoint(value.__mro__) and not _is_contract(value)
    ]
    if len(plugins) > 1:
        names = " and ".join(plugin.__name__ for plugin in plugins)
        raise ConfigError(f"{module.__file__}: holds two plug-ins, {names}; one file holds one")
    return plugins[0] if plugins else None


def _contracts(package: str) -> set[type]:
    base = importlib.import_module(f"{package}.base")
    contracts = {value for value in _classes(base) if _is_contract(value)}
    assert contracts, f"{package}.base declares no abstract class"
    return contracts


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, SyntaxError) as error:
        raise ConfigError(f"cannot load the plug-in {name}: {error}") from error


def _classes(module: ModuleType) -> Iterator[type]:
    for value in vars(module).values():
        if inspect.isclass(value) and value.__module__ == module.__name__:
            yield value


def _is_contract(value: type) -> bool:
    return inspect.isabstract(value) or bool(vars(value).get("_is_protocol", False))
