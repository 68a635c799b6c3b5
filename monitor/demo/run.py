"""``monitor demo``: the real 2025 session, replayed day by day through the real pipeline over real HTTP."""

from __future__ import annotations

import logging
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.orm import Session

from monitor.config import load
from monitor.demo import board
from monitor.demo.facts import Facts
from monitor.demo.replica import Replica
from monitor.model.messaging import Cadence, ChannelKind, Choice, Interest
from monitor.model.tracking import ProposalKind, ProposalState, Status
from monitor.store import migrations, proposals
from monitor.store.database import Database
from monitor.store.schema import Proposal
from monitor.workflow.check import check
from monitor.workflow.context import EASTERN, Context
from monitor.workflow.deliver import deliver
from monitor.workflow.report import CheckReport
from monitor.workflow.review import approve
from monitor.workflow.subscribe import subscribe, wish
from monitor.workflow.sync import sync

#: Where the demonstration stands unless told otherwise.
DEFAULT = Path("demo-data")

#: The day before the session, so that every bill is seen to appear; and the last day anything happens.
FIRST, LAST = date(2025, 1, 7), date(2025, 12, 5)

_KINDS = (
    ("A new status is suggested", (ProposalKind.STATUS,)),
    ("A person must look", (ProposalKind.REVIEW,)),
    ("The status stays, the board's text is behind", (ProposalKind.NARRATIVE,)),
)

#: So much of the last message is printed.
_LINES_SHOWN = 16

#: The hour of the daily pass, Eastern.
_HOUR = time(18, 0)


@dataclass(slots=True)
class Tally:
    """What the replay came to."""

    days: int = 0
    requests: int = 0
    changes: int = 0
    failed: int = 0
    messages: int = 0

    def add(self, report: CheckReport) -> None:
        self.days += 1
        self.requests += report.requests
        self.changes += len(report.changes)
        self.failed += report.failed


