"""Small changes to a YAML text that leave every other byte alone: comments, blank lines, quotes, columns.

The text is only cut and pasted at the places the parser reports; nothing is written anew. Every change is also made
to the plain values, and the two must agree: what the text means afterwards is what was asked for, or nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from monitor.config.text import Loc, UnreadableError, parse

#: Text that YAML reads as itself wherever it stands.
_PLAIN = re.compile(r"[A-Za-z0-9/](?:[\w/.?=&%+~@ -]|:(?=[\w/]))*(?<! )", re.ASCII)
_EMPTY_WORDS = frozenset({"null", "Null", "NULL"})

#: A list's element longer than this is written on more lines.
_WIDTH = 112

Value = str | Sequence["Value"] | Mapping[str, "Value"]


class Unsplicable(Exception):
    """The text is written in a way that is not changed here. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Append:
    """A further element of the list at ``at``; ``lines`` are how it is written where every element has lines."""

    at: Loc
    value: Value
    lines: tuple[str, ...] = ()

    def on(self, data: Any) -> None:
        _at(data, self.at).append(deepcopy(self.value))

    def in_text(self, text: _Text) -> str:
        return text.append(self.at, self.lines or (_inline(self.value),), _inline(self.value))


@dataclass(frozen=True, slots=True)
class Put:
    """A value of the block at ``at``."""

    at: Loc
    key: str
    value: str

    def on(self, data: Any) -> None:
        _at(data, self.at)[self.key] = self.value

    def in_text(self, text: _Text) -> str:
        return text.put(self.at, self.key, _inline(self.value))


@dataclass(frozen=True, slots=True)
class Remove:
    """One element of the list at ``at``."""

    at: Loc
    index: int

    def on(self, data: Any) -> None:
        del _at(data, self.at)[self.index]

    def in_text(self, text: _Text) -> str:
        return text.remove(self.at, self.index)


def splice(text: str, *changes: Append | Put | Remove) -> str:
    """``text`` with the changes made. Raises Unsplicable, and UnreadableError for what is no configuration."""
    wanted = parse(text).data
    for change in changes:
        change.on(wanted)
        try:
            new = change.in_text(_Text(text))
            agrees = parse(new).data == wanted
        except (UnreadableError, KeyError, IndexError, AttributeError):
            agrees = False
            new = text
        if not agrees:
            raise Unsplicable("this part of config.yaml is written in a way that is not edited here; edit it by hand")
        text = new
    return text


def plain_lines(item: Mapping[str, str], narrative: str) -> tuple[str, ...]:
    """A block of keys, a key a line; the text under ``narrative`` is folded."""
    lines = [line for key, value in item.items() for line in _key_lines(key, value, key == narrative)]
    return tuple(lines)


def watch_lines(item: Mapping[str, Value]) -> tuple[str, ...]:
    """On one line if it fits, else a key a line."""
    if len(_inline(item)) <= _WIDTH:
        return (_inline(item),)
    return tuple(f"{key}: {_inline(value)}" for key, value in item.items())


def _key_lines(key: str, value: str, folded: bool) -> list[str]:
    if not folded:
        return [f"{key}: {_inline(value)}"]
    from textwrap import wrap

    return [f"{key}: >-", *(f"  {line}" for line in wrap(value, 100, break_long_words=False, break_on_hyphens=False))]


def _inline(value: Value) -> str:
    """A value on one line, as it may stand inside brackets."""
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value not in _EMPTY_WORDS
        return value if is_plain else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_inline(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(_inline, value)) + "]"


