"""The floors of the house, checked by import-linter's contracts in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = Path(sys.executable).with_name("lint-imports")


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    # The folder comes first on the path, before the checkout that is installed.
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, str(LINT), "--config", str(folder / "pyproject.toml"), "--no-cache"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_every_room_is_called_from_above():
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy to break."""
    skip = shutil.ignore_patterns("__pycache__", "*.csv", "*.jsonl*", "*.json")
    shutil.copytree(ROOT / "monitor", tmp_path / "monitor", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


FORBIDDEN = [
    ("model/legislature.py", "monitor.config"),  # upwards
    ("workflow/check.py", "monitor.cli"),
    ("extract/base.py", "monitor.interpret.stage"),  # between rooms of one floor
    ("store/schema.py", "monitor.config"),
    ("config/load.py", "monitor.store"),
    ("schedule.py", "monitor.demo"),
    ("diff.py", "requests"),  # out of a pure room
    ("interpret/stage.py", "sqlalchemy"),
    ("notify/render.py", "apprise"),
    ("workflow/check.py", "apscheduler"),
]


def test_forbidden_imports_are_found(house: Path) -> None:
    """All at once, in one copy; each is named with its line."""
    wanted = []
    for room, imported in FORBIDDEN:
        path = house / "monitor" / room
        path.write_text(path.read_text() + f"\nimport {imported}\n")
        module = ".".join(path.relative_to(house).with_suffix("").parts)
        wanted.append(f"- {module} -> {imported} (l.{path.read_text().count(chr(10))})")
    done = _lint(house)
    assert done.returncode == 1, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert [edge for edge in wanted if edge not in said] == [], done.stdout
    assert "0 kept, 3 broken" in said


def test_a_new_module_must_be_given_its_floor(house):
    (house / "monitor" / "attic.py").write_text("")
    done = _lint(house)
    assert done.returncode == 1
    assert "attic" in done.stdout


#: Each takes megabytes and tenths of a second, and a pass that finds nothing new uses none of them.
HEAVY = (
    "alembic",
    "apprise",
    "bs4",
    "cryptography",
    "feedparser",
    "html5lib",
    "jinja2",
    "lxml",
    "psycopg",
    "rapidfuzz",
)


_QUIET_START = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from monitor.config import load
from monitor.store import migrations
from monitor.store.database import Database
from monitor.workflow.check import check

load(Path("config.yaml"), {{}})
with TemporaryDirectory() as folder:
    database = Database(f"sqlite:///{{folder}}/x.sqlite3")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{{migrations.head()}}')")
        connection.commit()
    migrations.require(database)
    migrations.upgrade(database)
    database.close()
print(*sorted(set({heavy}) & set(sys.modules)))
"""


def test_a_pass_that_finds_nothing_new_imports_no_library_it_does_not_use():
    """The config, a database at this program's version, and the modules of the pass itself."""
    said = subprocess.run(
        [sys.executable, "-c", _QUIET_START.format(heavy=HEAVY)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == []
