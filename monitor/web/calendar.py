"""Hearings of watched bills: those to come, and all of them as a calendar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from monitor.interpret.actions import hearing_day
from monitor.interpret.sentences import plain_title
from monitor.model.legislature import ActionRow, BillKey
from monitor.notify.calendar import Hearing, calendar
from monitor.store import watched
from monitor.store.watched import Notice
from monitor.web import words
from monitor.web.words import When
from monitor.workflow import hearings
from monitor.workflow.context import Context
from monitor.workflow.sync import bill_page_url

#: Hearings longer past than this are left out of the calendar.
_KEPT = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Coming:
    """A hearing to come, and the issues whose bill it is on."""

    key: BillKey
    title: str
    official: str
    on: When
    weekday: str
    issues: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        return f"{self.key.label} ({self.key.session})"


def _dated(notices: Iterable[Notice]) -> list[tuple[date, Notice]]:
    days = ((hearing_day(ActionRow(one.on, one.description)), one) for one in notices)
    return [(day, one) for day, one in days if day is not None]


def coming(session: Session, context: Context) -> list[Coming]:
    """Soonest first; a hearing noticed twice stands once, one that was taken back not at all."""
    today = context.today()
    found = {
        (day, one.key): one for day, one in _dated(watched.hearing_notices(session)) if day >= today and not one.is_gone
    }
    keys = watched.bill_keys(session)
    names = {issue.id: issue.name for issue in context.config.issues()}
    base = context.config.sources.cga.base_url
    return [
        Coming(
            one.key,
            plain_title(one.title),
            bill_page_url(base, one.key),
            words.on(day),
            f"{day:%A}",
            tuple((issue_id, names[issue_id]) for issue_id in names if one.key in keys.get(issue_id, ())),
        )
        for (day, _), one in sorted(found.items())
    ]


def ical(session: Session, context: Context) -> bytes:
    """Every hearing as an iCalendar. A hearing keeps its UID when its day moves, and stays when it is taken back."""
    config = context.config
    since = context.today() - _KEPT
    found: dict[tuple[date, BillKey, bool], Hearing] = {}
    for day, one in _dated(watched.hearing_notices(session)):
        if day >= since:
            found.setdefault((day, one.key, one.is_gone), hearings.entry_of(config, day, one))
    return calendar(found.values(), f"Hearings: {config.web.title}")