def _quoted(value: str) -> str:
    """In double quotes, where only these have a meaning; what cannot be printed is written by its number."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in escaped) + '"'


def _at(data: Any, loc: Loc) -> Any:
    for step in loc:
        data = data[step]
    return data


class _Text:
    """A text with the parser's places."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root: Node = YAML(typ="safe", pure=True).compose(text)
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def append(self, at: Loc, lines: Sequence[str], inline: str) -> str:
        block, key, items = self._list(at)
        if items.flow_style:
            if not items.value and not block.flow_style and self._of(items) == "[]":
                return self._begin(key, items, lines)
            return self._into_brackets(items, inline)
        end = self._line_end(self._end(items.value[-1]))
        return self._insert(end, self._newline + self._element(items.start_mark.column, lines))

    def put(self, at: Loc, key: str, value: str) -> str:
        block = self._find(at)
        known = {one.value: held for one, held in block.value}
        if key in known:
            held = known[key]
            return self._text[: held.start_mark.index] + value + self._text[self._end(held) :]
        last = self._end(block.value[-1][1])
        if block.flow_style:
            return self._insert(last, f", {key}: {value}")
        indent = " " * block.value[0][0].start_mark.column
        return self._insert(self._line_end(last), f"{self._newline}{indent}{key}: {value}")

    def remove(self, at: Loc, index: int) -> str:
        _, key, items = self._list(at)
        start, end = (self._out_of_brackets if items.flow_style else self._element_lines)(items, index)
        rest = self._text[:start] + self._text[end:]
        if items.flow_style or len(items.value) > 1:
            return rest
        colon = self._text.index(":", self._end(key)) + 1
        return rest[:colon] + " []" + rest[colon:]

    def _begin(self, key: Node, items: Node, lines: Sequence[str]) -> str:
        """The first element of a list that was ``[]``."""
        end = self._line_end(items.end_mark.index)
        rest = self._text[items.end_mark.index : end]
        head = self._text[: items.start_mark.index].rstrip(" ") + (f" {rest.lstrip()}" if rest.strip() else "")
        return head + self._newline + self._element(key.start_mark.column + 2, lines) + self._text[end:]

    def _element(self, column: int, lines: Sequence[str]) -> str:
        first, *others = lines
        written = [f"{' ' * column}- {first}", *(f"{' ' * (column + 2)}{line}" for line in others)]
        return self._newline.join(line if line.strip() else "" for line in written)

    def _into_brackets(self, items: Node, inline: str) -> str:
        if items.value:
            return self._insert(self._end(items.value[-1]), f", {inline}")
        return self._insert(items.start_mark.index + 1, inline)

    def _out_of_brackets(self, items: Node, index: int) -> tuple[int, int]:
        """With the comma before it, or after the first; a comment between two elements is not ours to cut."""
        item = items.value[index]
        start, end = item.start_mark.index, self._end(item)
        if index:
            start = self._end(items.value[index - 1])
        elif len(items.value) > 1:
            end = items.value[1].start_mark.index
        if "#" in self._text[start : item.start_mark.index] + self._text[self._end(item) : end]:
            raise Unsplicable("there is a comment inside these brackets; edit config.yaml by hand")
        return start, end

    def _element_lines(self, items: Node, index: int) -> tuple[int, int]:
        """Its lines, with what stands behind it on the last one."""
        item = items.value[index]
        dash = re.search(r"-[ \r\n]*\Z", self._text[: item.start_mark.index])
        if dash is None:
            raise Unsplicable("a dash stands apart from what it begins; edit config.yaml by hand")
        start = self._text.rfind("\n", 0, dash.start()) + 1
        if self._text[start : dash.start()].strip():
            raise Unsplicable("two lists begin on one line; edit config.yaml by hand")
        return start, min(self._line_end(self._end(item)) + len(self._newline), len(self._text))

    def _list(self, at: Loc) -> tuple[MappingNode, ScalarNode, SequenceNode]:
        """A list with the block it stands in and its key there."""
        block = self._find(at[:-1])
        key, items = next((key, held) for key, held in block.value if key.value == at[-1])
        return block, key, items

    def _find(self, at: Loc) -> Any:
        node: Any = self._root
        for step in at:
            if isinstance(step, int):
                node = node.value[step]
            else:
                node = next(held for key, held in node.value if key.value == step)
        return node

    def _of(self, node: Node) -> str:
        return self._text[node.start_mark.index : node.end_mark.index]

    def _end(self, node: Node) -> int:
        """Where a node's own text ends; the parser counts what follows a block up to the next one as part of it."""
        if isinstance(node, ScalarNode):
            length = len(self._of(node).rstrip()) if node.style in ("|", ">") else len(self._of(node))
            return int(node.start_mark.index) + length
        assert isinstance(node, (MappingNode, SequenceNode))
        if node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        return self._end(last[1] if isinstance(last, tuple) else last)

    def _line_end(self, index: int) -> int:
        """Where the line ends, before its line break."""
        found = self._text.find(self._newline, index)
        return len(self._text) if found < 0 else found

    def _insert(self, index: int, what: str) -> str:
        return self._text[:index] + what + self._text[index:]
