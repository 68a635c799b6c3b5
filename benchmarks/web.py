"""The pages over a large database: how long the server takes for each, the slowest of twenty (p95).

Measured in the process that answers, without a network: the sign-in, the queries, the template. On SQLite, and on the
PostgreSQL that MONITOR_TEST_POSTGRES names.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import world
from measuring import HERE, Scale, child, note, ratio, title, within

#: The promise: a page stands within this.
TARGET_MS = 50

#: The public pages are kept while nothing changed: "made anew" is the wait of the first reader after a change.
PAGES = (
    ("board, kept", "/"),
    ("board, made anew", "/"),
    ("an issue, made anew", "/issues/issue-0"),
    ("queue", "/desk"),
    ("sources", "/desk/sources"),
    ("a day", "/desk/today"),
    ("search", "/desk/search?q=committee"),
    ("search, a bill", "/desk/search?q=HB+5077"),
)
NOW = datetime(2025, 6, 10, 16, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


def run(scale: Scale) -> None:
    sizes = f"{scale.issues} issues, {scale.watched} bills, {scale.snapshots} snapshots"
    title(f"web: {sizes}, {scale.decided} past proposals")
    for engine, url in _databases():
        with _made(url) as where:
            home = world.folder(f"web-{engine}")
            made = child([HERE / "web.py", "fill", home, where, json.dumps(_sizes(scale))])
            note(f"{engine}: {made.said['rows']} rows were written in {made.seconds:.0f} s")
            told = child([HERE / "web.py", "measure", home, where, str(scale.requests)])
            for name, _ in PAGES:
                p50, p95, cpu, size, queries = told.said[name]
                note(
                    f"{engine}, {name}: half within {p50:.1f} ms, p95 of our CPU {cpu:.1f} ms, {queries} queries, "
                    f"{size / 1000:.0f} kB"
                )
                ratio(f"{engine}, {name}: p95", p95, TARGET_MS, "ms", "target", "below 1")


def _sizes(scale: Scale) -> dict[str, int]:
    return {name: getattr(scale, name) for name in ("issues", "watched", "snapshots", "decided")}


def _databases() -> Iterator[tuple[str, str]]:
    yield "sqlite", ""
    postgres = os.environ.get("MONITOR_TEST_POSTGRES")
    if postgres:
        yield "postgres", postgres
    else:
        note("PostgreSQL is left out: MONITOR_TEST_POSTGRES names none")


@contextmanager
def _made(url: str) -> Iterator[str]:
    """A schema of its own on PostgreSQL, gone afterwards; SQLite's file is made in the benchmark's folder."""
    if not url:
        yield ""
        return
    import psycopg

    schema, plain = f"b_{uuid.uuid4().hex[:12]}", url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
    try:
        yield f"{url}?options=-csearch_path%3D{schema}"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')


def _context(home: Path, url: str, now: Callable[[], datetime] = lambda: NOW) -> Any:
    from monitor.config import load
    from monitor.store.database import Database
    from monitor.workflow.context import Context

    config = load(home / "config.yaml", {"MONITOR_DATABASE_URL": url} if url else {})
    return Context(config, Database(config.database_url), now, config_path=home / "config.yaml")


def _fill(home: Path, url: str, sizes: dict[str, int]) -> None:
    from monitor.store import migrations
    from monitor.workflow import accounts
    from monitor.workflow.sync import sync

    _write_config(home, sizes)
    context = _context(home, url)
    with closing(context.database), within() as said:
        migrations.upgrade(context.database)
        sync(context)
        accounts.add(context, "Dana", PASSWORD, "maintainer", "the benchmark")
        with context.database.transaction() as session:
            _as_read(session)
            said["rows"] = sum(_insert(session, table, rows) for table, rows in _rows(sizes))
        _analyze(context)


def _as_read(session: Any) -> None:
    """Every source was read well an hour ago, every bill is in committee."""
    from sqlalchemy import update

    from monitor.store.schema import Bill, Source

    read, due = NOW - timedelta(hours=1), NOW + timedelta(days=2)
    well = {"verdict": "ok", "last_read_at": read, "last_good_at": read, "next_check_at": due, "requests": 9}
    session.execute(update(Source).values(well))
    known = {"title": "AN ACT CONCERNING POLICE.", "stage": "in_committee", "stage_since": date(2025, 1, 20)}
    session.execute(update(Bill).values(page_read_at=read, first_read_at=read, **known))


def _analyze(context: Any) -> None:
    """As autovacuum does by itself on PostgreSQL within minutes."""
    if not context.database.is_sqlite:
        with context.database.transaction() as session:
            session.connection().exec_driver_sql("ANALYZE")


def _write_config(home: Path, sizes: dict[str, int]) -> None:
    issues = [
        {
            "id": f"issue-{number}",
            "name": f"Issue {number} of the board",
            "initial_status": ("no_progress", "some_progress", "achieved")[number % 3],
            "initial_narrative": f"HB {5001 + number}, signed on July 31, 2020 (Public Act 20-1), goes some of the "
            "way. A task force is to examine the rest, and a recommendation before it asks for more.",
            "watches": [
                {"bill": f"2025 HB {5001 + bill}", "effect": "some_progress"}
                for bill in range(number, sizes["watched"], sizes["issues"])
            ],
        }
        for number in range(sizes["issues"])
    ]
    whole = {
        "organization": {"name": "Benchmark", "contact": "bench@example.org", "postal_address": "1 Example Street"},
        "topics": [
            {"id": f"topic-{start}", "name": f"Topic {start}", "issues": issues[start : start + 20]}
            for start in range(0, len(issues), 20)
        ],
    }
    (home / "config.yaml").write_text(json.dumps(whole, indent=0), encoding="utf-8")


def _insert(session: Any, table: type[Any], rows: Sequence[dict[str, Any]]) -> int:
    from sqlalchemy import insert

    for start in range(0, len(rows), 5000):
        session.execute(insert(table), rows[start : start + 5000])
    return len(rows)


def _rows(sizes: dict[str, int]) -> Iterator[tuple[type[Any], list[dict[str, Any]]]]:
    """History as years of service leave it, in an order in which nothing refers to what is not there yet."""
    from monitor.store import schema

    bills, issues, decided = sizes["watched"], sizes["issues"], sizes["decided"]
    yield schema.Snapshot, [_snapshot(number, bills) for number in range(sizes["snapshots"])]
    yield schema.Action, [_action(number, bills) for number in range(bills * 8)]
    yield schema.ChangeRow, [_change(number, bills) for number in range(bills * 4)]
    yield schema.Proposal, [_proposal(number, issues, bills, decided) for number in range(decided + issues)]
    yield schema.Evidence, [_evidence(number) for number in range(decided + issues)]
    yield schema.Transition, [_transition(number, issues, bills) for number in range(min(decided, issues * 5))]
    yield schema.Run, [_run(number) for number in range(min(decided, 10_000))]


def _ago(number: int, minutes: int = 7) -> datetime:
    return NOW - timedelta(minutes=minutes * (number + 1))


def _snapshot(number: int, bills: int) -> dict[str, Any]:
    return {
        "source_id": 1 + number % bills,
        "sha256": f"{number:064x}",
        "size": 2000,
        "body": b"x" * 500,
        "verdict": "ok",
        "url": f"https://www.cga.ct.gov/{number}",
        "content_type": "text/html",
        "fetched_at": _ago(number),
    }


def _action(number: int, bills: int) -> dict[str, Any]:
    texts = ("REF. TO JOINT COMMITTEE ON Judiciary", "PUBLIC HEARING 0307", "JOINT FAVORABLE", "HOUSE PASSED")
    return {
        "bill_id": 1 + number % bills,
        "position": number // bills,
        "date": date(2025, 1, 8) + timedelta(days=number // bills * 10),
        "description": texts[number // bills % len(texts)],
        "in_feed": True,
        "in_page": False,
        "first_seen_at": _ago(number, 1),
        "source_id": 1 + number % bills,
        "gone": False,
    }


def _change(number: int, bills: int) -> dict[str, Any]:
    return {
        "bill_id": 1 + number % bills,
        "source_id": 1 + number % bills,
        "kind": "action",
        "on": date(2025, 3, 1),
        "quote": "REF. TO JOINT COMMITTEE ON Judiciary",
        "url": "https://www.cga.ct.gov/",
        "classification": ["referral-committee"],
        "first_seen_at": _ago(number, 11),
    }


def _proposal(number: int, issues: int, bills: int, decided: int) -> dict[str, Any]:
    """The first ones are decided; the last, one for each issue, wait."""
    is_past, kinds = number < decided, ("status", "narrative", "review")
    state = ("approved", "rejected", "superseded")[number % 3] if is_past else "pending"
    return {
        "state": state,
        "kind": kinds[number % 3],
        "issue_id": f"issue-{number % issues}",
        "bill_id": 1 + number % bills,
        "subject": f"bill:{1 + number % bills}",
        "from_status": "no_progress",
        "to_status": "some_progress" if number % 3 == 0 else "no_progress",
        "reason": "The governor signed HB 5001 on June 9, 2025.",
        "narrative": "The governor signed HB 5001 on June 9, 2025.",
        "created_at": _ago(decided + issues - number),
        "decided_at": _ago(decided + issues - number, 6) if is_past else None,
        "decided_by": "Dana" if is_past else None,
    }


def _evidence(number: int) -> dict[str, Any]:
    return {
        "proposal_id": number + 1,
        "change_id": None,
        "url": "https://www.cga.ct.gov/",
        "quote": "SIGNED BY GOVERNOR",
        "action_date": date(2025, 6, 9),
        "first_seen_at": _ago(number),
        "snapshot_sha256": f"{number:064x}",
    }


def _transition(number: int, issues: int, bills: int) -> dict[str, Any]:
    text = "HB 5001, signed on July 31, 2020, goes some of the way."
    return {
        "issue_id": f"issue-{number % issues}",
        "proposal_id": number + 1,
        "bill_id": 1 + number % bills,
        "from_status": "no_progress",
        "to_status": "some_progress",
        "narrative_before": text,
        "narrative_after": text,
        "reason": "The governor signed HB 5001 on July 31, 2020.",
        "decided_by": "Dana",
        "at": _ago(10_000 - number, 60),
    }


def _run(number: int) -> dict[str, Any]:
    began = _ago(10_000 - number, 1)
    return {"started_at": began, "finished_at": began, "counts": {"checked": 3, "requests": 3}}


def _measure(home: Path, url: str, requests: int) -> None:
    from sqlalchemy import event

    from monitor.web.app import create_app
    from monitor.workflow import accounts
    from monitor.workflow.attempts import Caller

    clock, asked = [NOW], list[str]()
    context = _context(home, url, lambda: clock[0])
    event.listen(context.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with closing(context.database), within() as said:
        token = accounts.sign_in(context, "Dana", PASSWORD, Caller("127.0.0.1")).token
        client = create_app(context).test_client()
        client.set_cookie("desk", token, path="/desk")
        for name, path in PAGES:
            times, cpu, size = [], [], 0
            for _ in range(requests + 3):
                if "anew" in name:
                    clock[0] += timedelta(minutes=1)
                    _publish(context)
                asked.clear()
                began, worked = time.perf_counter(), time.process_time()
                answer = client.get(path, follow_redirects=True)
                size = len(answer.data)
                times.append((time.perf_counter() - began) * 1000)
                cpu.append((time.process_time() - worked) * 1000)
                assert answer.status_code == 200, (path, answer.status)
            if "--queries" in sys.argv:
                sys.stderr.write("\n\n".join([f"== {name}", *asked, ""]))
            said[name] = _share(times, 0.5), _share(times, 0.95), _share(cpu, 0.95), size, len(asked)


def _publish(context: Any) -> None:
    """Something on the board has just changed."""
    from monitor.store.schema import Issue

    with context.database.transaction() as session:
        session.get_one(Issue, "issue-1").updated_at = context.now()


def _share(times: Sequence[float], share: float) -> float:
    """Within what so many of the requests were answered; the first three only warm up."""
    warm = sorted(times[3:])
    return warm[min(len(warm) - 1, int(len(warm) * share))]


def main() -> None:
    what, home, url = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if what == "fill":
        _fill(home, url, json.loads(sys.argv[4]))
    else:
        _measure(home, url, int(sys.argv[4]))


if __name__ == "__main__":
    main()
