"""What the page of sources shows, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from monitor.model.tracking import SourceKind, Verdict
from monitor.store.schema import Host, Source
from monitor.web import words
from monitor.web.words import When

KINDS = {
    SourceKind.BILL_FEED: "Bulk files",
    SourceKind.BILL_PAGE: "Bill page",
    SourceKind.ACTS_PAGE: "List of acts",
    SourceKind.DOCUMENT_LIST: "Documents",
    SourceKind.FEED: "Feed",
}

VERDICTS = {
    Verdict.OK: "Read well",
    Verdict.NOT_MODIFIED: "Read well, nothing new",
    Verdict.ABSENT: "The site says there is no such bill",
    Verdict.SOFT_ERROR: "An error page",
    Verdict.BLOCKED: "Refused",
    Verdict.LAYOUT_CHANGED: "The page looks different",
    Verdict.WRONG_PAGE: "Another page came",
    Verdict.TRUNCATED: "Cut off",
    Verdict.SHRUNK: "Most of it is gone: a person must look",
    Verdict.UNREACHABLE: "Cannot be reached",
    Verdict.TOO_LARGE: "Too large",
}


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source. ``url`` is empty unless a browser may follow it."""

    id: int
    kind: str
    name: str
    url: str
    is_well: bool
    verdict: str
    error: str
    failures: str
    since: When | None
    good: When | None
    due: When | None
    is_due: bool
    spent: str


@dataclass(frozen=True, slots=True)
class HostLine:
    """A host in trouble, or one that asked us to wait."""

    name: str
    since: When | None
    until: When | None
    error: str


def line(source: Source, now: datetime) -> SourceLine:
    """One source in words."""
    return SourceLine(
        id=source.id,
        kind=KINDS[SourceKind(source.kind)],
        name=name(source),
        url=web_address(source.url),
        is_well=source.failures == 0,
        verdict=VERDICTS[Verdict(source.verdict)] if source.verdict else "Not read yet",
        error=source.error or "" if source.failures else "",
        failures=words.count(source.failures, "read", "reads in a row") if source.failures else "",
        since=words.at(source.outage_since) if source.outage_since else None,
        good=words.at(source.last_good_at) if source.last_good_at else None,
        due=words.at(source.next_check_at) if source.next_check_at else None,
        is_due=source.next_check_at is not None and source.next_check_at <= now,
        spent=f"{words.count(source.requests, 'request')}, {size(source.bytes_read)}",
    )


def name(source: Source) -> str:
    """What people call it: the bill, or the end of its address."""
    if source.bill is not None:
        return f"{source.bill.label} ({source.bill.session})"
    tail = end_of(source.url)
    return f"{urlsplit(source.url).hostname}: {tail}" if source.kind == SourceKind.FEED else tail or source.slug


def end_of(url: str) -> str:
    """What tells an address from its neighbors: the query, else the last step of the path."""
    parts = urlsplit(url)
    return unquote(parts.query or parts.path.rsplit("/", 1)[-1] or parts.path)


def web_address(url: str) -> str:
    """``url`` if a browser may follow it, else nothing."""
    return url if urlsplit(url).scheme in ("http", "https") else ""


def size(number: int) -> str:
    """Bytes in the unit that keeps them readable: "1.4 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return f"{number} bytes"


def hosts(rows: Sequence[Host], now: datetime) -> list[HostLine]:
    """Those that cannot be reached or want us to wait."""
    return [
        HostLine(
            row.host,
            words.at(row.outage_since) if row.outage_since else None,
            words.at(row.not_before) if row.not_before and row.not_before > now else None,
            row.last_error,
        )
        for row in rows
        if row.outage_since or (row.not_before and row.not_before > now)
    ]
