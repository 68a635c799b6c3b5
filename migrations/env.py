"""Alembic's entry: the connection is handed in by monitor/store/migrations.py."""

from typing import Literal

from alembic import context

from monitor.store.database import UtcDateTime
from monitor.store.schema import Base


def plain_types(kind: str, item: object, _context: object) -> str | Literal[False]:
    """A migration names no class of ours: it must still run when the class has gone."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=plain_types,
    transaction_per_migration=False,
)
context.run_migrations()
