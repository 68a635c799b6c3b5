"""Several at once on one database, on both engines: services, deliveries, maintainers, a backup that holds the lock.

Whatever the order, an action is one change, a message is sent once, a proposal has one decision, and the others are
told. A worker that has overslept its lease writes nothing.
"""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from monitor.interpret.actions import classify
from monitor.model.messaging import ChannelKind, Outcome, OutcomeKind
from monitor.notify.carrier import Transport
from monitor.store import sources
from monitor.store.database import Database
from monitor.store.schema import Bill, ChangeRow, Delivery, Proposal, Source, Subscription, Transition
from monitor.workflow import channels, fetching
from monitor.workflow.check import check
from monitor.workflow.context import Context
from monitor.workflow.deliver import deliver
from monitor.workflow.review import Refusal, approve, reject
from tests.crash import Child, Launcher
from tests.integrity import violations
from tests.pipeline import World, issue, watch
from tests.smtp_sink import SmtpSink
from tests.telling import propose, publish

EVE = date(2025, 2, 24)
LAST = date(2025, 6, 25)
BILLS = ("HB07132", "HB07073", "HB06990", "SB00008", "HB05002")

#: Seconds until a wait for another process is taken for a hang; nothing is asserted about speed.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as one:
        yield one


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, database_url: str, mail: SmtpSink) -> Iterator[World]:
    """Five bills of the real session, read for the first time."""
    entries = [issue("stops")]
    entries += [
        issue(name.lower(), watch(f"2025 {name[:2]} {int(name[2:])}", effect="some_progress")) for name in BILLS
    ]
    settings = {
        "mail": {"host": mail.host, "port": mail.port, "security": "none", "from": "board@example.org"},
        "schedule": {"tick_seconds": 1},
    }
    with World(tmp_path, entries, day=EVE, database_url=database_url, settings=settings) as one:
        one.check()
        yield one


def start(launcher: Launcher, world: World, *arguments: str) -> Child:
    argv = ["--now", world.now.isoformat(), *arguments]
    return launcher.start(argv, environ=world.command_environ, folder=world.folder)


def visible(world: World, last: date) -> Counter[tuple[str, object]]:
    return Counter(
        (bill.key.identifier, (row.on, *classify(row.description).identity))
        for bill in world.replica.facts.of_session("2025")
        if bill.key.identifier in BILLS
        for row in bill.rows
        if EVE < row.on_page <= last
    )


def recorded(world: World) -> Counter[tuple[str, object]]:
    bills = {row.id: row.identifier for row in world.rows(Bill)}
    return Counter(
        (bills[one.bill_id], (one.on, *classify(one.quote).identity))
        for one in world.rows(ChangeRow, ChangeRow.kind == "action")
    )


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"{what}: it never came"
        time.sleep(0.05)


