"""What SQLAlchemy compiles, it compiles for one engine, and each test has engines of its own: a third of all the work.

Imported by conftest.py, it makes engines of one kind share their dialect and the statements compiled for it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

_SHARED: dict[str, tuple[Any, Any]] = {}


@event.listens_for(Engine, "engine_connect")
def _share(connection: Connection) -> None:
    """By now the engine's own dialect knows its server, and so may be the one that all later engines use."""
    engine = connection.engine
    if engine.dialect is not _SHARED.get(engine.name, (None,))[0]:
        dialect, compiled = _SHARED.setdefault(engine.name, (engine.dialect, LRUCache(1_000)))
        engine.dialect = engine.pool._dialect = connection.dialect = dialect
        engine._compiled_cache = compiled
