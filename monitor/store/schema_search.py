"""What is searched, and by which index: FTS5 tables on SQLite, GIN expression indexes on PostgreSQL."""

from __future__ import annotations

import sqlalchemy.dialects.postgresql  # noqa: F401  # without it func.to_tsvector makes what PostgreSQL's refuses
from sqlalchemy import ColumnElement, Index, func, text

from monitor.store.schema import Action, Bill, Issue

#: Each kind's index: its name, and the columns whose words it holds.
ISSUES, BILLS, ACTIONS = "issue_words", "bill_words", "action_words"


def vector(*columns: ColumnElement[str]) -> ColumnElement[object]:
    """PostgreSQL's words of the columns; a query uses the index only if it is written exactly like it."""
    joined = columns[0]
    for column in columns[1:]:
        # As a function: around operators PostgreSQL puts brackets in which Alembic's comparison sees a difference.
        joined = func.textcat(func.textcat(joined, text("' '")), column)
    # No literal_column: an Index would take it for its first column and belong to no table.
    return func.to_tsvector(text("'english'"), joined)


ISSUE_VECTOR = vector(Issue.__table__.c.name, Issue.__table__.c.narrative)
BILL_VECTOR = vector(Bill.__table__.c.title)
ACTION_VECTOR = vector(Action.__table__.c.description)

for _name, _vector in ((ISSUES, ISSUE_VECTOR), (BILLS, BILL_VECTOR), (ACTIONS, ACTION_VECTOR)):
    Index(_name, _vector, postgresql_using="gin").ddl_if(dialect="postgresql")


def is_of_search(table: str) -> bool:
    """Whether a table is one of FTS5's own, which the mapped schema does not know."""
    return table.startswith((ISSUES, BILLS, ACTIONS))
