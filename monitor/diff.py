"""Two records of one kind to what is different between them. Order, letter case and white space are no difference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar
from urllib.parse import urlsplit

from monitor.model.legislature import Act, ActionRow, ActList, Document, Feed, FeedEntry

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

#: From this likeness of their texts (percent) a row that went and one that came are one row, amended.
ALIKE = 85
#: A history shorter than this may lose most of its rows to an ordinary correction.
FEW_ROWS = 4

Identity = Callable[[ActionRow], Hashable]
Pair = tuple[ActionRow, ActionRow]


@dataclass(frozen=True, slots=True)
class ActionDiff:
    """``amended`` holds (before, after): the wording, or the date, of one row."""

    added: tuple[ActionRow, ...] = ()
    removed: tuple[ActionRow, ...] = ()
    amended: tuple[Pair, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.amended)


@dataclass(frozen=True, slots=True)
class DocumentDiff:
    added: tuple[Document, ...] = ()
    removed: tuple[Document, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


@dataclass(frozen=True, slots=True)
class ActDiff:
    added: tuple[Act, ...] = ()
    removed: tuple[Act, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def diff_actions(old: Iterable[ActionRow], new: Iterable[ActionRow], identity: Identity) -> ActionDiff:
    """What happened between two histories of one bill; duplicate rows are counted.

    ``identity`` says what a row means, so that one action in two wordings is one row. A row that went is
    the amended form of one that came if both mean the same, or if they are of one day and read alike.
    """
    gone, come = _unmatched(old, new, lambda row: (row.date, _folded(row.description)))
    gone, come = _unmatched(gone, come, lambda row: (row.date, identity(row)))
    amended = _amended(gone, come, identity)
    for before, after in amended:
        gone.remove(before)
        come.remove(after)
    return ActionDiff(tuple(come), tuple(gone), tuple(amended))


def _unmatched(
    old: Iterable[ActionRow], new: Iterable[ActionRow], key: Identity
) -> tuple[list[ActionRow], list[ActionRow]]:
    """The rows of each side without a partner of equal ``key`` on the other, in their own order."""
    waiting: dict[Hashable, list[ActionRow]] = defaultdict(list)
    gone, come = list(old), []
    for row in gone:
        waiting[key(row)].append(row)
    for row in new:
        if partners := waiting[key(row)]:
            gone.remove(partners.pop(0))
        else:
            come.append(row)
    return gone, come


def _amended(gone: list[ActionRow], come: list[ActionRow], identity: Identity) -> list[Pair]:
    """The likeliest pairs first, each row in one pair at most."""
    scored = [
        (score, before, after)
        for before, after in product(range(len(gone)), range(len(come)))
        if (score := _likeness(gone[before], come[after], identity))
    ]
    pairs: dict[int, int] = {}
    for _, before, after in sorted(scored, key=lambda entry: (-entry[0], entry[1], entry[2])):
        if before not in pairs and after not in pairs.values():
            pairs[before] = after
    return [(gone[before], come[after]) for before, after in sorted(pairs.items())]


def _likeness(before: ActionRow, after: ActionRow, identity: Identity) -> float:
    """0 for rows that are not one row amended; higher for likelier pairs, nearer days first."""
    from rapidfuzz import fuzz  # rows are rarely amended, and it takes 4 MB

    text = fuzz.ratio(_folded(before.description), _folded(after.description))
    if identity(before) == identity(after):
        return 200 + text - min(abs((after.date - before.date).days), 99) / 100
    return text if before.date == after.date and text >= ALIKE else 0.0


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def diff_documents(old: Iterable[Document], new: Iterable[Document]) -> DocumentDiff:
    """Keyed on the address: titles are typed by hand, repeat, and are reworded without meaning."""
    before = {document_identity(document.url): document for document in old}
    after = {document_identity(document.url): document for document in new}
    return DocumentDiff(*_keyed(before, after))


def document_identity(url: str) -> str:
    """The address without scheme and in lower case: classic ASP does not mind the case, and links mix it."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.netloc}{parts.path}{query}".casefold()


def diff_acts(old: ActList, new: ActList) -> ActDiff:
    """Keyed on session, number and bill: numbers repeat inside one year. The list empties at a new session."""
    before = {_act_identity(act): act for act in old.acts}
    after = {_act_identity(act): act for act in new.acts}
    return ActDiff(*_keyed(before, after))


def _act_identity(act: Act) -> Hashable:
    return _folded(act.session_name), act.number, act.bill


def diff_entries(old: Feed, new: Feed) -> tuple[FeedEntry, ...]:
    """The entries that came. A feed drops its oldest ones by itself, so those that went say nothing."""
    known = {entry.id for entry in old.entries}
    return tuple(entry for entry in new.entries if entry.id not in known)


def _keyed(before: Mapping[K, T], after: Mapping[K, T]) -> tuple[tuple[T, ...], tuple[T, ...]]:
    added = tuple(item for key, item in after.items() if key not in before)
    removed = tuple(item for key, item in before.items() if key not in after)
    return added, removed


def lost_most(old: Sequence[object], new: Sequence[object]) -> bool:
    """Whether more than half of the rows are gone (14 to 3): no correction, a person must look."""
    return len(old) >= FEW_ROWS and len(new) * 2 < len(old)
