"""The whole pipeline against the replica of the site, with a clock that a test sets.

    with World(tmp_path, [issue("stops", watch("2025 HB 7132", effect="some_progress"))]) as world:
        world.check()                        # the baseline, on 2025-01-07
        world.at(date(2025, 6, 10))          # replica and clock
        report = world.check()               # reads everything; check(everything=False) only what is due
        world.approve(world.proposals(kind="status")[0].id)
        world.deliver()
        world.messages()                     # files of the outbox folder, unless settings name a mail server

Commands: ``world.monitor("check", "--json")`` here, ``world.process(...)`` where it must be a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import chdir, closing
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import structlog
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.config import Config, load
from monitor.demo.facts import Facts
from monitor.demo.replica import Replica
from monitor.model.legislature import BillKey
from monitor.store import bills, board, migrations, proposals, sources
from monitor.store.database import Database
from monitor.store.schema import (
    Action,
    Bill,
    ChangeRow,
    Delivery,
    Evidence,
    Host,
    Issue,
    Notice,
    Proposal,
    Source,
    Transition,
)
from monitor.workflow.check import check
from monitor.workflow.context import EASTERN, Context
from monitor.workflow.deliver import DeliverReport, deliver
from monitor.workflow.report import CheckReport
from monitor.workflow.review import approve, reject
from monitor.workflow.subscribe import choose, subscribe, wish
from monitor.workflow.sync import sync

#: The day before the 2025 session's first rows that most tests begin on.
EVE = date(2025, 1, 7)

ROOT = Path(__file__).resolve().parent.parent

#: Nobody listens there: a replica without FTP.
NO_FTP = "ftp://127.0.0.1:9/pub/data"

#: What webhooks are sealed with.
WEBHOOK_KEY = "only-tests-have-this-key-0123456789abcdefghij"

ORGANIZATION = {
    "name": "Example Police Reform Advocates",
    "contact": "monitor@example.org",
    "postal_address": "1 Example Street, Hartford, CT 06103",
}

Json = dict[str, Any]


def watch(source: str, **more: Any) -> Json:
    """A watch entry: of a bill ("2025 HB 7132"), of documents ("/jud/taskforce.asp?…") or, by ``feed=True``, a feed."""
    if not source.startswith("/"):
        return {"bill": source, **more}
    return {"feed" if more.pop("feed", False) else "documents": source, **more}


def issue(slug: str, *watches: Json | str, status: str = "no_progress", narrative: str = "Nothing yet.") -> Json:
    """A board entry; a bare string is a watch without effect."""
    entries = [watch(one) if isinstance(one, str) else one for one in watches]
    name = slug.replace("-", " ").capitalize()
    return {"id": slug, "name": name, "initial_status": status, "initial_narrative": narrative, "watches": entries}


def whole_session(facts: Facts, effect: str = "some_progress", *, every: int = 1) -> list[Json]:
    """One issue that watches the session's bills (every n-th, and all traps)."""
    chosen = [bill for at, bill in enumerate(facts.of_session(facts.session)) if bill.trap or at % every == 0]
    return [issue("everything", *(watch(str(bill.key), effect=effect) for bill in chosen))]


