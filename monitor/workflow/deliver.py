"""Send what is due. At least once: a repeat can only follow a crash between send and mark, with the same Message-ID.

T1 claims a few messages; lanes send them with no transaction open; the clerk records what became of each (T2). While
that comes to the disk the next message is on its way, but its last line waits: a crash repeats no more messages than
there are connections.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident

import structlog
from sqlalchemy import Connection

from monitor.model.messaging import ChannelKind, Outcome, OutcomeKind
from monitor.notify.carrier import Transport
from monitor.store import outbox
from monitor.store.sending import LastLook
from monitor.workflow import marks, restored
from monitor.workflow.channels import open_channel
from monitor.workflow.clerk import Clerk, DeliverReport
from monitor.workflow.context import Context
from monitor.workflow.killpoints import killpoint
from monitor.workflow.lanes import LOW, Crew, DroppedError, Duties, Permits, Talk
from monitor.workflow.marks import Marks
from monitor.workflow.parcels import Packer, Parcel

__all__ = ["DeliverReport", "deliver"]

log = structlog.get_logger()

#: What is claimed and not sent within these seconds is given back: leases stay fresh, and whoever leaves meanwhile
#: is left alone.
_BATCH_SECONDS = 5.0

#: While a message that was set aside is under way we look so often for what has become due.
_LOOK_SECONDS = 1.0


def deliver(
    context: Context,
    *,
    limit: int = 100_000,
    progress: Callable[[int], None] = lambda done: None,
    rested: bool = False,
) -> DeliverReport:
    """Send everything due, channel by channel. A message that is kept waiting keeps nobody else waiting.

    Never raises for a message that cannot be sent. ``rested`` tries channels that are paused for a trouble of their
    own too, as when a person has just mended one.
    """
    with _begun(context, limit, progress) as current:
        kinds = [kind for kind in ChannelKind if rested or not current.is_paused(kind)]
        for kind in kinds:
            current.run(kind)
        while current.is_waiting:
            current.wait()
            for kind in kinds:
                current.run(kind)
        return current.close()


@contextmanager
def _begun(context: Context, limit: int, progress: Callable[[int], None]) -> Iterator[_Pass]:
    mail = context.config.mail
    permits, report = Permits(mail.connections if mail else 1), DeliverReport()
    with (
        marks.opened(context) as book,
        context.database.single() as looks,
        Clerk(context, book, permits, report, progress) as clerk,
    ):
        report.held = restored.look(context)
        current = _Pass(context, book, clerk, permits, looks, report, limit)
        try:
            yield current
        finally:
            # Were the pass broken off, nobody would write down what a lane still sends.
            permits.close()
            current.hang_up()


class _Pass:
    def __init__(
        self,
        context: Context,
        book: Marks,
        clerk: Clerk,
        permits: Permits,
        looks: Connection,
        report: DeliverReport,
        limit: int,
    ) -> None:
        self._context = context
        self._book = book
        self._clerk = clerk
        self._permits = permits
        self._last_look = LastLook(looks, context.owner)
        self._looking = Lock()
        self._packer = Packer(context)
        self._crews: dict[ChannelKind, Crew] = {}
        self._limit = limit
        self._begun = 0
        self.report = report

    def is_paused(self, kind: ChannelKind) -> bool:
        until = self._clerk.troubled.get(kind)
        return until is not None and until > self._context.now()

    def run(self, kind: ChannelKind) -> None:
        """One channel's queue, until it is empty but for what was set aside, the channel fails, or we are to stop."""
        crew, quiet = self._crews.get(kind), False
        while (crew is None or crew.is_usable) and self._goes_on():
            batch = self._claim(kind)
            if batch:
                crew = self._crew(kind)
                crew.begin(batch)
            elif crew is None or quiet:
                break
            left = LOW if len(batch) > LOW else 0
            begun = crew.wait(left, _BATCH_SECONDS)
            quiet = begun and left == 0
            if quiet or not begun:
                self._give_back(crew)
        if crew is not None:
            self._give_back(crew)

    @property
    def is_waiting(self) -> bool:
        """Whether a message that was set aside is still under way."""
        return any(crew.is_waiting for crew in self._crews.values())

    def wait(self) -> None:
        """A moment, for what was set aside. Once we are to stop, only for what the provider may have taken."""
        if self._context.stopping():
            for crew in self._crews.values():
                self._return([parcel.key for parcel in crew.drop()])
        for crew in self._crews.values():
            if crew.is_waiting:
                crew.wait_for_one(_LOOK_SECONDS)

    def close(self) -> DeliverReport:
        """Everything is over: write the rest down."""
        self._clerk.settle()
        self._book.enter()
        # No log line for what could not even be tried: it would be the same at every tick, and the doctor says it.
        self.report.problems += self._packer.kept()
        self.report.cancelled = self._packer.cancelled + self._clerk.cancelled
        return self.report

    def hang_up(self) -> None:
        for crew in self._crews.values():
            crew.end()

    def _crew(self, kind: ChannelKind) -> Crew:
        if kind not in self._crews:
            mail = self._context.config.mail
            width = mail.connections if mail and kind is ChannelKind.EMAIL else 1
            duties = Duties(
                lambda: open_channel(self._context, kind, meanwhile=self._settle_own),
                self._goes_on,
                self._send,
                self._clerk.record,
                self._clerk.settle_of,
            )
            self._crews[kind] = Crew(width, self._permits, duties)
        return self._crews[kind]

    def _goes_on(self) -> bool:
        return self._begun < self._limit and self._clerk.failure is None and not self._context.stopping()

    def _claim(self, kind: ChannelKind) -> list[Parcel]:
        self._book.enter()
        return self._packer.claim(kind)

    def _give_back(self, crew: Crew) -> None:
        """What was not begun is due as before; what failed is written down first, so that nothing overtakes it."""
        self._clerk.settle()
        self._book.enter()
        self._return([parcel.key for parcel in crew.take_back()])

    def _return(self, keys: Collection[str]) -> None:
        if keys:
            with self._context.database.transaction() as session:
                outbox.give_back(session, keys, self._context.owner)
                killpoint("before_give_back_commit")
            killpoint("after_give_back_commit")

    # --- in a lane's thread -------------------------------------------------------------------------------------------

    def _send(self, transport: Transport, talk: Talk) -> Outcome:
        self._begun += 1
        parcel = talk.parcel
        try:
            message = self._packer.message(parcel)
        except Exception as error:  # one bad message must not stop the others
            log.exception("render_failed", delivery=parcel.key)
            return Outcome(OutcomeKind.REFUSED, parcel.trouble or f"it cannot be rendered ({type(error).__name__})")
        killpoint("before_send")
        try:
            outcome = transport.send(message, lambda: self._before_taken(talk))
        except DroppedError:
            outcome = Outcome(OutcomeKind.TEMPORARY, "it was not sent after all")
        killpoint("after_send_before_mark")
        return outcome

    def _settle_own(self) -> None:
        """What became of the message before: written down while the server reads who this one is for, or else now."""
        self._clerk.settle_of(get_ident())

    def _before_taken(self, talk: Talk) -> None:
        """The last moment to leave it be: the provider has the message's text by now and waits for its last line."""
        self._settle_own()
        self._permits.take(talk)
        try:
            with self._looking:
                wanted = self._last_look.of(talk.parcel.key)
            if wanted is None:
                talk.drop()
            talk.unwanted = wanted is False
            if talk.unwanted:
                raise DroppedError
            talk.hand_over()
            killpoint("before_taken")
        except BaseException:
            self._permits.give(talk)
            raise
