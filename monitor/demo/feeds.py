"""The reports feed, in RSS 2.0 and in Atom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from email.utils import format_datetime
from html import escape
from zoneinfo import ZoneInfo

from monitor.demo.facts import Entry
from monitor.demo.pages import AS_OF

_EASTERN = ZoneInfo("America/New_York")


def _at_noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=_EASTERN)


def rss(title: str, entries: Sequence[Entry], base_url: str) -> str:
    """RSS 2.0, newest first; ``lastBuildDate`` is noise."""
    items = "".join(
        f"<item><title>{escape(entry.title)}</title><link>{base_url}/aclu/reports/{entry.slug}</link>"
        f'<guid isPermaLink="false">aclu-ct:{entry.slug}</guid>'
        f"<pubDate>{format_datetime(_at_noon(entry.published))}</pubDate></item>\n"
        for entry in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>\n'
        f"<title>{escape(title)}</title><link>{base_url}/aclu/reports</link><description>Reports</description>"
        f"<lastBuildDate>{AS_OF}</lastBuildDate>\n{items}</channel></rss>\n"
    )


def atom(title: str, entries: Sequence[Entry], base_url: str) -> str:
    """The same entries in Atom."""
    items = "".join(
        f'<entry><title>{escape(entry.title)}</title><link href="{base_url}/aclu/reports/{entry.slug}"/>'
        f"<id>aclu-ct:{entry.slug}</id><updated>{_at_noon(entry.published).isoformat()}</updated></entry>\n"
        for entry in entries
    )
    updated = _at_noon(entries[0].published).isoformat() if entries else "2020-01-01T00:00:00Z"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<title>{escape(title)}</title><id>aclu-ct:reports</id><updated>{updated}</updated>\n{items}</feed>\n"
    )
