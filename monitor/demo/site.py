"""The replica as a function: a request in, a reply out. No sockets here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from functools import cached_property
from urllib.parse import parse_qsl, urlsplit

from monitor.demo import bulk, feeds, noise, pages
from monitor.demo.facts import BillFacts, Entry, Facts, Row
from monitor.model.committees import COMMITTEES
from monitor.model.legislature import BillKey

ROBOTS = "User-agent: *\nDisallow: /basin/\n"
HTML, CSV, TEXT = "text/html", "application/octet-stream", "text/plain"
_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


class Promises(StrEnum):
    """How the server speaks of versions."""

    HONEST = "honest"  # a weak ETag of the facts and a true Last-Modified
    LYING = "lying"  # a Last-Modified that never moves; If-Modified-Since always gets 304
    NONE = "none"
    FLAPPING = "flapping"  # another ETag every time


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``number`` counts from 1; ``path`` includes the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    number: int

    @property
    def route(self) -> str:
        """The path alone, lower case: the site does not mind the case."""
        return urlsplit(self.path).path.lower()

    @property
    def query(self) -> dict[str, str]:
        return {name.lower(): value for name, value in parse_qsl(urlsplit(self.path).query)}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes on the wire, and how. Lengths in bytes, times in seconds.

    ``declared`` is the Content-Length to claim: ``AUTO`` the true one, None leaves it out and closes.
    ``stream`` replaces ``body``; ``pace`` waits between its pieces, ``wait`` before anything is sent.
    ``reset`` drops the connection instead of (or, with a body, after) answering.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    stream: Callable[[], Iterable[bytes]] | None = None
    declared: int | None = -1
    pace: float = 0.0
    wait: float = 0.0
    slow_head: bool = False
    reset: bool = False


AUTO = -1


@dataclass(frozen=True)
class Content:
    """A rendered resource, marks not yet filled in."""

    body: bytes
    content_type: str = HTML

    @cached_property
    def etag(self) -> str:
        """Of the facts: the age cells' colours, which change by themselves, are left out."""
        return 'W/"' + hashlib.sha256(_COLOUR.sub(b"", self.body)).hexdigest()[:16] + '"'


_COLOUR = re.compile(rb'bgcolor="#\w+"')


