"""`kill -9` at every named point of the flow, on both engines: nothing is lost, and only a message that was sent and
not yet marked is repeated, as the same message.

The real commands run as processes against the replica, a mail server and a Slack of our own. One is killed at its
n-th pass through a point; then everything is run again, as systemd and a patient maintainer would, until nothing
is left to do. What has come of it must be what comes of a story without a crash.

MONITOR_CRASHES=1000 makes the last test, whose kills come at random moments, longer.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update

from monitor.demo.facts import Facts, Row
from monitor.interpret.actions import classify
from monitor.model.legislature import BillKey
from monitor.store.database import Database
from monitor.store.schema import Base, Bill, ChangeRow, Delivery, Proposal, Run, Source, Subscription, Transition
from monitor.store.schema_desk import Deed
from monitor.store.schema_subscribers import Place
from monitor.workflow.killpoints import POINTS
from tests.conftest import postgres_schema
from tests.crash import Child, Launcher
from tests.integrity import violations
from tests.pipeline import World, days_between, issue, watch
from tests.slack_sink import SlackSink
from tests.smtp_sink import SmtpSink

#: The first read, and the two days that bring news.
EVE, FIRST, SECOND = date(2025, 4, 8), date(2025, 6, 10), date(2025, 6, 25)

#: Only here may a message be sent twice: one is written down while the next is on its way.
BETWEEN_SEND_AND_MARK = {"before_send", "before_taken", "after_send_before_mark", "after_note", "before_mark_commit"}

#: Where only a crash leads to, at the point named.
AFTER_A_CRASH = {"before_recover_commit": "after_note", "after_recover_commit": "after_note"}

#: Slips stand beside SQLite's file.
SQLITE_ONLY = {"after_note", *AFTER_A_CRASH}

TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"
ISSUES = [
    issue("stops", watch("2025 HB 7132", effect="some_progress"), watch("2025 SB 8", effect="achieved")),
    issue("seizures", watch("2025 HB 6990", effect="achieved")),
    issue("task-force", watch(TASK_FORCE)),
]
NEWCOMER = issue("newcomer", watch("2025 HB 7202", effect="some_progress"))
BILLS = ("HB07132", "SB00008", "HB06990")
HOOK = "T01/B01/everything"


def facts() -> Facts:
    """The bundled ones, with a row that no phrase answers: it must reach a person."""
    bundled = Facts.bundled()
    key = BillKey("2025", "HB06990")
    rows = (*bundled.bills[key].rows, Row.of(FIRST, "SOMETHING NEVER SEEN BEFORE"))
    odd = replace(bundled.bills[key], rows=tuple(sorted(rows, key=lambda row: row.on)))
    return replace(bundled, bills={**bundled.bills, key: odd})


# ------------------------------------------------------------------ the stage: one for a module and engine


class Stock:
    """The rows of a prepared database, put back before each story. The audit log only grows, and stays."""

    def __init__(self, database: Database) -> None:
        with database.engine.connect() as connection:
            self._rows = {
                table: [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]
                for table in Base.metadata.sorted_tables
                if table.name != Deed.__tablename__
            }

    def restore(self, database: Database) -> None:
        """Sources and their snapshots point at each other: the sources' pointers go first and come last."""
        sources = Base.metadata.tables[Source.__tablename__]
        with database.transaction() as session:
            session.execute(update(Source).values(snapshot_id=None))
            for table in reversed(self._rows):
                session.execute(delete(table))
            for table, rows in self._rows.items():
                if rows:
                    session.execute(
                        insert(table), [{**row, "snapshot_id": None} if table is sources else row for row in rows]
                    )
                if not database.is_sqlite and isinstance(rows[0]["id"] if rows and "id" in rows[0] else "", int):
                    session.execute(
                        text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"),
                        {"table": table.name, "last": rows[-1]["id"]},
                    )
            for row in self._rows[sources]:
                session.execute(update(Source).where(Source.id == row["id"]).values(snapshot_id=row["snapshot_id"]))


