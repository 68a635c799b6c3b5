"""What the board, the bills and their actions say: by words, newest first. Words are data, never a query language.

The words come from :func:`words_of`, letters and digits alone. Texts come back with what matched between two
characters that no text means; ``pieces`` takes them apart.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, column, func, literal_column, or_, select, table
from sqlalchemy.orm import InstrumentedAttribute, Session, contains_eager

from monitor.store.schema import Action, Bill, Issue, Topic
from monitor.store.schema_search import ACTION_VECTOR, ACTIONS, BILL_VECTOR, BILLS, ISSUE_VECTOR, ISSUES

#: More words narrow nothing any more.
MOST_WORDS = 12

_WORD = re.compile(r"[^\W_]+")
_START, _STOP = "\ue000", "\ue001"
_MARKS = re.compile(f"[{_START}{_STOP}]")


@dataclass(frozen=True, slots=True)
class _Index:
    """How one kind is searched: its FTS5 table and column there, its PostgreSQL words, its key and its text."""

    name: str
    place: int
    vector: ColumnElement[Any]
    key: InstrumentedAttribute[Any]
    fts_key: str
    text: InstrumentedAttribute[str]


_ISSUES = _Index(ISSUES, 2, ISSUE_VECTOR, Issue.id, "id", Issue.narrative)
_BILLS = _Index(BILLS, 0, BILL_VECTOR, Bill.id, "rowid", Bill.title)
_ACTIONS = _Index(ACTIONS, 0, ACTION_VECTOR, Action.id, "rowid", Action.description)


def words_of(text: str) -> tuple[str, ...]:
    """The words of what somebody typed, each once; everything between them separates."""
    return tuple(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether it is what was looked for."""

    text: str
    hit: bool


def pieces(marked: str) -> tuple[Piece, ...]:
    """A text as the database marked it, taken apart."""
    parts = re.split(f"{_START}([^{_START}{_STOP}]*){_STOP}", marked)
    found = (Piece(_MARKS.sub("", part), number % 2 == 1) for number, part in enumerate(parts))
    return tuple(piece for piece in found if piece.text)


def issues(session: Session, words: Sequence[str], limit: int | None) -> list[tuple[Issue, str]]:
    """Active issues whose name or text has all the words (if any), in the board's order."""
    rows = select(Issue).join(Topic).where(Issue.active).options(contains_eager(Issue.topic))
    rows = rows.where(_has(session, _ISSUES, words)) if words else rows
    found = session.scalars(rows.order_by(Topic.position, Issue.position).limit(limit)).all()
    marked = _marked(session, _ISSUES, words, [one.id for one in found]) if words else {}
    return [(one, marked.get(one.id, one.narrative)) for one in found]


def bills(session: Session, words: Sequence[str], limit: int) -> list[tuple[Bill, str]]:
    """Bills whose title has all the words, the latest session first."""
    rows = select(Bill).where(_has(session, _BILLS, words))
    found = session.scalars(rows.order_by(Bill.session.desc(), Bill.identifier).limit(limit)).all()
    marked = _marked(session, _BILLS, words, [one.id for one in found])
    return [(one, marked.get(one.id, one.title)) for one in found]


def numbered(
    session: Session, numbers: Collection[tuple[str, str | None]], acts: Collection[tuple[str, str]], limit: int
) -> list[Bill]:
    """Bills by identifier and (if known) session, and by the number and year of their act."""
    named = [_of(Bill.identifier == identifier, year) for identifier, year in numbers]
    named += [_of(Bill.act == act, year) for act, year in acts]
    if not named:
        return []
    rows = select(Bill).where(or_(*named)).order_by(Bill.session.desc(), Bill.identifier)
    return list(session.scalars(rows.limit(limit)))


def _of(which: ColumnElement[bool], year: str | None) -> ColumnElement[bool]:
    return which if year is None else which & (Bill.session == year)


def actions(
    session: Session, words: Sequence[str], bill_ids: Collection[int] | None, limit: int
) -> list[tuple[Action, Bill, str]]:
    """Actions that have all the words, of these bills or of all, the last seen first."""
    rows = select(Action, Bill).join(Bill, Action.bill_id == Bill.id).order_by(Action.id.desc()).limit(limit)
    rows = rows.where(_has(session, _ACTIONS, words)) if words else rows
    found = session.execute(rows if bill_ids is None else rows.where(Action.bill_id.in_(bill_ids))).all()
    marked = _marked(session, _ACTIONS, words, [action.id for action, _ in found]) if words else {}
    return [(action, bill, marked.get(action.id, action.description)) for action, bill in found]


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _has(session: Session, index: _Index, words: Sequence[str]) -> ColumnElement[bool]:
    if _is_sqlite(session):
        return index.key.in_(_fts(index, words, literal_column(index.fts_key)))
    return index.vector.bool_op("@@")(_plain(words))


def _fts(index: _Index, words: Sequence[str], *wanted: ColumnElement[Any]) -> Select[Any]:
    """FTS5 knows no operator inside quotes, and a word holds no quote."""
    quoted = " ".join(f'"{word}"' for word in words)
    match = literal_column(index.name).bool_op("MATCH")(bindparam(None, quoted))
    return select(*wanted).select_from(table(index.name, column(index.fts_key))).where(match)


def _plain(words: Sequence[str]) -> ColumnElement[Any]:
    return func.plainto_tsquery(literal_column("'english'"), " ".join(words))


def _marked(session: Session, index: _Index, words: Sequence[str], keys: Collection[Any]) -> dict[Any, str]:
    """The texts of the few rows that are shown, cut to what matters, with the matches marked."""
    if not keys:
        return {}
    if _is_sqlite(session):
        key: ColumnElement[Any] = literal_column(index.fts_key)
        snippet = func.snippet(literal_column(index.name), index.place, _START, _STOP, "…", 40)
        rows = _fts(index, words, key, snippet).where(key.in_(keys))
    else:
        options = f'StartSel="{_START}", StopSel="{_STOP}", MaxWords=40, MinWords=25'
        cut = func.ts_headline(literal_column("'english'"), index.text, _plain(words), options)
        rows = select(index.key, cut).where(index.key.in_(keys))
    return {row[0]: row[1] for row in session.execute(rows)}
