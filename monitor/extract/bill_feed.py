"""The bulk files: one request covers the whole session.

``bill_history.csv``, ``bill_info.csv``, ``subject.csv`` and ``committee.csv``; the file's name, the last part of
the address, says which. No encoding is declared and cp1252 stands beside UTF-8 within one file.

A full session has 18,000 rows and few of them change, so besides ``extract`` there is a cheap road:
``changed_bills(old, new)`` compares raw lines, ``raw_rows(body, bills)`` reads only the bills asked for, and
``bill_actions(rows)`` types them.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from functools import lru_cache
from operator import itemgetter
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from monitor.extract import fingerprint, page
from monitor.extract.base import ExtractError
from monitor.extract.text import decode, fold
from monitor.model.committees import COMMITTEES
from monitor.model.legislature import ActionRow, BillHistoryFile, BillInfoFile, CommitteeFile, Record, SubjectFile
from monitor.model.tracking import SourceKind, Verdict

Row = tuple[str, ...]  # bill_num, act_date, act_desc, qual1, qual2 as the file has them

HISTORY = ("bill_num", "act_date", "act_desc", "qual1", "qual2")
INFO = ("sess_year", "bill_num", "bill_title")
SUBJECT = ("bill_num", "subj_desc")
COMMITTEE = ("comm_code", "comm_name")

_IDENTIFIER = re.compile(r"([A-Z]{2})[- ]?0*(\d{1,5})", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?")
#: "REF. TO JOINT COMM. ON" and the like take the committee whose code stands in qual1.
_WANTS_COMMITTEE = re.compile(r"\b(?:COMM\.|COMMITTEE) ON$", re.IGNORECASE)
#: How nearly all lines of the history begin, and all must for the cheap road.
_LINE = re.compile(rb"^\"?([A-Z]{2}\d{5})\"?,", re.MULTILINE)
#: A quote left open swallows the lines after it, and with them other bills' rows.
_SWALLOWED = re.compile(r"[\r\n]\s*\"?(?:\d{4}\"?,\"?)?[HS][BJR]-?\d{3,5}\b")
_OLD_COMMITTEE = re.compile(r"^([A-Z]{2,3})\*([^*\n]+)\*", re.MULTILINE)


class BillFeed:
    kind = SourceKind.BILL_FEED
    version = 1

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> Record:
        name = PurePosixPath(urlsplit(url).path).name.lower()
        reader = READERS.get(name)
        if reader is None:
            raise ExtractError(Verdict.WRONG_PAGE, f"no bulk file is called {name!r}, only {', '.join(READERS)}: {url}")
        return reader(_text(body, name, content_type), name)

    def fingerprint(self, body: bytes) -> str | None:
        return fingerprint.of_bytes(body)


def history_rows(body: bytes) -> dict[str, list[Row]]:
    """Every bill's rows as the file has them, in file order, each checked to have a bill and a date."""
    grouped: dict[str, list[Row]] = defaultdict(list)
    for line, row in _table(_text(body, HISTORY_FILE, None), HISTORY_FILE, HISTORY):
        _day(row[1], line)
        grouped[_identifier(row[0])].append(row)
    return dict(grouped)


def changed_bills(old: bytes, new: bytes) -> frozenset[str]:
    """The bills whose lines differ between two history files, ``old`` being one that was read before.

    Compares lines as bytes and parses only those that ``old`` lacks. Order within a file is no difference.
    """
    if old == new:
        return frozenset()
    before, after = Counter(_lines(old)), Counter(_lines(new))
    if not _is_plain(new) or not _is_plain(old) or next(iter(before)) != next(iter(after)):
        return _differing(history_rows(old), history_rows(new))
    header, added = next(iter(after)), after - before
    if added:
        history_rows(b"\n".join([header, *added]) + _end(new, added))
    return frozenset(line[:9].strip(b'",')[:7].decode() for line in (added | (before - after)))


