"""YAML into plain values that remember their line: no anchors, no tags, no guesses.

Every scalar stays the text that was written (an unquoted ``~`` or nothing is None): the schema says what
is a number or a date, so ``12:30`` and ``no`` are never read as 750 and False. Built from the parser's
event stream with a stack of our own, so that depth and number are checked before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from monitor.config.errors import Problem

LARGEST = 1_000_000
DEEPEST = 50
MOST_VALUES = 50_000

Loc = tuple[str | int, ...]
Place = tuple[int, int]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_QUOTED = "write the value out, or put text that begins with & or * in quotes"
_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "mapping values are not allowed here": "put text that contains `: ` in quotes",
        "could not find expected ':'": "a key is followed by a colon and a blank",
        "that cannot start any token": "put text that begins with this character in quotes",
        "did not find expected <document start>": "check the line above: a list begins with `- `, a key ends with `:`",
        "while parsing a block mapping": "keys of one block begin in the same column",
    }
)


class UnreadableError(Exception):
    """The text is no configuration at all; ``problems`` say why."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = list(problems)
        super().__init__(*problems)


@dataclass(slots=True)
class Tree:
    """The values, where each stands, where each key stands, and what was wrong on the way."""

    data: Any = None
    values: dict[Loc, Place] = field(default_factory=dict)
    keys: dict[Loc, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Line and column of a value (or its key), or of the nearest thing around it."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        while loc:
            if found := first.get(loc) or second.get(loc):
                return found
            loc = loc[:-1]
        return (1, 1)


def decode(raw: bytes) -> str:
    """The text of the file. Raises UnreadableError for what no editor should have saved."""
    if len(raw) > LARGEST:
        raise UnreadableError(Problem(0, 0, f"the file is larger than {LARGEST // 1000} kB: this is no configuration"))
    for start, name in ((b"\xef\xbb\xbf", "a byte order mark"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if raw.startswith(start):
            raise UnreadableError(Problem(1, 1, f"the file begins with {name}", "save it as plain UTF-8"))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        place = _place_of(raw[: error.start])
        raise UnreadableError(Problem(*place, "this byte is not UTF-8", "save the file as UTF-8")) from None
    _refuse_control_characters(text)
    return text


def _place_of(before: bytes) -> Place:
    line = before.rsplit(b"\n", 1)[-1]
    return before.count(b"\n") + 1, len(line) + 1


def _refuse_control_characters(text: str) -> None:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    found = ((number, _CONTROL.search(line)) for number, line in enumerate(lines, start=1))
    problems = list(islice((_control(number, match) for number, match in found if match), 100))
    if problems:
        raise UnreadableError(*problems)


def _control(number: int, match: re.Match[str]) -> Problem:
    if match[0] == "\t":
        return Problem(number, match.start() + 1, "there is a tab here", "write blanks instead")
    what = f"there is a control character here (U+{ord(match[0]):04X})"
    return Problem(number, match.start() + 1, what, "is this a text file, in UTF-8?")


def parse(text: str) -> Tree:
    """Read the one document. Raises UnreadableError if it is not YAML, or YAML we refuse."""
    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except MarkedYAMLError as error:
        raise UnreadableError(_syntax(error)) from None
    except (YAMLError, ValueError) as error:
        raise UnreadableError(Problem(1, 1, f"this is not YAML: {str(error).splitlines()[0]}")) from None
    return builder.tree


def _syntax(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place: Place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    said = error.problem or error.context or "it cannot be read"
    advice = next((hint for words, hint in _ADVICE.items() if words in f"{said} {error.context}"), "")
    return Problem(*place, f"this is not YAML: {said}", advice)


@dataclass(slots=True)
class _Frame:
    """A block being built. ``key`` is the mapping key that waits for its value."""

    container: dict[str, Any] | list[Any]
    loc: Loc
    key: str | None = None


class _Builder:
    def __init__(self) -> None:
        self.tree = Tree()
        self._stack: list[_Frame] = []
        self._count = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        self._refuse(event, place)
        if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._stack.pop()
        elif isinstance(event, ScalarEvent):
            self._scalar(event, place)
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            self._open({} if isinstance(event, MappingStartEvent) else [], place)

    def _refuse(self, event: Event, place: Place) -> None:
        self._count += 1
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise UnreadableError(Problem(*place, "this file does not use anchors (& and *)", _QUOTED))
        if tag := getattr(event, "tag", None):
            raise UnreadableError(Problem(*place, f"this file does not use tags ({tag})", "remove it"))
        if isinstance(event, DocumentStartEvent):
            self._refuse_document(event, place)
        if len(self._stack) > DEEPEST:
            raise UnreadableError(Problem(*place, f"blocks are nested more than {DEEPEST} deep"))
        if self._count > MOST_VALUES:
            raise UnreadableError(Problem(*place, f"the file has more than {MOST_VALUES} values"))

    def _refuse_document(self, event: DocumentStartEvent, place: Place) -> None:
        if event.version or event.tags:
            raise UnreadableError(Problem(*place, "this file does not use directives (%)", "remove the line"))
        if self._documents:
            raise UnreadableError(Problem(*place, "a second document begins here (---)", "keep one document"))
        self._documents += 1

    def _scalar(self, event: ScalarEvent, place: Place) -> None:
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            self._key(frame, event.value, place)
        else:
            plain = event.style in (None, "")
            self._put(None if plain and event.value in _NULLS else event.value, place)

    def _key(self, frame: _Frame, key: str, place: Place) -> None:
        loc = (*frame.loc, key)
        if key in frame.container:
            first = self.tree.keys[loc][0]
            self.tree.problems.append(
                Problem(*place, f"{key!r} stands twice: on line {first} and here", "keep one of the two")
            )
        self.tree.keys.setdefault(loc, place)
        frame.key = key

    def _open(self, container: dict[str, Any] | list[Any], place: Place) -> None:
        self._stack.append(_Frame(container, self._put(container, place)))

    def _put(self, value: object, place: Place) -> Loc:
        if not self._stack:
            self.tree.data = value
            return ()
        frame = self._stack[-1]
        if isinstance(frame.container, list):
            loc: Loc = (*frame.loc, len(frame.container))
            frame.container.append(value)
        elif frame.key is None:
            raise UnreadableError(Problem(*place, "a key must be a word", "write `key: value`"))
        else:
            loc = (*frame.loc, frame.key)
            frame.container.setdefault(frame.key, value)
            frame.key = None
        self.tree.values.setdefault(loc, place)
        return loc
