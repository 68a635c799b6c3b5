"""What a message says, in order, before any channel's markup: an announcement becomes a view. Pure.

Wording follows one rule: actor first, past tense, no adjectives. Everything here is plain text,
already cleaned and cut to length; a channel only escapes and lays out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, tzinfo

from monitor.model.messaging import PLACE, Announcement, AnnouncementKind, Cadence, Item, Quote, Sender
from monitor.notify import clean
from monitor.notify.view import Card, Row, View

SUBJECT_LIMIT = 60
SENTENCE_LIMIT = 900
ROWS_SHOWN = 5

_BEFORE = "Before"

_KIND_LABEL = {
    AnnouncementKind.STATUS: "status change",
    AnnouncementKind.NARRATIVE: "news, status unchanged",
    AnnouncementKind.CORRECTION: "correction",
    AnnouncementKind.CONFIRM: "sign-up",
    AnnouncementKind.ACTIVITY: "new in the record",
    AnnouncementKind.HEARING: "public hearing",
    AnnouncementKind.HEARTBEAT: "weekly note",
    AnnouncementKind.PROPOSALS: "waiting for a decision",
    AnnouncementKind.OPERATIONS: "notice to operators",
}
_PERIOD = {Cadence.IMMEDIATE: "", Cadence.DAILY: " today", Cadence.WEEKLY: " this week"}
_BOARD_SAYS = "What the board now says."
_NARRATIVE_LABEL = {
    AnnouncementKind.CONFIRM: "If it was not you.",
    AnnouncementKind.PROPOSALS: "Suggested text.",
    AnnouncementKind.OPERATIONS: "What to do.",
}
_SEE_ISSUE = "See the issue, its bills and its history"
_LINK_LABEL = {
    AnnouncementKind.CONFIRM: "Open the page",
    AnnouncementKind.HEARTBEAT: "See the board",
    AnnouncementKind.PROPOSALS: "See the proposal",
    AnnouncementKind.OPERATIONS: "See the source",
}
#: What nobody has reviewed.
_FACTS = (AnnouncementKind.ACTIVITY, AnnouncementKind.HEARING, AnnouncementKind.HEARTBEAT)
#: What subscribers get; the others are letters to one person.
PUBLIC = (AnnouncementKind.STATUS, AnnouncementKind.NARRATIVE, AnnouncementKind.CORRECTION, *_FACTS)
#: A sentence that continues after a colon starts small only with these words; names keep their capital.
_SMALL_STARTS = ("The ", "It ", "Its ", "A ", "An ", "Public hearing ")


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
    public = kind in PUBLIC
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
        more=(),
        link_label=_LINK_LABEL.get(kind, _SEE_ISSUE),
        board_url=clean.link(sender.board_url) if public and len(cards) > 1 else "",
        approved=_approved(announcement, zone) if public else "",
        why=clean.line(announcement.why, 400),
        manage_url=f"{sender.alerts_url}/{PLACE}" if public and sender.alerts_url else "",
        leave_url=f"{sender.alerts_url}/{PLACE}/leave" if public and sender.alerts_url else "",
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
    if card.before is None:
        return card.now.label
    if card.before_label != _BEFORE:
        return f"{card.before_label}: {card.before.label} → {card.now_label}: {card.now.label}"
    return f"{card.before.label} → {card.now.label}"


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
    if len(announcement.items) == 1 or announcement.kind not in PUBLIC:
        return label
    return "digest" if announcement.cadence is Cadence.IMMEDIATE else f"{announcement.cadence} digest"


def _subject_parts(kind: AnnouncementKind, item: Item) -> tuple[str, str]:
    name = _name(item)
    if kind is AnnouncementKind.PROPOSALS:
        return f"Waiting for a decision: {name}", ""
    if kind is AnnouncementKind.CONFIRM:
        return name, ""
    if item.said:
        return f"Correction: {name}", ""
    if item.kind in _FACTS:
        return item.heading, ""
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
        return f"{count:,} {_counted(items)}{_PERIOD[announcement.cadence]}"
    if first.said:
        return f"Correction: {_name(first)}"
    return _moved_to(first) if _moved(first) else clean.line(first.heading, 200)


def _counted(items: tuple[Item, ...]) -> str:
    kinds = {item.kind for item in items}
    if kinds == {AnnouncementKind.HEARING}:
        return "hearings"
    return "bills have new actions" if kinds == {AnnouncementKind.ACTIVITY} else "changes"


def _moved_to(item: Item) -> str:
    return f"{_name(item)} moved to {item.to_status.label}" if item.to_status else _name(item)


def _summary(announcement: Announcement, title: str, items: tuple[Item, ...]) -> str:
    """One sentence that can stand alone: all that a phone's notice shows."""
    if len(items) > 1:
        return clean.line(f"{title}: {'; '.join(_brief(item) for item in items[:10])}", 600)
    item = items[0]
    if item.kind in _FACTS:
        return clean.line(" ".join(_fact(item)), 600)
    prefix = {AnnouncementKind.PROPOSALS: "A proposal waits: ", AnnouncementKind.OPERATIONS: ""}
    lead = prefix.get(announcement.kind, "") + _brief(item, announcement.kind is not AnnouncementKind.PROPOSALS)
    return clean.line(f"{lead}: {_continued(item.sentence)}" if item.sentence.strip() else f"{lead}.", 600)