def raw_rows(body: bytes, bills: Collection[str]) -> dict[str, list[Row]]:
    """The rows of ``bills`` alone. The rest of the file is not looked at: read it with ``extract`` once."""
    if not _is_plain(body):
        return {bill: rows for bill, rows in history_rows(body).items() if bill in bills}
    wanted = {bill.encode() for bill in bills}
    header, *lines = _lines(body)
    kept = [line for line in lines if line[:7] in wanted or line[1:8] in wanted]
    return history_rows(b"\n".join([header, *kept, b""])) if kept else {}


def bill_actions(rows: Iterable[Row]) -> tuple[ActionRow, ...]:
    """One bill's typed rows, oldest first; rows of one day in the order of the file."""
    actions = (ActionRow(_day(day, 0), _description(text, *quals)) for _, day, text, *quals in rows)
    return tuple(sorted(actions, key=lambda action: action.date))


def action_years(body: bytes) -> Counter[int]:
    """How many rows of a history file are dated in which year: the file does not say which session it is."""
    return Counter(_day(row[1], 0).year for rows in history_rows(body).values() for row in rows)


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.splitlines() if line.strip()]


def _is_plain(body: bytes) -> bool:
    """Whether every line but the first begins with a bill's number, so that a line is a row."""
    head, _, rest = body.partition(b"\n")
    return b"bill_num" in head.lower().split(b",")[0] and len(_LINE.findall(rest)) == len(_lines(rest)) > 0


def _end(new: bytes, added: Counter[bytes]) -> bytes:
    """The line end that the last of ``added`` has in the file: without one it may be cut off."""
    return b"\n" if new.endswith((b"\n", b"\r")) or _lines(new)[-1] not in added else b""


def _differing(before: Mapping[str, list[Row]], after: Mapping[str, list[Row]]) -> frozenset[str]:
    bills = before.keys() | after.keys()
    return frozenset(bill for bill in bills if Counter(before.get(bill, ())) != Counter(after.get(bill, ())))


def _history(text: str, name: str) -> BillHistoryFile:
    rows: dict[str, list[ActionRow]] = defaultdict(list)
    for line, (number, day, desc, *quals) in _table(text, name, HISTORY):
        rows[_identifier(number)].append(ActionRow(_day(day, line), _description(desc, *quals)))
    by_date = {bill: tuple(sorted(actions, key=lambda action: action.date)) for bill, actions in rows.items()}
    return BillHistoryFile(by_date)


def _info(text: str, name: str) -> BillInfoFile:
    """The session most bills are of: while a new one begins the file may hold a few of it beside the old."""
    rows = [row for _, row in _table(text, name, INFO)]
    years = Counter(year.strip() for year, _, _ in rows)
    session = max(years, key=lambda year: (years[year], year))
    if not re.fullmatch(r"\d{4}", session):
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{name}: expected a session year, found {session!r}")
    titles = {_identifier(number): fold(title) for year, number, title in rows if year.strip() == session}
    return BillInfoFile(session, titles)


def _subjects(text: str, name: str) -> SubjectFile:
    found: dict[str, list[str]] = defaultdict(list)
    for _, (number, subject) in _table(text, name, SUBJECT):
        found[_identifier(number)].append(fold(subject))
    return SubjectFile({bill: tuple(subjects) for bill, subjects in found.items()})


def _committees(text: str, name: str) -> CommitteeFile:
    rows = (row for _, row in _table(text, name, COMMITTEE))
    return CommitteeFile({fold(code): fold(title).removesuffix(" Committee") for code, title in rows})


def _old_committees(text: str, name: str) -> CommitteeFile:
    """``committee.txt``: fields divided by asterisks, a description in between that runs over lines."""
    names = {code: fold(title).removesuffix(" Committee") for code, title in _OLD_COMMITTEE.findall(text)}
    if not names:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{name}: expected lines such as AGE*Aging Committee*…")
    return CommitteeFile(names)


