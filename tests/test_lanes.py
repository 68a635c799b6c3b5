"""Several connections: whoever is kept waiting keeps nobody else waiting, and a crash repeats as little as before."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from monitor.model.messaging import Choice, DeliveryState, Item
from monitor.store import outbox
from monitor.store.database import Database
from monitor.store.schema import Delivery, Subscription
from monitor.workflow import deliver as engine
from monitor.workflow import lanes, managing, notices
from monitor.workflow.context import Context
from monitor.workflow.deliver import deliver
from monitor.workflow.subscribe import subscribe, wish
from tests.pipeline import World
from tests.smtp_sink import SmtpSink
from tests.telling import ALEX, parsed, publish, told, told_world

ANN, BOB, CAT = "ann@example.org", "bob@example.org", "cat@example.org"


class PatientSink(SmtpSink):
    """Does not answer ``phase`` for one recipient until it has ``count`` mails of the others."""

    def __init__(self, phase: str, recipient: str, count: int) -> None:
        super().__init__()
        self._held = phase, recipient
        self._count = count
        self._enough = asyncio.Event()

    def go_on(self) -> None:
        self._controller.loop.call_soon_threadsafe(self._enough.set)

    async def _act(self, server: Any, phase: str, recipient: str | None, usual: str) -> str:
        if (phase, recipient) == self._held:
            await self._enough.wait()
        return await super()._act(server, phase, recipient, usual)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        reply = await super().handle_DATA(server, session, envelope)
        if len(self.mails) >= self._count:
            self._enough.set()
        return reply


class Meeting(SmtpSink):
    """Answers RCPT only once so many connections have come to it: it shows that they talk at the same time."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self._there: set[Any] = set()
        self._all = asyncio.Event()

    async def _act(self, server: Any, phase: str, recipient: str | None, usual: str) -> str:
        if phase == "RCPT":
            self._there.add(server)
            if len(self._there) >= self._count:
                self._all.set()
            await self._all.wait()
        return await super()._act(server, phase, recipient, usual)


