"""What is wrong with given JSON in the operator's words: none of the library's own get out."""

from __future__ import annotations

import re

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from syncd.config.validation import keys_at
from syncd.config.values import suggestion

_FOREIGN_TEXT = 200
_WORDS = {
    "missing": "is missing",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_type": "must be text",
    "string_unicode": "must be text",
    "tuple_type": "must be a list",
}
_SHOULD = re.compile(r"^\w+ should ")
# A key that was mistyped may be shown; no secret looks like one.
_WORD = re.compile(r"[a-z_]{1,24}")
_MADE_OF = re.compile(r" after validation.*$")


def problems_of(
    error: ValidationError, model: type[BaseModel], whole: str, *, is_secret: bool = False
) -> list[str]:
    """Say what is wrong, one sentence each: `limit: must be a whole number`.

    Values are not repeated: they may be secret.

    Args:
        error: what validating by `model` raised.
        model: knows the keys there are.
        whole: what to call the value itself where it is no object.
        is_secret: whether a key that is not ours may be a secret out of place.
    """
    details = error.errors(include_url=False, include_input=False)
    return [
        f"{_place(detail, is_secret=is_secret) or whole}: {_message(detail, model)}"
        for detail in details
    ]


def _place(detail: ErrorDetails, *, is_secret: bool) -> str:
    is_ours = detail["type"] != "extra_forbidden" or _WORD.fullmatch(str(detail["loc"][-1]))
    if is_secret and not is_ours:
        return ""
    return ".".join(str(part) for part in detail["loc"])[:_FOREIGN_TEXT]


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(str(detail['loc'][-1]), keys_at(model, detail['loc']))}"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    words = _MADE_OF.sub("", _SHOULD.sub("must ", detail["msg"]))
    if detail["msg"].startswith("Value "):  # a text that was looked at before its length
        words = words.replace(" item", " character")
    return _WORDS.get(kind, words)[:_FOREIGN_TEXT]
