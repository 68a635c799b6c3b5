"""Subscribers as a CSV file that an import takes back, and that no spreadsheet runs as formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence

from monitor.store import subscriptions
from monitor.store.schema import Subscription
from monitor.workflow import audit
from monitor.workflow.context import Context
from monitor.workflow.csv_text import safe
from monitor.workflow.importing import COLUMNS
from monitor.workflow.subscribe import WEEKDAYS

#: Rows read at a time.
_BATCH = 1_000


def export_csv(
    context: Context, by: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[str]:
    """The lines of the file, everybody who is told something; webhooks stand masked in it.

    Noted in the audit log before the first line is given: it holds people's addresses.
    """
    with context.database.transaction() as session:
        counts = subscriptions.tally(session, context.today())
        total = counts["live"] + counts["paused"]
        audit.append(session, by, "exported subscribers", f"{total} subscribers", {}, context.now())
    yield _line(COLUMNS)
    done, last = 0, 0
    while rows := _batch(context, last):
        yield from (_line(_cells(row)) for row in rows)
        done, last = done + len(rows), rows[-1].id
        progress(done, total)


def _batch(context: Context, after: int) -> Sequence[Subscription]:
    """Read in short units: a slow reader at the other end keeps nothing open."""
    with context.database.reading() as session:
        return subscriptions.page(session, subscriptions.Wanted(), context.today(), limit=_BATCH, after=after)


def _cells(row: Subscription) -> tuple[str, ...]:
    return (
        row.address,
        row.channel,
        " ".join(row.topics),
        " ".join(row.issues),
        " ".join(row.interests),
        row.cadence,
        "" if row.hour is None else str(row.hour),
        "" if row.weekday is None else WEEKDAYS[row.weekday],
        row.zone or "",
        row.consented_on.isoformat() if row.consented_on else "",
        row.consent,
    )


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([safe(cell) for cell in cells])
    return written.getvalue()
