"""Send what is due. At least once: a repeat can only follow a crash between send and mark, with the same Message-ID.

T1 claims a few messages; each is sent with no transaction open; T2 records what became of it. The next message goes
to the provider meanwhile, but its last line only once the mark is on disk: a crash repeats one message at most.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import structlog
from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.messaging import ChannelKind, DeliveryState, Message, Outcome, OutcomeKind
from monitor.notify.carrier import Transport
from monitor.notify.channels import mask_address
from monitor.store import hosts, outbox
from monitor.workflow import marks, notices
from monitor.workflow.channels import open_channel
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.marks import Marks
from monitor.workflow.parcels import Packer, Parcel
from monitor.workflow.publish import due_at

log = structlog.get_logger()

#: Temporary troubles are tried again for this long, then a person is told (RFC 5321 4.5.4.1 asks for 4-5 days of a
#: relay; news about a vote is stale long before).
GIVE_UP_AFTER = timedelta(hours=48)

#: Nor is anything given up before so many tries, a few hours' worth: the channel may have been down for longer, and a
#: server that does not know us refuses the first tries of all (greylisting).
_LEAST_TRIES = 8

_FIRST_PAUSE = timedelta(minutes=2)
_LAST_PAUSE = timedelta(hours=4)

#: What is claimed and not sent within these seconds is given back: leases stay fresh, and whoever leaves meanwhile
#: is left alone.
_BATCH_SECONDS = 5.0

#: So many messages in a row without any answer, and the channel rests for this pass: each cost a whole deadline.
_SILENCES = 3


@dataclass(slots=True)
class DeliverReport:
    """What one pass sent. A digest counts once."""

    sent: int = 0
    retrying: int = 0
    dead: int = 0
    cancelled: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return {name: getattr(self, name) for name in DeliverReport.__slots__}


def deliver(
    context: Context,
    *,
    limit: int = 100_000,
    progress: Callable[[int], None] = lambda done: None,
    rested: bool = False,
) -> DeliverReport:
    """Send everything due, channel by channel, one message at a time.

    Never raises for a message that cannot be sent. ``rested`` tries channels that are paused for a trouble of their
    own too, as when a person has just mended one.
    """
    with marks.opened(context) as book:
        current = _Pass(context, book, limit, progress)
        for kind in ChannelKind:
            if rested or not current.is_paused(kind):
                current.run(kind)
    current.report.problems += current.kept()
    return current.report


class _Line:
    """One channel, opened when first needed."""

    def __init__(self, context: Context, kind: ChannelKind) -> None:
        self._context = context
        self._kind = kind
        self._transport: Transport | None = None
        self._silences = 0
        self.is_usable = True

    def send(self, message: Message, before_taken: Callable[[], None]) -> Outcome:
        try:
            self._transport = self._transport or open_channel(self._context, self._kind)
        except ValueError as error:
            outcome = Outcome(OutcomeKind.CHANNEL, str(error))
        else:
            outcome = self._transport.send(message, before_taken)
        unanswered = outcome.kind is OutcomeKind.TEMPORARY and outcome.code is None
        self._silences = self._silences + 1 if unanswered else 0
        self.is_usable = outcome.kind is not OutcomeKind.CHANNEL and self._silences < _SILENCES
        return outcome

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Pass:
    def __init__(self, context: Context, book: Marks, limit: int, progress: Callable[[int], None]) -> None:
        self._context = context
        self._book = book
        self._limit = limit
        self._progress = progress
        self._packer = Packer(context)
        self._done = 0
        self._unmarked: tuple[Parcel, Outcome] | None = None
        self.report = DeliverReport()
        with context.database.reading() as session:
            self._troubled = {kind: row.not_before for kind, row in hosts.channels(session).items() if row.outage_since}

    def is_paused(self, kind: ChannelKind) -> bool:
        until = self._troubled.get(kind)
        return until is not None and until > self._context.now()

    def run(self, kind: ChannelKind) -> None:
        """One channel's queue, until it is empty, the channel fails, or we are to stop."""
        line = _Line(self._context, kind)
        try:
            while line.is_usable and self._goes_on and (batch := self._claim(kind)):
                self._batch(line, batch)
        finally:
            line.close()

    def kept(self) -> list[str]:
        """What could not even be tried. No log line: it would be the same at every tick, and the doctor says it."""
        return self._packer.kept()

    @property
    def _goes_on(self) -> bool:
        return self._done < self._limit and not self._context.stopping()

    def _claim(self, kind: ChannelKind) -> list[Parcel]:
        parcels = self._packer.claim(kind)
        self.report.cancelled = self._packer.cancelled
        return parcels

    def _batch(self, line: _Line, batch: Sequence[Parcel]) -> None:
        began, left = monotonic(), deque(batch)
        failed: set[str] = set()
        held: list[str] = []
        while left and line.is_usable and self._goes_on and monotonic() - began < _BATCH_SECONDS:
            parcel = left.popleft()
            # What follows a message that failed waits its turn behind it.
            if parcel.recipient in failed:
                held.append(parcel.key)
            elif not self._send(line, parcel):
                failed.add(parcel.recipient)
        self._settle()
        self._book.enter()
        self._give_back([*held, *(parcel.key for parcel in left)])

    def _send(self, line: _Line, parcel: Parcel) -> bool:
        outcome = self._try(line, parcel)
        self._settle()
        self._unmarked = parcel, outcome
        self._done += 1
        return outcome.kind is OutcomeKind.SENT

    def _try(self, line: _Line, parcel: Parcel) -> Outcome:
        try:
            message = self._packer.message(parcel)
        except Exception as error:  # one bad message must not stop the others
            log.exception("render_failed", delivery=parcel.key)
            return Outcome(OutcomeKind.REFUSED, parcel.trouble or f"it cannot be rendered ({type(error).__name__})")
        killpoint("before_send")
        outcome = line.send(message, self._settle)
        killpoint("after_send_before_mark")
        return outcome

    def _settle(self) -> None:
        """Mark the message before, if it is not yet: nothing more is taken by anybody until that is on disk."""
        if self._unmarked is not None:
            self._mark(*self._unmarked)
            self._unmarked = None
            self._progress(self._done)

    def _mark(self, parcel: Parcel, outcome: Outcome) -> None:
        """T2: record the outcome on every delivery of the message, and what follows from it."""
        now = self._context.now()
        values = _values(self._context.config, parcel, outcome, now)
        if (
            outcome.kind is OutcomeKind.SENT
            and parcel.channel not in self._troubled
            and self._book.note(parcel.key, values)
        ):
            self._count(parcel, outcome, values["state"])
            return
        with self._context.database.transaction() as session:
            config = self._context.config
            held = outbox.mark(session, parcel.key, self._context.owner, **values)
            if outcome.kind is OutcomeKind.CHANNEL:
                notices.channel_down(session, config, parcel.channel, outcome.detail, now)
            elif outcome.kind is OutcomeKind.SENT and parcel.channel in self._troubled:
                notices.channel_back(session, config, parcel.channel, now)
                del self._troubled[parcel.channel]
            if held and outcome.kind is OutcomeKind.PERMANENT:
                outbox.break_subscription(session, parcel.delivery_ids, outcome.detail, now)
            if held and values["state"] == DeliveryState.DEAD:
                self._tell_of_death(session, parcel, outcome, now)
            killpoint("before_mark_commit")
        killpoint("after_mark_commit")
        self._count(parcel, outcome, values["state"])

    def _tell_of_death(self, session: Session, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        config, kind, ids = self._context.config, parcel.channel, parcel.delivery_ids
        if parcel.to_subscriber:
            notices.not_reached(session, config, kind, mask_address(kind, parcel.address), outcome, now)
        else:
            notices.colleague_not_reached(session, config, parcel.recipient, kind, ids, outcome.detail, now)

    def _give_back(self, keys: Collection[str]) -> None:
        if keys:
            with self._context.database.transaction() as session:
                outbox.give_back(session, keys, self._context.owner)
                killpoint("before_give_back_commit")
            killpoint("after_give_back_commit")

    def _count(self, parcel: Parcel, outcome: Outcome, state: str) -> None:
        if state == DeliveryState.SENT:
            self.report.sent += 1
            return
        if state == DeliveryState.DEAD:
            self.report.dead += 1
        else:
            self.report.retrying += 1
        to = mask_address(parcel.channel, parcel.address)
        self.report.problems.append(f"{to}: {outcome.detail}")
        log.warning("delivery_failed", delivery=parcel.key, channel=parcel.channel, to=to, detail=outcome.detail)


def _values(config: Config, parcel: Parcel, outcome: Outcome, now: datetime) -> dict[str, Any]:
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
    if outcome.kind is not OutcomeKind.TEMPORARY or _is_hopeless(config, parcel, now):
        return values | {"state": DeliveryState.DEAD}
    return values | {"due_at": now + _pause(parcel, outcome)}


def _is_hopeless(config: Config, parcel: Parcel, now: datetime) -> bool:
    # A retry moves due_at, so when it first could have been tried is worked out again.
    first_due = due_at(config, parcel.cadence, parcel.created_at)
    return parcel.attempts >= _LEAST_TRIES and now - first_due > GIVE_UP_AFTER


def _pause(parcel: Parcel, outcome: Outcome) -> timedelta:
    """As long as the provider asked for, else exponential with jitter."""
    ceiling = min(_FIRST_PAUSE * (1 << min(parcel.attempts - 1, 10)), _LAST_PAUSE)
    drawn = ceiling * random.uniform(0.5, 1.0)
    asked = timedelta(seconds=min(outcome.retry_after or 0, GIVE_UP_AFTER.total_seconds()))
    return max(drawn, asked)
