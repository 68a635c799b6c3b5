"""Whatever readers change their minds about and the channel answers: each thing they wanted reaches them once.

Random histories on a real database and a channel that answers as scripted; only the clock is ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from monitor.model.messaging import Cadence, ChannelKind, Interest, Message, Outcome, OutcomeKind
from monitor.model.tracking import ChangeKind
from monitor.store import subscriptions
from monitor.store.schema import Bill, ChangeRow, Delivery, Evidence, Notice, Proposal, Subscription, Transition, Watch
from monitor.workflow import activity, deliver, pace
from tests.pipeline import World, issue
from tests.telling import propose

READERS = ("ann@example.org", "bob@example.org")
ISSUES = ("stops", "quotas")
BILLS = 8
ZONES = (None, "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/St_Johns")
#: The night before clocks change in spring, in autumn, and no such night; noon in New York.
BEGINNINGS = (
    datetime(2025, 3, 8, 17, tzinfo=UTC),
    datetime(2025, 11, 1, 16, tzinfo=UTC),
    datetime(2025, 5, 1, 16, tzinfo=UTC),
)

_TOLD = re.compile(r"fact-\d+-|PUBLIC HEARING \d{4}")


@dataclass
class Channel:
    """Takes every message but those it is told to refuse for now."""

    world: World
    refusals: int = 0
    taken: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def send(self, message: Message, before_taken: Callable[[], None] = lambda: None) -> Outcome:
        told = frozenset(_TOLD.findall(" ".join(message.text.split())))
        assert told, f"an empty message: {message.text}"
        assert not self.is_paused(message.address), "sent in a pause"
        before_taken()
        if self.refusals:
            self.refusals -= 1
            return Outcome(OutcomeKind.TEMPORARY, "later", 451)
        self.taken.append((message.address, told))
        return Outcome(OutcomeKind.SENT)

    def close(self) -> None:
        """Nothing is kept open."""

    def is_paused(self, address: str) -> bool:
        (row,) = self.world.rows(Subscription, Subscription.address == address)
        return pace.paused(self.world.config, row, self.world.now)


class History:
    """One random story: what happens, and what each reader wanted of it."""

    def __init__(self, world: World, channel: Channel, began: datetime) -> None:
        self.world, self.channel, self.number = world, channel, 0
        self.wanted: dict[str, set[str]] = {reader: set() for reader in READERS}
        self.left: set[str] = set()
        world.now = began

    def happen(self, step: tuple[str, Any]) -> None:
        getattr(self, step[0])(step[1])

    def published(self, slug: str) -> None:
        token = self._told(slug, f"fact-{self._count()}-", Interest.STATUS)
        to = "some_progress" if self.world.issue(slug).status == "no_progress" else "no_progress"
        number = propose(self.world, slug, to, reason=f"{token} came to pass.")
        self.world.approve(number, narrative=f"The board's text {self.number}.")

    def acted(self, slug: str) -> None:
        self._change(slug, self._told(slug, f"fact-{self._count()}-", Interest.ACTIVITY))

    def noticed(self, slug: str) -> None:
        """A hearing: to who wants hearings as such, or as one action more."""
        number = self._count()
        day = self.world.today + timedelta(days=10 + number)
        self._change(slug, self._told(slug, f"PUBLIC HEARING {day:%m%d}", Interest.HEARINGS, Interest.ACTIVITY))

    def changed(self, change: tuple[int, dict[str, Any]]) -> None:
        with self.world.database.transaction() as session:
            row = self._row(session, READERS[change[0]])
            for name, value in change[1].items():
                setattr(row, name, value)
            pace.reschedule(session, self.world.config, row, self.world.now)

    def paused(self, pause: tuple[int, int]) -> None:
        until = self.world.today + timedelta(days=pause[1]) if pause[1] else None
        self.changed((pause[0], {"paused_until": until}))

    def leave(self, reader: int) -> None:
        with self.world.database.transaction() as session:
            subscriptions.leave(session, self._row(session, READERS[reader]), self.world.now)
        self.left.add(READERS[reader])

    def refused(self, times: int) -> None:
        self.channel.refusals = times

    def passed(self, hours: int) -> None:
        self.world.now += timedelta(hours=hours)
        self.delivered(None)

    def delivered(self, _: None) -> None:
        deliver.deliver(self.world.context)

    def end(self) -> None:
        """The channel works, and whatever is due when, comes."""
        self.channel.refusals = 0
        while waiting := self.world.deliveries(Delivery.state == "pending"):
            self.world.now = max(self.world.now, min(one.due_at for one in waiting)) + timedelta(seconds=1)
            self.delivered(None)

    def _told(self, slug: str, token: str, *interests: Interest) -> str:
        for row in self.world.rows(Subscription, Subscription.left_at.is_(None)):
            follows = not row.issues or slug in row.issues
            if follows and not {*row.interests}.isdisjoint(interests):
                self.wanted[row.address].add(token)
        return token

    def _change(self, slug: str, quote: str) -> None:
        with self.world.database.transaction() as session:
            bill = session.scalars(select(Bill).where(Bill.identifier == f"HB{self._bill(slug):05d}")).one()
            row = ChangeRow(bill_id=bill.id, kind=ChangeKind.ACTION, on=self.world.today, quote=quote)
            row.first_seen_at = self.world.now
            session.add(row)
            activity.tell(session, self.world.config, [row], self.world.now, self.world.today)

    def _bill(self, slug: str) -> int:
        """Each action is another bill's, so that no message has to shorten a bill's rows."""
        return 5001 + BILLS * ISSUES.index(slug) + self.number % BILLS

    def _count(self) -> int:
        self.number += 1
        return self.number

    def _row(self, session: Any, address: str) -> Subscription:
        found = subscriptions.find(session, ChannelKind.EMAIL, address)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    entries = [issue(one) for one in ISSUES]
    with World(tmp_path_factory.mktemp("digests"), entries, settings={"notices": {"messages_a_day": 3}}) as world:
        with world.database.transaction() as session:
            for at, slug in enumerate(ISSUES):
                for number in range(BILLS):
                    bill = Bill(session="2025", identifier=f"HB{5001 + BILLS * at + number:05d}")
                    session.add(bill)
                    session.flush()
                    watch = Watch(id=f"{slug}/{number}", issue_id=slug, bill_id=bill.id, direction="advances")
                    watch.effect = "none"
                    session.add(watch)
        yield world


def fresh(world: World) -> None:
    with world.database.transaction() as session:
        for table in (Delivery, Notice, Transition, Evidence, Proposal, ChangeRow, Subscription):
            session.execute(delete(table))


readers = st.integers(0, len(READERS) - 1)
slugs = st.sampled_from(ISSUES)
choices = st.fixed_dictionaries(
    {},
    optional={
        "cadence": st.sampled_from(list(Cadence)),
        "hour": st.one_of(st.none(), st.sampled_from([0, 1, 2, 3, 8, 23])),
        "weekday": st.one_of(st.none(), st.integers(0, 6)),
        "zone": st.sampled_from(ZONES),
        "interests": st.lists(st.sampled_from(["status", "activity", "hearings"]), min_size=1, unique=True),
        "issues": st.lists(slugs, unique=True),
    },
)
steps = st.one_of(
    st.tuples(st.sampled_from(["published", "acted", "noticed"]), slugs),
    st.tuples(st.just("changed"), st.tuples(readers, choices)),
    st.tuples(st.just("paused"), st.tuples(readers, st.integers(0, 9))),
    st.tuples(st.just("passed"), st.sampled_from([1, 5, 12, 24, 60])),
    st.tuples(st.just("refused"), st.integers(1, 3)),
    st.tuples(st.just("delivered"), st.none()),
)
story = st.lists(steps, min_size=4, max_size=22)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    began=st.sampled_from(BEGINNINGS),
    first=st.tuples(choices, choices),
    story=story,
    leaver=st.one_of(st.none(), st.tuples(readers, st.integers(0, 21))),
)
def test_each_reader_is_told_each_thing_they_wanted_once(told, monkeypatch, began, first, story, leaver):
    fresh(told)
    channel = Channel(told)
    monkeypatch.setattr(deliver, "open_channel", lambda *_, **__: channel)
    history = History(told, channel, began)
    for address, choice in zip(READERS, first, strict=True):
        told.subscribe(address, interests=list(Interest))
        history.changed((READERS.index(address), choice))
    for place, step in enumerate(story):
        if leaver is not None and leaver[1] == place:
            history.leave(leaver[0])
        history.happen(step)
    history.end()
    for address in READERS:
        heard = Counter(token for to, tokens in channel.taken if to == address for token in tokens)
        assert not heard or max(heard.values()) == 1, f"told twice: {heard}"
        if address not in history.left:
            assert heard.keys() == history.wanted[address]


def test_the_days_of_the_stories_are_those_that_change_the_clock() -> None:
    assert [began.date() for began in BEGINNINGS[:2]] == [date(2025, 3, 8), date(2025, 11, 1)]
