"""pydantic's complaints, as sentences with a line and a suggestion."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from monitor.config.errors import Problem
from monitor.config.schema import Config
from monitor.config.text import Loc, Tree

#: What people say for pydantic's error types; ``{…}`` are the error's own figures.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "model_type": "must be a block of `key: value` lines",
        "dict_type": "must be a block of `key: value` lines",
        "tuple_type": "must be a list: lines that begin with `- `, or []",
        "string_type": "must be text",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "date_parsing": "must be a date such as 2020-07-31",
        "date_from_datetime_parsing": "must be a date such as 2020-07-31",
        "date_type": "must be a date such as 2020-07-31",
        "greater_than": "must be more than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
        "finite_number": "must be a number",
        "too_short": "must hold at least {min_length}",
        "enum": "must be {expected}",
    }
)
_SECRET_WORDS = re.compile(r"(?:^|[_-])(?:pass|password|passwd|passphrase|tokens?|secrets?|webhook|api_?key)(?:$|[_-])")
#: The variable that takes what somebody wrote into the file.
_VARIABLES: Mapping[str, str] = MappingProxyType({"mail": "set MONITOR_SMTP_PASSWORD in the environment"})
_ELSEWHERE = "write `address_secret: NAME` and set MONITOR_NAME in the environment"


def explain(details: ErrorDetails, tree: Tree) -> Problem:
    """One of pydantic's errors, placed in the file. Repeats no value: it might be a secret in the wrong place."""
    context = details.get("ctx", {})
    loc: Loc = (*details["loc"], *context.get("at", ()))
    if details["type"] == "extra_forbidden":
        return unknown_key(loc, tree)
    if details["type"] == "missing":
        place = tree.place(loc[:-1], key=True)
        return Problem(*place, f"{path(loc[:-1])} lacks the key {loc[-1]}", describe(loc))
    known = _WORDS.get(details["type"])
    # What is not in the table is somebody's finished sentence, braces and all.
    words = known.format(**context) if known else details["msg"]
    hint = context.get("hint") or _near_choice(details) or ""
    return Problem(*tree.place(loc), f"{path(loc)}: {words}", hint)


def path(loc: Loc) -> str:
    """``("topics", 0, "id")`` as "topics[0].id"."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".")
    return text or "the file"


def unknown_key(loc: Loc, tree: Tree) -> Problem:
    place, name, known = tree.place(loc, key=True), str(loc[-1]), keys_at(loc[:-1])
    near = _near_key(name, known)
    if not near and _SECRET_WORDS.search(name.lower()):
        hint = _VARIABLES.get(str(loc[0]), _ELSEWHERE)
        return Problem(*place, f"{path(loc)}: secrets never stand in config.yaml", hint)
    hint = near or _home_of(name) or f"known here: {', '.join(known)}"
    return Problem(*place, f"unknown key {path(loc)}", hint)


def _near_key(name: str, known: list[str]) -> str:
    ranked = sorted((_distance(name.lower(), key), key) for key in known)
    if not ranked or ranked[0][0] > max(1, len(name) // 3):
        return ""
    return f"did you mean {' or '.join(key for distance, key in ranked if distance == ranked[0][0])}?"


def _home_of(name: str) -> str:
    homes = dict.fromkeys(path(block) for block, key in every_key() if key == name)
    return f"{name} belongs under {' or '.join(homes)}" if homes else ""


def describe(loc: Loc) -> str:
    block = model_at(loc[:-1])
    info = {alias(field, name): field for name, field in block.model_fields.items()} if block else {}
    field = info.get(str(loc[-1]))
    return field.description or "" if field else ""


def alias(field: FieldInfo, name: str) -> str:
    return field.alias or name


def keys_at(loc: Loc) -> list[str]:
    block = model_at(loc)
    return [alias(field, name) for name, field in block.model_fields.items()] if block else []


def model_at(loc: Loc) -> type[BaseModel] | None:
    """The block of the schema that describes what stands at ``loc``."""
    block: type[BaseModel] | None = Config
    for step in loc:
        if isinstance(step, str) and block is not None:
            fields = {alias(field, name): field for name, field in block.model_fields.items()}
            block = block_of(fields[step].annotation) if step in fields else None
    return block


def block_of(annotation: object) -> type[BaseModel] | None:
    """The block inside ``Block``, ``Block | None`` or ``tuple[Block, ...]``; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Union, UnionType, Annotated):
        return next((block for argument in get_args(annotation) if (block := block_of(argument))), None)
    return None


def every_key(block: type[BaseModel] = Config, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every key of the schema with the block it stands in, in the file's order."""
    for name, field in block.model_fields.items():
        key = alias(field, name)
        yield loc, key
        if inner := block_of(field.annotation):
            yield from every_key(inner, (*loc, key))


def _near_choice(details: ErrorDetails) -> str:
    expected = details.get("ctx", {}).get("expected")
    if details["type"] != "enum" or not isinstance(expected, str) or not isinstance(details["input"], str):
        return ""
    choices = re.findall(r"'([^']*)'", expected)
    word = details["input"].lower().replace(" ", "_").replace("-", "_")
    distance, choice = min((_distance(word, choice), choice) for choice in choices)
    return f"did you mean {choice}?" if distance <= max(1, len(choice) // 2) else ""


def _distance(word: str, other: str) -> int:
    from rapidfuzz.distance import OSA  # for mistakes alone: a good file needs none of its memory

    return OSA.distance(word, other)
