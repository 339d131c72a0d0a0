"""Validate tables by their models and say what is wrong in the operator's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from syncd.config.place import Path, Problem, quoted
from syncd.config.secret import is_secret_key
from syncd.config.values import suggestion

Model = TypeVar("Model", bound=BaseModel)

_WORDS = {
    "missing": "is missing",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "path_type": "must be a path in quotes",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
}


class Validation:
    """Validate table after table, keeping what is wrong in `problems`.

    Args:
        document: the file as it was read, before variables were put in: values are shown from it.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def model(
        self,
        model: type[Model],
        table: Mapping[str, Any],
        path: Path,
        *,
        defaults: Mapping[str, Any] | None = None,
        also: Iterable[str] = (),
    ) -> Model | None:
        """Build a model; a key that is wrong counts as not given, so that the rest is looked at.

        Args:
            model: what the table must be.
            table: its keys and values.
            path: where it stands.
            defaults: values of keys that the table leaves out.
            also: keys that belong into this table but not to this model, for suggestions.

        Returns:
            The model, or None where a key that must be given is missing or wrong.
        """
        defaults = defaults or {}
        try:
            return model.model_validate({**defaults, **table})
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        for detail in details:
            self.problems.append(self._problem(model, detail, path, also))
        wrong = {detail["loc"][0] for detail in details if detail["loc"]}
        try:
            right = {key: value for key, value in table.items() if key not in wrong}
            return model.model_validate({**defaults, **right})
        except ValidationError:
            return None

    def table(self, value: Any, path: Path) -> dict[str, Any]:
        """Return the value if it is a table, else say so and return an empty one."""
        if isinstance(value, dict):
            return value
        self.problems.append(Problem(path=path, message="must be a table"))
        return {}

    def _problem(
        self, model: type[BaseModel], detail: ErrorDetails, path: Path, also: Iterable[str]
    ) -> Problem:
        loc = detail["loc"]
        context = detail.get("ctx", {})
        kind = detail["type"]
        if kind == "extra_forbidden":
            known = [*keys_at(model, loc), *(also if len(loc) == 1 else ())]
            message = f"unknown key{suggestion(str(loc[-1]), known)}"
            return Problem(path=(*path, *loc), message=message)
        message = _message(detail)
        near = str(context.get("suggestion", ""))
        shown = self._written((*path, *loc))
        if kind == "literal_error" and shown:
            near = suggestion(shown, re.findall(r"'([^']*)'", str(context.get("expected"))))
        if shown and message.startswith("must"):
            message += f", not {shown}"
        return Problem(path=(*path, *loc), message=message + near)

    def _written(self, path: Path) -> str:
        """Return the value as it stands in the file, empty if it must not or cannot be shown."""
        value: Any = self._document
        for part in path:
            if is_secret_key(part) or not isinstance(value, dict) or part not in value:
                return ""
            value = value[part]
        if isinstance(value, str):
            return quoted(value)
        return str(value).lower() if isinstance(value, bool | int | float) else ""


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a table of this model may hold."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    default = detail["msg"].replace("Input should be", "must be").replace("String should", "must")
    return _WORDS.get(detail["type"], default)


def keys_at(model: type[BaseModel], loc: Path) -> list[str]:
    """Return the keys that the table may hold in which `loc` stands."""
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        nested = next(_models_in(fields[part].annotation), None) if part in fields else None
        if nested is None:
            return []
        model = nested
    return keys_of(model)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