def together(count: int, act: Callable[[int], object]) -> list[object]:
    """What ``count`` threads that begin at the same moment return or raise, in their order."""
    barrier = threading.Barrier(count)
    results: list[object] = [None] * count

    def one(number: int) -> None:
        barrier.wait()
        try:
            results[number] = act(number)
        except Exception as error:  # noqa: BLE001 - it is the result
            results[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# ------------------------------------------------------------------ reading


def test_two_checks_at_once_make_no_change_twice_and_lose_none(world: World, launcher: Launcher) -> None:
    for day in (date(2025, 3, 4), date(2025, 3, 28), date(2025, 4, 30), date(2025, 6, 4), LAST):
        world.at(day)
        children = [start(launcher, world, "check", "--all", "--json") for _ in range(2)]
        assert [child.wait() for child in children] == [0, 0], [child.errors for child in children]
        assert recorded(world) == visible(world, day)
    assert violations(world.database) == []
    pending = Counter(one.subject for one in world.proposals())
    assert max(pending.values()) == 1


def test_many_checks_in_threads_of_one_process(world: World) -> None:
    world.at(LAST)
    results = together(6, lambda number: check(world.context, everything=True))
    assert [one for one in results if isinstance(one, Exception)] == []
    assert recorded(world) == visible(world, LAST)
    assert violations(world.database) == []
    told = [change for report in results for change in report.changes]  # type: ignore[attr-defined]
    assert len(told) == len(world.changes())


def test_two_services_on_one_database(world: World, launcher: Launcher, mail: SmtpSink) -> None:
    """Both read, both deliver, a maintainer decides meanwhile; one is killed, the other goes on."""
    world.subscribe("ann@example.org")
    for day, number in ((date(2025, 4, 30), 9), (LAST, 15)):
        world.at(day)
        services = [start(launcher, world, "run") for _ in range(2)]
        until(lambda day=day: recorded(world) == visible(world, day), "every row")  # type: ignore[misc]
        world.later(minutes=1)
        for proposal in world.proposals():
            child = start(launcher, world, "proposals", "approve", str(proposal.id), "--by", "Alex")
            assert child.wait() == 0, child.errors
        # The services' clocks stand before the approvals: what they may send was due when they began.
        for child in services:
            child.kill(number)
        codes = [child.wait() for child in services]
        assert codes == ([0, 0] if number == 15 else [-9, -9])
        world.later(minutes=5)
    sender = start(launcher, world, "deliver")
    assert sender.wait() == 0
    assert violations(world.database) == []
    assert recorded(world) == visible(world, LAST)
    sent = Counter(str(message_from_bytes(one.data)["Message-ID"]) for one in mail.mails)
    assert set(sent.values()) == {1}
    assert len(sent) == 2, "what is due for her at one moment is one message: of the first day, and of the last"
    assert len(world.deliveries(Delivery.state == "sent")) == len(world.rows(Transition))


def test_a_worker_that_overslept_its_lease_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was suspended in the middle of its first fetch for longer than the lease; somebody else has done its work."""
    world.at(LAST)
    sleeper = replace(world.context, now=lambda: world.now)
    real = fetching.fetch_bulk
    others: list[Any] = []

    def oversleep(context: Context, *more: Any) -> Any:
        answer = real(context, *more)
        if context is sleeper and not others:
            world.later(seconds=sources.LEASE.total_seconds() + 60)
            others.append(check(world.context, everything=True))
        return answer

    monkeypatch.setattr("monitor.workflow.bulk.fetch_bulk", oversleep)
    late = check(sleeper, everything=True)
    assert others[0].changes
    assert (late.changes, late.proposals) == ([], [])
    assert recorded(world) == visible(world, LAST)
    runs = {change.run_id for change in world.changes()}
    assert len(runs) == 1
    assert violations(world.database, drained_at=None) == []
    assert not [one for one in world.rows(Source) if one.claimed_by]


# ------------------------------------------------------------------ deciding


def test_twenty_maintainers_at_once_have_one_winner(world: World) -> None:
    """Approving and rejecting; everyone else is told who won and when."""
    world.subscribe("ann@example.org")
    number = propose(world, "stops", "some_progress")
    contexts = [world.context for _ in range(20)]

    def decide(at: int) -> str:
        if at % 2:
            reject(contexts[at], number, f"Person {at}", "Not this one.")
        else:
            approve(contexts[at], number, f"Person {at}")
        return f"Person {at}"

    results = together(20, decide)
    winners = [one for one in results if isinstance(one, str)]
    losers = [str(one) for one in results if isinstance(one, Refusal)]
    assert len(winners) == 1, results
    assert len(losers) == 19, results
    state = "rejected" if int(winners[0].split()[1]) % 2 else "approved"
    assert all(f"{winners[0]} {state} proposal {number} on February 24, 2025 at 12:00 PM" in one for one in losers)
    assert len(world.rows(Transition)) == (state == "approved")
    assert len(world.deliveries()) == (state == "approved")
    assert violations(world.database) == []


def test_two_maintainers_at_two_machines(world: World, launcher: Launcher) -> None:
    for round_ in range(3):
        number = propose(world, "stops", "some_progress", reason=f"Reason {round_}.")
        children = [
            start(launcher, world, "proposals", "approve", str(number), "--by", "Ann", "--status", "achieved"),
            start(launcher, world, "proposals", "reject", str(number), "--by", "Bob", "--reason", "No."),
        ]
        codes = [child.wait() for child in children]
        assert sorted(codes) == [0, 1]
        winner = ("Ann amended", "Bob rejected")[codes.index(0)]
        assert f"{winner} proposal {number}" in children[codes.index(1)].errors
    assert violations(world.database) == []


def test_a_decision_and_a_newer_change_at_once(world: World) -> None:
    """Either the maintainer was first and the check proposes anew, or the check was and the maintainer hears of it."""
    world.at(date(2025, 6, 9)).check()
    first = world.proposals()
    assert first
    world.at(LAST)
    contexts = [world.context for _ in first]

    def act(at: int) -> object:
        if at == len(first):
            return check(world.context, everything=True)
        return approve(contexts[at], first[at].id, "Alex")

    results = together(len(first) + 1, act)
    bad = [one for one in results if isinstance(one, Exception) and not isinstance(one, Refusal)]
    assert bad == []
    assert recorded(world) == visible(world, LAST)
    assert violations(world.database) == []
    states = {row.id: row.state for row in world.rows(Proposal)}
    for proposal, result in zip(first, results, strict=False):
        assert states[proposal.id] == ("superseded" if isinstance(result, Refusal) else "approved"), str(result)


# ------------------------------------------------------------------ telling


def test_eight_workers_send_each_message_once(world: World, launcher: Launcher, mail: SmtpSink) -> None:
    for number in range(30):
        world.subscribe(f"reader{number}@example.org", cadence="daily" if number % 5 == 0 else "immediate")
    publish(world, "stops")
    publish(world, "stops")
    world.later(days=1)
    children = [start(launcher, world, "deliver", "--json") for _ in range(8)]
    assert [child.wait() for child in children] == [0] * 8, [child.errors for child in children]
    sent = Counter(str(message_from_bytes(one.data)["Message-ID"]) for one in mail.mails)
    assert set(sent.values()) == {1}
    assert len(sent) == 30, "what is due for one reader at one moment is one message, at once or as a digest"
    assert Counter(one.state for one in world.deliveries()) == {"sent": 60}
    assert violations(world.database) == []


class GatedSink(SmtpSink):
    """Holds back its answer to one recipient's mail until told."""

    def __init__(self, recipient: str) -> None:
        super().__init__()
        self._recipient = recipient
        self.reached, self.gate = threading.Event(), threading.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if envelope.rcpt_tos[0] == self._recipient and not self.reached.is_set():
            self.reached.set()
            await server.loop.run_in_executor(None, self.gate.wait)
        return await super().handle_DATA(server, session, envelope)


def test_a_sender_that_overslept_its_lease_repeats_one_message_at_most(
    tmp_path: Path, database_url: str, launcher: Launcher
) -> None:
    """Suspended in the middle of a message: what it had sent is not sent again, and its late mark changes nothing."""
    sink = GatedSink("reader2@example.org")
    with sink:
        settings = {"mail": {"host": sink.host, "port": sink.port, "security": "none", "from": "board@example.org"}}
        with World(tmp_path / "w", [issue("stops")], database_url=database_url, settings=settings) as world:
            for number in range(6):
                world.subscribe(f"reader{number}@example.org")
            publish(world)
            argv = ["--now", world.now.isoformat(), "deliver", "--json"]
            batch = {"monitor.workflow.deliver:_BATCH_SECONDS": 0.5}
            sleeper = launcher.start(argv, environ=world.command_environ, folder=world.folder, constants=batch)
            assert sink.reached.wait(PATIENCE)
            sleeper.kill(signal.SIGSTOP)
            world.later(minutes=3)
            waker = start(launcher, world, "deliver", "--json")
            assert waker.wait() == 0, waker.errors
            sent_at = {one.id: one.sent_at for one in world.deliveries()}
            time.sleep(1)  # by its own watch too it has slept for longer than a batch may take
            sink.gate.set()
            sleeper.kill(signal.SIGCONT)
            assert sleeper.wait() == 0, sleeper.errors
            assert {one.id: one.sent_at for one in world.deliveries()} == sent_at
            assert Counter(one.state for one in world.deliveries()) == {"sent": 6}
            sent = Counter(str(message_from_bytes(one.data)["Message-ID"]) for one in sink.mails)
            assert len(sent) == 6
            assert sent.total() <= 7
            assert len({one.data for one in sink.mails}) == 6, "a repeat is the same message"
            assert violations(world.database) == []


def test_a_lost_claim_marks_and_breaks_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider says "no such mailbox" to a worker that no longer holds the message, which another has just sent."""
    world.subscribe("ann@example.org")
    publish(world)

    class Slow(Transport):
        def send(self, message, before_taken=lambda: None):
            world.later(minutes=3)
            assert deliver(world.context).sent == 1
            return Outcome(OutcomeKind.PERMANENT, "550 no such mailbox", 550)

        def close(self) -> None:
            pass

    sleeper = world.context
    real = channels.open_channel

    def open_channel(context: Context, kind: ChannelKind, **_more) -> Transport:
        return Slow() if context is sleeper else real(context, kind)

    monkeypatch.setattr("monitor.workflow.deliver.open_channel", open_channel)
    deliver(sleeper)
    (delivery,) = world.deliveries()
    assert (delivery.state, delivery.code, delivery.error) == ("sent", delivery.code, "")
    (ann,) = world.rows(Subscription)
    assert ann.live


# ------------------------------------------------------------------ waiting


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Another program has the write lock: a backup, somebody's shell, a long transaction of another process."""
    if database.is_sqlite:
        other = sqlite3.connect(str(database.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")
        other.close()
    else:
        with database.transaction() as session:
            session.execute(text("SELECT 1"))
            yield


def test_a_database_that_is_locked_for_seconds_delays_and_loses_nothing(
    world: World, launcher: Launcher, mail: SmtpSink
) -> None:
    world.subscribe("ann@example.org")
    publish(world, "stops")
    world.at(LAST)
    with held(world.database):
        children = [start(launcher, world, "check", "--all"), start(launcher, world, "deliver")]
        time.sleep(3)  # as long as a small backup
    assert [child.wait() for child in children] == [0, 0], [child.errors for child in children]
    assert recorded(world) == visible(world, LAST)
    assert len(mail.mails) == 1
    assert violations(world.database) == []


def test_the_lock_taken_again_and_again_loses_nothing(world: World, launcher: Launcher) -> None:
    world.at(LAST)
    child = start(launcher, world, "check", "--all")
    ended = threading.Event()

    def wait() -> None:
        child.wait()
        ended.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    while not ended.is_set():
        with held(world.database):
            time.sleep(0.1)
        time.sleep(0.01)
    waiter.join()
    assert child.code == 0, child.errors
    assert recorded(world) == visible(world, LAST)
    assert violations(world.database) == []
