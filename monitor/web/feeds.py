"""The board for programs: board.json and Atom."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret.sentences import plain_title
from monitor.model.legislature import BillKey
from monitor.store import moves, watched
from monitor.store.watched import WatchedBill
from monitor.web import calendar, share
from monitor.web.board_view import Row, read_board
from monitor.web.history import Move
from monitor.workflow.context import Context
from monitor.workflow.sync import bill_page_url

#: The version of board.json. Keys are added within a version, never renamed or removed.
VERSION = 1

_ATOM = "http://www.w3.org/2005/Atom"
#: The day from which on our tag: addresses hold (RFC 4151); it never changes.
_TAG_DAY = "2025-01-01"
#: So many moves stand in a feed; older ones stand on the pages.
MOST = 100
#: What XML 1.0 cannot hold, even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# ------------------------------------------------------------------ board.json


def board_json(session: Session, context: Context) -> bytes:
    """The whole board; docs/reference/board-json.md says what each key means."""
    found = read_board(session, context)
    own = watched.bills_of_issues(session)
    hearings = calendar.coming(session, context)
    last = moves.last_moved(session)
    base = context.config.sources.cga.base_url
    value = {
        "version": VERSION,
        "title": context.config.web.title,
        "organization": context.config.organization.name,
        "url": share.address("board.board"),
        "verified_at": found.fresh.verified.iso if found.fresh.verified else None,
        "updated_at": found.fresh.updated.iso if found.fresh.updated else None,
        "sources": {"total": found.fresh.total, "read_well": found.fresh.well},
        "legislature": found.fresh.legislature,
        "topics": [
            {
                "id": topic.id,
                "name": topic.name,
                "issues": [_issue(row, own.get(row.id, []), last.get(row.id), base) for row in topic.rows],
            }
            for topic in found.topics
        ],
        "hearings": [
            {**_key(one.key), "on": one.on.iso, "url": one.official, "issues": [issue_id for issue_id, _ in one.issues]}
            for one in hearings
        ],
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _issue(row: Row, own: Sequence[WatchedBill], changed_at: datetime | None, base: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "url": share.address("board.issue", issue_id=row.id),
        "status": row.status.value,
        "status_label": row.status.label,
        "status_since": row.since_day.isoformat() if row.since_day else None,
        "narrative": row.text,
        "verified_at": row.verified_at.isoformat(timespec="seconds") if row.verified_at else None,
        "changed_at": changed_at.isoformat(timespec="seconds") if changed_at else None,
        "may_be_out_of_date": row.is_old,
        "doubts": list(row.doubts),
        "unreviewed": row.news.sentence if row.news else None,
        "bills": [
            {
                **_key(bill.key),
                "title": plain_title(bill.title),
                "url": bill_page_url(base, bill.key),
                "direction": bill.direction,
                "effect": bill.effect,
                "stage": bill.stage,
            }
            for bill in own
        ],
    }


def _key(key: BillKey) -> dict[str, str]:
    return {"session": key.session, "bill": key.label}


# ------------------------------------------------------------------ Atom


def atom(config: Config, told: Sequence[Move], began: datetime | None, of: tuple[str, str] | None = None) -> bytes:
    """The moves, newest first; ``of`` is the id and name of an issue, if it is one issue's feed.

    ``began`` is the feed's time while nothing moved: nothing here follows the clock.
    """
    feed = Element("feed", xmlns=_ATOM)
    _put(feed, "id", _tag(config, f"issue/{of[0]}" if of else "board"))
    _put(feed, "title", f"{of[1]} – {config.web.title}" if of else config.web.title)
    updated = max([move.at for move in told], default=began) or datetime(2025, 1, 1, tzinfo=UTC)
    _put(feed, "updated", _moment(updated))
    endpoint, values = ("board.issue_atom", {"issue_id": of[0]}) if of else ("board.atom", {})
    SubElement(feed, "link", rel="self", href=share.address(endpoint, **values))
    page = share.address("board.issue", **values) if of else share.address("board.board")
    SubElement(feed, "link", rel="alternate", href=page)
    _put(SubElement(feed, "author"), "name", config.organization.name)
    for move in told[:MOST]:
        _entry(feed, config, move)
    body: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _entry(feed: Element, config: Config, move: Move) -> None:
    entry = SubElement(feed, "entry")
    _put(entry, "id", _tag(config, f"move/{move.id}"))
    _put(entry, "title", title(move))
    _put(entry, "updated", _moment(move.at))
    _put(entry, "published", _moment(datetime.fromisoformat(move.published.iso)))
    href = f"{share.address('board.issue', issue_id=move.issue_id)}#move-{move.id}"
    SubElement(entry, "link", rel="alternate", href=href)
    said = [move.sentence, *(f"“{proof.quote}”" for proof in move.proofs)]
    if move.corrected_by is not None:
        said.insert(0, f"Corrected on {move.corrected_on}.")
    content = _put(entry, "content", "\n".join(said))
    content.set("type", "text")


def title(move: Move) -> str:
    """ "Qualified immunity: now Legislation Achieved", "Correction: Qualified immunity"."""
    if move.corrects is not None:
        return f"Correction: {move.issue}"
    return f"{move.issue}: now {move.after.label}" if move.moved else f"{move.issue}: text changed"


def _tag(config: Config, what: str) -> str:
    host = urlsplit(str(config.organization.board_url or "")).hostname or config.organization.contact.partition("@")[2]
    return f"tag:{host},{_TAG_DAY}:{what}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _put(parent: Element, name: str, text: str) -> Element:
    child = SubElement(parent, name)
    child.text = _NO_XML.sub("", text)
    return child