class World:
    """A replica, a configuration, a database and a context, all of one test.

    ``issues`` are entries made by ``issue``. ``feed``, ``page`` and ``acts`` switch the channels. ``settings`` are
    further blocks of config.yaml (``{"maintainers": [...]}``); ``manners`` are merged into that block, in which
    the pause between requests is 0. ``replica`` holds further arguments of ``Replica``. The clock begins at noon
    (Eastern) of ``day``. With ``synced=False`` the database stays empty (no schema), as for a subprocess.
    This process does not wait for the disk unless ``durable``: only a power cut could tell, and tests are many.
    """

    def __init__(
        self,
        folder: Path,
        issues: Sequence[Json],
        *,
        facts: Facts | None = None,
        day: date = EVE,
        database_url: str | None = None,
        feed: bool = True,
        page: bool = True,
        acts: bool = False,
        manners: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        replica: Mapping[str, Any] | None = None,
        synced: bool = True,
        durable: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.replica = Replica(facts or Facts.bundled(), day=day, **(replica or {}))
        self.now = _noon(day)
        self.config_path = folder / "config.yaml"
        self.outbox = folder / "outbox"
        self.environ = {"MONITOR_WEBHOOK_KEY": WEBHOOK_KEY, **(environ or {})}
        self.database_url = database_url or f"sqlite:///{folder / 'monitor.sqlite3'}"
        self._channels = {"bill_feed": feed, "bill_page": page, "acts_page": acts}
        self._settings = {"manners": {"interval_seconds": 0, **(manners or {})}, **(settings or {})}
        self._synced = synced
        self.app: Any = None  # tests/web.py makes it
        self.database = Database(self.database_url)
        if self.database.is_sqlite and not durable:
            event.listen(self.database.engine, "connect", _do_not_wait_for_the_disk)
        self.configure(issues)

    def configure(self, issues: Sequence[Json], **settings: Any) -> None:
        """Write config.yaml anew, with ``settings`` over the former ones; ``sync`` makes the tables follow."""
        self._settings.update(settings)
        site = {"base_url": self.replica.base_url, "ftp_url": self._ftp_url()}
        whole = {
            "organization": ORGANIZATION,
            "database": self.database_url,
            **self._settings,
            "sources": {**self._channels, "cga": site, **self._settings.get("sources", {})},
            "topics": [{"id": "topic", "name": "The topic", "issues": list(issues)}],
        }
        if "mail" not in whole:
            whole.setdefault("outbox", {"dir": "outbox"})
        self.config_path.write_text(json.dumps(whole, indent=0), encoding="utf-8")  # JSON is YAML
        self.config: Config = load(self.config_path, {})

    def _ftp_url(self) -> str:
        try:
            return self.replica.ftp_url
        except ValueError:
            return NO_FTP

    @property
    def context(self) -> Context:
        """A context of its own each time, as another process would have."""
        return Context(
            self.config, self.database, now=lambda: self.now, environ=self.environ, config_path=self.config_path
        )

    def __enter__(self) -> Self:
        self.replica.__enter__()
        if self._synced:
            self._migrate()
            self.sync()
        return self

    def _migrate(self) -> None:
        file = self.database.file
        if file is not None and not file.exists():
            file.write_bytes(_migrated())
        elif file is None and migrations.current(self.database) is None:
            _go_the_same_way(self.database)
        else:
            migrations.upgrade(self.database)

    def __exit__(self, *_: object) -> None:
        self.database.close()
        self.replica.__exit__(*_)

    # --- time ---------------------------------------------------------------------------------------------------------

    def at(self, day: date, hour: int = 12, minute: int = 0) -> Self:
        """It is that moment in Connecticut, and the replica shows that day."""
        return self._move(datetime.combine(day, time(hour, minute), tzinfo=EASTERN).astimezone(UTC))

    def later(self, **length: float) -> Self:
        """So much time passes (``hours=3``); the replica's day follows the calendar."""
        return self._move(self.now + timedelta(**length))

    def _move(self, moment: datetime) -> Self:
        self.now = moment
        if self.today != self.replica.day:
            self.replica.set_day(self.today)
        return self

    @property
    def today(self) -> date:
        return self.now.astimezone(EASTERN).date()

    # --- the workflows ------------------------------------------------------------------------------------------------

    def sync(self) -> Any:
        return sync(self.context)

    def check(self, *, everything: bool | None = None, watches: Collection[str] | None = None) -> CheckReport:
        """One pass over everything, over what stands behind ``watches``, or (``everything=False``) what is due."""
        chosen = watches is None if everything is None else everything
        return check(self.context, everything=chosen, watches=watches)

    def approve(self, proposal_id: int, by: str = "Alex Example", **amended: Any) -> Transition | None:
        return approve(self.context, proposal_id, by, **amended)

    def reject(self, proposal_id: int, by: str = "Alex Example", reason: str = "Not for this board.") -> None:
        reject(self.context, proposal_id, by, reason)

    def subscribe(
        self,
        address: str,
        channel: str = "email",
        *,
        topics: Sequence[str] = (),
        issues: Sequence[str] = (),
        interests: Sequence[str] = (),
        cadence: str = "immediate",
        hour: int | None = None,
        weekday: str = "",
        zone: str = "",
    ) -> None:
        choice = choose(
            self.config,
            topics=topics,
            issues=issues,
            interests=interests,
            cadence=cadence,
            hour=hour,
            weekday=weekday,
            zone=zone,
        )
        subscribe(self.context, [wish(self.config, address, channel, choice)])

    def deliver(self, **limits: Any) -> DeliverReport:
        return deliver(self.context, **limits)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def rows(self, table: type[Any], *where: Any) -> list[Any]:
        """Rows of a table in the order they were made, detached."""
        with self.database.reading() as session:
            order = table.id if hasattr(table, "id") else table.host
            return list(session.scalars(select(table).where(*where).order_by(order)))

    def ask(self, question: Callable[[Session], Any]) -> Any:
        """The answer of a query that only reads."""
        with self.database.reading() as session:
            return question(session)

    def standings(self) -> list[board.Standing]:
        return list(self.ask(lambda session: board.standings(session, self.now)))

    def proposals(self, state: str | None = "pending", *, kind: str | None = None) -> list[Proposal]:
        """Oldest first, with evidence and issue; ``state`` None means all."""
        with self.database.reading() as session:
            found = proposals.listing(session, None if state is None else [state])
        return [one for one in reversed(found) if kind is None or one.kind == kind]

    def changes(self, *where: Any) -> list[ChangeRow]:
        return self.rows(ChangeRow, *where)

    def deliveries(self, *where: Any) -> list[Delivery]:
        return self.rows(Delivery, *where)

    def notices(self, kind: str | None = None) -> list[Notice]:
        return self.rows(Notice, *([Notice.kind == kind] if kind else []))

    def hosts(self) -> list[Host]:
        return self.rows(Host)

    def issue(self, slug: str) -> Issue:
        return self.ask(lambda session: session.get_one(Issue, slug))

    def bill(self, key: BillKey | str) -> Bill:
        """A watched bill; "HB07132" is of the replica's session."""
        found = self.ask(lambda session: bills.find(session, self._key(key)))
        assert found is not None, f"{key} is not watched"
        return found

    def ledger(self, key: BillKey | str) -> list[Action]:
        bill_id = self.bill(key).id
        return self.ask(lambda session: bills.ledger(session, bill_id))

    def feed(self) -> Source:
        """The bulk history file."""
        return self.rows(Source, Source.kind == "bill_feed")[0]

    def page(self, key: BillKey | str) -> Source:
        """A bill's status page."""
        found = self.ask(lambda session: sources.page_of(session, self._key(key)))
        assert found is not None, f"no page of {key} is read"
        return found

    def evidence(self, proposal_id: int) -> list[Evidence]:
        return self.rows(Evidence, Evidence.proposal_id == proposal_id)

    def messages(self) -> list[str]:
        """What was written to the outbox folder, by name."""
        return [path.read_text(encoding="utf-8") for path in sorted(self.outbox.glob("*"))]

    def _key(self, key: BillKey | str) -> BillKey:
        return key if isinstance(key, BillKey) else BillKey(self.replica.facts.session, key)

    # --- for the command line -----------------------------------------------------------------------------------------

    @property
    def command_environ(self) -> dict[str, str]:
        """The environment of a ``monitor`` subprocess: ours, with the config and the secrets of ``environ``."""
        return {**os.environ, "MONITOR_CONFIG": str(self.config_path), **self.environ}

    def command(self, *arguments: str) -> list[str]:
        """The argv of ``monitor`` at the world's moment."""
        return [sys.executable, "-m", "monitor", "--now", self.now.isoformat(), *arguments]

    def monitor(
        self, *arguments: str, code: int | None = 0, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The command in this process: what it prints, reads and returns is its own. ``code`` None takes any."""
        assert "MONITOR_KILL_AT" not in self.environ, "that would end the tests: world.process"
        command = self.command(*arguments)
        environ = {"MONITOR_CONFIG": str(self.config_path), **self.environ}
        with chdir(ROOT):
            done = CliRunner().invoke(app, command[3:], input=given, env=environ, catch_exceptions=False)
        structlog.reset_defaults()  # its stderr is gone
        return _checked(subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr), code)

    def process(self, *arguments: str, code: int | None = 0, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """The same as a process of its own: for a second of Python's start it may be killed."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.command_environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return _checked(done, code)


def _checked(done: subprocess.CompletedProcess[str], code: int | None) -> subprocess.CompletedProcess[str]:
    assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@cache
def _migrated() -> bytes:
    """SQLite's file as the migrations leave it, for every world; tests/test_migrations.py is about the way there."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.sqlite3"
        with closing(Database(f"sqlite:///{file}")) as database:
            migrations.upgrade(database)
        return file.read_bytes()


#: What the migrations told a server when the first world of this process went up.
_WAY_UP: list[str] = []


def _go_the_same_way(database: Database) -> None:
    """An empty server goes up without Alembic, which takes most of the time."""
    if _WAY_UP:
        with database.migrating() as connection:
            for statement in _WAY_UP:
                connection.exec_driver_sql(statement)
        return
    told: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "SHOW")):
            assert not parameters, statement
            told.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    migrations.upgrade(database)
    event.remove(database.engine, "before_cursor_execute", note)
    _WAY_UP[:] = told


def _do_not_wait_for_the_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def days_between(first: date, last: date) -> Iterable[date]:
    """Every day, both ends included."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=EASTERN).astimezone(UTC)