HISTORY_FILE = "bill_history.csv"
READERS: Mapping[str, Callable[[str, str], Record]] = {
    HISTORY_FILE: _history,
    "bill_info.csv": _info,
    "subject.csv": _subjects,
    "committee.csv": _committees,
    "committee.txt": _old_committees,
}


def _text(body: bytes, name: str, content_type: str | None) -> str:
    text = decode(body, content_type).replace("\0", "").lstrip("\ufeff")
    if not text.strip():
        raise ExtractError(Verdict.SOFT_ERROR, f"{name} is empty: the site fails silently; wait for the next one")
    if text.lstrip().startswith("<"):
        error = page.explain_missing(text, name, "comma-separated values")
        raise ExtractError(Verdict.SOFT_ERROR, f"a web page stands in place of {name}: {error.message}")
    return text


def _table(text: str, name: str, columns: Row) -> list[tuple[int, Row]]:
    """The columns asked for of every row, with its line number."""
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        width, places = _places(next(reader), columns, name)
        rows = [(reader.line_num, cells) for cells in reader if any(cells)]
    except (csv.Error, StopIteration) as error:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{name}, line {reader.line_num}: {error}") from error
    if not rows:
        raise ExtractError(Verdict.SOFT_ERROR, f"{name} has a header and no rows: the site fails silently; wait")
    _refuse_cut_off(text, rows[-1], width, name)
    take = itemgetter(*places)
    return [(line, take(_checked(cells, width, line, name))) for line, cells in rows]


def _places(header: list[str], columns: Row, name: str) -> tuple[int, list[int]]:
    """The header's width and where the columns stand; case, blanks and further columns do not matter."""
    found = [re.sub(r"\s+", "_", fold(cell).lower()) for cell in header]
    if missing := [column for column in columns if column not in found]:
        raise ExtractError(
            Verdict.LAYOUT_CHANGED, f"{name}, line 1: expected the columns {', '.join(missing)}, found {header}"
        )
    return len(header), [found.index(column) for column in columns]


def _checked(cells: list[str], width: int, line: int, name: str) -> list[str]:
    if len(cells) != width and (len(cells) < width or any(cells[width:])):
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{name}, line {line}: {len(cells)} columns instead of {width}")
    if any("\n" in cell and _SWALLOWED.search(cell) for cell in cells):
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{name}, line {line}: a quote before it is never closed")
    return cells


def _refuse_cut_off(text: str, last: tuple[int, list[str]], width: int, name: str) -> None:
    """A last line without line end is complete only if it has all its columns and no open quote."""
    if text.endswith(("\n", "\r")):
        return
    line, cells = last
    if len(cells) < width or text[text.rfind("\n") + 1 :].count('"') % 2:
        raise ExtractError(Verdict.TRUNCATED, f"{name} breaks off in line {line}")


def _identifier(number: str) -> str:
    """ "HB05001", however the file pads it; what is no bill number stays as it is, nobody watches it."""
    match = _IDENTIFIER.fullmatch(number.strip())
    return f"{match[1].upper()}{int(match[2]):05d}" if match else fold(number)


def _day(text: str, line: int) -> date:
    """The date of a row; its time is always midnight."""
    day = _date(text)
    if day is None:
        where = f", line {line}" if line else ""
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{HISTORY_FILE}{where}: {text!r} is no date such as 2025-01-08")
    return day


@lru_cache(maxsize=4096)
def _date(text: str) -> date | None:
    match = _DATE.fullmatch(text.strip())
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


@lru_cache(maxsize=8192)
def _description(text: str, qual1: str, qual2: str) -> str:
    """``act_desc`` with its qualifiers: a committee by name, else a hearing day, a deadline or a number."""
    text, qual1 = fold(text), fold(qual1)
    if _WANTS_COMMITTEE.search(text):
        qual1 = COMMITTEES.get(qual1.upper(), qual1)
    return fold(f"{text} {qual1} {qual2}")
