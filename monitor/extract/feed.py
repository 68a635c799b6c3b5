"""RSS and Atom feeds, such as the ACLU of Connecticut's reports. The legislature itself has none."""

from __future__ import annotations

import calendar
import codecs
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from monitor.extract import fingerprint, page
from monitor.extract.base import ExtractError
from monitor.extract.text import decode, fold
from monitor.model.legislature import Feed, FeedEntry
from monitor.model.tracking import SourceKind, Verdict

_ROOT_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>(?:\s|<!--.*?-->)*\0*$", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")


class FeedReader:
    kind = SourceKind.FEED
    version = 1

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> Feed:
        page.refuse_error_address(url)
        if not body.removeprefix(codecs.BOM_UTF8).strip(b" \t\r\n\0"):
            raise ExtractError(Verdict.SOFT_ERROR, f"an empty feed was served as if it were good: {url}")
        parsed = _parsed(body, url, content_type)
        entries = tuple(_unique(_entry(entry, url) for entry in parsed.entries))
        if not entries:
            raise ExtractError(Verdict.LAYOUT_CHANGED, f"the feed has no entries: {url}")
        return Feed(_plain(parsed.feed.get("title", "")), entries)

    def fingerprint(self, body: bytes) -> str | None:
        return fingerprint.of_bytes(body) if _ROOT_END.search(body, max(0, len(body) - 2000)) else None


def _parsed(body: bytes, url: str, content_type: str | None) -> Any:
    """feedparser's reading: lenient about bad XML, so completeness is checked here."""
    import feedparser

    headers = {"content-type": content_type} if content_type else {}
    try:
        # A stream, never the bytes themselves: feedparser would open a body that looks like an address.
        parsed = feedparser.parse(io.BytesIO(body), response_headers=headers, sanitize_html=False)
    except Exception as error:  # feedparser lets parsers' errors through on broken input
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"the feed cannot be parsed ({error!r}): {url}") from error
    if not parsed.version:
        raise page.explain_missing(decode(body, content_type), url, "an RSS or Atom feed")
    if not _ROOT_END.search(body, max(0, len(body) - 2000)):
        raise ExtractError(Verdict.TRUNCATED, f"the feed breaks off before its end: {url}")
    return parsed


def _entry(entry: Any, url: str) -> FeedEntry:
    link = page.address(entry.get("link", ""), url)
    identity = fold(entry.get("id", "")) or link
    if not identity:
        raise ExtractError(Verdict.LAYOUT_CHANGED, f"an entry has neither id nor link, in the feed {url}")
    return FeedEntry(identity, link, _plain(entry.get("title", "")), _published(entry))


def _published(entry: Any) -> datetime | None:
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), UTC) if moment else None
    except (ValueError, OverflowError, OSError):
        return None


def _plain(title: str) -> str:
    return fold(_TAG.sub("", title))


def _unique(entries: Iterator[FeedEntry]) -> list[FeedEntry]:
    found: dict[str, FeedEntry] = {}
    for entry in entries:
        found.setdefault(entry.id, entry)
    return list(found.values())