def _fact(item: Item) -> Iterator[str]:
    """What is new, then what it is about: a phone shows the beginning."""
    if item.kind is not AnnouncementKind.HEARING and not item.sentence.startswith(item.heading):
        yield f"{item.heading}."
    yield from (f"{quote.text.strip()}." for quote in item.quotes[:3] if item.kind is AnnouncementKind.ACTIVITY)
    yield item.sentence


def _brief(item: Item, in_words: bool = False) -> str:
    name = _name(item)
    if item.said:
        return _brief_correction(name, item)
    if item.kind in _FACTS:
        return f"{item.heading} ({item.issue})" if item.issue else item.heading
    if item.to_status is None or not _moved(item):
        return f"{name}: {_headline(item)}" if _headline(item) and item.issue else name
    if in_words:
        origin = f"from {item.from_status.label} " if item.from_status else ""
        return f"{name} moved {origin}to {item.to_status.label}"
    move = f"{item.from_status.label} → {item.to_status.label}" if item.from_status else item.to_status.label
    return f"{name}, {move}"


def _brief_correction(name: str, item: Item) -> str:
    if item.from_status is None or item.to_status is None or not _moved(item):
        return f"Correction: {name}"
    return f"Correction: {name} is {item.to_status.label}, not {item.from_status.label}"


def _continued(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence.startswith(_SMALL_STARTS) else sentence


def _preheader(items: tuple[Item, ...]) -> str:
    if len(items) > 1:
        return clean.line("; ".join(_brief(item) for item in items), 150)
    if items[0].kind in _FACTS:
        return clean.line(" ".join(quote.text for quote in items[0].quotes) or items[0].sentence, 150)
    before = items[0].from_status
    lead = f"{before.label} before. " if before and _moved(items[0]) and not items[0].said else ""
    return clean.line(lead + items[0].sentence, 150)


def _approved(announcement: Announcement, zone: tzinfo) -> str:
    """Only a notice sent at once is made on the day of its approval."""
    decided = [item for item in announcement.items if item.kind not in _FACTS]
    if not decided:
        return ""
    if len(decided) < len(announcement.items):
        return "A maintainer approved each change of the board; what is from the record has not been reviewed."
    if len(announcement.items) > 1:
        return "A maintainer approved each change."
    if announcement.cadence is not Cadence.IMMEDIATE:
        return "A maintainer approved this change."
    done = "published this correction" if announcement.items[0].said else "approved this change"
    return f"A maintainer {done} on {long_date(announcement.created_at.astimezone(zone).date())}."


def _cards(kind: AnnouncementKind, title: str, items: tuple[Item, ...]) -> Iterator[Card]:
    told = _name(items[0]) if len(items) == 1 and _name(items[0]) in title else ""
    following = [*((item.url, item.action_url) for item in items[1:]), ("", "")]
    for item, (next_url, next_action) in zip(items, following, strict=True):
        name = _name(item)
        card = _card(item.kind or kind, item, name="" if name == told else name, above=title)
        # A digest says why each is in it; of one fact alone the footer says less than its own reason.
        card = card if len(items) > 1 or item.kind in _FACTS else replace(card, because="")
        yield replace(
            card,
            url="" if item.url == next_url else card.url,
            action_url="" if item.action_url == next_action else card.action_url,
        )
        told = name


def _card(kind: AnnouncementKind, item: Item, *, name: str, above: str) -> Card:
    headline = "" if _moved(item) and not item.said else _headline(item)
    rows = tuple(_row(quote) for quote in item.quotes if quote.text.strip())
    sentence, right = (f"We said: “{item.said.strip()}”", item.sentence) if item.said else (item.sentence, "")
    labelled = (
        ("What is right.", right),
        (_NARRATIVE_LABEL.get(kind, _BOARD_SAYS), item.narrative),
        *item.notes,
        ("What comes next.", item.comes_next),
    )
    reference = clean.line(item.reference, 40)
    return Card(
        name=name,
        title="" if headline == above or (item.said and not name) else headline,
        before=item.from_status if _moved(item) else None,
        now=item.to_status,
        before_label="We said" if item.said else _BEFORE,
        now_label=_now_label(kind, item),
        sentence=clean.line(sentence, SENTENCE_LIMIT),
        rows=rows[:ROWS_SHOWN],
        rows_left=len(rows[ROWS_SHOWN:]),
        notes=tuple((label, clean.line(text, SENTENCE_LIMIT)) for label, text in labelled if text.strip()),
        command=f"monitor proposals show {reference}" if reference and kind is AnnouncementKind.PROPOSALS else "",
        action_url=clean.link(item.action_url),
        links=tuple((clean.line(label, 120), clean.link(url)) for label, url in item.links if clean.link(url)),
        url=clean.link(item.url),
        because=clean.line(item.because, 400),
        brief=clean.line(f"{_brief(item)} ({reference}): {item.sentence}" if reference else _brief(item), 200),
        issue=_name(item),
        page=clean.link(item.url),
    )


def _now_label(kind: AnnouncementKind, item: Item) -> str:
    if item.said:
        return "Right"
    return "Suggested" if kind is AnnouncementKind.PROPOSALS else "Now"


def _row(quote: Quote) -> Row:
    """The site writes its dates 6/9/2025; two blanks part date and text, as in its own column."""
    text = clean.line(quote.text, 500)
    dated = f"{quote.on.month}/{quote.on.day}/{quote.on.year}  {text}" if quote.on else text
    return Row(dated, clean.link(quote.url))
