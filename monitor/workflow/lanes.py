"""The connections of one channel: so many talk at a time, each in a thread of its own.

A message that is kept waiting is set aside: its thread goes on, and another connection takes over for the others. What
is for one recipient goes by one lane, in order. Before a message's last line its lane takes a permit, and whoever
writes down what became of it gives the permit back: a crash repeats no more messages than there are permits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from monitor.model.messaging import Outcome, OutcomeKind
from monitor.notify.carrier import Transport
from monitor.workflow.parcels import Parcel

#: Seconds after which a message without an answer is set aside, whatever is usual at this server.
PATIENCE = 2.0

#: Once we know what is usual it is set aside after so many times that, but not before so many seconds.
_TIMES_USUAL = 20
_LEAST_PATIENCE = 0.1
_KNOWN_AFTER = 10

#: So many may be set aside at a time; each is a thread and a connection.
_ASIDE = 10

#: So many messages in a row without any answer, and the channel rests for this pass: each cost a whole deadline.
_SILENCES = 3

#: What is for one recipient is begun within so many seconds of the first, and the rest given back: their lease must
#: not end while it waits here, or it is claimed, and sent, once more.
_UNIT_SECONDS = 45.0

#: The next are claimed when no more than so many wait, so that no lane stands still meanwhile.
LOW = 25

_LOOK_SECONDS = 0.05


class DroppedError(Exception):
    """Raised before a message's last line: the provider does not get it."""


@dataclass(eq=False, slots=True)
class Talk:
    """One message under way. ``handed`` once its last line may have left."""

    parcel: Parcel
    began: float = field(default_factory=monotonic)
    handed: bool = False
    unwanted: bool = False
    dropped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hand_over(self) -> None:
        with self._lock:
            if self.dropped:
                raise DroppedError
            self.handed = True

    def drop(self) -> bool:
        """Keep it from being sent. False if it is too late for that."""
        with self._lock:
            self.dropped = not self.handed
            return self.dropped


