"""What is kept of a page that changed, and of one that did not."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pages
import world
from measuring import HERE, Scale, note, server, title


def run(scale: Scale) -> None:
    facts = world.session_facts(scale.bills)
    seen = [bill.key for bill in facts.of_session(facts.session) if bill.seen(pages.DAY)]
    keys = seen[: max(4, scale.pages // 10)]
    title(f"size: {len(keys)} pages of {scale.page_bytes // 1000} KB, changed {scale.rounds} times")
    home = world.folder("size")
    options = {"bills": scale.bills, "day": pages.DAY.isoformat(), "pad_to": scale.page_bytes}
    with server(HERE / "replica_process.py", json.dumps(options)) as replica:
        world.write_config(home, replica.ready["base_url"], keys, sources={"bill_feed": False, "acts_page": False})
        pages.ours(home, "prepare")
        replica.tell(promises="none")
        first = _kept(home)
        note(f"first sight: {first[1] / first[2]:.2%} of the page's bytes ({first[1] / first[0]:,.0f} a page)")
        pages.ours(home)
        note(f"unchanged but for noise: {_kept(home)[0] - first[0]} more stored")
        before = first
        for number in range(scale.rounds):
            rows = [f"FILE NO. {900 + number}", "FAV. RPT., TAB. FOR CAL., HOUSE"]
            replica.tell(edit=[key.identifier for key in keys], rows=rows)
            pages.ours(home)
            after = _kept(home)
            count, kept, size = (new - old for new, old in zip(after, before, strict=True))
            note(
                f"changed: {kept / size:.2%} of the page's bytes ({kept / count:,.0f} a page, {count} pages; "
                "at most 5 %)"
            )
            before = after


def _kept(home: Path) -> tuple[int, int, int]:
    """How many pages are stored, in how many bytes, and how many they are unpacked."""
    with closing(sqlite3.connect(home / "monitor.sqlite3")) as database:
        row = database.execute("SELECT count(*), sum(length(body)), sum(size) FROM snapshots").fetchone()
    return int(row[0]), int(row[1]), int(row[2])
