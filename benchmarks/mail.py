"""A thousand emails to a local server through the outbox, each durably marked, beside bare smtplib.

Bare smtplib sends the bytes of one of ours to as many addresses, one after the other by as many connections, and
remembers nothing. Then the same with a server that takes 10 ms to answer, and ours beside ours with one address at
which the server hangs: when all but the last hundredth of the others had theirs.
"""

from __future__ import annotations

import os
import smtplib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import world
from measuring import HERE, ROOT, Cost, Scale, Server, child, note, ratio, server, title, within

DAY = date(2025, 4, 10)

if TYPE_CHECKING:
    from monitor.workflow.context import Context

#: How many connections, and how many seconds the server takes to answer.
CASES = ((1, 0.0), (4, 0.0), (1, 0.01), (4, 0.01))


#: With one address at which the server hangs: how many connections.
SLOW_CASES = (1, 4)


def run(scale: Scale) -> None:
    title(f"mail: {scale.mails} emails to a local server")
    for engine in ("SQLite", *(["PostgreSQL"] if "MONITOR_TEST_POSTGRES" in os.environ else [])):
        for connections, seconds in CASES if scale.every_case else (CASES[0], CASES[-1]):
            _case(scale, engine, connections, seconds)
        for connections in SLOW_CASES if scale.every_case else SLOW_CASES[:1]:
            _slow(scale, engine, connections)


def _case(scale: Scale, engine: str, connections: int, seconds: float) -> None:
    home, ours, bare = world.folder("mail"), list[Cost](), list[Cost]()
    with server(HERE / "sink_process.py", str(seconds)) as sink:
        where = (sink.ready["host"], str(sink.ready["port"]))
        for _ in range(scale.rounds):
            ours.append(_sent(scale, engine, home, sink, connections))
            (home / "mail.eml").write_bytes(sink.tell()["last"].encode("latin-1"))
            bare.append(child([HERE / "mail.py", "bare", home, *where, str(scale.mails), str(connections)]))
    first, floor = min(ours, key=_wall), min(bare, key=_wall)
    note(f"ours: {first.cpu:.2f} s CPU, {first.peak_mb:.0f} MB; bare: {floor.cpu:.2f} s CPU")
    what = f"{engine}, {connections} connections, {seconds * 1000:.0f} ms"
    rates = scale.mails / first.seconds, scale.mails / floor.seconds
    ratio(f"a second, {what}", *rates, "/s", "smtplib", "at least 0.9")


def _slow(scale: Scale, engine: str, connections: int) -> None:
    """When all but the last hundredth of the others had theirs."""
    usual, beside = (_waited(scale, engine, connections, *how) for how in ([], ["--slow"]))
    what = f"99 of 100 had theirs, {engine}, {connections} connections"
    ratio(what, beside, usual, "s", "nobody slow", "at most 1.1")


def _waited(scale: Scale, engine: str, connections: int, *how: str) -> float:
    home, waits = world.folder("mail"), list[float]()
    with server(HERE / "sink_process.py", "0.01", *how) as sink:
        for _ in range(scale.rounds):
            _sent(scale, engine, home, sink, connections)
            others = sorted(sink.tell()["waits"])[: scale.mails - 1]
            waits.append(others[len(others) * 99 // 100])
    return min(waits)


def _sent(scale: Scale, engine: str, home: Path, sink: Server, connections: int) -> Cost:
    """What it cost to send a fresh outbox: so many subscribers, one published move of an issue."""
    facts = world.session_facts(scale.bills)
    key = facts.of_session(facts.session)[0].key
    mail = {
        "host": sink.ready["host"],
        "port": sink.ready["port"],
        "security": "none",
        "from": "bench@example.org",
        "connections": connections,
    }
    for path in home.glob("monitor.sqlite3*"):
        path.unlink()
    with _database(engine) as url:
        world.write_config(home, "http://127.0.0.1:9", [key], mail=mail, **({"database": url} if url else {}))
        child([HERE / "mail.py", "queue", home, str(scale.mails)])
        return child([HERE / "mail.py", "outbox", home])


@contextmanager
def _database(engine: str) -> Iterator[str]:
    if engine == "SQLite":
        yield ""
        return
    sys.path.insert(0, str(ROOT))
    from tests.conftest import postgres_schema

    with postgres_schema() as url:
        yield url


def _wall(cost: Cost) -> float:
    return cost.seconds


def _fill(home: Path, mails: int) -> None:
    from monitor.workflow.review import approve

    world.prepare(home, DAY)
    with world.opened(home, lambda: world.noon(DAY)) as context, within():
        subscribers(context, mails)
        approve(context, move(context), "bench")


def subscribers(context: Context, count: int) -> None:
    """So many who want everything at once."""
    from monitor.store.schema import Subscription

    with context.database.transaction() as session:
        session.add_all(
            Subscription(
                channel="email",
                address=f"person{number}@example.org",
                cadence="immediate",
                created_at=context.now(),
            )
            for number in range(count)
        )


def move(context: Context) -> int:
    """A proposal that moves an issue to its next status."""
    from monitor.model.tracking import ProposalKind, Status
    from monitor.store.schema import Issue, Proposal

    with context.database.transaction() as session:
        before = session.get_one(Issue, "issue-0").status
        proposal = Proposal(
            kind=ProposalKind.STATUS,
            issue_id="issue-0",
            subject="bench",
            from_status=before,
            to_status=Status.ACHIEVED if before == Status.SOME_PROGRESS else Status.SOME_PROGRESS,
            reason="SB 380 was signed by the Governor on July 1, 2019.",
            narrative="SB 380 was signed by the Governor on July 1, 2019.",
            created_at=context.now(),
        )
        session.add(proposal)
        session.flush()
        return proposal.id


def _outbox(home: Path) -> None:
    from monitor.workflow.deliver import deliver

    with world.opened(home, lambda: world.noon(DAY)) as context, within() as said:
        report = deliver(context)
        said |= {"sent": report.sent}
        assert not report.problems, report


def _bare(home: Path, host: str, port: int, mails: int, connections: int) -> None:
    body = (home / "mail.eml").read_bytes()

    def send(first: int) -> None:
        with smtplib.SMTP(host, port) as connection:
            for number in range(first, mails, connections):
                connection.sendmail("bench@example.org", [f"person{number}@example.org"], body)

    with within() as said, ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, range(connections)))
        said["sent"] = mails


def main() -> None:
    what, home = sys.argv[1], Path(sys.argv[2])
    if what == "queue":
        _fill(home, int(sys.argv[3]))
    elif what == "outbox":
        _outbox(home)
    else:
        _bare(home, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))


if __name__ == "__main__":
    main()
