"""The bill-status page: ``/asp/cgabillstatus/cgabillstatus.asp?selBillType=Bill&bill_num=HB06623&which_year=2023``.

The layouts are those of 2015 to 2026 and, with ``div.CGASubHeader`` and ``table#CGABillText``, the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

from monitor.extract import fingerprint, page
from monitor.extract.base import ExtractError, pick
from monitor.extract.text import fold
from monitor.model.legislature import ActionRow, Bill, BillKey, Document
from monitor.model.tracking import SourceKind, Verdict

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_ASKED = re.compile(r"^([HS][BJR])?\W*0*([1-9]\d{0,4})$", re.IGNORECASE)
#: "Substitute for Raised H.B. No. 5001", "H.J. No. 12", "Senate Joint Resolution No. 9", "Bill No. 6004"
_NUMBER = re.compile(
    r"\b(?:(?P<chamber>H|S|House|Senate)\b[. ]*(?P<type>B|J|R|Bill|Joint|Resolution)\b[. ]*(?:R\b[. ]*|Resolution )?"
    r"|Bill )"
    r"(?:No\b[. ]*)?0*(?P<number>[1-9]\d{0,4})\b",
    re.IGNORECASE,
)
#: "Session Year 2026"; of a special session also "July Special Session, 2020" or "2025 November Special Session"
_SESSION = re.compile(r"Session\W+(?:Year\W+)?(\d{4})\b|\b(\d{4})\b[\w .]{0,40}Session", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_RAW_DATE_CELL = re.compile(r">(?:\s|\xa0|&nbsp;?|&#160;?)*\d{1,2}/\d{1,2}/\d{4}(?:\s|\xa0|&nbsp;?|&#160;?)*<")
_HISTORY = re.compile(r"\bsummary\s*=\s*[\"']?\s*bill\s+history", re.IGNORECASE)
_TABLE = re.compile(r"<table\b", re.IGNORECASE)
_TABLE_END = re.compile("</table", re.IGNORECASE)
_HISTORY_HEADING = re.compile(r"Bill(?:\s|\xa0|&nbsp;?)+History", re.IGNORECASE)
_STATUS = re.compile(r"^\s*status\s+of\s+bills\s*$", re.IGNORECASE)
_HISTORY_SUMMARY = re.compile(r"^\s*bill\s+history\s*$", re.IGNORECASE)
_CENTERED = re.compile(r"(?<!\S)text-center(?!\S)")
_OLD_HEADING = re.compile(r"(?<!\S)CGASubHeader(?!\S)")
_OLD_DOCUMENTS = re.compile(r"^CGABillText$")
_NO_TITLE = re.compile("Bill History|Co-sponsors", re.IGNORECASE)
_ABSENT = re.compile(r"not\s+found\s+in\s+(?:the\s+)?database", re.IGNORECASE)
_SITE_DOCUMENT = re.compile(r"/\d{4}/(?:TOB|FC|FN|BA|ACT|AMD)/", re.IGNORECASE)
_MEMBER = re.compile("CGAMemberBills", re.IGNORECASE)
#: Below the history these could still be counted or refused: headings, named tables, links to documents.
_COUNTS = ("<h3", "cgasubheader", "cgabilltext", "summary", "/tob/", "/fc/", "/fn/", "/ba/", "/act/", "/amd/")
_NEXT_PART = ("h3", "h4", "h5", "table", "p", "div", "form", "hr")
_COMMITTEE = re.compile(r"(?:\([\w&]+\))?")
_TITLE = re.compile(r"^(?:AN ACT|RESOLUTION|PROPOSED|A JOINT RESOLUTION)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asked for; ``letters`` is empty where it gave a bare number."""

    letters: str
    number: int
    session: str

    def __str__(self) -> str:
        return f"{self.session} {self.letters or 'bill'} {self.number}"


class BillPage:
    kind = SourceKind.BILL_PAGE
    version = 1

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> Bill:
        text = page.read(body, url, content_type)
        asked = _asked(url)
        if not _HISTORY_HEADING.search(text):
            raise _no_history(text, url)
        if not page.is_complete(text):
            raise page.truncated(url)
        text = _without_tail(text)
        return page.parse(text, partial(_bill, text=text, asked=asked, url=url))

    def fingerprint(self, body: bytes) -> str | None:
        return fingerprint.of_bill_page(body)


def _without_tail(text: str) -> str:
    """Without what stands below the history: a thousand tags of co-sponsors cost more than all the rest."""
    start = _HISTORY.search(text)
    end = _TABLE_END.search(text, start.end()) if start else None
    if start is None or end is None or _TABLE.search(text, start.end(), end.start()):
        return text
    below = text[end.end() :].lower()
    return text if any(word in below for word in _COUNTS) else f"{text[: end.end()]}></body></html>"