class Site:
    """The facts on a day. Setting ``day``, ``feed_session`` or editing a bill drops what was rendered."""

    def __init__(
        self, facts: Facts, day: date, *, seed: int = 0, noise: bool = True, pad_to: int = 0, odd_pages: bool = True
    ) -> None:
        self.facts = facts
        self.seed = seed
        self.noise = noise
        self.pad_to = pad_to
        self.odd_pages = odd_pages
        self.robots = ROBOTS
        self.base_url = ""
        self.promises = Promises.HONEST
        self._day = day
        self._feed_session = facts.session
        self._bulk = bulk.BulkFiles()
        self._rendered: dict[str, Content] = {}
        self._changed: dict[str, tuple[str, datetime]] = {}

    @property
    def day(self) -> date:
        return self._day

    @day.setter
    def day(self, day: date) -> None:
        self._day = day
        self.forget()

    def forget(self) -> None:
        """Drop what was rendered."""
        self._rendered = {}

    @property
    def feed_session(self) -> str:
        """The session the bulk files are of: the site keeps serving last session's for weeks."""
        return self._feed_session

    @feed_session.setter
    def feed_session(self, session: str) -> None:
        self._feed_session = session
        self.forget()

    def edit(self, key: BillKey, change: Callable[[tuple[Row, ...]], Iterable[Row]]) -> None:
        """Give a bill the rows that ``change`` makes of its rows. ``KeyError`` if there is no such bill."""
        bill = self.facts.bills[key]
        rows = tuple(change(bill.rows))
        self.facts = replace(self.facts, bills={**self.facts.bills, key: replace(bill, rows=rows)})
        self.forget()

    def reply(
        self,
        asked: Asked,
        *,
        promises: Promises | None = None,
        change: Callable[[bytes], bytes] | None = None,
        path: str | None = None,
    ) -> Reply:
        """The honest answer, or the answer about ``path``, with the rendered body passed through ``change``."""
        target = replace(asked, path=path) if path else asked
        content = self.content(target.path)
        if content is None:
            return Reply(
                404, (("Content-Type", HTML),), b"<html><body><h1>404 - File or directory not found.</h1></body></html>"
            )
        if change:
            content = replace(content, body=change(content.body))
        headers, unchanged = self._promise(asked, content, promises or self.promises)
        if unchanged:
            return Reply(304, headers)
        return Reply(200, (("Content-Type", content.content_type), *headers), self._noisy(content, asked.number))

    def _noisy(self, content: Content, number: int) -> bytes:
        if content.content_type in (CSV, TEXT, "application/pdf"):
            return content.body
        return noise.noisy(content.body, self._day, self.seed, number) if self.noise else noise.quiet(content.body)

    def _promise(self, asked: Asked, content: Content, promises: Promises) -> tuple[tuple[tuple[str, str], ...], bool]:
        """The validators to send, and whether the caller's own already say it has this version."""
        given, since = asked.headers.get("if-none-match"), asked.headers.get("if-modified-since")
        if promises is Promises.NONE:
            return (), False
        if promises is Promises.LYING:
            return (("Last-Modified", "Wed, 01 Jan 2020 12:00:00 GMT"),), bool(since)
        if promises is Promises.FLAPPING:
            return (("ETag", f'"{asked.number:x}-{self.seed:x}"'),), False
        modified = self._modified(asked, content)
        headers = (("ETag", content.etag), ("Last-Modified", format_datetime(modified, usegmt=True)))
        return headers, given == content.etag if given else _not_since(modified, since)

    def _modified(self, asked: Asked, content: Content) -> datetime:
        """When this address last got other facts, by the replica's own clock."""
        etag, at = self._changed.get(asked.path, ("", self.now(asked.number)))
        if etag != content.etag:
            at = max(at, self.now(asked.number))
            self._changed[asked.path] = (content.etag, at)
        return at

    def now(self, number: int) -> datetime:
        """The replica's clock: six in the morning of its day, and a second a request."""
        return datetime.combine(self._day, time(6), tzinfo=UTC) + timedelta(seconds=number)

    # --- what there is ---------------------------------------------------------------------------------------------

    def content(self, path: str) -> Content | None:
        """The rendered resource at a path with its query, None if there is none."""
        known = self._rendered.get(path)
        if known is None:
            known = self._render(path)
            if known is not None:
                self._rendered[path] = known
        return known

    def _render(self, path: str) -> Content | None:
        asked = Asked("GET", path, {}, 0)
        route = asked.route
        if route.startswith("/ftp/pub/data/"):
            return self.bulk_file(route.rpartition("/")[2])
        if route.endswith(".pdf"):
            return Content(_PDF, "application/pdf")
        if route.endswith("/taskforce.asp"):
            return self._task_force(asked.query.get("tf", ""))
        render = _ROUTES.get(route)
        return render(self, asked) if render else None

    def bulk_file(self, name: str, *, back_years: int = 0) -> Content | None:
        """One bulk file; with ``back_years`` as an earlier session's would be, complete."""
        bills = self.facts.of_session(self._feed_session)
        day = self._day
        if back_years:
            bills, day = [_moved_back(bill, back_years) for bill in bills], date.max
        if name == "bill_history.csv":
            return Content((bulk.BulkFiles() if back_years else self._bulk).history(bills, day), CSV)
        render = bulk.STATELESS.get(name)
        return Content(render(bills, day), CSV) if render else None

    def bill(self, asked: Asked) -> Content:
        """The status page; without ``which_year``, of the current session."""
        query = asked.query
        session = query.get("which_year") or self.facts.session
        key = _key(session, query.get("bill_num", ""))
        bill = self.facts.bills.get(key) if key else None
        if bill is None or not bill.seen(self._day):
            return _html(pages.missing_page(query.get("bill_num", ""), session))
        odd = self.odd_pages and bill.key.number % 25 == 4
        return _html(pages.bill_page(bill, self._day, pad_to=self.pad_to, odd=odd))

    def acts(self, _asked: Asked) -> Content:
        return _html(pages.acts_page(self.facts.of_session(self.facts.session), self._day))

    def _task_force(self, name: str) -> Content | None:
        for force in self.facts.task_forces:
            if force.name.lower() == name.lower():
                return _html(pages.task_force_page(force, self._day))
        return None

    def committee(self, asked: Asked) -> Content:
        code = asked.query.get("comm_code", "").upper()
        links = pages.agendas(code, self.facts.of_session(self.facts.session), self._day)
        return _html(pages.committee_documents(code, COMMITTEES.get(code, code), links))

    def rss(self, _asked: Asked) -> Content:
        return Content(feeds.rss(self.facts.feed_title, self._entries(), self.base_url).encode(), "application/rss+xml")

    def atom(self, _asked: Asked) -> Content:
        return Content(
            feeds.atom(self.facts.feed_title, self._entries(), self.base_url).encode(), "application/atom+xml"
        )

    def _entries(self) -> list[Entry]:
        return [entry for entry in reversed(self.facts.publications) if entry.published <= self._day]

    def home(self, _asked: Asked) -> Content:
        return _html(pages.home_page())

    def robots_txt(self, _asked: Asked) -> Content:
        return Content(self.robots.encode(), TEXT)

    def maintenance(self, _asked: Asked) -> Content:
        return _html(pages.maintenance_page())


_ROUTES: Mapping[str, Callable[[Site, Asked], Content | None]] = {
    pages.STATUS_PATH: Site.bill,
    "/asp/cgatodayfilecopies/cgaallpa.asp": Site.acts,
    "/asp/menu/commdoclist.asp": Site.committee,
    "/aclu/reports/feed.xml": Site.rss,
    "/aclu/reports/atom.xml": Site.atom,
    "/robots.txt": Site.robots_txt,
    "/error.html": Site.maintenance,
    "/default.asp": Site.home,
    "/": Site.home,
}


def _html(text: str) -> Content:
    return Content(text.encode(), HTML)


def _key(session: str, number: str) -> BillKey | None:
    """ "HB06623", "hb-6623", or a bare number, which is the House's from 5001 on."""
    plain = number.upper().replace("-", "").replace(" ", "")
    if plain.isdigit():
        plain = ("HB" if int(plain) > 5000 else "SB") + plain
    try:
        return BillKey(session, plain)
    except ValueError:
        return None


def _not_since(modified: datetime, since: str | None) -> bool:
    if not since:
        return False
    try:
        return modified <= parsedate_to_datetime(since)
    except ValueError:
        return False


def _moved_back(bill: BillFacts, years: int) -> BillFacts:
    """The bill as another session's of the same number: 364 days a year, so that weekdays stay."""
    back = timedelta(days=364 * years)
    key = BillKey(str(int(bill.key.session) - years), bill.key.identifier)
    return replace(bill, key=key, rows=tuple(Row.of(row.on - back, row.description) for row in bill.rows))
