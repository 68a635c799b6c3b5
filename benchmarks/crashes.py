"""Kill it again and again: ``python benchmarks/crashes.py [--cycles 1000] [--database URL] [--connections 1]``.

A cycle is five changes approved for a handful of subscribers (at once, daily, by Slack) and sent, in a process that is
killed by ``kill -9`` at a random moment; then it is started again until all is done. Mail server and Slack are real, in
a process of their own that outlives every kill. The tally says what was lost, and what came twice.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any, NoReturn

import world
from measuring import HERE, server
from sqlalchemy import event

from monitor.config import load
from monitor.model.messaging import Cadence, ChannelKind, Choice, DeliveryState
from monitor.model.tracking import ProposalKind, Status
from monitor.store import migrations
from monitor.store.database import Database
from monitor.store.schema import Delivery, Issue, Proposal
from monitor.workflow.context import Context
from monitor.workflow.deliver import deliver
from monitor.workflow.review import approve
from monitor.workflow.subscribe import subscribe, wish
from monitor.workflow.sync import sync

CHANGES = 5
MAILS = (("ann", Cadence.IMMEDIATE), ("bob", Cadence.IMMEDIATE), ("dan", Cadence.DAILY))

#: Longer than a lease: what a dead process holds is free by then.
_LATER = timedelta(minutes=3)


@dataclass
class Tally:
    cycles: int = 0
    crashes: int = 0
    told: int = 0
    lost: int = 0
    repeats: int = 0
    most_repeats: int = 0  # in one life
    altered: int = 0  # repeats with other words than the first
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class Play:
    """One database, one sink, and a clock that only goes forward."""

    def __init__(self, home: Path, database: str, connections: int, dice: random.Random) -> None:
        self._home = home
        self._dice = dice
        self._url = database
        self._connections = connections
        self._now = datetime(2025, 4, 10, 17, tzinfo=UTC)
        self._usual = 0.5
        self._cycle = 0
        self._taken: dict[str, str] = {}
        self.tally = Tally()

    def begin(self, sink: Any) -> None:
        """The first cycle is played in this process, so that what it imports and keeps is there in every child."""
        mail = {
            "host": sink.ready["host"],
            "port": sink.ready["port"],
            "security": "none",
            "from": "bench@example.org",
            "connections": self._connections,
        }
        facts = world.session_facts(60)
        keys = [bill.key for bill in facts.of_session(facts.session)[:CHANGES]]
        settings = {"mail": mail, "slack_bases": [sink.ready["slack"]]}
        world.write_config(
            self._home, "http://127.0.0.1:9", keys, **settings, **({"database": self._url} if self._url else {})
        )
        self._hook = f"{sink.ready['slack']}T01/B01/everything"
        self._config = load(self._home / "config.yaml", {})
        self._database = Database(self._config.database_url)
        if self._database.is_sqlite:
            event.listen(self._database.engine, "connect", _do_not_wait_for_the_disk)
        context = self._context()
        self._prepare(context)
        self._work(context)
        self._hear(sink)
        self._database.engine.dispose()
        gc.freeze()

    def cycle(self, sink: Any) -> None:
        """A day: yesterday's digests and five changes, and a kill somewhere on the way."""
        self._cycle += 1
        self._now += timedelta(days=1)
        kills = 1 + (self._dice.random() < 0.1)
        while not self._lives(kill=kills > 0):
            kills -= 1
            self._now += _LATER
            self.tally.crashes += 1
            self._hear(sink)
        self._hear(sink)
        self.tally.cycles += 1

    def end(self, sink: Any) -> None:
        """The last digests, and whether everything has come."""
        self._now += timedelta(days=1)
        context = self._context()
        deliver(context)
        self._hear(sink)
        with self._database.reading() as session:
            rows = session.query(Delivery).all()
        wanted = (self._cycle + 1) * CHANGES * (len(MAILS) + 1)
        posts = sum(one.startswith("post") for one in self._taken)
        mailed = {f"<{row.message_key}@example.org>" for row in rows if row.channel == ChannelKind.EMAIL}
        posted = {row.message_key for row in rows if row.channel == ChannelKind.SLACK}
        self.tally.told = len(self._taken)
        self.tally.lost = abs(wanted - len(rows)) + sum(row.state != DeliveryState.SENT for row in rows)
        self.tally.lost += len(mailed - self._taken.keys()) + max(0, len(posted) - posts)
        self.tally.altered += max(0, len(self._taken) - len(mailed) - len(posted))

    def _lives(self, *, kill: bool) -> bool:
        """Whether it came to its end. The moment is drawn from as long as it usually takes."""
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._act()
        if kill:
            time.sleep(self._dice.uniform(0, self._usual))
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"cycle {self._cycle} ended with {code}; its complaint stands above")
        if code == 0:
            self._usual += (time.monotonic() - began - self._usual) / 4
        return code == 0

    def _hear(self, sink: Any) -> None:
        """What mail server and Slack took in one life."""
        said, repeats = sink.tell(), 0
        for name, words in [*map(_mail, said["mails_new"]), *map(_post, said["posts_new"])]:
            repeats += name in self._taken
            self.tally.altered += self._taken.setdefault(name, words) != words
        self.tally.repeats += repeats
        self.tally.most_repeats = max(self.tally.most_repeats, repeats)
        if self.tally.repeats > self.tally.crashes * self._connections:
            self.tally.problems.append(f"cycle {self._cycle}: {repeats} repeats are more than the crashes explain")

    # --- in a child ---------------------------------------------------------------------------------------------------

    def _act(self) -> NoReturn:
        code = 1
        try:
            random.seed()
            self._database.engine.dispose(close=False)  # the parent's connections are not ours
            self._work(self._context())
            code = 0
        except BaseException as error:  # noqa: BLE001 - said, and the parent sees the code
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(code)

    def _context(self) -> Context:
        return Context(self._config, self._database, lambda: self._now, {"MONITOR_WEBHOOK_KEY": _KEY})

    def _prepare(self, context: Context) -> None:
        migrations.upgrade(context.database)
        sync(context)
        wishes = [wish(context.config, f"{name}@example.org", "email", Choice(cadence=how)) for name, how in MAILS]
        subscribe(context, [*wishes, wish(context.config, self._hook, "slack", Choice())])

    def _work(self, context: Context) -> None:
        """As after each start: what is not proposed, decided or sent yet."""
        for number in range(CHANGES):
            self._decide(context, number)
        deliver(context)

    def _decide(self, context: Context, number: int) -> None:
        subject = f"cycle {self._cycle}"
        with context.database.transaction() as session:
            issue = session.get_one(Issue, f"issue-{number}")
            found = session.query(Proposal).filter_by(issue_id=issue.id, subject=subject).first()
            if found is None:
                found = _proposal(issue, subject, context.now())
                session.add(found)
                session.flush()
            waits = found.id if found.state == "pending" else None
        if waits is not None:
            approve(context, waits, "bench")


