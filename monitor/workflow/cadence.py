"""When a source is read next: often in session, seldom outside it, monthly once settled."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

from monitor.config import Config
from monitor.interpret import sessions
from monitor.model.legislature import SETTLED, BillKey, Stage
from monitor.model.tracking import SourceKind

#: A vetoed or signed bill of the running year may still be acted on; after this it is history.
_SETTLING = timedelta(days=60)

_GOVERNORS_TIME = timedelta(days=30)

_FIRST_RETRY = timedelta(minutes=10)
_LAST_RETRY = timedelta(hours=12)


def interval(
    config: Config,
    kind: SourceKind,
    today: date,
    bill: BillKey | None = None,
    stage: Stage | None = None,
    *,
    by_feed: bool = False,
) -> timedelta:
    """How long a good read of this source holds. ``by_feed`` says that the bulk files speak for this bill."""
    pace = config.cadence.of(kind)
    if bill is not None and _is_settled(bill, stage, today):
        return pace.settled
    if not _busy(today):
        return pace.out_of_session
    if by_feed and config.sources.bill_feed and _in_feed(bill, today):
        crosscheck: timedelta = config.cadence.crosscheck
        return crosscheck
    return pace.in_session


def _is_settled(bill: BillKey, stage: Stage | None, today: date) -> bool:
    ended = sessions.adjourned_on(bill)
    return stage in SETTLED and ended is not None and today > ended + _SETTLING


def _busy(today: date) -> bool:
    """In session, and while the governor decides: most signatures fall in the weeks after adjournment (FACTS 7)."""
    return sessions.in_session(today) or sessions.in_session(today - _GOVERNORS_TIME)


def _in_feed(bill: BillKey | None, today: date) -> bool:
    return bill is not None and sessions.current(today).identifier == bill.session


def spread(gap: timedelta, rng: random.Random) -> timedelta:
    """The interval give or take a tenth, so that a board's pages do not fall due in one minute."""
    return gap * rng.uniform(0.9, 1.1) if gap > timedelta(minutes=30) else gap


def retry(failures: int, rng: random.Random) -> timedelta:
    """Exponential back-off with jitter after the n-th failure in a row, at most half a day."""
    ceiling: timedelta = min(_FIRST_RETRY * 2 ** min(failures - 1, 10), _LAST_RETRY)
    return ceiling * rng.uniform(0.5, 1.0)


def next_read(good_until: datetime, asked: datetime | None) -> datetime:
    """Never before the moment the server asked us to wait for."""
    return max(good_until, asked) if asked is not None else good_until