def _asked(url: str) -> _Asked:
    query = page.query_of(url)
    match = _ASKED.match(query.get("bill_num", ""))
    if match is None:
        raise ExtractError(Verdict.WRONG_PAGE, f"the address names no bill (bill_num=HB06623): {url}")
    if not re.fullmatch(r"\d{4}", query.get("which_year", "")):
        raise ExtractError(
            Verdict.WRONG_PAGE,
            f"the address names no session: without which_year the site silently answers with the current one: {url}",
        )
    return _Asked((match[1] or "").upper(), int(match[2]), query["which_year"])


def _no_history(text: str, url: str) -> ExtractError:
    if _ABSENT.search(text):
        return ExtractError(Verdict.ABSENT, f"the site says it has no such bill: {url}")
    return page.explain_missing(text, url, "1 table 'Bill history'")


def _bill(soup: BeautifulSoup, *, text: str, asked: _Asked, url: str) -> Bill:
    heading = _heading(soup, url)
    key = _key(page.text_of(heading), asked, url)
    return Bill(
        key=key,
        title=_title(heading, url),
        actions=_actions(soup, text, url),
        documents=_documents(soup, url),
        purpose=_purpose(heading),
        sponsors=_sponsors(heading),
    )


def _heading(soup: BeautifulSoup, url: str) -> Tag:
    headings = [*page.marked(soup, "h3", "class", _CENTERED), *page.marked(soup, "div", "class", _OLD_HEADING)]
    named = (node for node in headings if _NUMBER.search(page.text_of(node)))
    return pick(named, what="heading with a bill number", where=url, expect=1)[0]


def _key(heading: str, asked: _Asked, url: str) -> BillKey:
    """The bill the page shows, if it is the one the address asked for."""
    number = _NUMBER.search(heading)
    session = _SESSION.search(heading, number.end()) if number else None
    if number is None or session is None:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"expected a session year in the heading {heading!r}, on {url}")
    shown = _Asked(_letters(number), int(number["number"]), session[1] or session[2])
    if (shown.number, shown.session) != (asked.number, asked.session) or asked.letters not in ("", shown.letters):
        raise ExtractError(Verdict.WRONG_PAGE, f"asked for {asked}, the page shows {shown}: {url}")
    return BillKey(shown.session, f"{shown.letters}{shown.number:05d}")


def _letters(number: re.Match[str]) -> str:
    if number["chamber"]:
        return (number["chamber"][0] + number["type"][0]).upper()
    return "HB" if int(number["number"]) > 5000 else "SB"  # Senate bills number from 1, House bills from 5001


def _title(heading: Tag, url: str) -> str:
    below = heading.find_next("h4")
    text = page.text_of(below) if below else ""
    titles = [text] if text and not _NO_TITLE.match(text) else []
    if "CGASubHeader" in page.attribute(heading, "class"):
        titles = [text for text in map(fold, heading.find_all_next(string=True)) if _TITLE.match(text)]
    return pick(titles, what="title below the bill's number", where=url)[0]


def _purpose(heading: Tag) -> str:
    """The paragraph between title and introducers; some bills state none."""
    paragraphs = (
        node for node in _preamble(heading) if node.name == "p" and "text-justify" in page.attribute(node, "class")
    )
    return next(map(page.text_of, paragraphs), "")


def _preamble(heading: Tag) -> Iterator[Tag]:
    """What stands between the bill's number and the first table."""
    return takewhile(lambda node: node.name != "table", page.tags(heading.next_elements))


def _sponsors(heading: Tag) -> tuple[str, ...]:
    """The introducers: members as links, a committee as bare text; co-sponsors stand further down."""
    headings = (h5 for h5 in _preamble(heading) if h5.name == "h5" and "introduced by" in page.text_of(h5).lower())
    introduced = next(headings, None)
    if introduced is None:
        return ()
    below = list(takewhile(lambda node: getattr(node, "name", None) not in _NEXT_PART, introduced.next_elements))
    members = [page.text_of(node) for node in page.tags(below) if _MEMBER.search(page.attribute(node, "href"))]
    bare = (fold(node) for node in page.strings(below) if introduced not in node.parents)
    return tuple(members or list(filter(None, bare))[:1])


