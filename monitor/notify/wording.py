"""What a message says, in order, before any channel's markup: an announcement becomes a view. Pure.

Wording follows one rule: actor first, past tense, no adjectives. Everything here is plain text,
already cleaned and cut to length; a channel only escapes and lays out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, tzinfo

from monitor.model.messaging import Announcement, AnnouncementKind, Cadence, Item, Quote, Sender
from monitor.model.tracking import Status
from monitor.notify import clean

SUBJECT_LIMIT = 60
SENTENCE_LIMIT = 900
ROWS_SHOWN = 5

_KIND_LABEL = {
    AnnouncementKind.STATUS: "status change",
    AnnouncementKind.NARRATIVE: "news, status unchanged",
    AnnouncementKind.PROPOSALS: "waiting for a decision",
    AnnouncementKind.OPERATIONS: "notice to operators",
}
_PERIOD = {Cadence.IMMEDIATE: "", Cadence.DAILY: " today", Cadence.WEEKLY: " this week"}
_NARRATIVE_LABEL = {
    AnnouncementKind.STATUS: "What the board now says.",
    AnnouncementKind.NARRATIVE: "What the board now says.",
    AnnouncementKind.PROPOSALS: "Suggested text.",
    AnnouncementKind.OPERATIONS: "What to do.",
}
_LINK_LABEL = {
    AnnouncementKind.STATUS: "See the issue, its bills and its history",
    AnnouncementKind.NARRATIVE: "See the issue, its bills and its history",
    AnnouncementKind.PROPOSALS: "See the proposal",
    AnnouncementKind.OPERATIONS: "See the source",
}
#: A sentence that continues after a colon starts small only with these words; names keep their capital.
_SMALL_STARTS = ("The ", "It ", "Its ", "A ", "An ", "Public hearing ")


@dataclass(frozen=True, slots=True)
class Row:
    """A quoted row as the source wrote it, its own date in front, and where it stands."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """One item. ``name`` is empty when the heading above already says which issue this is."""

    name: str
    title: str
    before: Status | None
    now: Status | None
    now_label: str
    sentence: str
    rows: tuple[Row, ...]
    rows_left: int
    notes: tuple[tuple[str, str], ...]
    command: str
    action_url: str
    url: str
    brief: str


@dataclass(frozen=True, slots=True)
class View:
    """A whole message. ``briefs`` are items told in one line, ``left_out`` how many are only counted."""

    kind: str
    subject: str
    title: str
    summary: str
    preheader: str
    contents: tuple[str, ...]
    cards: tuple[Card, ...]
    briefs: tuple[Card, ...]
    left_out: int
    link_label: str
    board_url: str
    approved: str
    why: str
    leave_address: str
    organization: str
    postal_address: str

    def smaller(self) -> Iterator[View]:
        """The same message, then ever more of its last items in one line each, then only counted."""
        full = len(self.cards)
        while full:
            yield self._cut(full, len(self.cards))
            full //= 2
        brief = len(self.cards)
        while brief:
            yield self._cut(0, brief)
            brief //= 2
        yield self._cut(0, 0)

    def _cut(self, full: int, told: int) -> View:
        contents = self.contents if full == len(self.cards) else ()
        cards, briefs = self.cards[:full], self.cards[full:told]
        return replace(self, contents=contents, cards=cards, briefs=briefs, left_out=len(self.cards) - told)


def view(announcement: Announcement, sender: Sender, zone: tzinfo) -> View:
    """Everything ``announcement`` says, grouped by issue, to be told by ``sender``.

    Raises ValueError if it has no items.
    """
    if not announcement.items:
        raise ValueError(f"a {announcement.kind} announcement without items says nothing; do not send it")
    items = _grouped(announcement.items)
    kind = announcement.kind
    title = _title(announcement, items)
    cards = tuple(_cards(kind, title, items))
    public = kind in (AnnouncementKind.STATUS, AnnouncementKind.NARRATIVE)
    organization = clean.line(sender.organization, 120)
    return View(
        kind=f"{organization} · {_kind_label(announcement)}",
        subject=subject(announcement),
        title=title,
        summary=_summary(announcement, title, items),
        preheader=_preheader(items),
        contents=tuple(card.brief for card in cards) if len(cards) > 1 else (),
        cards=cards,
        briefs=(),
        left_out=0,
        link_label=_LINK_LABEL[kind],
        board_url=clean.link(sender.board_url) if public and len(cards) > 1 else "",
        approved=_approved(announcement, zone) if public else "",
        why=clean.line(announcement.why, 400),
        leave_address=clean.line(sender.reply_to or sender.address, 254) if public else "",
        organization=organization,
        postal_address=clean.line(sender.postal_address, 200),
    )


def subject(announcement: Announcement) -> str:
    """At most 60 characters; what moved is never cut off, the issue's name may be."""
    items = announcement.items
    if len(items) == 1 and announcement.kind is not AnnouncementKind.OPERATIONS:
        head, tail = _subject_parts(announcement.kind, items[0])
        return clean.header(clean.clip(clean.line(head), SUBJECT_LIMIT - len(tail)) + tail, SUBJECT_LIMIT)
    return clean.header(_title(announcement, items), SUBJECT_LIMIT)