class Sluggish(SmtpSink):
    """Takes its time over every mail."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(0.25)
        return await super().handle_DATA(server, session, envelope)


def readers(world: World, count: int) -> list[str]:
    addresses = [f"reader{number:03}@example.org" for number in range(count)]
    subscribe(world.context, [wish(world.config, one, "email", Choice()) for one in addresses])
    return addresses


def by_connections(sink: SmtpSink, count: int) -> dict[str, Any]:
    server = {"host": "127.0.0.1", "port": sink.port, "security": "none", "from": "board@example.org"}
    return {"mail": {**server, "connections": count}}


@pytest.mark.parametrize("phase", ["RCPT", "DATA"])
@pytest.mark.parametrize("connections", [1, 3])
def test_one_slow_address_delays_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str, connections: int
) -> None:
    monkeypatch.setattr(lanes, "PATIENCE", 0.2)
    with (
        PatientSink(phase, "reader007@example.org", 59) as sink,
        told_world(tmp_path, sink, settings=by_connections(sink, connections)) as world,
    ):
        addresses = readers(world, 60)
        publish(world)
        assert world.deliver().sent == 60, "it answers the slow one only once all the others have theirs"
        assert told(sink)[-1] == "reader007@example.org"
        assert sorted(told(sink)) == addresses


def test_so_many_connections_as_asked_for_talk_at_the_same_time(tmp_path: Path, database_url: str) -> None:
    with (
        Meeting(4) as sink,
        told_world(tmp_path, sink, database_url=database_url, settings=by_connections(sink, 4)) as world,
    ):
        addresses = readers(world, 40)
        publish(world)
        assert world.deliver().sent == 40
        assert sorted(told(sink)) == addresses
        assert sink.connections == 4
        assert Counter(one.state for one in world.deliveries()) == {"sent": 40}


def test_a_server_that_takes_fewer_connections_is_no_outage(tmp_path: Path) -> None:
    class Jealous(SmtpSink):
        """Lets in a second caller never, and answers the first once it has asked."""

        def __init__(self) -> None:
            super().__init__()
            self._first: Any = None
            self.turned_away = 0

        async def handle_EHLO(  # noqa: N802
            self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
        ) -> Any:
            self._first = self._first or server
            if server is not self._first:
                self.turned_away += 1
                return ["421 4.7.0 too many connections"]
            return await super().handle_EHLO(server, session, envelope, hostname, responses)

    with Jealous() as sink, told_world(tmp_path, sink, settings=by_connections(sink, 3)) as world:
        world.subscribe(ANN)
        readers(world, 30)
        publish(world)
        report = world.deliver()
        while report.problems:  # who came first may have been let in last
            world.later(minutes=20)
            report = world.deliver()
        assert len(told(sink)) == 31
        assert Counter(one.state for one in world.deliveries()) == {"sent": 31}


def test_a_broken_channel_is_one_failure_however_many_connections_met_it(tmp_path: Path) -> None:
    with SmtpSink() as sink, told_world(tmp_path, sink, settings=by_connections(sink, 4)) as world:
        sink.script("MAIL", "530 5.7.0 log in first")
        readers(world, 40)
        publish(world)
        world.deliver()
        (row,) = world.hosts()
        assert row.failures == 1
        assert {(one.state, one.attempts) for one in world.deliveries()} == {("pending", 0)}
        sink.clear()
        world.later(minutes=2)
        assert world.deliver().sent == 40


class Leaving(SmtpSink):
    """Somebody leaves while their mail is under way: its recipient was named, its text is not there yet."""

    def __init__(self) -> None:
        super().__init__()
        self.leave: Callable[[str], None] = lambda address: None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        await asyncio.get_running_loop().run_in_executor(None, self.leave, address)
        return await super().handle_RCPT(server, session, envelope, address, options)


@pytest.mark.parametrize("way", [managing.leave, managing.delete])
def test_whoever_leaves_while_their_mail_is_under_way_does_not_get_it(
    tmp_path: Path, database_url: str, way: Callable[[Context, int], object]
) -> None:
    sink = Leaving()
    with sink, told_world(tmp_path, sink, database_url=database_url) as world:
        for address in (ANN, BOB, CAT):
            world.subscribe(address)
        publish(world)
        [bob] = [one.id for one in world.rows(Subscription) if one.address == BOB]

        def bob_leaves(address: str) -> None:
            if address == BOB:
                own = Database(database_url)
                way(replace(world.context, database=own), bob)
                own.close()

        sink.leave = bob_leaves
        report = world.deliver()
        assert (report.sent, report.retrying) == (2, 0)
        assert sorted(told(sink)) == [ANN, CAT]
        [other] = [one for one in world.deliveries() if one.state != DeliveryState.SENT]
        assert other.state == DeliveryState.CANCELLED
        assert BOB not in other.error


def test_told_to_stop_while_somebody_is_slow_it_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PATIENCE", 0.1)
    stop = threading.Event()
    with PatientSink("RCPT", ANN, 1) as sink, told_world(tmp_path, sink) as world:
        world.subscribe(ANN)
        publish(world)

        monkeypatch.setattr(engine._Pass, "wait", _stopping_first(engine._Pass.wait, stop))
        report = deliver(replace(world.context, stopping=stop.is_set))
        assert (report.sent, report.retrying) == (0, 0)
        (left,) = world.deliveries()
        assert (left.state, left.attempts, left.claimed_by) == ("pending", 0, None), "given back, due at once"
        world.subscribe(BOB)
        publish(world, "quotas")
        publish(world, "stops")
        world.deliver()
    assert told(sink).count(ANN) == 1, "all three changes in one message"
    ids = [parsed(one)["Message-ID"] for one in sink.mails]
    assert len(ids) == len(set(ids)), "nothing twice"


def _stopping_first(wait: Callable[[Any], None], stop: threading.Event) -> Callable[[Any], None]:
    def stopped(self: Any) -> None:
        stop.set()
        wait(self)

    return stopped


def test_several_connections_keep_the_order_for_one_reader(tmp_path: Path) -> None:
    with SmtpSink() as sink, told_world(tmp_path, sink, settings=by_connections(sink, 4)) as world:
        readers(world, 30)
        for slug in ("stops", "quotas", "stops"):
            publish(world, slug)
        world.deliver()
        at = {one.id: one.transition_id for one in world.deliveries(Delivery.state == DeliveryState.SENT)}
        per_reader: dict[str, list[Any]] = {}
        for one in sink.mails:
            key = parsed(one)["Message-ID"].strip("<>").partition("@")[0]
            per_reader.setdefault(one.recipient, []).append(at[key])
        assert all(found == sorted(found) for found in per_reader.values())
        assert len(per_reader) == 30


def test_many_messages_for_one_recipient_outlive_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LEASE", timedelta(seconds=4))
    monkeypatch.setattr(engine, "_BATCH_SECONDS", 0.2)
    monkeypatch.setattr(lanes, "_UNIT_SECONDS", 0.3)
    with Sluggish() as sink, told_world(tmp_path, sink, settings={"operators": [ALEX]}) as world:
        with world.database.transaction() as session:
            for number in range(20):
                notices.tell_operators(session, world.config, Item(f"Trouble {number}", "It is over."), world.now)
        began = monotonic()
        deliver(replace(world.context, now=lambda: world.now + timedelta(seconds=monotonic() - began)))
    ids = [parsed(one)["Message-ID"] for one in sink.mails]
    assert len(ids) == len(set(ids)) == 20, "each once, however slow the server is"


def test_a_pass_that_breaks_off_sends_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PATIENCE", 0.1)
    settings = {"operators": [ALEX]}
    with PatientSink("RCPT", ALEX["address"], 1) as sink, told_world(tmp_path, sink, settings=settings) as world:
        with world.database.transaction() as session:
            notices.tell_operators(session, world.config, Item("Trouble", "It is over."), world.now)
        monkeypatch.setattr(engine._Pass, "wait", _broken)
        with pytest.raises(RuntimeError, match="the database is gone"):
            world.deliver()
        lanes_left = [one for one in threading.enumerate() if one.name == "lane"]
        sink.go_on()
        for one in lanes_left:
            one.join(5)
        assert sink.mails == [], "nobody would have marked it"


def _broken(_: object) -> None:
    raise RuntimeError("the database is gone")
