"""``pytest --accept`` writes missing and changed expectations, for a person to review. CI refuses it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write expectations instead of comparing with them")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--accept") and os.environ.get("CI", "").lower() in ("1", "true"):
        raise pytest.UsageError(
            "--accept is refused where CI=true: expectations are reviewed by a person, then committed"
        )


class Expectation:
    """Compares with ``path``; a missing file fails, and with ``--accept`` it is written, and the test fails once."""

    def __init__(self, accept: bool) -> None:
        self.accept = accept

    def check(self, path: Path, actual: Any) -> None:
        text = json.dumps(actual, indent=2, ensure_ascii=False) + "\n"
        if self.accept and (not path.exists() or path.read_text() != text):
            path.write_text(text)
            pytest.fail(f"wrote {path}: review it, then run again without --accept")
        assert path.exists(), f"{path} is missing: run pytest --accept, review what it wrote, commit it"
        assert json.loads(text) == json.loads(path.read_text())


@pytest.fixture
def expectation(request: pytest.FixtureRequest) -> Expectation:
    return Expectation(bool(request.config.getoption("--accept")))
