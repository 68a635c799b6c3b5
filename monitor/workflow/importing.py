"""Subscribers from a CSV file, all or none. The file is read twice: to look at every line, and to take them.

So a hundred thousand lines need no more memory than a hundred, and nothing is written before all of them are good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import NoReturn

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.messaging import ChannelKind, Choice
from monitor.notify.channels import is_masked
from monitor.store import subscriptions, suppressions
from monitor.store.database import chunks
from monitor.store.schema import Subscription
from monitor.workflow import audit
from monitor.workflow.context import Context
from monitor.workflow.csv_text import NotThis, plain, rows
from monitor.workflow.links import links
from monitor.workflow.pace import reschedule_all
from monitor.workflow.subscribe import Unsuitable, Wish, choose, renew, sealed, wish

COLUMNS = (
    "address",
    "channel",
    "topics",
    "issues",
    "interests",
    "cadence",
    "hour",
    "weekday",
    "zone",
    "consented_on",
    "consent",
)
#: Those that say what is asked for.
_ASKED = COLUMNS[2:9]

#: Mistakes that are named before the rest is counted.
_NAMED = 20
_LONGEST_CONSENT = 500

Known = Mapping[tuple[str, str], Subscription]
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line's wish. Without a date of consent its address must be known."""

    number: int
    wish: Wish


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. ``folded`` are lines whose address comes again further down, ``masked`` those of secret
    addresses that a file only shows masked; ``left`` and ``suppressed`` are the addresses left out, as shown."""

    new: int = 0
    changed: int = 0
    folded: int = 0
    masked: int = 0
    left: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()


def import_csv(
    context: Context,
    path: Path,
    by: str,
    *,
    consented_on: date | None = None,
    progress: Progress = lambda done, total: None,
) -> Imported:
    """Take every line of the file, or none. Raises Unsuitable with the bad lines named, and NoKey."""
    reading = _Reading(context, path, consented_on)
    last, masked = reading.check(progress)
    with context.database.transaction() as session:
        renew(context, session)
        taken = _Taking(context, session, path.name, consented_on)
        for chunk in chunks(reading.wanted(last)):
            taken.take(chunk)
            progress(taken.done, len(last))
        done = replace(taken.result, folded=reading.lines - len(last) - masked, masked=masked)
        detail = {"new": done.new, "changed": done.changed, "left out": len(done.left) + len(done.suppressed)}
        audit.append(session, by, "imported subscribers", path.name, detail, context.now())
    return done


class _Reading:
    """The file, line by line."""

    def __init__(self, context: Context, path: Path, consented_on: date | None) -> None:
        self._context = context
        self._path = path
        self._consented_on = consented_on
        self._wishes = _Wishes(context.config)
        self.lines = 0

    def check(self, progress: Progress) -> tuple[dict[tuple[str, str], int], int]:
        """Look at every line: the last line of each address, and how many are masked. Raises Unsuitable."""
        last: dict[tuple[str, str], int] = {}
        problems = _Problems(self._path)
        masked = 0
        with self._context.database.reading() as session:
            for chunk in chunks(self._lines(problems)):
                masked += sum(1 for line in chunk if is_masked(line.wish.address))
                good = [line for line in chunk if not is_masked(line.wish.address)]
                if self._consented_on is None:
                    self._ask_for_consent(session, good, problems)
                last |= {_mailbox(line.wish): line.number for line in good}
                progress(self.lines, None)
        problems.raise_any()
        return last, masked

    def wanted(self, last: dict[tuple[str, str], int]) -> Iterator[Line]:
        """The lines that count: the last one of each address."""
        problems = _Problems(self._path)
        for line in self._lines(problems):
            if last.get(_mailbox(line.wish)) == line.number:
                yield line
        problems.raise_any()  # somebody has changed the file meanwhile

    def _lines(self, problems: _Problems) -> Iterator[Line]:
        self.lines = 0
        try:
            for number, row in rows(self._path, COLUMNS):
                self.lines += 1
                try:
                    yield Line(number, self._wishes.make(row))
                except Unsuitable as error:
                    problems.add(number, str(error))
        except NotThis as error:
            problems.stop(str(error))

    def _ask_for_consent(self, session: Session, lines: Sequence[Line], problems: _Problems) -> None:
        mail = [one for one in lines if one.wish.channel is ChannelKind.EMAIL and one.wish.consented_on is None]
        known = subscriptions.known(session, [one.wish.address for one in mail])
        session.expunge_all()
        for one in mail:
            if (one.wish.channel, one.wish.address) not in known:
                problems.add(
                    one.number,
                    "this address is new, and consented_on does not say since when its reader wants our mail; "
                    "write the day as 2025-06-09, or give --consented-on for the whole file",
                )


class _Taking:
    """Writes chunk by chunk, inside one transaction."""

    def __init__(self, context: Context, session: Session, name: str, consented_on: date | None) -> None:
        self._context = context
        self._session = session
        self._consent = f"imported: {name}"
        self._consented_on = consented_on
        self._links = links(session)
        self._capitals = subscriptions.with_capitals(session)
        self.done = 0
        self.result = Imported()

    def take(self, lines: Sequence[Line]) -> None:
        entries = self._as_known(sealed(self._context, [line.wish for line in lines]))
        known = subscriptions.known(self._session, [one.address for one in entries])
        barred = self._barred(entries, known)
        complete = [
            one if (one.channel, one.address) in known else self._with_consent(one)
            for one in entries
            if one.address not in barred
        ]
        now = self._context.now()
        put = subscriptions.put(self._session, complete, now, back=False)
        reschedule_all(self._session, self._context.config, put.retimed, now)
        self._session.flush()
        self._session.expunge_all()
        self.done += len(lines)
        before = self.result
        self.result = replace(
            before,
            new=before.new + put.new,
            changed=before.changed + put.changed,
            left=before.left + tuple(one.address for one in put.left),
            suppressed=before.suppressed + tuple(barred),
        )

    def _as_known(self, entries: Sequence[subscriptions.Entry]) -> list[subscriptions.Entry]:
        """Whoever is there already keeps their spelling, or they would be told everything twice."""
        small = [one.address.lower() for one in entries]
        there = subscriptions.known(self._session, [*small, *(one.address for one in entries)])
        return [
            one
            if one.channel is not ChannelKind.EMAIL or (one.channel, one.address) in there
            else replace(one, address=low if (one.channel, low) in there else self._capitals.get(low, one.address))
            for one, low in zip(entries, small, strict=True)
        ]

    def _barred(self, entries: Sequence[subscriptions.Entry], known: Known) -> dict[str, None]:
        """The addresses nobody writes to; of who has left that is said already."""
        left = {address for (_, address), row in known.items() if row.left_at is not None}
        prints = {self._links.fingerprint(one.address): one.address for one in entries if one.address not in left}
        barred = suppressions.suppressed(self._session, prints)
        return {address: None for one, address in prints.items() if one in barred}

    def _with_consent(self, entry: subscriptions.Entry) -> subscriptions.Entry:
        """Who is new; who is there already keeps what was known of it."""
        since = entry.consented_on or self._consented_on
        return replace(entry, consent=entry.consent or self._consent, consented_on=since)


def _mailbox(wish: Wish) -> tuple[str, str]:
    """What is one reader, whatever the capitals."""
    return wish.channel, wish.address.lower() if wish.channel is ChannelKind.EMAIL else wish.address


class _Problems:
    """Mistakes by line: some are named, the rest are counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._named: list[str] = []
        self._count = 0

    def add(self, number: int, words: str) -> None:
        self._count += 1
        if self._count <= _NAMED:
            self._named.append(f"{self._path}:{number}: {words}")

    def stop(self, words: str) -> NoReturn:
        """The file cannot be read any further: said last, after what was wrong before."""
        self._named.append(words)
        self._count += 1
        self.raise_any()
        raise AssertionError("there was a mistake to tell")

    def raise_any(self) -> None:
        if self._count:
            rest = self._count - len(self._named)
            more = [f"… and {rest:,} more"] if rest else []
            raise Unsuitable("\n".join([*self._named, *more, "Nothing was imported."]), "file")


