"""What the doctor is given and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from monitor.config import Config
from monitor.store.database import Database

Verdict = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``advice`` is one sentence, empty where nothing is to be done."""

    what: str
    verdict: Verdict
    said: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return {"what": self.what, "verdict": self.verdict, "said": self.said, "advice": self.advice}


def good(what: str, said: str) -> Finding:
    return Finding(what, "good", said)


def warn(what: str, said: str, advice: str) -> Finding:
    return Finding(what, "warn", said, advice)


def bad(what: str, said: str, advice: str) -> Finding:
    return Finding(what, "bad", said, advice)


@dataclass(frozen=True, slots=True)
class Patient:
    """The installation as far as it could be opened: nothing here writes to it."""

    path: Path
    environ: Mapping[str, str] = field(repr=False)
    now: datetime
    config: Config
    database: Database


#: One check. It may raise: the doctor then says so and goes on.
Look = Callable[[Patient], Iterator[Finding]]
