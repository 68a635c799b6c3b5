"""What became of each message is written down while the next are on their way.

On SQLite a lane notes its own message on a slip before its next one's last line: a thread less to wake for each. What
needs the database is written by one thread, all that waits for it together.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, Queue
from typing import Any

import structlog
from sqlalchemy.orm import Session

from monitor.model.messaging import DeliveryState, Outcome, OutcomeKind
from monitor.notify.channels import mask_address
from monitor.store import hosts, outbox
from monitor.workflow import notices, unreachable
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.lanes import Permits, Talk
from monitor.workflow.marks import Marks
from monitor.workflow.parcels import Parcel

log = structlog.get_logger()

#: Temporary troubles are tried again for this long, then a person is told (RFC 5321 4.5.4.1 asks for 4-5 days of a
#: relay; news about a vote is stale long before).
GIVE_UP_AFTER = timedelta(hours=48)

#: Nor is anything given up before so many tries, a few hours' worth: the channel may have been down for longer, and a
#: server that does not know us refuses the first tries of all (greylisting).
_LEAST_TRIES = 8

_FIRST_PAUSE = timedelta(minutes=2)
_LAST_PAUSE = timedelta(hours=4)


@dataclass(slots=True)
class DeliverReport:
    """What one pass sent. A digest counts once. ``held`` waits for a person, since the database is a copy."""

    sent: int = 0
    retrying: int = 0
    dead: int = 0
    cancelled: int = 0
    held: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return {name: getattr(self, name) for name in DeliverReport.__slots__}


class Clerk:
    """The outcomes of one pass."""

    def __init__(
        self, context: Context, book: Marks, permits: Permits, report: DeliverReport, progress: Callable[[int], None]
    ) -> None:
        self._context = context
        self._book = book
        self._permits = permits
        self._report = report
        self._progress = progress
        self._done = 0
        self._told: Queue[tuple[Talk, Outcome] | None] = Queue()
        self._thread = threading.Thread(target=self._work, name="clerk", daemon=True)
        self._kept: dict[int, tuple[Talk, Outcome]] = {}
        self._counting = threading.Lock()
        self.cancelled = 0
        self.failure: BaseException | None = None
        with context.database.reading() as session:
            self.troubled = {kind: row.not_before for kind, row in hosts.channels(session).items() if row.outage_since}
        self._down: set[str] = set()

    def __enter__(self) -> Clerk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._told.put(None)
        self._thread.join()

    def record(self, talk: Talk, outcome: Outcome) -> None:
        """Called by whoever talked; the talk's permit is given back once it is on disk."""
        if self._book.has_slips and self._is_plain(talk, outcome):
            self._kept[threading.get_ident()] = talk, outcome
        else:
            self._told.put((talk, outcome))

    def settle_of(self, thread: int) -> None:
        """Note what ``thread`` has not yet: for itself before its next message's last line, or for one that is kept
        waiting. What fails is the pass's ``failure``, and nothing more is taken."""
        kept = self._kept.pop(thread, None)
        if kept is None:
            return
        try:
            self._write([kept])
        except BaseException as error:  # noqa: BLE001 - the pass raises it
            self._fail(error)

    def settle(self) -> None:
        """Until everything told so far is written down. Raises what kept it from that."""
        self._told.join()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        going = True
        while going:
            told = self._all_told()
            outcomes = [one for one in told if one is not None]
            going = len(outcomes) == len(told)
            try:
                if outcomes and self.failure is None:
                    self._write(outcomes)
            except BaseException as error:  # noqa: BLE001 - the pass raises it
                self._fail(error)
            finally:
                for _ in told:
                    self._told.task_done()

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._permits.close()

    def _all_told(self) -> list[tuple[Talk, Outcome] | None]:
        told = [self._told.get()]
        try:
            while True:
                told.append(self._told.get_nowait())
        except Empty:
            return told

    def _write(self, outcomes: Sequence[tuple[Talk, Outcome]]) -> None:
        noted = [(talk, outcome) for talk, outcome in outcomes if self._is_plain(talk, outcome)]
        if noted and self._book.note([(talk.parcel.key, outcome.code) for talk, outcome in noted]):
            for talk, outcome in noted:
                self._over(talk, outcome, DeliveryState.SENT)
        else:
            noted = []
        known = {talk for talk, _ in noted}
        for talk, outcome in outcomes:
            if talk not in known:
                self._over(talk, outcome, self._mark(talk, outcome))

    def _is_plain(self, talk: Talk, outcome: Outcome) -> bool:
        """Taken, and nothing more to say."""
        return outcome.kind is OutcomeKind.SENT and talk.parcel.channel not in self.troubled

    def _over(self, talk: Talk, outcome: Outcome, state: str) -> None:
        self._permits.give(talk)
        with self._counting:
            self._done += 1
            self._count(talk.parcel, outcome, state)
            self._progress(self._done)

    def _mark(self, talk: Talk, outcome: Outcome) -> str:
        """T2: record the outcome on every delivery of the message, and what follows from it."""
        parcel, now = talk.parcel, self._context.now()
        values = _values(parcel, outcome, now)
        with self._context.database.transaction() as session:
            if talk.unwanted:
                outbox.cancel(session, parcel.delivery_ids, "the subscriber has left")
                values["state"] = DeliveryState.CANCELLED
            else:
                self._enter(session, parcel, outcome, values, now)
            killpoint("before_mark_commit")
        killpoint("after_mark_commit")
        return str(values["state"])

    def _enter(self, session: Session, parcel: Parcel, outcome: Outcome, values: dict[str, Any], now: datetime) -> None:
        config = self._context.config
        held = outbox.mark(session, parcel.key, self._context.owner, **values)
        if outcome.kind is OutcomeKind.CHANNEL and parcel.channel not in self._down:
            self._down.add(parcel.channel)  # one failure, however many connections met it
            notices.channel_down(session, config, parcel.channel, outcome.detail, now)
        elif outcome.kind is OutcomeKind.SENT and parcel.channel in self.troubled:
            notices.channel_back(session, config, parcel.channel, now)
            del self.troubled[parcel.channel]
        if held and outcome.kind is OutcomeKind.PERMANENT:
            unreachable.break_of(session, parcel.delivery_ids, outcome.detail, now)
        if held and values["state"] == DeliveryState.DEAD:
            self._tell_of_death(session, parcel, outcome, now)

    def _tell_of_death(self, session: Session, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        config, kind, ids = self._context.config, parcel.channel, parcel.delivery_ids
        if parcel.to_subscriber:
            notices.not_reached(session, config, kind, mask_address(kind, parcel.address), outcome, now)
        elif not parcel.to_sign_up:  # whatever is typed into the form; nobody need look at it
            notices.colleague_not_reached(session, config, parcel.recipient, kind, ids, outcome.detail, now)

    def _count(self, parcel: Parcel, outcome: Outcome, state: str) -> None:
        if state in (DeliveryState.SENT, DeliveryState.CANCELLED):
            self._report.sent += state == DeliveryState.SENT
            self.cancelled += len(parcel.delivery_ids) * (state == DeliveryState.CANCELLED)
            return
        if state == DeliveryState.DEAD:
            self._report.dead += 1
        else:
            self._report.retrying += 1
        to = mask_address(parcel.channel, parcel.address)
        self._report.problems.append(f"{to}: {outcome.detail}")
        log.warning("delivery_failed", delivery=parcel.key, channel=parcel.channel, to=to, detail=outcome.detail)


def _values(parcel: Parcel, outcome: Outcome, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "state": DeliveryState.PENDING,
        "code": outcome.code,
        "error": outcome.detail[:1000],
        "sent_at": None,
    }
    values |= {"due_at": parcel.due_at, "attempts": parcel.attempts}
    if outcome.kind is OutcomeKind.SENT:
        return values | {"state": DeliveryState.SENT, "sent_at": now, "error": ""}
    if outcome.kind is OutcomeKind.CHANNEL:
        # Nothing about this message: it keeps its place, and its tries are not counted.
        return values | {"attempts": parcel.attempts - 1}
    if outcome.kind is not OutcomeKind.TEMPORARY or _is_hopeless(parcel, now):
        return values | {"state": DeliveryState.DEAD}
    return values | {"due_at": now + _pause(parcel, outcome)}


def _is_hopeless(parcel: Parcel, now: datetime) -> bool:
    return parcel.attempts >= _LEAST_TRIES and now - parcel.first_due > GIVE_UP_AFTER


def _pause(parcel: Parcel, outcome: Outcome) -> timedelta:
    """As long as the provider asked for, else exponential with jitter."""
    ceiling = min(_FIRST_PAUSE * (1 << min(parcel.attempts - 1, 10)), _LAST_PAUSE)
    drawn = ceiling * random.uniform(0.5, 1.0)
    asked = timedelta(seconds=min(outcome.retry_after or 0, GIVE_UP_AFTER.total_seconds()))
    return max(drawn, asked)
