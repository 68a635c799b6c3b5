"""What is different between two texts, for a reader: by paragraph, and by words inside those that changed. Pure.

Never word by word over a whole page: that takes difflib a minute on a real bill.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from rapidfuzz import fuzz

#: From this likeness (percent) a paragraph that went and one that came are one, changed.
_ALIKE = 60
#: Beyond so many words a changed paragraph is shown whole, before and after.
_MOST_WORDS = 1_500
#: Beyond so many paragraphs that differ, order no longer tells anything a person would read.
MOST_PARAGRAPHS = 2_000
#: So many pairs are compared when looking for the likeliest.
_MOST_PAIRS = 10_000

_WORD = re.compile(r"\S+\s*")


class Kind(StrEnum):
    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of words of one kind."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph that differs, in runs."""

    kind: Kind
    runs: tuple[Run, ...]


class TooMuchError(ValueError):
    """The two texts have too little in common to be compared."""


def words(before: str, after: str) -> tuple[Run, ...]:
    """One paragraph against another; whole, once they are long."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) > _MOST_WORDS or len(new) > _MOST_WORDS:
        whole = (Run(Kind.REMOVED, before), Run(Kind.ADDED, after))
        return (Run(Kind.SAME, before),) if before == after else tuple(run for run in whole if run.text)
    # A word at the end has no blank behind it and is the same word.
    matcher = SequenceMatcher(None, [word.rstrip() for word in old], [word.rstrip() for word in new], autojunk=False)
    return tuple(_runs(matcher, old, new))


def _runs(matcher: SequenceMatcher[str], old: Sequence[str], new: Sequence[str]) -> Iterator[Run]:
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            yield Run(Kind.SAME, "".join(new[j1:j2]))
            continue
        if i2 > i1:
            yield Run(Kind.REMOVED, "".join(old[i1:i2]))
        if j2 > j1:
            yield Run(Kind.ADDED, "".join(new[j1:j2]))


def paragraphs(before: Sequence[str], after: Sequence[str]) -> list[Block]:
    """The paragraphs that differ, in the order of the new text. Raises TooMuchError."""
    old, new = _middle(before, after)
    if max(len(old), len(new)) > MOST_PARAGRAPHS:
        raise TooMuchError(f"{max(len(old), len(new)):,} paragraphs differ")
    blocks: list[Block] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            blocks += [_whole(Kind.REMOVED, text) for text in old[i1:i2]]
            blocks += [_whole(Kind.ADDED, text) for text in new[j1:j2]]
    return _with_changes(_with_moves(blocks))


def _middle(before: Sequence[str], after: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Both without what is the same at their beginning and end: most of a page."""
    start, most = 0, min(len(before), len(after))
    while start < most and before[start] == after[start]:
        start += 1
    end = 0
    while end < most - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]


def _with_changes(blocks: Sequence[Block]) -> list[Block]:
    """A paragraph that went and a like one that came are one, changed; it is told where it came."""
    gone = [block.runs[0].text for block in blocks if block.kind is Kind.REMOVED]
    come = [block.runs[0].text for block in blocks if block.kind is Kind.ADDED]
    pairs = _pairs(gone, come)
    found: list[Block] = []
    numbers = {Kind.REMOVED: 0, Kind.ADDED: 0}
    for block in blocks:
        number = numbers.get(block.kind, 0)
        if block.kind in numbers:
            numbers[block.kind] += 1
        if block.kind is Kind.ADDED and number in pairs:
            runs = words(gone[pairs[number]], block.runs[0].text)
            found += [Block(Kind.CHANGED, runs)] if any(run.kind is not Kind.SAME for run in runs) else []
        elif block.kind is not Kind.REMOVED or number not in pairs.values():
            found.append(block)
    return found


def _pairs(gone: Sequence[str], come: Sequence[str]) -> dict[int, int]:
    """Which of ``come`` (the key) is which of ``gone``, changed: the likeliest first, each once."""
    if len(gone) * len(come) > _MOST_PAIRS:
        return {}
    scored = [
        (score, new, old)
        for new, after in enumerate(come)
        for old, before in enumerate(gone)
        if (score := fuzz.ratio(before, after)) >= _ALIKE
    ]
    found: dict[int, int] = {}
    for _, new, old in sorted(scored, key=lambda one: (-one[0], one[1], one[2])):
        if new not in found and old not in found.values():
            found[new] = old
    return found


def _whole(kind: Kind, text: str) -> Block:
    return Block(kind, (Run(kind, text),))


def _with_moves(blocks: Sequence[Block]) -> list[Block]:
    """A paragraph that went here and came there has only moved; it is told where it came."""
    removed = [block.runs[0].text for block in blocks if block.kind is Kind.REMOVED]
    added = [block.runs[0].text for block in blocks if block.kind is Kind.ADDED]
    moved = {text for text in removed if removed.count(text) == added.count(text) == 1}
    return [
        Block(Kind.MOVED, (Run(Kind.MOVED, block.runs[0].text),)) if block.runs[0].text in moved else block
        for block in blocks
        if block.kind is not Kind.REMOVED or block.runs[0].text not in moved
    ]