def long_date(day: date) -> str:
    """June 9, 2025."""
    return f"{day:%B} {day.day}, {day.year}"


def before_now(card: Card) -> str:
    """Some Progress → Legislation Achieved, or what stays, or nothing if no status is concerned."""
    if card.now is None:
        return ""
    return f"{card.before.label} → {card.now.label}" if card.before else card.now.label


def left_out(count: int) -> str:
    return f"and {count:,} more" if count else ""


def _name(item: Item) -> str:
    return clean.line(item.issue or item.heading, 200)


def _moved(item: Item) -> bool:
    return item.to_status is not None and item.from_status is not item.to_status


def _grouped(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Items of one issue together, issues in the order they first come up."""
    order = {name: place for place, name in reversed(list(enumerate(_name(item) for item in items)))}
    return tuple(sorted(items, key=lambda item: order[_name(item)]))


def _kind_label(announcement: Announcement) -> str:
    label = _KIND_LABEL[announcement.kind]
    if len(announcement.items) == 1 or announcement.kind not in (AnnouncementKind.STATUS, AnnouncementKind.NARRATIVE):
        return label
    return "digest" if announcement.cadence is Cadence.IMMEDIATE else f"{announcement.cadence} digest"


def _subject_parts(kind: AnnouncementKind, item: Item) -> tuple[str, str]:
    name = _name(item)
    if kind is AnnouncementKind.PROPOSALS:
        return f"Waiting for a decision: {name}", ""
    if item.to_status and _moved(item):
        return name, f": now {item.to_status.label}"
    return (f"{name}: {item.heading}", "") if _headline(item) else (name, ": what is new")


def _headline(item: Item) -> str:
    """The heading, if it says more than the issue's name."""
    heading = clean.line(item.heading, 200)
    return "" if heading == _name(item) else heading


def _title(announcement: Announcement, items: tuple[Item, ...]) -> str:
    count, first = len(items), items[0]
    if announcement.kind is AnnouncementKind.PROPOSALS:
        return "A proposal waits for a decision" if count == 1 else f"{count:,} proposals wait for a decision"
    if announcement.kind is AnnouncementKind.OPERATIONS:
        heading = clean.line(first.heading, 200)
        return heading if count == 1 else f"{count:,} notices: {heading}"
    if count > 1:
        return f"{count:,} changes{_PERIOD[announcement.cadence]}"
    return _moved_to(first) if _moved(first) else clean.line(first.heading, 200)


def _moved_to(item: Item) -> str:
    return f"{_name(item)} moved to {item.to_status.label}" if item.to_status else _name(item)


def _summary(announcement: Announcement, title: str, items: tuple[Item, ...]) -> str:
    """One sentence that can stand alone: all that a phone's notice shows."""
    if len(items) > 1:
        return clean.line(f"{title}: {'; '.join(_brief(item) for item in items[:10])}", 600)
    item = items[0]
    prefix = {AnnouncementKind.PROPOSALS: "A proposal waits: ", AnnouncementKind.OPERATIONS: ""}
    lead = prefix.get(announcement.kind, "") + _brief(item, announcement.kind is not AnnouncementKind.PROPOSALS)
    return clean.line(f"{lead}: {_continued(item.sentence)}" if item.sentence.strip() else f"{lead}.", 600)


def _brief(item: Item, in_words: bool = False) -> str:
    name = _name(item)
    if item.to_status is None or not _moved(item):
        return f"{name}: {_headline(item)}" if _headline(item) and item.issue else name
    if in_words:
        origin = f"from {item.from_status.label} " if item.from_status else ""
        return f"{name} moved {origin}to {item.to_status.label}"
    move = f"{item.from_status.label} → {item.to_status.label}" if item.from_status else item.to_status.label
    return f"{name}, {move}"


def _continued(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence.startswith(_SMALL_STARTS) else sentence


def _preheader(items: tuple[Item, ...]) -> str:
    if len(items) > 1:
        return clean.line("; ".join(_brief(item) for item in items), 150)
    before = items[0].from_status
    lead = f"{before.label} before. " if before and _moved(items[0]) else ""
    return clean.line(lead + items[0].sentence, 150)


def _approved(announcement: Announcement, zone: tzinfo) -> str:
    """Only a notice sent at once is made on the day of its approval."""
    if len(announcement.items) > 1:
        return "A maintainer approved each change."
    if announcement.cadence is not Cadence.IMMEDIATE:
        return "A maintainer approved this change."
    return f"A maintainer approved this change on {long_date(announcement.created_at.astimezone(zone).date())}."


def _cards(kind: AnnouncementKind, title: str, items: tuple[Item, ...]) -> Iterator[Card]:
    told = _name(items[0]) if len(items) == 1 and _name(items[0]) in title else ""
    following = [*(item.url for item in items[1:]), ""]
    for item, next_url in zip(items, following, strict=True):
        name = _name(item)
        card = _card(kind, item, name="" if name == told else name, above=title)
        yield replace(card, url="") if item.url == next_url else card
        told = name


def _card(kind: AnnouncementKind, item: Item, *, name: str, above: str) -> Card:
    headline = "" if _moved(item) else _headline(item)
    rows = tuple(_row(quote) for quote in item.quotes if quote.text.strip())
    labelled = ((_NARRATIVE_LABEL[kind], item.narrative), ("What comes next.", item.comes_next))
    reference = clean.line(item.reference, 40)
    return Card(
        name=name,
        title="" if headline == above else headline,
        before=item.from_status if _moved(item) else None,
        now=item.to_status,
        now_label="Suggested" if kind is AnnouncementKind.PROPOSALS else "Now",
        sentence=clean.line(item.sentence, SENTENCE_LIMIT),
        rows=rows[:ROWS_SHOWN],
        rows_left=len(rows[ROWS_SHOWN:]),
        notes=tuple((label, clean.line(text, SENTENCE_LIMIT)) for label, text in labelled if text.strip()),
        command=f"monitor proposals show {reference}" if reference and kind is AnnouncementKind.PROPOSALS else "",
        action_url=clean.link(item.action_url),
        url=clean.link(item.url),
        brief=clean.line(f"{_brief(item)} ({reference})" if reference else _brief(item), 200),
    )


def _row(quote: Quote) -> Row:
    """The site writes its dates 6/9/2025; two blanks part date and text, as in its own column."""
    text = clean.line(quote.text, 500)
    dated = f"{quote.on.month}/{quote.on.day}/{quote.on.year}  {text}" if quote.on else text
    return Row(dated, clean.link(quote.url))
