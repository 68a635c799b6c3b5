"""Records as JSON and back: fixtures' expectations, ``monitor extract`` and the child process speak it.

Keys are those of the dataclasses, dates ISO 8601; a bill's key is flattened to ``session`` and ``identifier``.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any, cast, get_args, get_origin, get_type_hints

from monitor.model.legislature import BillKey, Record

RECORDS: Mapping[str, type[Record]] = {kind.__name__: kind for kind in get_args(Record)}


def record_to_json(record: Record) -> dict[str, Any]:
    """``record`` in JSON's types."""
    return cast(dict[str, Any], _plain(record))


def record_from_json(kind: str, data: Mapping[str, Any]) -> Record:
    """The record of the class named ``kind`` ("Bill"). Raises KeyError or ValueError on other data."""
    return cast(Record, _typed(RECORDS[kind], data))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        pairs = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {**pairs.pop("key", {}), **pairs.pop("bill", {}), **pairs}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _typed(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if is_dataclass(hint):
        return _record(cast(type, hint), value)
    if origin is tuple:
        return tuple(_typed(get_args(hint)[0], item) for item in value)
    if origin is Mapping:
        return {key: _typed(get_args(hint)[1], item) for key, item in value.items()}
    if origin is types.UnionType:
        return None if value is None else _typed(get_args(hint)[0], value)
    return hint.fromisoformat(value) if hint in (date, datetime) else value


def _record(kind: type, data: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    named = {
        name: BillKey(data["session"], data["identifier"]) if hint is BillKey else _typed(hint, data[name])
        for name, hint in hints.items()
    }
    return kind(**named)