class _Wishes:
    """Makes lines into wishes. Most lines of a file ask for one of a few things, which are looked at once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._choice = lru_cache(maxsize=4_096)(partial(_choice, config))

    def make(self, row: dict[str, str]) -> Wish:
        """Raises Unsuitable."""
        if "" in row:
            raise Unsuitable("this line has more fields than columns; a text with a comma needs quotes", "file")
        cells = {name: plain(text) for name, text in row.items()}
        channel, address = cells.get("channel", "").strip(), cells.get("address", "").strip()
        if is_masked(address) and channel in (ChannelKind.SLACK, ChannelKind.APPRISE):
            return Wish(ChannelKind(channel), address, Choice())
        made = wish(self._config, address, channel, self._choice(*(cells.get(name, "").strip() for name in _ASKED)))
        consent = " ".join(cells.get("consent", "").split())[:_LONGEST_CONSENT]
        since = _day(cells.get("consented_on", "").strip())
        return replace(made, consent=consent, consented_on=since) if consent or since else made


def _choice(
    config: Config, topics: str, issues: str, interests: str, cadence: str, hour: str, weekday: str, zone: str
) -> Choice:
    """Raises Unsuitable."""
    if hour and not (hour.isascii() and hour.isdecimal() and len(hour) <= 2):
        raise Unsuitable(f"there is no hour {hour[:20]!r}; it is 0 to 23", "hour")
    return choose(
        config,
        topics=topics.split(),
        issues=issues.split(),
        interests=interests.split(),
        cadence=cadence,
        hour=int(hour) if hour else None,
        weekday=weekday,
        zone=zone,
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unsuitable(f"{text[:20]!r} is not a day; write it as 2025-06-09", "consented_on") from None