def run(folder: Path) -> None:
    """Replay into ``folder``, and print what a maintainer would care about."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    _clear(folder)
    facts = Facts.bundled()
    # Pages that only html5lib can read take a second each; the tests have them, a first look need not wait.
    with Replica(facts, day=FIRST, odd_pages=False) as replica:
        path = board.write(folder, facts, replica.base_url)
        config = load(path, {})
        database = Database(config.database_url)
        migrations.upgrade(database)
        clock = [moment(FIRST)]
        # Nobody posts to the demonstration's webhook: the key to it need not outlive this process.
        context = Context(config, database, lambda: clock[0], {"MONITOR_WEBHOOK_KEY": secrets.token_hex()})
        sync(context)
        _subscribers(context)
        tally = Tally()
        for day in _days(facts, console):
            replica.set_day(day)
            clock[0] = moment(day)
            tally.add(check(context))
            tally.messages += deliver(context).sent
        decided = _decide_one(context)
        tally.messages += deliver(context).sent
    _tell(console, context, tally, decided, folder)
    database.close()
    (folder / board.MADE).touch()


def _clear(folder: Path) -> None:
    """A new demonstration replaces the last one, and nothing else."""
    if (folder / board.MARK).exists():
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something else; give an empty folder with --dir. Nothing was changed.")
    folder.mkdir(parents=True, exist_ok=True)


def moment(day: date) -> datetime:
    """When the pass of a day begins."""
    return datetime.combine(day, _HOUR, EASTERN).astimezone(UTC)


def _days(facts: Facts, console: Console) -> Iterator[date]:
    """Every day on which something appears, the day after it, and the day after adjournment; with a progress bar."""
    news = {day for day in facts.days() if FIRST <= day <= LAST}
    wanted = sorted({FIRST, LAST, *news, *(day + timedelta(days=1) for day in news)})
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[day]}"))
    with Progress(*columns, console=console, transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("Replaying 2025", total=len(wanted), day="")
        for day in wanted:
            yield day
            bar.update(task, advance=1, day=f"{day:%B} {day.day}")


def _subscribers(context: Context) -> None:
    every_step = (Interest.STATUS, Interest.ACTIVITY, Interest.HEARINGS)
    digests = Choice(("accountability",), interests=every_step, cadence=Cadence.DAILY)
    wishes = [
        wish(context.config, "ann@example.org", "email", Choice()),
        wish(context.config, "bob@example.org", "email", digests),
        wish(
            context.config,
            "https://hooks.slack.com/services/T0000/B0000/demonstration",
            ChannelKind.SLACK,
            Choice(),
        ),
    ]
    subscribe(context, wishes)


def _decide_one(context: Context) -> int | None:
    """A maintainer of the demonstration approves a status proposal, so that subscribers have something to read."""
    with context.database.reading() as session:
        waiting = proposals.listing(session, [ProposalState.PENDING])
        status = [proposal.id for proposal in waiting if proposal.kind == ProposalKind.STATUS]
    if not status:
        return None
    approve(context, status[-1], "demo")
    return status[-1]


def _tell(console: Console, context: Context, tally: Tally, decided: int | None, folder: Path) -> None:
    say = console.print if sys.stdout.isatty() else lambda text="", **_: print(text)  # noqa: T201
    bills = len({watch.bill for watch in context.config.watches() if watch.bill and watch.bill.session == "2025"})
    say(f"Replayed 2025: {bills} bills, {tally.days} days, {tally.requests:,} requests over HTTP to the replica.")
    say(f"{tally.changes} changes seen, each once, on the first day it was visible.")
    with context.database.reading() as session:
        _tell_proposals(say, session)
    _tell_messages(say, tally, decided, folder)
    with context.database.reading() as session:
        _tell_next(say, folder, _to_look_at(session), context.config.web.listen)


def _tell_proposals(say: Any, session: Session) -> None:
    every = proposals.listing(session, None)
    standing = sorted((one for one in every if one.state != ProposalState.SUPERSEDED), key=lambda one: one.id)
    say(f"{len(every)} proposals were made; newer ones replaced {len(every) - len(standing)} of them.")
    for title, kinds in _KINDS:
        chosen = [one for one in standing if one.kind in kinds]
        say("")
        say(f"{title} ({len(chosen)}):")
        for proposal in chosen:
            for line in _lines(proposal):
                say(f"  {line}")


def _lines(proposal: Proposal) -> Iterator[str]:
    name = proposal.issue.name if proposal.issue else "The service"
    yield f"{proposal.id:>4}  {name}: {_move(proposal)}. {proposal.reason}"
    if proposal.evidence:
        row = proposal.evidence[0]
        dated = f", dated {row.action_date}" if row.action_date else ""
        yield f"      “{row.quote}”{dated}, first seen {row.first_seen_at.astimezone(EASTERN):%Y-%m-%d}"


def _move(proposal: Proposal) -> str:
    if proposal.from_status is None:
        return "a person must look"
    before, after = Status(proposal.from_status).label, Status(str(proposal.to_status)).label
    return f"stays {before}" if before == after else f"{before} → {after}"


def _tell_messages(say: Any, tally: Tally, decided: int | None, folder: Path) -> None:
    say("")
    if decided is not None:
        say(f"The demonstration takes {board.ASSUMED[0][5:]} for what settles its issue, and its maintainer has")
        say(f"approved proposal {decided}, so that the subscribers were told.")
    say(f"{tally.messages} messages were written to {folder / board.OUTBOX}. The last one to a subscriber begins:")
    say("")
    for line in _last_message(folder):
        say(f"  | {line}")


def _last_message(folder: Path) -> list[str]:
    """The first lines of the newest mail to a subscriber, as its reader sees them."""
    from email import message_from_bytes, policy

    for path in sorted((folder / board.OUTBOX).glob("*.eml"), key=lambda one: one.stat().st_mtime_ns, reverse=True):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        if mail["To"] == "ann@example.org":
            body = mail.get_body(("plain",))
            text = body.get_content() if body is not None else ""
            return [f"To: {mail['To']}", f"Subject: {mail['Subject']}", "", *text.splitlines()][:_LINES_SHOWN]
    return ["(none)"]


def _to_look_at(session: Session) -> int:
    """A proposal that waits, a status before a text."""
    waiting = proposals.listing(session, [ProposalState.PENDING])
    return min(waiting, key=lambda one: (one.kind != ProposalKind.STATUS, one.id)).id


def _tell_next(say: Any, folder: Path, waiting: int, listen: str) -> None:
    monitor = f".venv/bin/monitor --config {folder / board.NAME}"
    say("")
    say("Next, on this database:")
    for words, why in (
        ("proposals list", "what waits for a decision"),
        (f"proposals show {waiting}", "one proposal with its evidence"),
        (f"board --now {LAST}T19:00-05:00", "where every issue stood that evening, and when it was verified"),
        ("subscribers list", "who is told"),
    ):
        say(f"  {monitor} {words:<34} # {why}")
    elsewhere = "" if folder == DEFAULT else f" --dir {folder}"
    say("")
    say(f"Look at it at http://{listen}/ once this runs: .venv/bin/monitor serve --demo{elsewhere}")