def _documents(soup: BeautifulSoup, url: str) -> tuple[Document, ...]:
    tables = [*page.marked(soup, "table", "summary", _STATUS), *page.marked(soup, "table", "id", _OLD_DOCUMENTS)]
    documents = tuple(document for table in tables for document in _section(table, url))
    if not documents and any(_SITE_DOCUMENT.search(page.attribute(a, "href")) for a in soup.find_all("a", href=True)):
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"expected the documents in tables 'Status of bills', on {url}")
    return documents


def _section(table: Tag, url: str) -> Iterator[Document]:
    head = next(page.tags([table.find("thead")]), None)
    section = page.text_of(head) if head is not None else ""
    for link in table.find_all("a", href=True):
        title, target = page.text_of(link), page.address(page.attribute(link, "href"), url)
        # "[doc]" and "[pdf]" lead to copies of the document on the same line
        if target and title and not (title.startswith("[") and title.endswith("]")):
            yield Document(target, title, section)


def _actions(soup: BeautifulSoup, text: str, url: str) -> tuple[ActionRow, ...]:
    table = _history_table(soup, url)
    rows = [row for row in table.find_all("tr") if row.find("td") and not _is_header(row)]
    if not rows:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"the bill's history is empty: {url}")
    _refuse_lost_rows(rows, text, url)
    _date_column(table, url)
    read = [_action(row, url) for row in rows]
    _refuse_other_dates(read, url)
    # Newest first on the page, same-day rows too; a back-dated row may stand out of order.
    return tuple(sorted((action for action, _ in reversed(read)), key=lambda action: action.date))


def _history_table(soup: BeautifulSoup, url: str) -> Tag:
    tables = page.marked(soup, "table", "summary", _HISTORY_SUMMARY)
    if not tables and soup.find(class_="CGASubHeader"):
        tables = [table for table in soup.find_all("table") if _is_old_history(table)]
    return pick(tables, what="table 'Bill history'", where=url, expect=1)[0]


def _is_old_history(table: Tag) -> bool:
    return not table.find("table") and any(_is_header(row) for row in table.find_all("tr"))


def _is_header(row: Tag) -> bool:
    return [fold(text) for text in page.text_of(row).lower().split()] == ["date", "action", "taken"]


def _date_column(table: Tag, url: str) -> None:
    headers = (row for row in table.find_all("tr") if _is_header(row))
    pick(headers, what="header 'Date … Action Taken' in the table 'Bill history'", where=url, expect=1)


def _refuse_lost_rows(rows: list[Tag], text: str, url: str) -> None:
    """Parsers drop text silently (missing row tags, deep nesting): every date cell must have come through."""
    start = _HISTORY.search(text)
    first = start.start() if start else 0
    end = _TABLE_END.search(text, first)
    written = len(_RAW_DATE_CELL.findall(text, first, end.start() if end else len(text)))
    if written > len(rows):
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{written} dated cells in the history, {len(rows)} read: {url}")


def _action(row: Tag, url: str) -> tuple[ActionRow, bool]:
    """The row, and whether its ``data-value`` agrees with the date a reader sees."""
    cells = list(row.find_all("td"))
    dated = [index for index, cell in enumerate(cells) if _DATE.fullmatch(page.text_of(cell))]
    index = pick(dated, what=f"date in the history row {page.text_of(row)!r}", where=url, expect=1)[0]
    day = _day(page.text_of(cells[index]), url)
    texts = [page.text_of(cell) for cell in cells[index + 1 :]]
    if not texts or not texts[-1] or not _COMMITTEE.fullmatch(" ".join(texts[:-1]).strip()):
        raise ExtractError(
            Verdict.LAYOUT_CHANGED, f"expected a committee and an action after {day.isoformat()} in the history: {url}"
        )
    return ActionRow(day, fold(" ".join(texts))), _agrees(day, page.attribute(cells[index], "data-value"))


def _day(text: str, url: str) -> date:
    month, day, year = (int(part) for part in text.split("/"))
    try:
        return date(year, month, day)
    except ValueError:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"no such date in the history: {text}, on {url}") from None


def _agrees(day: date, data_value: str) -> bool:
    if not re.fullmatch(r"-?\d{1,11}", data_value):
        return True
    try:
        stamp = datetime.fromtimestamp(int(data_value), UTC).date()
    except (OverflowError, ValueError, OSError):
        return False
    return abs((stamp - day).days) <= 1


def _refuse_other_dates(read: list[tuple[ActionRow, bool]], url: str) -> None:
    """The printed date counts, and one odd ``data-value`` is a slip; most of them odd is another date format."""
    odd = sum(not agrees for _, agrees in read)
    if odd * 2 > len(read):
        raise ExtractError(
            Verdict.LAYOUT_CHANGED, f"{odd} of {len(read)} dates in the history contradict their data-value: {url}"
        )
