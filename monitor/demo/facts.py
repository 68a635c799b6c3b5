"""What the replica knows: bills with the day each row becomes visible, task forces, publications."""

from __future__ import annotations

import gzip
import json
import random
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from monitor.model.legislature import BillKey

_OLR = "REFERRED TO Office of Legislative Research AND Office of Fiscal Analysis"


class Row(NamedTuple):
    """One action in the bulk wording, the date it bears, and the first day each channel shows it."""

    on: date
    description: str
    on_page: date
    on_feed: date

    @classmethod
    def of(cls, on: date, description: str, *, seen: date | None = None) -> Row:
        """A row both channels show from ``seen`` on (its own date if not given)."""
        return cls(on, description, seen or on, seen or on)


class Link(NamedTuple):
    """A document: what the page calls it, its address on the site, the first day it is linked."""

    title: str
    path: str
    on_page: date


class Entry(NamedTuple):
    """One publication of the reports feed."""

    published: date
    slug: str
    title: str


@dataclass(frozen=True)
class BillFacts:
    """A bill. ``rows`` are oldest first, same-day rows in the order taken."""

    key: BillKey
    title: str
    rows: tuple[Row, ...]
    documents: tuple[tuple[str, str], ...] = ()
    subjects: tuple[str, ...] = ()
    sponsors: tuple[str, ...] = ()
    introduced: str = ""
    purpose: str = ""
    raised: bool = False
    trap: bool = False

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The documents, newest first as the page lists them, each from the day of the row that brought it."""
        return tuple(Link(title, path, _day_of(title, self.rows)) for title, path in self.documents)

    @cached_property
    def lco(self) -> Mapping[str, str]:
        """The clerks' numbers of adopted amendments, read from the fiscal notes' names: "House A" -> "8098"."""
        pairs = (
            pair for title, _ in self.documents for pair in re.findall(r'(House|Senate) "(\w)" \(LCO (\d+)\)', title)
        )
        return {f"{chamber} {letter}": number for chamber, letter, number in pairs}

    @property
    def special(self) -> str:
        """The special session's month, "" for the regular session, which ends by early June."""
        first = self.rows[0].on if self.rows else None
        return f"{first:%B}" if first and first.month > 6 else ""

    def seen(self, day: date, *, feed: bool = False) -> tuple[Row, ...]:
        """The rows a channel shows on ``day``, oldest first."""
        return tuple(row for row in self.rows if (row.on_feed if feed else row.on_page) <= day)


#: What a document is called, and the row it appears with ({0} is what the brackets caught).
_BROUGHT_BY = (
    (r"(?:Public|Special) Act No\. (\S+)", r"(?:PUBLIC|SPECIAL) ACT {0}|SIGNED BY .*"),
    (r"File No\. (\d+)", r"FILE NO\. {0}"),
    (r".*File Copy (\d+)", r"FILE NO\. {0}"),
    (r".*[Aa]s [Aa]mended by (House|Senate).*", r".*PASSED, .*AMEND\. SCH\. .*|ADOPTED .* AS AMENDED BY .*"),
    (r"\w+ (Joint Favorable|Joint Fav\. Rpt).*", r"FILED WITH LCO|Joint Favorable.*"),
    (r"(Committee Bill)", r"DRAFTED BY COMMITTEE"),
)


def _day_of(title: str, rows: Sequence[Row]) -> date:
    """The day a document appears: its row's; of a kind no row tells, the first row's."""
    for name, row_pattern in _BROUGHT_BY:
        match = re.fullmatch(name, title)
        if match:
            pattern = re.compile(row_pattern.format(re.escape(match[1])))
            days = [row.on_page for row in rows if pattern.fullmatch(row.description)]
            return min(days) if days else max((row.on_page for row in rows), default=date.max)
    return rows[0].on_page if rows else date.max


