"""A message before any channel's markup: plain text, cleaned and cut to length, that a channel only lays out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from monitor.model.tracking import Status

#: So many issues' pages are named for what did not fit; of more the board itself.
PAGES_NAMED = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A quoted row as the source wrote it, its own date in front, and where it stands."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """One item. ``name`` is empty when the heading above already says which issue this is.

    Of a correction ``before`` is the status that was wrong, and the labels say so. ``issue`` and its ``page`` stand
    even where name and url are left out because the card before or after says them.
    """

    name: str
    title: str
    before: Status | None
    now: Status | None
    before_label: str
    now_label: str
    sentence: str
    rows: tuple[Row, ...]
    rows_left: int
    notes: tuple[tuple[str, str], ...]
    command: str
    action_url: str
    links: tuple[tuple[str, str], ...]
    url: str
    because: str
    brief: str
    issue: str
    page: str


@dataclass(frozen=True, slots=True)
class View:
    """A whole message. ``briefs`` are items told in one line, ``left_out`` how many are only counted; ``more`` names
    the pages that have all of those. A reader's own ``manage_url`` and ``leave_url`` hold PLACE."""

    kind: str
    subject: str
    title: str
    summary: str
    preheader: str
    contents: tuple[str, ...]
    cards: tuple[Card, ...]
    briefs: tuple[Card, ...]
    left_out: int
    more: tuple[tuple[str, str], ...]
    link_label: str
    board_url: str
    approved: str
    why: str
    manage_url: str
    leave_url: str
    leave_address: str
    organization: str
    postal_address: str

    def smaller(self) -> Iterator[View]:
        """The same message, then ever more of its last items in one line each, then only counted; at last without the
        pages of each, which may be too long themselves."""
        count = len(self.cards)
        yield from (self._cut(full, count) for full in _halves(count))
        brief = [self._cut(0, told) for told in (*_halves(count), 0)]
        yield from brief
        yield from (replace(one, more=self._board) for one in brief)

    @property
    def _board(self) -> tuple[tuple[str, str], ...]:
        return (("The whole board", self.board_url),) if self.board_url else ()

    def _cut(self, full: int, told: int) -> View:
        contents = self.contents if full == len(self.cards) else ()
        cards, briefs = self.cards[:full], self.cards[full:told]
        pages = dict.fromkeys((card.issue, card.page) for card in self.cards[full:] if card.page)
        more = tuple(pages) if len(pages) <= PAGES_NAMED else ()
        if full < len(self.cards) and not more:
            more = self._board
        return replace(self, contents=contents, cards=cards, briefs=briefs, left_out=len(self.cards) - told, more=more)


def _halves(count: int) -> Iterator[int]:
    while count:
        yield count
        count //= 2