@dataclass
class Stage:
    """Replica, sinks, launcher and a prepared database of one engine."""

    world: World
    mail: SmtpSink
    slack: SlackSink
    launcher: Launcher
    stock: Stock
    folder: Path

    def reset(self) -> None:
        """As it was after the first read, with nothing sent."""
        self.mail.clear()
        self.mail.mails.clear()
        self.slack.posts.clear()
        self.world.configure(ISSUES)
        self.stock.restore(self.world.database)
        self.world.at(EVE)

    def start(self, arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Child:
        argv = ["--now", self.world.now.isoformat(), *arguments]
        return self.launcher.start(argv, environ={**self.world.command_environ, **(environ or {})}, folder=self.folder)


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as one:
        yield one


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, launcher: Launcher
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        mail, slack = stack.enter_context(SmtpSink()), stack.enter_context(SlackSink())
        url = stack.enter_context(postgres_schema()) if request.param == "postgres" else None
        settings = {
            "mail": {"host": mail.host, "port": mail.port, "security": "none", "from": "board@example.org"},
            "slack_bases": [slack.base],
            "maintainers": [{"name": "Alex", "channel": "email", "address": "alex@example.org"}],
        }
        world = World(folder, ISSUES, facts=facts(), day=EVE, database_url=url, acts=True, settings=settings)
        stack.enter_context(world)
        world.check()
        world.subscribe("ann@example.org")
        world.subscribe("bob@example.org", issues=["stops", "seizures"])
        world.subscribe("dan@example.org", cadence="daily")
        world.subscribe(f"{slack.base}{HOOK}", "slack")
        yield Stage(world, mail, slack, launcher, Stock(world.database), folder)


# ------------------------------------------------------------------ the story


@dataclass
class Story:
    """What is done, in what order. ``deaths`` are points and at which pass through them, counted over the whole story,
    a process is killed, one after the other."""

    stage: Stage
    deaths: Sequence[tuple[str, int]] = ()
    crashes: int = 0
    passes: Counter[str] = field(default_factory=Counter)

    def tell(self) -> None:
        """Two days of news, each read, told to the maintainers, decided and told to everyone; then all is drained."""
        stage = self.stage
        stage.reset()
        for day in (FIRST, SECOND):
            stage.world.at(day)
            stage.world.configure([*ISSUES, NEWCOMER])
            self.command("sync")
            self.command("check", "--all")
            self.command("deliver")
            self.decide()
            # The mail server wants nobody's mail for a moment: what was claimed is given back.
            stage.mail.script("MAIL", "530 5.7.0 not now", times=1)
            self.command("deliver")
            stage.world.later(minutes=20)
            self.command("deliver")
            # A copy takes its place: what still waits is held until somebody says that it is to be sent.
            with stage.world.database.transaction() as session:
                session.execute(update(Place).values(place="elsewhere"))
            self.command("deliver")
            self.command("deliver", "--resume")
        stage.world.later(hours=21)  # the morning of the daily digest
        self.drain()

    def decide(self) -> None:
        """Whatever waits: the last one is rejected, the others approved."""
        waiting = self.stage.world.proposals()
        for proposal in waiting[:-1]:
            self.command("proposals", "approve", str(proposal.id), "--by", "Alex")
        self.command("proposals", "reject", str(waiting[-1].id), "--by", "Alex", "--reason", "Not for this board.")

    def drain(self) -> None:
        """Everything, so that nothing is due for a while, until nothing is left to send."""
        self.command("check", "--all")
        self.command("deliver")
        self.stage.world.later(minutes=5)
        said = self.command("deliver", "--json").said
        assert '"sent": 0' in said, said

    def command(self, *arguments: str) -> Child:
        """Run it, and as often as it is killed again, once every lease has expired."""
        child = self._once(arguments)
        crashed = False
        while child.code == -signal.SIGKILL:
            crashed = True
            point, number = self.deaths[self.crashes]
            self.passes[point] = number
            self.crashes += 1
            assert violations(self.stage.world.database) == []
            self.stage.world.later(minutes=3)
            child = self._once(arguments)
        decided_before = crashed and child.code == 1 and "Alex" in child.errors
        assert child.code == 0 or decided_before, (arguments, child.said, child.errors)
        self.stage.world.later(minutes=1)
        return child

    def _once(self, arguments: Sequence[str]) -> Child:
        environ = {}
        if self.crashes < len(self.deaths):
            point, number = self.deaths[self.crashes]
            environ["MONITOR_KILL_AT"] = f"{point}:{number - self.passes[point]}"
        child = self.stage.start(arguments, environ)
        child.wait()
        self.passes += child.passes
        return child


# ------------------------------------------------------------------ what came of it


@dataclass(frozen=True)
class Outcome:
    """What must be the same whether anything crashed or not."""

    changes: Counter[tuple[Any, ...]]
    proposals: Counter[tuple[Any, ...]]
    transitions: Counter[tuple[Any, ...]]
    tellings: Counter[tuple[Any, ...]]

    @classmethod
    def of(cls, world: World) -> Outcome:
        bills = {row.id: row.identifier for row in world.rows(Bill)}
        proposals = {row.id: row for row in world.rows(Proposal)}
        moves = {row.id: row for row in world.rows(Transition)}
        return cls(
            Counter(
                (row.kind, bills.get(row.bill_id or 0), row.on, row.quote.casefold(), row.before, row.after)
                for row in world.rows(ChangeRow)
            ),
            Counter(
                (row.kind, row.issue_id, row.state, row.from_status, row.to_status, row.reason, row.narrative)
                for row in proposals.values()
            ),
            Counter(
                (row.issue_id, row.from_status, row.to_status, row.narrative_after, row.reason)
                for row in moves.values()
            ),
            Counter(
                (
                    row.state,
                    row.recipient,
                    row.channel,
                    moves[row.transition_id].reason if row.transition_id else "notice",
                )
                for row in world.deliveries()
            ),
        )


def visible(world: World, last: date) -> Counter[tuple[str, object]]:
    """Every action row the site has shown since the first read, of the bills watched since then."""
    return Counter(
        (identifier, (row.on, *classify(row.description).identity))
        for identifier in BILLS
        for row in world.replica.facts.bills[BillKey("2025", identifier)].rows
        if EVE < row.on_page <= last
    )


def recorded(world: World) -> Counter[tuple[str, object]]:
    bills = {row.id: row.identifier for row in world.rows(Bill)}
    changes = world.rows(ChangeRow, ChangeRow.kind == "action")
    return Counter((bills[one.bill_id], (one.on, *classify(one.quote).identity)) for one in changes)


@dataclass(frozen=True)
class Wire:
    """What the mail server and Slack took, held against the outbox."""

    lost: list[str]
    unknown: list[str]
    altered: list[str]
    repeats: int

    @classmethod
    def of(cls, stage: Stage) -> Wire:
        taken: dict[tuple[str, str], list[bytes]] = {}
        for mail in stage.mail.mails:
            taken.setdefault((str(message_from_bytes(mail.data)["Message-ID"]), mail.recipient), []).append(mail.data)
        addresses = {row.id: row.address for row in stage.world.rows(Subscription)}
        sent = stage.world.deliveries(Delivery.state == "sent")
        told = {
            (f"<{row.message_key}@example.org>", addresses.get(row.subscription_id or 0, "alex@example.org"))
            for row in sent
            if row.channel == "email"
        }
        hooks = Counter(post.body for post in stage.slack.posts)
        posts = len({row.message_key for row in sent if row.channel == "slack"})
        lost = [str(one) for one in told - taken.keys()] + ["a post to Slack"] * (posts - len(hooks))
        unknown = [str(one) for one in taken.keys() - told] + ["a post to Slack"] * (len(hooks) - posts)
        altered = [str(one) for one, bodies in taken.items() if len(set(bodies)) > 1]
        repeats = sum(len(bodies) - 1 for bodies in taken.values()) + sum(hooks.values()) - len(hooks)
        return cls(lost, unknown, altered, repeats)


# ------------------------------------------------------------------ every point


@pytest.fixture(scope="module")
def undisturbed(stage: Stage) -> tuple[Outcome, Counter[str]]:
    """The same story without a crash, and how often it passes each point."""
    story = Story(stage)
    story.tell()
    check(story, repeats=0)
    outcome = Outcome.of(stage.world)
    assert {row[0] for row in outcome.proposals} == {"status", "narrative", "review"}
    assert {row[2] for row in outcome.proposals} >= {"approved", "rejected"}
    assert {(row[0], row[2]) for row in outcome.tellings} == {("sent", "email"), ("sent", "slack")}
    return outcome, story.passes


def check(story: Story, *, repeats: int) -> None:
    """Nothing half done, every row one change, every message sent, and no more of them twice than may be."""
    world = story.stage.world
    assert violations(world.database, drained_at=world.now) == []
    assert recorded(world) == visible(world, SECOND)
    wire = Wire.of(story.stage)
    assert (wire.lost, wire.unknown, wire.altered) == ([], [], [])
    assert wire.repeats <= repeats
    unfinished = world.ask(lambda session: session.scalar(select(func.count()).where(Run.finished_at.is_(None))))
    assert unfinished <= story.crashes


#: A story dies at so many points, one after the other: a story a point would take minutes more.
_TOGETHER = 4


def in_turn() -> list[list[str]]:
    """A few for each story; never such that may repeat a message with such that must not."""
    ours = [one for one in POINTS if one not in AFTER_A_CRASH]
    safe = [one for one in ours if one not in BETWEEN_SEND_AND_MARK]
    between = [one for one in ours if one in BETWEEN_SEND_AND_MARK]
    return [*(safe[first : first + _TOGETHER] for first in range(0, len(safe), _TOGETHER)), between]


@pytest.mark.parametrize("points", in_turn(), ids=lambda points: points[0])
def test_kills_at_one_point_after_the_other_lose_nothing(
    stage: Stage, undisturbed: tuple[Outcome, Counter[str]], points: list[str]
) -> None:
    """On SQLite on both days of the story; on PostgreSQL, where it takes three times as long, on the first."""
    outcome, passes = undisturbed
    is_sqlite = stage.world.database.is_sqlite
    if not is_sqlite:
        assert not any(passes[point] for point in SQLITE_ONLY)
        points = [one for one in points if one not in SQLITE_ONLY]
    assert all(passes[point] >= 2 for point in points), "the story must come by every point, or it tests nothing"
    story = Story(stage, [(point, day) for day in ((1, 2) if is_sqlite else (1,)) for point in points])
    story.tell()
    assert story.crashes == len(story.deaths)
    check(story, repeats=sum(point in BETWEEN_SEND_AND_MARK for point, _ in story.deaths))
    assert Outcome.of(stage.world) == outcome


@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", AFTER_A_CRASH)
def test_a_kill_while_it_recovers_from_one_loses_nothing(
    stage: Stage, undisturbed: tuple[Outcome, Counter[str]], point: str
) -> None:
    story = Story(stage, [(AFTER_A_CRASH[point], 1), (point, 1), (point, 2)])
    story.tell()
    assert story.crashes == 3
    check(story, repeats=0)
    assert Outcome.of(stage.world) == undisturbed[0]


# ------------------------------------------------------------------ any moment


#: How often each command is the one to die: a day has one check, one delivery and many decisions.
_SHARE = {"check": 0.5, "proposals": 0.2, "deliver": 0.8}


class Massacre:
    """Day after day the same commands, each killed at random moments until the day's share of crashes is used up."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        self.stage = stage
        self.crashes: Counter[str] = Counter()
        self._dice = dice
        self._left = 0
        self._usual: dict[str, float] = {}

    def live(self, day: date, crashes: int) -> None:
        """One day: read, decide, tell."""
        self._left = crashes
        self.stage.world.at(day)
        self.command("check", "--all")
        for proposal in self.stage.world.proposals():
            self.command("proposals", "approve", str(proposal.id), "--by", "Alex", codes=(0, 1))
        for proposal in self.stage.world.proposals():  # the issue has moved meanwhile
            self.command("proposals", "reject", str(proposal.id), "--by", "Alex", "--reason", "Too late.", codes=(0, 1))
        self.command("deliver")

    def command(self, *arguments: str, codes: Sequence[int] = (0,)) -> None:
        while (code := self._once(arguments)) == -signal.SIGKILL:
            self.crashes[arguments[0]] += 1
            self._left -= 1
            self.stage.world.later(minutes=3)
        assert code in codes, arguments
        self.stage.world.later(minutes=1)

    def _once(self, arguments: Sequence[str]) -> int:
        """The moment is drawn from as long as the command usually takes: it may come too late, or before anything."""
        began = time.monotonic()
        child = self.stage.start(arguments)
        if self._left > 0 and arguments[0] in self._usual and self._dice.random() < _SHARE[arguments[0]]:
            time.sleep(self._dice.uniform(0, self._usual[arguments[0]]))
            child.kill()
        code = child.wait()
        if code == 0:
            self._usual[arguments[0]] = time.monotonic() - began
        return code


def test_kills_at_random_moments_lose_nothing(stage: Stage, record_property: Callable[[str, object], None]) -> None:
    """MONITOR_CRASHES says how many; each may repeat one message, and that only as the same message."""
    wanted = int(os.environ.get("MONITOR_CRASHES", "25"))
    stage.reset()
    massacre = Massacre(stage, random.Random(wanted))
    days = list(days_between(EVE + timedelta(days=1), SECOND))
    days = days[:: max(1, len(days) // max(8, wanted // 5))]
    for number, day in enumerate(days):
        due = wanted * (number + 1) // len(days) - massacre.crashes.total()
        massacre.live(day, max(0, due))
    massacre.live(SECOND, 0)
    stage.world.later(hours=22)  # the last daily digest
    massacre.command("check")
    massacre.command("deliver")
    wire = Wire.of(stage)
    tally = (
        f"{massacre.crashes.total()} crashes {dict(massacre.crashes)}: {len(wire.lost)} lost, {wire.repeats} repeated"
    )
    record_property("tally", tally)
    print(tally)
    assert massacre.crashes.total() >= wanted // 2, "the kills came too late"
    assert violations(stage.world.database, drained_at=stage.world.now) == []
    assert recorded(stage.world) == visible(stage.world, SECOND)
    assert (wire.lost, wire.unknown, wire.altered) == ([], [], [])
    assert wire.repeats <= massacre.crashes["deliver"]
