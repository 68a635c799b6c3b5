"""The list of all acts: ``/asp/CGATodayFileCopies/CGAAllPA.asp``, one heading and table for each session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from monitor.extract import fingerprint, page
from monitor.extract.base import ExtractError, pick
from monitor.model.legislature import Act, ActList, BillKey
from monitor.model.tracking import SourceKind, Verdict

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_AS_OF = re.compile(r"All(?:\s|\xa0|&nbsp;?)+Acts(?:\s|\xa0|&nbsp;?)+as(?:\s|\xa0|&nbsp;?)+of", re.IGNORECASE)
_YEAR = re.compile(r"\b(\d{4})\b")
_BILL = re.compile(r"\b([HS])\W{0,2}([BJR])\W{0,2}(?:R\W{0,2})?(?:No\W{0,2})?0*([1-9]\d{0,4})\b", re.IGNORECASE)
_ACT = re.compile(r"\b(Public|Special)\s+Act\b\D*?(?:(\d{2})-)?(\d{1,4})\b", re.IGNORECASE)
#: A cell (or its link) that begins with an act number, as written: none may be lost in parsing.
_RAW_ACT_CELL = re.compile(
    r">(?:\s|\xa0|&nbsp;?)*(?:Public|Special)(?:\s|\xa0|&nbsp;?)+Act(?:\s|\xa0|&nbsp;?)+No", re.IGNORECASE
)
HEADERS = ["bill no.", "bill title", "public act"]


class ActsPage:
    kind = SourceKind.ACTS_PAGE
    version = 1

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> ActList:
        """The acts as listed, newest session first; empty from a session's first day until its first act."""
        text = page.read(body, url, content_type)
        if not _AS_OF.search(text):
            raise page.explain_missing(text, url, "the line 'All Acts as of'")
        if not page.is_complete(text):
            raise page.truncated(url)
        return page.parse(text, partial(_act_list, text=text, url=url))

    def fingerprint(self, body: bytes) -> str | None:
        return fingerprint.of_acts_page(body)


def _act_list(soup: BeautifulSoup, *, text: str, url: str) -> ActList:
    headings = [h3 for h3 in soup.find_all("h3") if "session" in page.text_of(h3).lower()]
    named = [node for node in soup.find_all(["h1", "h2", "h3"]) if re.search(r"\bActs?\b", page.text_of(node))]
    pick(headings or named, what="heading with a session's name, or the list's own,", where=url)
    acts = tuple(act for heading in headings for act in _acts(heading, url))
    written = len(_RAW_ACT_CELL.findall(text))
    if written > len(acts):
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"{written} act numbers on the page, {len(acts)} read: {url}")
    return ActList(acts)


def _acts(heading: Tag, url: str) -> Iterator[Act]:
    """The rows of the table that follows ``heading`` before the next one."""
    following = next(page.tags([heading.find_next(["h3", "table"])]), None)
    if following is None or following.name != "table":
        return
    session = page.text_of(heading)
    years = pick(_YEAR.findall(session), what=f"year in the session's name {session!r}", where=url, expect=1)
    rows = [[page.text_of(cell) for cell in row.find_all(["td", "th"])] for row in following.find_all("tr")]
    rows = [row for row in rows if any(row)]
    if not rows:
        return
    if [cell.lower() for cell in rows[0]] != HEADERS:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"expected the columns {HEADERS}, found {rows[0]}, on {url}")
    yield from (_act(row, session, years[0], url) for row in rows[1:])


def _act(row: list[str], session: str, year: str, url: str) -> Act:
    bill, act = (_BILL.search(row[0]), _ACT.search(row[2])) if len(row) == len(HEADERS) else (None, None)
    if bill is None or act is None or not row[1]:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"expected bill, title and act number, found {row}, on {url}")
    key = BillKey(year, f"{bill[1]}{bill[2]}{bill[3]}".upper())
    return Act(session, key, _number(act, year), row[1])


def _number(act: re.Match[str], year: str) -> str:
    """ "25-151" for a public act, "SA 25-12" for a special act: the two are numbered apart. The page gives no year."""
    number = f"{act[2] or year[2:]}-{int(act[3])}"
    return number if act[1].lower() == "public" else f"SA {number}"
