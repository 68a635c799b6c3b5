"""An announcement becomes a message in a channel's words. Pure: standard library and jinja2 only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from email.headerregistry import Address
from email.utils import format_datetime
from functools import lru_cache
from textwrap import fill
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.model.messaging import Announcement, ChannelKind, Message, Sender
from monitor.model.tracking import Status
from monitor.notify import blocks, clean, mime, wording
from monitor.notify.view import Card, View

EASTERN = ZoneInfo("America/New_York")
#: Gmail cuts a message at 102 KB and hides the rest, the way to leave with it.
HTML_LIMIT = 60_000
#: Most chat services cut or refuse long text; theirs are not known here.
CHAT_LIMIT = 4_000
COLUMNS = 72


@dataclass(frozen=True, slots=True)
class Mark:
    """A status as a coloured cell. The glyph, or its absence, tells it apart without colour."""

    fill: str
    ring: str
    glyph: str


MARKS: Mapping[Status, Mark] = {
    Status.ACHIEVED: Mark("#1e7b43", "#1e7b43", "✓"),
    Status.SOME_PROGRESS: Mark("#f2b705", "#7a5600", ""),
    Status.NO_PROGRESS: Mark("#b8281e", "#b8281e", "✕"),
}


def render(
    announcement: Announcement,
    *,
    channel: ChannelKind,
    sender: Sender,
    zone: tzinfo = EASTERN,
) -> Message:
    """The message that tells ``announcement``, from ``sender``, as everybody gets it: it has no address and no id yet.

    ``zone`` is where dates are told. Raises ValueError if the announcement has no items.
    """
    return _RENDERERS[channel](announcement, sender, zone)


def _email(announcement: Announcement, sender: Sender, zone: tzinfo) -> Message:
    html, shown = _fitting(wording.view(announcement, sender, zone), _html)
    text = "\n\n".join(_wrapped(paragraph) for paragraph in _paragraphs(shown)) + "\n"
    headers = _headers(announcement, sender, shown)
    attached = announcement.attachments
    return Message(ChannelKind.EMAIL, "", "", shown.subject, text, html=html, headers=headers, attachments=attached)


def _slack(announcement: Announcement, sender: Sender, zone: tzinfo) -> Message:
    payload, shown = _fitting(wording.view(announcement, _unsigned(sender), zone), blocks.payload)
    return Message(ChannelKind.SLACK, "", "", shown.subject, shown.summary, payload=payload)


def _chat(announcement: Announcement, sender: Sender, zone: tzinfo) -> Message:
    text, shown = _fitting(wording.view(announcement, _unsigned(sender), zone), _chat_text)
    subject = clean.clip(clean.chat(shown.subject), wording.SUBJECT_LIMIT)
    return Message(ChannelKind.APPRISE, "", "", subject, text)


def _unsigned(sender: Sender) -> Sender:
    """A page that anybody in the channel could open is nobody's own."""
    return replace(sender, alerts_url="")


_RENDERERS: Mapping[ChannelKind, Callable[[Announcement, Sender, tzinfo], Message]] = {
    ChannelKind.EMAIL: _email,
    ChannelKind.SLACK: _slack,
    ChannelKind.APPRISE: _chat,
}


def _fitting(view: View, make: Callable[[View], str | None]) -> tuple[str, View]:
    """The fullest telling that ``make`` finds short enough, and what it tells."""
    for smaller in view.smaller():
        if (made := make(smaller)) is not None:
            return made, smaller
    raise AssertionError("a message that only counts its items fits every limit")


def _headers(announcement: Announcement, sender: Sender, view: View) -> tuple[tuple[str, str], ...]:
    """All but To, Subject, Message-ID and what is the reader's own. The date is the announcement's: a repeat is the
    same message."""
    organization = clean.header(view.organization)
    headers = [
        ("From", str(Address(display_name=organization, addr_spec=sender.address))),
        ("Date", format_datetime(announcement.created_at)),
        ("Auto-Submitted", "auto-generated"),
        ("Precedence", "list" if announcement.kind in wording.PUBLIC else "bulk"),
    ]
    if sender.reply_to:
        headers.insert(1, ("Reply-To", clean.header(sender.reply_to, 254)))
    if announcement.kind in wording.PUBLIC:
        headers.append(("List-Id", _list_id(organization, sender)))
    return tuple(headers)