class Permits:
    """At most ``count`` messages between their last line and their mark, in the order they came."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: set[Talk] = set()
        self._queue: deque[Talk] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def take(self, talk: Talk) -> None:
        """Wait for one. Raises DroppedError when none is given any more."""
        with self._changed:
            self._queue.append(talk)
            self._changed.wait_for(lambda: self._closed or (self._queue[0] is talk and len(self._held) < self._count))
            self._queue.remove(talk)
            if self._closed:
                raise DroppedError
            self._held.add(talk)
            self._changed.notify_all()

    def give(self, talk: Talk) -> None:
        """Back; once is enough."""
        with self._changed:
            self._held.discard(talk)
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing can be written down any more, so nothing more may be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class _Lane:
    def __init__(self) -> None:
        self.transport: Transport | None = None
        self.talk: Talk | None = None
        self.answers = 0
        self.aside = False
        self.idle = False
        self.thread = 0


@dataclass(frozen=True)
class Duties:
    """What a crew is told to do with a message; the last three are called in its lanes' threads.

    ``send`` puts a message into words and sends it, ``record`` sees to its mark and gives its permit back, ``settle``
    writes down at once what ``record`` may have left until that thread's next message.
    """

    open: Callable[[], Transport]
    may_begin: Callable[[], bool]
    send: Callable[[Transport, Talk], Outcome]
    record: Callable[[Talk, Outcome], None]
    settle: Callable[[int], None]


class Crew:
    """The lanes of one channel in one pass; ``width`` of them talk at a time, beside those set aside."""

    def __init__(self, width: int, permits: Permits, duties: Duties) -> None:
        self._width = width
        self._permits = permits
        self._duties = duties
        self._units: deque[list[Parcel]] = deque()
        self._lanes: list[_Lane] = []
        self._changed = threading.Condition()
        self._untried: list[Parcel] = []
        self._silences = 0
        self._usual = 0.0
        self._answers = 0
        self._broken = False
        self._crowded = False
        self._ending = False
        self.failure: BaseException | None = None

    @property
    def is_usable(self) -> bool:
        """False once the channel itself failed, or answers nobody."""
        return not self._broken and self._silences < _SILENCES and self.failure is None

    @property
    def is_waiting(self) -> bool:
        """Whether a message set aside is still under way."""
        return any(lane.aside and (lane.talk is None or not lane.talk.dropped) for lane in list(self._lanes))

    def begin(self, batch: Iterable[Parcel]) -> None:
        """Send these too: what is for one recipient by one lane, in order."""
        units: dict[str, list[Parcel]] = {}
        for parcel in batch:
            units.setdefault(parcel.recipient, []).append(parcel)
        with self._changed:
            self._units.extend(units.values())
            self._open_lanes()
            self._changed.notify_all()

    def wait(self, left: int, seconds: float) -> bool:
        """Until no more than ``left`` recipients wait their turn (0: nor is any talked to, but those set aside).

        False if that is not so yet.
        """
        until = monotonic() + seconds
        with self._changed:
            while self._goes_on() and monotonic() < until and not self._is_down_to(left):
                self._changed.wait(_LOOK_SECONDS)
                self._look()
            down = self._is_down_to(left)
        if self.failure is not None:
            raise self.failure
        return down

    def wait_for_one(self, seconds: float) -> None:
        """Until a message that was set aside is over, or for so long."""
        with self._changed:
            self._changed.wait(seconds)
            self._look()

    def take_back(self) -> list[Parcel]:
        """What nobody has begun, and what waits behind a message that failed."""
        with self._changed:
            back = [*self._untried, *(parcel for unit in self._units for parcel in unit)]
            self._units.clear()
            self._untried.clear()
            return back

    def drop(self) -> list[Parcel]:
        """We are to stop: messages whose last line has not left are not sent. The others still get their answer."""
        talks = [talk for lane in list(self._lanes) if (talk := lane.talk) is not None]
        return [talk.parcel for talk in talks if talk.drop()]

    def end(self) -> None:
        """Let the lanes hang up, but for those that wait for an answer nobody waits for any more."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: all(lane.talk for lane in self._lanes), PATIENCE)

    # --- under the lock -----------------------------------------------------------------------------------------------

    def _goes_on(self) -> bool:
        return self.is_usable and (self._duties.may_begin() or any(self._active()))

    def _active(self) -> list[_Lane]:
        return [lane for lane in self._lanes if not lane.aside]

    def _is_down_to(self, left: int) -> bool:
        return len(self._units) <= left and (left > 0 or all(lane.idle for lane in self._active()))

    def _open_lanes(self) -> None:
        wanted = 1 if self._crowded else self._width
        for _ in range(min(wanted - len(self._active()), len(self._units))):
            if self._crowded and self._lanes:
                return
            lane = _Lane()
            self._lanes.append(lane)
            threading.Thread(target=self._work, args=(lane,), name="lane", daemon=True).start()

    def _look(self) -> None:
        """Set aside who is kept waiting, and let others take over."""
        now = monotonic()
        for lane in self._lanes:
            talk = lane.talk
            if talk is None:
                continue
            waited = now - talk.began
            if waited > PATIENCE and talk.handed:
                # In doubt anyway: whether the server has it, it alone knows.
                self._permits.give(talk)
            if not lane.aside and waited > self._patience(lane) and self._aside_count() < _ASIDE:
                lane.aside = True
                self._silences += 1
                self._duties.settle(lane.thread)  # the message before holds a permit that the others need
        if self.is_usable and self._duties.may_begin():
            self._open_lanes()

    def _aside_count(self) -> int:
        return len(self._lanes) - len(self._active())

    def _patience(self, lane: _Lane) -> float:
        if not lane.answers or self._answers < _KNOWN_AFTER:
            return PATIENCE
        return min(PATIENCE, max(_LEAST_PATIENCE, _TIMES_USUAL * self._usual))

    # --- a lane's thread ----------------------------------------------------------------------------------------------

    def _work(self, lane: _Lane) -> None:
        lane.thread = threading.get_ident()
        try:
            while (unit := self._next(lane)) is not None:
                self._unit(lane, unit)
        except BaseException as error:  # noqa: BLE001 - the pass raises it
            self.failure = self.failure or error
        finally:
            self._duties.settle(lane.thread)
            if lane.transport is not None:
                lane.transport.close()
            with self._changed:
                self._lanes.remove(lane)
                self._changed.notify_all()

    def _next(self, lane: _Lane) -> list[Parcel] | None:
        with self._changed:
            while not lane.aside and self.is_usable and self._duties.may_begin():
                if self._units:
                    lane.idle = False
                    if len(self._units) == LOW:
                        self._changed.notify_all()
                    return self._units.popleft()
                if self._ending:
                    break
                self._duties.settle(lane.thread)
                lane.idle = True
                self._changed.notify_all()
                self._changed.wait()
            return None

    def _unit(self, lane: _Lane, unit: Sequence[Parcel]) -> None:
        """One recipient's messages; what follows one that failed waits its turn behind it."""
        until = monotonic() + _UNIT_SECONDS
        for at, parcel in enumerate(unit):
            if at and (monotonic() > until or not self._duties.may_begin()):
                self._untried.extend(unit[at:])
                return
            if not self._one(lane, parcel):
                self._untried.extend(unit[at + 1 :])
                return

    def _one(self, lane: _Lane, parcel: Parcel) -> bool:
        lane.talk = talk = Talk(parcel)
        try:
            outcome = self._send(lane, talk)
            if outcome.kind is OutcomeKind.CHANNEL and self._is_one_too_many(lane):
                self._untried.append(parcel)
                return False
            if talk.dropped:
                return False
            if not talk.unwanted:
                self._learn(lane, talk, outcome)
            self._duties.record(talk, outcome)
        finally:
            lane.talk = None
        return outcome.kind is OutcomeKind.SENT

    def _send(self, lane: _Lane, talk: Talk) -> Outcome:
        try:
            lane.transport = lane.transport or self._duties.open()
        except ValueError as error:
            return Outcome(OutcomeKind.CHANNEL, str(error))
        return self._duties.send(lane.transport, talk)

    def _is_one_too_many(self, lane: _Lane) -> bool:
        """Servers take only so many connections of one client: where others are talked to, that is no outage."""
        with self._changed:
            others = any(other.answers for other in self._lanes if other is not lane)
            if lane.answers or not others:
                return False
            self._crowded = lane.aside = True
            return True

    def _learn(self, lane: _Lane, talk: Talk, outcome: Outcome) -> None:
        with self._changed:
            if outcome.kind is OutcomeKind.CHANNEL:
                self._broken = True
            elif outcome.kind is OutcomeKind.TEMPORARY and outcome.code is None:
                self._silences += not lane.aside  # one set aside has been counted
            else:
                self._silences = 0
                lane.answers += 1
                if not lane.aside:
                    self._answers += 1
                    self._usual += (monotonic() - talk.began - self._usual) / min(self._answers, 50)
