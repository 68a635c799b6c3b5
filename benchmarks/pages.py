"""A thousand bill pages, read for the second time: not modified, only noise, 5 % really changed.

Beside us stand urlwatch 2.29 with a CSS filter on the history table (its own environment, from its package name)
and the floor: threads that request the same pages with one kept-open session each and hash what comes, no more.
The pages are served by a process of its own, so serving costs nobody here anything.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import rival
import world
from measuring import HERE, Cost, Scale, Server, best, child, note, ratio, server, title, within

DAY = date(2025, 4, 10)

_NEWS = ["FAV. RPT., TAB. FOR CAL., HOUSE", "FILE NO. 998"]


@dataclass(frozen=True)
class Form:
    """One way the second pass can find the pages."""

    name: str
    promises: str
    changed: bool = False


FORMS = (
    Form("304", "honest"),
    Form("5 % changed, 304 for the rest", "honest", changed=True),
    Form("only noise", "none"),
    Form("5 % changed, noise on the rest", "none", changed=True),
)


def run(scale: Scale) -> None:
    facts = world.session_facts(scale.bills)
    keys = [bill.key for bill in facts.of_session(facts.session) if bill.seen(DAY)][: scale.pages]
    title(f"pages: {len(keys)} bill pages of {scale.page_bytes // 1000} KB, second pass")
    python = rival.python() if scale.rivals else None
    home = world.folder("pages")
    options = {"bills": scale.bills, "day": DAY.isoformat(), "pad_to": scale.page_bytes}
    with server(HERE / "replica_process.py", json.dumps(options)) as replica:
        base = replica.ready["base_url"]
        only_pages = {"bill_feed": False, "acts_page": False}
        world.write_config(home, base, keys, sources=only_pages)
        (home / "urls.txt").write_text("\n".join(world.page_urls(base, keys)))
        _first_pass(home, python)
        fresh = iter(keys)
        for form in FORMS if scale.versions > 1 else FORMS[:2]:
            _compare(
                home, replica, form, [next(fresh).identifier for _ in range(max(1, len(keys) // 20))], python, scale
            )
        if scale.versions > 1:
            _grow(home, replica, python, scale)


def _first_pass(home: Path, python: Path | None) -> None:
    first = ours(home, "prepare")
    note(f"ours, first read: {first.cpu:.2f} s CPU, {first.peak_mb:.0f} MB")
    floor(home)
    if python is not None:
        rival.configure(home)
        cost = rival.watch(python, home)
        note(f"urlwatch, first read: {cost.cpu:.2f} s CPU, {cost.peak_mb:.0f} MB")


def _compare(home: Path, replica: Server, form: Form, edited: list[str], python: Path | None, scale: Scale) -> None:
    """One form, each party in turn; where pages change, each party starts every round from the same state."""
    replica.tell(promises=form.promises)
    if form.changed:
        replica.tell(edit=edited, rows=_NEWS)
    kept = _keep(home)
    costs = {}
    for name, measure in _parties(home, python).items():

        def again(measure: Any = measure) -> Cost:
            _restore(home, kept)
            cost: Cost = measure()
            return cost

        costs[name] = best(again, scale.rounds)
    _everybody(home, python)
    _print(form, costs)


def _parties(home: Path, python: Path | None) -> dict[str, Any]:
    parties: dict[str, Any] = {"ours": lambda: ours(home), "floor": lambda: floor(home)}
    if python is not None:
        parties["urlwatch"] = lambda: rival.watch(python, home)
    return parties


def _everybody(home: Path, python: Path | None) -> None:
    for measure in _parties(home, python).values():
        measure()


def _print(form: Form, costs: dict[str, Cost]) -> None:
    ours = costs["ours"]
    note(
        f"{form.name}: {json.dumps(ours.said)}; "
        + ", ".join(
            f"{name} {cost.cpu:.2f} s CPU ({cost.process_cpu:.2f} with start), "
            f"{cost.peak_mb:.0f} MB, {cost.seconds:.1f} s"
            for name, cost in costs.items()
        )
    )
    aim = "at most 1.2" if not form.changed else ""
    ratio(f"{form.name}: CPU", ours.cpu, costs["floor"].cpu, "s CPU", "floor", aim)
    if "urlwatch" in costs:
        rival_cost = costs["urlwatch"]
        ratio(f"{form.name}: CPU", ours.cpu, rival_cost.cpu, "s CPU", "urlwatch", "at most 1")
        ratio(
            f"{form.name}: CPU with start", ours.process_cpu, rival_cost.process_cpu, "s CPU", "urlwatch", "at most 1"
        )
        ratio(f"{form.name}: peak memory", ours.peak_mb, rival_cost.peak_mb, "MB", "urlwatch", "at most 1")


def _grow(home: Path, replica: Server, python: Path | None, scale: Scale) -> None:
    """The same passes when every page has been stored many times."""
    for form in (FORMS[0], FORMS[2]):
        replica.tell(promises=form.promises)
        _everybody(home, python)  # who has lost the validators gets new ones
        few = {name: best(measure, scale.rounds) for name, measure in _parties(home, python).items()}
        if form is FORMS[0]:
            child([HERE / "pages.py", "age", home, str(scale.versions)])
            if python is not None:
                rival.age(python, home, scale.versions)
        many = {
            name: best(measure, scale.rounds) for name, measure in _parties(home, python).items() if name != "floor"
        }
        for name, cost in many.items():
            ratio(f"{form.name}, {scale.versions} versions stored: {name}", cost.cpu, few[name].cpu, "s CPU", "fewer")


# --- state between rounds ------------------------------------------------------------------------------------------

_STATE = ("monitor.sqlite3", "cache.db", "floor.json")


def _keep(home: Path) -> Path:
    kept = home / "kept"
    kept.mkdir(exist_ok=True)
    for name in _STATE:
        if (home / name).exists():
            shutil.copyfile(home / name, kept / name)
    return kept


def _restore(home: Path, kept: Path) -> None:
    for name in _STATE:
        if (kept / name).exists():
            shutil.copyfile(kept / name, home / name)


# --- the measured processes ----------------------------------------------------------------------------------------


def ours(home: Path, what: str = "pass") -> Cost:
    return child([HERE / "pages.py", what, home])


def floor(home: Path) -> Cost:
    return child([HERE / "floor_process.py", home])


def _pass(home: Path) -> None:
    from monitor.workflow.check import check

    with world.opened(home, lambda: world.noon(DAY)) as context, within() as said:
        report = check(context, everything=True)
        assert not report.failed, report
        said |= {"unchanged": report.unchanged, "changed": report.changed, "requests": report.requests}


def _age(home: Path, versions: int) -> None:
    """Give every page so many stored versions, each a little different, the newest the one that stands."""
    from sqlalchemy import select

    from monitor.model.tracking import Page, Verdict
    from monitor.store import snapshots
    from monitor.store.schema import Source

    with world.opened(home, lambda: world.noon(DAY)) as context, within(), context.database.transaction() as session:
        for source in session.scalars(select(Source).where(Source.snapshot_id.is_not(None))):
            body = snapshots.body_of(session, source.snapshot_id or 0)
            for version in range(1, versions):
                old = body if version == versions - 1 else body.replace(b"</title>", b" %d</title>" % version, 1)
                page = Page(source.url, source.url, 200, {"content-type": "text/html"}, old, world.noon(DAY))
                source.snapshot_id = snapshots.add(session, source, page, Verdict.OK).id


def main() -> None:
    what, home = sys.argv[1], Path(sys.argv[2])
    if what == "age":
        _age(home, int(sys.argv[3]))
    else:
        if what == "prepare":
            world.prepare(home, DAY)
        _pass(home)


if __name__ == "__main__":
    main()
