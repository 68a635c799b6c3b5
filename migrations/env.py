"""Alembic's entry: the connection is handed in by monitor/store/migrations.py."""

from typing import Literal

from alembic import context

from monitor.store import schema_desk, schema_search, schema_subscribers  # noqa: F401 - part of the schema
from monitor.store.database import UtcDateTime
from monitor.store.schema import Base


def plain_types(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration names no class of ours: it must still run when the class has gone."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """FTS5's own tables are no part of the mapped schema."""
    return kind != "table" or not schema_search.is_of_search(str(name))


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=plain_types,
    include_name=is_ours,
    transaction_per_migration=False,
)
context.run_migrations()