@dataclass(frozen=True)
class TaskForce:
    """A task force's page; ``name`` is the address's TF parameter."""

    committee: str
    name: str
    title: str
    charge: str
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Facts:
    """Everything the replica serves. ``session`` is the one the bulk files are of."""

    session: str
    bills: Mapping[BillKey, BillFacts]
    task_forces: tuple[TaskForce, ...] = ()
    feed_title: str = ""
    publications: tuple[Entry, ...] = ()

    @classmethod
    def bundled(cls) -> Facts:
        """The 2025 policing bills, the board's bills of other years, the task forces and the reports feed."""
        return _bundled()

    @classmethod
    def from_open_states(cls, path: Path) -> Facts:
        """A whole session from Open States' bills, one JSON object a line (gzip), with the bundled rest beside it."""
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            bills = [_open_states_bill(json.loads(line)) for line in lines]
        others = (bill for bill in _bundled().bills.values() if bill.key.session != bills[0].key.session)
        return replace(_bundled(), session=bills[0].key.session, bills=_by_key([*bills, *others]))

    def of_session(self, session: str) -> list[BillFacts]:
        """The session's bills by number, as the bulk files list them."""
        return [bill for key, bill in sorted(self.bills.items()) if key.session == session]

    def days(self) -> list[date]:
        """Every day, from the session's first row on, on which a channel shows something new."""
        rows = [row for bill in self.of_session(self.session) for row in bill.rows]
        days = {row.on_page for row in rows} | {row.on_feed for row in rows}
        days |= {entry.published for entry in self.publications}
        days |= {link.on_page for force in self.task_forces for link in force.links}
        first = min((row.on for row in rows), default=date.max)
        return sorted(day for day in days if day >= first)

    def lagged(self, seed: int, feed_lag_days: int, most: int = 2) -> Facts:
        """The same facts with some rows of the session back-dated: shown 1 to ``most`` days after their date."""
        bills = {
            key: _lagged(bill, seed, feed_lag_days, most) if key.session == self.session else bill
            for key, bill in self.bills.items()
        }
        return replace(self, bills=bills)


def _lagged(bill: BillFacts, seed: int, feed_lag_days: int, most: int) -> BillFacts:
    dice = random.Random(zlib.crc32(f"{seed} {bill.key}".encode()))
    late = [dice.randint(1, most) if most and dice.random() < 0.2 else 0 for _ in bill.rows]
    rows = (
        row._replace(
            on_page=row.on + timedelta(days=days),
            on_feed=row.on + timedelta(days=days + feed_lag_days),
        )
        for row, days in zip(bill.rows, late, strict=True)
    )
    return replace(bill, rows=tuple(rows))


def _by_key(bills: Iterable[BillFacts]) -> dict[BillKey, BillFacts]:
    return {bill.key: bill for bill in bills}


def _rows(pairs: Iterable[Sequence[str]]) -> tuple[Row, ...]:
    return tuple(Row.of(date.fromisoformat(day), description) for day, description in pairs)


def _open_states_bill(raw: Mapping[str, Any]) -> BillFacts:
    notes = [*raw["versions"], *raw["documents"]]
    return BillFacts(
        key=BillKey(raw["session"], raw["identifier"]),
        title=raw["title"],
        rows=_rows((a["date"], a["description"].replace(_OLR, "REFERRED TO OLR, OFA")) for a in raw["actions"]),
        documents=tuple((note["note"], urlsplit(note["url"]).path) for note in notes),
        subjects=tuple(raw["subject"]),
        sponsors=tuple(person["name"] for person in raw["sponsorships"]),
    )


def _bundled_bill(session: str, raw: Mapping[str, Any]) -> BillFacts:
    return BillFacts(
        key=BillKey(session, raw["id"]),
        title=raw["title"],
        rows=_rows(raw["actions"]),
        documents=tuple((title, path) for title, path in raw["documents"]),
        subjects=tuple(raw.get("subjects", ())),
        sponsors=tuple(raw.get("sponsors", ())),
        introduced=raw.get("introduced", ""),
        purpose=raw.get("purpose", ""),
        raised=raw.get("raised", False),
        trap=raw.get("trap", False),
    )


def _task_force(raw: Mapping[str, Any]) -> TaskForce:
    links = (Link(title, path, date.fromisoformat(day)) for day, title, path in raw["documents"])
    return TaskForce(raw["committee"], raw["tf"], raw["title"], raw["intro"], tuple(links))


def _data(name: str) -> Any:
    return json.loads((resources.files("monitor.demo") / "data" / name).read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _bundled() -> Facts:
    now, past = _data("session-2025-policing.json"), _data("past.json")
    current = (_bundled_bill(now["session"], raw) for raw in now["bills"])
    earlier = (_bundled_bill(raw["session"], raw) for raw in past["bills"])
    return Facts(
        session=now["session"],
        bills=_by_key([*current, *earlier]),
        task_forces=tuple(map(_task_force, past["task_forces"])),
        feed_title=past["feed"]["title"],
        publications=tuple(Entry(date.fromisoformat(d), slug, title) for d, slug, title in past["feed"]["entries"]),
    )