def _list_id(organization: str, sender: Sender) -> str:
    """RFC 2919. Of the name only what needs no quoting there; mail programs sort by what follows it."""
    name = " ".join(re.findall("[A-Za-z0-9]+", organization))[:60].strip()
    return f"{name} <alerts.{sender.address.rpartition('@')[2]}>".strip()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("monitor.notify"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(mark=MARKS.__getitem__, leave_link=mime.leave_link, left_out=wording.left_out)
    return environment


def _html(view: View) -> str | None:
    html = _environment().get_template("email.html.j2").render(view=view)
    return html if len(html.encode()) <= HTML_LIMIT else None


def _chat_text(view: View) -> str | None:
    text = clean.chat("\n\n".join(_paragraphs(view)))
    return text if len(text) <= CHAT_LIMIT else None


def _paragraphs(view: View) -> Iterator[str]:
    """The plain telling: the same facts in the same order as the marked-up ones."""
    yield view.kind
    yield view.title
    if view.contents:
        yield "\n".join(f"* {entry}" for entry in view.contents)
    for card in view.cards:
        yield from _card_paragraphs(card, view.link_label)
    if view.briefs or view.left_out:
        yield "\n".join([*(f"* {card.brief}" for card in view.briefs), wording.left_out(view.left_out)]).strip()
    if view.more:
        yield "\n".join(["All of them:", *(part for name, url in view.more for part in (f"  {name}", f"  {url}"))])
    if view.board_url:
        yield f"See the whole board:\n{view.board_url}"
    yield from _footer(view)


def _card_paragraphs(card: Card, link_label: str) -> Iterator[str]:
    heading = "\n".join(part for part in (card.name, card.title) if part)
    if heading:
        yield heading
    if card.now:
        now = f"{card.now_label}: {card.now.label}"
        yield f"{card.before_label}: {card.before.label}\n{now}" if card.before else f"Status: {card.now.label}"
    if card.sentence:
        yield card.sentence
    if card.rows:
        yield "\n".join(["From the official record:", *_row_lines(card)])
    yield from (f"{label} {text}".strip() for label, text in card.notes)
    if card.command:
        yield f"To decide: {card.command}"
    if card.action_url:
        yield f"Email your lawmaker:\n{card.action_url}"
    yield from (f"{label}:\n{url}" for label, url in card.links)
    if card.url:
        yield f"{link_label}:\n{card.url}"
    if card.because:
        yield card.because


def _row_lines(card: Card) -> Iterator[str]:
    """A row, and the page it stands on, once for rows that follow each other on one page."""
    following = [*(row.url for row in card.rows[1:]), ""]
    for row, next_url in zip(card.rows, following, strict=True):
        yield f"  {row.text}"
        if row.url and row.url != next_url:
            yield f"  {row.url}"
    if card.rows_left:
        yield f"  {wording.left_out(card.rows_left)}"


def _footer(view: View) -> Iterator[str]:
    yield "-" * COLUMNS
    yield " ".join(part for part in (view.why, view.approved) if part)
    if view.manage_url:
        yield f"To change this or to pause:\n{view.manage_url}\nTo leave:\n{view.leave_url}"
    elif view.leave_address:
        yield f"To leave, write to {view.leave_address} with the word leave."
    yield f"{view.organization}, {view.postal_address}"


def _wrapped(paragraph: str) -> str:
    """At most 72 columns; an address stays in one piece, a row keeps its indent."""
    return "\n".join(_wrapped_line(line) for line in paragraph.split("\n"))


def _wrapped_line(line: str) -> str:
    text = line.lstrip(" ")
    if text.startswith(("http://", "https://")):
        return line
    indent = line[: len(line) - len(text)]
    hanging = indent + ("  " if text.startswith("* ") or indent else "")
    return fill(text, COLUMNS, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False)