#: What the webhook stands sealed with.
_KEY = "a-key-for-this-benchmark-and-nothing-else-0123456789"


def _mail(encoded: str) -> tuple[str, str]:
    return str(message_from_bytes(base64.b64decode(encoded))["Message-ID"]), encoded


def _post(encoded: str) -> tuple[str, str]:
    """Slack knows no message ids: its words are told apart by what they say."""
    return f"post {encoded}", encoded


def _do_not_wait_for_the_disk(connection: Any, _record: object) -> None:
    """A kill takes nothing from the system's memory: only a power cut could tell."""
    connection.execute("PRAGMA synchronous=OFF")


def _proposal(issue: Issue, subject: str, now: datetime) -> Proposal:
    to = Status.ACHIEVED if issue.status != Status.ACHIEVED else Status.NO_PROGRESS
    return Proposal(
        kind=ProposalKind.STATUS,
        issue_id=issue.id,
        subject=subject,
        from_status=issue.status,
        to_status=to,
        reason=f"SB 380 was signed ({subject}, {issue.id}).",
        narrative=f"SB 380 was signed ({subject}).",
        created_at=now,
    )


def play(cycles: int, database: str, connections: int, seed: int) -> Tally:
    one = Play(world.folder(f"crashes-{os.getpid()}"), database, connections, random.Random(seed))
    began = time.monotonic()
    with server(HERE / "sink_process.py", "0", "--slack") as sink:
        one.begin(sink)
        for _ in range(cycles):
            one.cycle(sink)
        one.end(sink)
    one.tally.seconds = round(time.monotonic() - began, 1)
    return one.tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--database", default="", help="an SQLAlchemy URL; SQLite by default")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tally = play(options.cycles, options.database, options.connections, options.seed)
    if options.json:
        print(json.dumps(vars(tally)))
    else:
        print(
            f"{tally.cycles} cycles, {tally.crashes} crashes in {tally.seconds} s: {tally.told} messages, "
            f"{tally.lost} lost, {tally.repeats} repeated (at most {tally.most_repeats} in one life), "
            f"{tally.altered} altered"
        )
        print("\n".join(tally.problems))
    return 1 if tally.lost or tally.altered or tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
