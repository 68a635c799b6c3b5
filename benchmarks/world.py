"""What the benchmarks read and watch: facts, a configuration, a database, and the product's own context."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path

from measuring import BUILD, ROOT

from monitor.config import load
from monitor.demo.facts import BillFacts, Facts
from monitor.model.legislature import BillKey
from monitor.store import migrations
from monitor.store.database import Database
from monitor.workflow.context import Context
from monitor.workflow.sync import bill_page_url, sync

SESSION = ROOT.parent / "shared" / "cga" / "data" / "session-2025.jsonl.gz"

#: Nobody listens there: the bulk files come over HTTP.
NO_FTP = "ftp://127.0.0.1:9/pub/data"

#: Issues the watched bills are spread over.
ISSUES = 20


@lru_cache(maxsize=1)
def session_facts(bills: int) -> Facts:
    """The real 2025 session where ``../shared`` is; else as many bills made by numbering the bundled ones anew."""
    facts = Facts.from_open_states(SESSION) if SESSION.exists() else _synthetic(bills)
    chosen = islice(facts.of_session(facts.session), bills)
    return replace(facts, bills={bill.key: bill for bill in chosen})


def _synthetic(bills: int) -> Facts:
    bundled = Facts.bundled()
    models = [bill for bill in bundled.of_session(bundled.session) if bill.rows]
    made = (_renumbered(models[index % len(models)], bundled.session, index + 1) for index in range(bills))
    return replace(bundled, bills={bill.key: bill for bill in made})


def _renumbered(model: BillFacts, session: str, number: int) -> BillFacts:
    return replace(model, key=BillKey(session, f"SB{number:05d}" if number < 5000 else f"HB{number:05d}"))


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 17, tzinfo=UTC)


def folder(name: str) -> Path:
    """An empty folder for one benchmark."""
    path = BUILD / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def write_config(home: Path, base_url: str, keys: Sequence[BillKey], **blocks: object) -> Path:
    """A config.yaml that watches ``keys``; ``blocks`` are merged into it. (JSON is YAML.)"""
    issues = [
        {
            "id": f"issue-{number}",
            "name": f"Issue {number}",
            "initial_status": "no_progress",
            "initial_narrative": "Nothing yet.",
            "watches": [
                {"bill": f"{key.session} {key.label}", "effect": "some_progress"} for key in keys[number::ISSUES]
            ],
        }
        for number in range(min(ISSUES, len(keys)))
    ]
    sources = {"cga": {"base_url": base_url, "ftp_url": NO_FTP}, **dict(blocks.pop("sources", {}))}  # type: ignore[call-overload]
    whole = {
        "organization": {"name": "Benchmark", "contact": "bench@example.org", "postal_address": "1 Example Street"},
        "sources": sources,
        "manners": {"interval_seconds": 0, "full_read_every": 1000},
        **blocks,
        "topics": [{"id": "topic", "name": "Topic", "issues": issues}],
    }
    path = home / "config.yaml"
    path.write_text(json.dumps(whole, indent=0), encoding="utf-8")
    return path


@contextmanager
def opened(home: Path, now: Callable[[], datetime]) -> Iterator[Context]:
    """The product's context on ``home/config.yaml``, its database made ready."""
    config = load(home / "config.yaml", {})
    database = Database(config.database_url)
    migrations.upgrade(database)
    context = Context(config, database, now)
    try:
        yield context
    finally:
        database.close()


def prepare(home: Path, day: date) -> None:
    with opened(home, lambda: noon(day)) as context:
        sync(context)


def page_urls(base_url: str, keys: Iterable[BillKey]) -> list[str]:
    return [bill_page_url(base_url, key) for key in keys]
