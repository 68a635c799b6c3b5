"""What every test may ask for: real databases, and the shared record when it is there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

import tests.engines  # noqa: F401 - its effect is meant

# pytest finds its hooks and fixtures by name in this module.
from tests.accepting import expectation, pytest_addoption, pytest_configure

__all__ = ["expectation", "pytest_addoption", "pytest_configure"]

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that may take long go first, so that no worker is left alone with one of them at the end."""
    items.sort(key=_most_seconds, reverse=True)


def _most_seconds(item: pytest.Item) -> float:
    allowed = item.get_closest_marker("timeout")
    return float(allowed.args[0]) if allowed is not None and allowed.args else 0.0


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """A command that is called in this process sets up logging to a stderr that is gone after the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def shared_cga() -> Path:
    """The real record beside the repository (CI has it); tests that need it skip without."""
    path = ROOT.parent / "shared" / "cga"
    if not path.is_dir():
        pytest.skip("needs ../shared/cga, the real record, beside the repository")
    return path


def _postgres_url() -> str | None:
    return os.environ.get("MONITOR_TEST_POSTGRES")


@contextmanager
def postgres_schema() -> Iterator[str]:
    """A schema of its own in the test database, gone afterwards; skips without one."""
    base = _postgres_url()
    if base is None:
        pytest.skip("needs MONITOR_TEST_POSTGRES, e.g. postgresql+psycopg://postgres@127.0.0.1:5432/test")
    import psycopg

    schema = f"t_{uuid.uuid4().hex[:12]}"
    plain = base.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
    try:
        yield f"{base}?options=-csearch_path%3D{schema}"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A schema of its own in the test database, gone afterwards."""
    with postgres_schema() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'monitor.sqlite3'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both engines: the same schema and the same tests."""
    return str(request.getfixturevalue(f"{request.param}_url"))
