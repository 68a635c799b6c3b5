"""The bulk files of a whole session: a pass that finds nothing, and one that finds 1 % of the bills changed.

The floor of the changed pass is the bare csv module on the same two files: ``list(csv.reader(...))``. Ours is
counted from the first byte of the answer in hand to the committed transaction; the floor has no answer to fetch.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import world
from measuring import HERE, Cost, Scale, Stopwatch, best, child, note, ratio, server, title, within

#: Before the first row of the day whose changes are measured; chosen in run().
_FILES = ("bill_history.csv", "bill_info.csv")


def run(scale: Scale) -> None:
    facts = world.session_facts(scale.bills)
    bills = facts.of_session(facts.session)
    eve, day, touched = _typical_day(facts, share=0.01)
    title(f"feed: {len(bills)} bills watched through the bulk files, {sum(len(b.rows) for b in bills)} rows")
    home = world.folder("feed")
    options = {"bills": scale.bills, "day": eve.isoformat()}
    with server(HERE / "replica_process.py", json.dumps(options)) as replica:
        base = replica.ready["base_url"]
        world.write_config(home, base, [bill.key for bill in bills], sources={"bill_page": False, "acts_page": False})
        first = _ours(home, eve, "prepare")
        note(f"first read of everything: {first.cpu:.2f} s CPU, {first.peak_mb:.0f} MB")
        pass_304 = best(lambda: _ours(home, eve), scale.rounds)
        replica.tell(promises="none")
        _ours(home, eve)
        same = best(lambda: _ours(home, eve), scale.rounds)
        _keep_files(home, base)
        idle = best(lambda: child([HERE / "feed.py", "csv", home]), scale.rounds)
        ratio("unchanged, 304: the whole pass", pass_304.cpu, idle.cpu, "s CPU", "csv", "next to nothing")
        ratio("unchanged, same bytes 200: the whole pass", same.cpu, idle.cpu, "s CPU", "csv")
        note(
            f"requests: {pass_304.said['requests']} for a 304, {same.said['requests']} for the same bytes; "
            f"polling every page: {len(bills)}"
        )
        # Set back to the eve for each round: the database is copied, not read again.
        kept = (home / "monitor.sqlite3").read_bytes()
        replica.tell(day=day.isoformat())
        _keep_files(home, base)

        def changed() -> Cost:
            for path in home.glob("monitor.sqlite3*"):
                path.unlink()
            (home / "monitor.sqlite3").write_bytes(kept)
            return _ours(home, day)

        news = best(changed, scale.rounds)
        floor = best(lambda: child([HERE / "feed.py", "csv", home]), scale.rounds)
    note(
        f"changed on {day}: {touched} bills ({touched / len(bills):.1%}), {news.said['changes']} changes, "
        f"{news.said['proposals']} proposals, {news.said['requests']} requests, {news.peak_mb:.0f} MB"
    )
    ratio("1 % changed: response to commit", news.said["entered_cpu"], floor.cpu, "s CPU", "csv", "at most 10")
    ratio("1 % changed: the whole pass of a new day", news.cpu, floor.cpu, "s CPU", "csv")


def _typical_day(facts: Any, share: float) -> tuple[date, date, int]:
    """A day of the session on which nearest to ``share`` of the bills got a row, and the day before it."""
    bills = facts.of_session(facts.session)
    touched = Counter(day for bill in bills for day in {row.on_feed for row in bill.rows})
    wanted = share * len(bills)
    in_session = [day for day in sorted(touched) if date(2025, 3, 1) <= day <= date(2025, 6, 1)] or sorted(touched)
    day = min(in_session, key=lambda one: abs(touched[one] - wanted))
    eve = max((one for one in touched if one < day), default=day)
    return eve, day, touched[day]


def _ours(home: Path, day: date, what: str = "pass") -> Cost:
    return child([HERE / "feed.py", what, home, day.isoformat()])


def _keep_files(home: Path, base: str) -> None:
    import requests

    for name in _FILES:
        (home / name).write_bytes(requests.get(f"{base}/ftp/pub/data/{name}", timeout=30).content)


def _pass(home: Path, day: date) -> None:
    """One pass, and inside it the CPU from the first answer to the committed changes."""
    from monitor.workflow import bulk, check

    marks: dict[str, Stopwatch | float] = {}
    real_fetch, real_killpoint = bulk.fetch_bulk, check.killpoint

    def fetch_bulk(*args: Any) -> Any:
        answer = real_fetch(*args)
        marks.setdefault("answered", Stopwatch())
        return answer

    def killpoint(name: str) -> None:
        if name == "after_record_commit" and isinstance(marks.get("answered"), Stopwatch):
            marks["entered"] = marks["answered"].read()["cpu"]  # type: ignore[union-attr]
        real_killpoint(name)

    bulk.fetch_bulk, check.killpoint = fetch_bulk, killpoint  # type: ignore[assignment]
    with world.opened(home, lambda: world.noon(day)) as context, within() as said:
        report = check.check(context, everything=True)
        assert report.checked == 1 and not report.failed, report
        said |= {"requests": report.requests, "changes": len(report.changes), "proposals": len(report.proposals)}
        said["entered_cpu"] = marks.get("entered", 0.0)


def _csv(home: Path) -> None:
    bodies = [(home / name).read_bytes() for name in _FILES]
    with within() as said:
        rows = [list(csv.reader(io.StringIO(body.decode("cp1252", "replace"), newline=""))) for body in bodies]
        said["rows"] = sum(map(len, rows))


def main() -> None:
    what, home = sys.argv[1], Path(sys.argv[2])
    if what == "csv":
        _csv(home)
        return
    day = date.fromisoformat(sys.argv[3])
    if what == "prepare":
        world.prepare(home, day)
    _pass(home, day)


if __name__ == "__main__":
    main()
