"""A thousand emails to a local server through the outbox, each durably marked, beside bare smtplib.

Bare smtplib sends the bytes of one of ours to as many addresses, one after the other on one connection, and remembers
nothing.
"""

from __future__ import annotations

import smtplib
import sys
from datetime import date
from pathlib import Path

import world
from measuring import HERE, Cost, Scale, child, note, ratio, server, title, within

DAY = date(2025, 4, 10)


def run(scale: Scale) -> None:
    title(f"mail: {scale.mails} emails to a local server")
    home = world.folder("mail")
    facts = world.session_facts(scale.bills)
    key = facts.of_session(facts.session)[0].key
    with server(HERE / "sink_process.py") as sink:
        mail = {
            "host": sink.ready["host"],
            "port": sink.ready["port"],
            "security": "none",
            "from": "bench@example.org",
        }
        world.write_config(home, "http://127.0.0.1:9", [key], mail=mail)
        ours, bare, told = [], [], {}
        where = (sink.ready["host"], str(sink.ready["port"]))
        for _ in range(scale.rounds):
            _queue(home, scale.mails)
            ours.append(child([HERE / "mail.py", "outbox", home]))
            told = sink.tell()
            (home / "mail.eml").write_bytes(told["last"].encode("latin-1"))
            bare.append(child([HERE / "mail.py", "bare", home, *where, str(scale.mails)]))
    note(f"the server has {told['mails']} mails by {told['connections']} connections")
    first, floor = min(ours, key=_wall), min(bare, key=_wall)
    note(f"ours: {first.cpu:.2f} s CPU, {first.peak_mb:.0f} MB; bare: {floor.cpu:.2f} s CPU")
    ratio("emails a second", scale.mails / first.seconds, scale.mails / floor.seconds, "/s", "smtplib", "at least 0.7")


def _wall(cost: Cost) -> float:
    return cost.seconds


def _queue(home: Path, mails: int) -> None:
    """A fresh outbox: so many subscribers, one published move of an issue."""
    for path in home.glob("monitor.sqlite3*"):
        path.unlink()
    child([HERE / "mail.py", "queue", home, str(mails)])


def _fill(home: Path, mails: int) -> None:
    from monitor.model.tracking import ProposalKind, Status
    from monitor.store.schema import Proposal, Subscription
    from monitor.workflow.review import approve

    now = world.noon(DAY)
    world.prepare(home, DAY)
    with world.opened(home, lambda: now) as context, within():
        with context.database.transaction() as session:
            session.add_all(
                Subscription(
                    channel="email", address=f"person{number}@example.org", cadence="immediate", created_at=now
                )
                for number in range(mails)
            )
            proposal = Proposal(
                kind=ProposalKind.STATUS,
                issue_id="issue-0",
                subject="bench",
                from_status=Status.NO_PROGRESS,
                to_status=Status.SOME_PROGRESS,
                reason="SB 380 was signed by the Governor on July 1, 2019.",
                narrative="SB 380 was signed by the Governor on July 1, 2019.",
                created_at=now,
            )
            session.add(proposal)
            session.flush()
            number = proposal.id
        approve(context, number, "bench")


def _outbox(home: Path) -> None:
    from monitor.workflow.deliver import deliver

    with world.opened(home, lambda: world.noon(DAY)) as context, within() as said:
        report = deliver(context)
        said |= {"sent": report.sent}
        assert not report.problems, report


def _bare(home: Path, host: str, port: int, mails: int) -> None:
    body = (home / "mail.eml").read_bytes()
    with within() as said, smtplib.SMTP(host, port) as connection:
        for number in range(mails):
            connection.sendmail("bench@example.org", [f"person{number}@example.org"], body)
        said["sent"] = mails


def main() -> None:
    what, home = sys.argv[1], Path(sys.argv[2])
    if what == "queue":
        _fill(home, int(sys.argv[3]))
    elif what == "outbox":
        _outbox(home)
    else:
        _bare(home, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))


if __name__ == "__main__":
    main()
