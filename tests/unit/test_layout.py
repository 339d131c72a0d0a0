"""The rules of the code that no linter knows: sizes, and what may stand where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import syncd

ROOT = Path(syncd.__file__).parent
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}

CATCHES_EVERYTHING = {
    "jobs/fanout.py",
    "jobs/looker.py",
    "jobs/questions.py",
    "jobs/sending.py",
    "runs/runner.py",
    "daemon/process.py",
    "daemon/servers.py",
    "cli/__init__.py",
    "telemetry/bus.py",
}
# A guarded root task with an owner may be started in `daemon`; everything else has a group.
STARTS_TASKS = ("daemon/",)
# Makes the database that the store then lives in.
MAKES_THE_DATABASE = {"embedded/postgres.py"}
OWNERS = {
    "asyncpg": ("store/", "embedded/"),
    "redis": ("cache/", "embedded/"),
    "hiredis": ("cache/",),
    "croniter": ("schedule/cron.py",),
    "aiohttp": ("outbound/", "web/", "sandbox/"),
    "prometheus_client": ("telemetry/metrics/",),
    "aiosmtplib": ("channels/email_connection.py",),
    "jinja2": ("channels/", "web/"),
    "cryptography": (
        *("config/rsa_key.py", "store/sealing.py"),
        *("outbound/installation.py", "sandbox/github_apps.py"),
        *("channels/webpush_keys.py", "sandbox/webpush.py"),
    ),
}
SQL = re.compile(
    r"^\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+\w+\s)",
    re.MULTILINE,
)


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield name, node


def place(name: str, node: ast.AST) -> str:
    return f"{name}:{getattr(node, 'lineno', 0)}"


def catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})
        for kind in kinds
    )


def reraises(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler only cleans up: it ends with a bare `raise`."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def docstrings(tree: ast.AST) -> set[ast.AST]:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert isinstance(node, ast.ImportFrom)
    return [node.module or ""]


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_longer_than_three_hundred_lines(name: str) -> None:
    assert len(FILES[name].read_text("utf-8").splitlines()) <= 300


def test_no_function_is_longer_than_forty_lines() -> None:
    functions = [*nodes(ast.FunctionDef), *nodes(ast.AsyncFunctionDef)]

    long = [
        f"{place(name, node)} {node.name}"
        for name, node in functions
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 40
    ]

    assert long == []


def test_everything_is_caught_in_the_named_places_only() -> None:
    found = {
        place(name, node)
        for name, node in nodes(ast.ExceptHandler)
        if isinstance(node, ast.ExceptHandler)
        and catches_everything(node)
        and not reraises(node)
        and name not in CATCHES_EVERYTHING
    }

    assert found == set()


def test_tasks_are_started_by_task_groups_only_outside_the_daemon() -> None:
    loose = [
        place(name, node)
        for name, node in nodes(ast.Attribute)
        if isinstance(node, ast.Attribute)
        and node.attr in {"create_task", "ensure_future"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"asyncio", "loop"}
        and not name.startswith(STARTS_TASKS)
    ]

    assert loose == []


def test_sql_stands_in_sql_files_only() -> None:
    found = [
        place(name, node)
        for name, tree in TREES.items()
        for documented in [docstrings(tree)]
        for node in ast.walk(tree)
        if name not in MAKES_THE_DATABASE
        and isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in documented
        and SQL.search(node.value)
    ]

    assert found == []


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owner_only(library: str) -> None:
    found = [
        place(name, node)
        for kind in (ast.Import, ast.ImportFrom)
        for name, node in nodes(kind)
        if any(module.partition(".")[0] == library for module in imported(node))
        and not name.startswith(OWNERS[library])
    ]

    assert found == []


@pytest.mark.parametrize(
    ("attribute", "owners"), [("ClientSession", ("outbound/",)), ("web", ("web/", "sandbox/"))]
)
def test_each_side_of_aiohttp_has_its_owner(attribute: str, owners: tuple[str, ...]) -> None:
    named = [
        place(name, node)
        for name, node in nodes(ast.Attribute)
        if isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.value, ast.Name)
        and node.value.id == "aiohttp"
        and not name.startswith(owners)
    ]
    drawn = [
        place(name, node)
        for name, node in nodes(ast.ImportFrom)
        if isinstance(node, ast.ImportFrom)
        and node.module == "aiohttp"
        and any(alias.name == attribute for alias in node.names)
        and not name.startswith(owners)
    ]

    assert named + drawn == []


def test_imports_are_absolute() -> None:
    relative = [
        place(name, node)
        for name, node in nodes(ast.ImportFrom)
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_left_for_later(name: str) -> None:
    text = FILES[name].read_text("utf-8")

    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)


def test_no_package_is_named_after_nothing() -> None:
    vague = {"utils", "helpers", "common", "misc", "core", "manager"}

    assert {entry.stem for entry in ROOT.iterdir()} & vague == set()


def test_every_module_says_what_it_is() -> None:
    silent = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]

    assert silent == []
