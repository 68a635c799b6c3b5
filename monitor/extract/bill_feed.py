"""The bulk files: one request covers the whole session.

``bill_history.csv``, ``bill_info.csv``, ``subject.csv`` and ``committee.csv``; the file's name, the last part of
the address, says which. No encoding is declared and cp1252 stands beside UTF-8 within one file.

A full session has 18,000 rows and few of them change, so besides ``extract`` there is a cheap road:
``changed_histories(old, new)`` compares lines as bytes and reads only the bills that differ, and
``bill_actions(rows)`` types them.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
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
_LINE = re.compile(rb"\"?[A-Z]{2}\d{5}\"?,")
#: A line below the header that begins with no bill's number: the row before it runs on.
_RUNS_ON = re.compile(rb"\n(?!\"?[A-Z]{2}\d{5}\"?,)[^\r\n]")
#: A quote left open swallows the lines after it, and with them other bills' rows.
_SWALLOWED = re.compile(r"[\r\n]\s*\"?(?:\d{4}\"?,\"?)?[HS][BJR]-?\d{3,5}\b")
_YEAR = re.compile(rb",\"?(\d{4})-\d\d-\d\d")


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
    """Every bill's rows as the file has them, in file order, each checked to have its columns and a date."""
    grouped: dict[str, list[Row]] = defaultdict(list)
    for line, row in _table(_text(body, HISTORY_FILE, None), HISTORY_FILE, HISTORY):
        _day(row[1], line)
        grouped[_identifier(row[0])].append(row)
    return dict(grouped)


def changed_histories(old: bytes, new: bytes) -> dict[str, tuple[list[Row], list[Row]]]:
    """For every bill whose rows differ, its rows in ``old`` and in ``new`` (none, if a file lacks it). Order within a
    file is no difference.

    ``old`` was read before. Lines are compared as bytes, and parsed only for the bills that differ.
    Raises ExtractError as ``extract`` does.
    """
    if old == new:
        return {}
    before, after = _lines(old), _lines(new)
    changed = _differing_lines(before, after)
    same_header = before[:1] == after[:1] != []
    if not same_header or _RUNS_ON.search(old) or _RUNS_ON.search(new) or not all(map(_is_one_row, changed)):
        return _differing(history_rows(old), history_rows(new))
    bills = {_number(line) for line in changed}
    return _differing(_rows_of(bills, before, old), _rows_of(bills, after, new))


def bill_actions(rows: Iterable[Row]) -> tuple[ActionRow, ...]:
    """One bill's typed rows, oldest first; rows of one day in the order of the file."""
    actions = (ActionRow(_day(day, 0), _description(text, *quals)) for _, day, text, *quals in rows)
    return tuple(sorted(actions, key=lambda action: action.date))


def action_years(body: bytes) -> Counter[int]:
    """How many rows of a history file are dated in which year: the file does not say which session it is."""
    return Counter(map(int, _YEAR.findall(body)))


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.splitlines() if line]


def _differing_lines(before: list[bytes], after: list[bytes]) -> set[bytes]:
    """The lines that one file has more often than the other."""
    old, new = set(before), set(after)
    repeated = _repeated(before, old).items() ^ _repeated(after, new).items()
    return (old ^ new) | {line for line, _ in repeated}


def _repeated(lines: list[bytes], distinct: set[bytes]) -> dict[bytes, int]:
    return {} if len(lines) == len(distinct) else {line: n for line, n in Counter(lines).items() if n > 1}


def _is_one_row(line: bytes) -> bool:
    """Whether a line stands alone and begins with its bill's number, as nearly all do."""
    return _LINE.match(line) is not None and line.count(b'"') % 2 == 0


def _number(line: bytes) -> bytes:
    return line[1:8] if line.startswith(b'"') else line[:7]


def _rows_of(bills: set[bytes], lines: list[bytes], body: bytes) -> dict[str, list[Row]]:
    """The rows of ``bills``, read alone where that is safe."""
    kept = [line for line in lines if line[:7] in bills or line[1:8] in bills]
    ended = body.endswith((b"\n", b"\r")) or kept[-1:] != lines[-1:]
    if len(lines) < 2 or not all(map(_is_one_row, kept)):  # a file without rows is refused
        everything = history_rows(body)
        return {bill: everything[bill] for bill in map(bytes.decode, bills) if bill in everything}
    if not kept:
        return {}
    try:
        return history_rows(b"\n".join([lines[0], *kept]) + (b"\n" if ended else b""))
    except ExtractError:
        history_rows(body)  # raises the same, and names the line as the file counts them
        raise


def _differing(
    before: Mapping[str, list[Row]], after: Mapping[str, list[Row]]
) -> dict[str, tuple[list[Row], list[Row]]]:
    pairs = ((bill, before.get(bill, []), after.get(bill, [])) for bill in dict.fromkeys([*before, *after]))
    return {bill: (old, new) for bill, old, new in pairs if Counter(old) != Counter(new)}


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


HISTORY_FILE = "bill_history.csv"
READERS: Mapping[str, Callable[[str, str], Record]] = {
    HISTORY_FILE: _history,
    "bill_info.csv": _info,
    "subject.csv": _subjects,
    "committee.csv": _committees,
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
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        width, places = _places(next(reader), columns, name)
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except (csv.Error, StopIteration) as error:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{name}, line {reader.line_num}: {error}") from error
    if not rows:
        raise ExtractError(Verdict.SOFT_ERROR, f"{name} has a header and no rows: the site fails silently; wait")
    spare = width - 1 not in places or columns[places.index(width - 1)] == "qual2"
    _refuse_cut_off(text, rows[-1], width, name, spare)
    if reader.line_num > len(rows) + 1 or any(len(cells) != width for _, cells in rows):
        rows = [(line, _checked(cells, width, line, name)) for line, cells in rows if any(cells)]
    take = itemgetter(*places)
    return [(line, take(cells)) for line, cells in rows]


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


def _refuse_cut_off(text: str, last: tuple[int, list[str]], width: int, name: str, spare: bool) -> None:
    """A last line without line end is whole if it has all its columns, no open quote, and ends in a ``spare`` one.

    That the file was cut exactly between two rows can only be told by the transport.
    """
    if text.endswith(("\n", "\r")):
        return
    line, cells = last
    if not spare or len(cells) < width or text[text.rfind("\n") + 1 :].count('"') % 2:
        raise ExtractError(Verdict.TRUNCATED, f"{name} breaks off in line {line}")


@lru_cache(maxsize=16384)
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
