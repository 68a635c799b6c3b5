"""The database's address: where a relative path starts, and where a password may not stand."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationInfo

from monitor.config.secrets import Secret
from monitor.config.values import wrong

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_EXAMPLE = "write sqlite:///monitor.sqlite3 or postgresql://user@host/database"


def read_url(value: object, info: ValidationInfo) -> Secret:
    """The URL for SQLAlchemy. A plain text is config.yaml's own and may hold no password;
    a Secret comes from the environment and may. No message repeats any of it."""
    trusted, text = isinstance(value, Secret), value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str):
        raise wrong("this must be a database URL", _EXAMPLE)
    if text.startswith("sqlite:"):
        return Secret(_sqlite(text, (info.context or {}).get("home", Path())))
    return Secret(_postgres(text, trusted))


def _sqlite(text: str, home: Path) -> str:
    path, _, options = text.removeprefix(_SQLITE).partition("?")
    if not text.startswith(_SQLITE) or path in ("", ":memory:"):
        raise wrong("the database must be a file: three slashes and its path", _EXAMPLE)
    return f"{_SQLITE}{(home / path).absolute()}" + (f"?{options}" if options else "")


def _postgres(text: str, trusted: bool) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise wrong("this is not a database URL", _EXAMPLE) from None
    if parts.scheme not in _POSTGRES:
        raise wrong("the database is SQLite or PostgreSQL", _EXAMPLE)
    if not trusted and (parts.password is not None or "password" in dict(parse_qsl(parts.query))):
        raise wrong(
            "secrets never stand in config.yaml: this database URL has a password",
            "set MONITOR_DATABASE_URL in the environment, or use PGPASSFILE",
        )
    return f"postgresql+psycopg:{text.partition(':')[2]}"
