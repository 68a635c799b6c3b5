"""What the record says of a session, as facts to count."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monitor.store.schema import Action, Bill, ChangeRow, Issue, Transition, Watch
from monitor.store.schema_desk import Deed


def state(session: Session) -> tuple[object, ...]:
    """Equal while nothing has changed that is counted here."""
    columns = (
        select(func.max(Action.id)).scalar_subquery(),
        select(func.max(ChangeRow.id)).scalar_subquery(),
        select(func.max(Transition.id)).scalar_subquery(),
        select(func.count(Transition.id)).scalar_subquery(),
        # Every change of what is tracked leaves a line there.
        select(func.max(Deed.id)).scalar_subquery(),
        select(func.count(Watch.id)).where(Watch.active).scalar_subquery(),
    )
    return tuple(session.execute(select(*columns)).one())


def action_days(session: Session, year: str) -> Collection[tuple[str, date]]:
    """(issue, day) wherever a watched bill of that session has a row."""
    rows = (
        select(Watch.issue_id, Action.date)
        .join(Bill, Action.bill_id == Bill.id)
        .join(Watch, Watch.bill_id == Bill.id)
        .where(Bill.session == year, Watch.active, Action.gone.is_(False))
        .distinct()
    )
    return [(issue, day) for issue, day in session.execute(rows)]


def hearing_rows(session: Session, year: str) -> Collection[tuple[str, date, str]]:
    """(issue, day, text) of the rows that speak of a public hearing."""
    rows = (
        select(Watch.issue_id, Action.date, Action.description)
        .join(Bill, Action.bill_id == Bill.id)
        .join(Watch, Watch.bill_id == Bill.id)
        .where(Bill.session == year, Watch.active, Action.gone.is_(False))
        .where(Action.description.ilike("%public hearing %"))
        .distinct()
    )
    return [(issue, day, text) for issue, day, text in session.execute(rows)]


def move_moments(session: Session, since: datetime, until: datetime) -> Collection[tuple[str, datetime]]:
    """(issue, moment) of every published move between the two."""
    rows = select(Transition.issue_id, Transition.at).where(Transition.at >= since, Transition.at < until)
    return [(issue, moment) for issue, moment in session.execute(rows)]


def topics(session: Session) -> dict[str, str]:
    """Each issue's topic."""
    return dict(session.execute(select(Issue.id, Issue.topic_id)).all())
