"""What would be sent about an issue as it stands now, from its real rows: to look at, not to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum

from sqlalchemy.orm import Session

from monitor.model.messaging import Announcement, AnnouncementKind, Cadence, ChannelKind, Interest, Message
from monitor.model.tracking import Status
from monitor.notify.render import render
from monitor.store import board, changes, proposals
from monitor.store.schema import ChangeRow, Issue, Notice, Subscription, Transition
from monitor.workflow import announce, heartbeat
from monitor.workflow.activity import heard_on
from monitor.workflow.announce import compose, sender_of
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal

#: So many of the newest actions of an issue's bills.
_NEWEST = 20


class Sample(StrEnum):
    """Which message to look at."""

    STATUS = "status"
    ACTIVITY = "activity"
    HEARING = "hearing"
    HEARTBEAT = "heartbeat"
    DIGEST = "digest"


def foresee(context: Context, issue_id: str, sample: Sample, channel: ChannelKind) -> Message:
    """The message as a subscriber to this issue alone would get it. Raises Refusal if there is nothing to tell yet."""
    with context.database.reading() as session:
        issue = session.get(Issue, issue_id)
        if issue is None:
            raise Refusal(f"there is no issue {issue_id}; `monitor board` lists them")
        said = _SAMPLES[sample](context, session, issue)
    if said is None:
        raise Refusal(f"{issue.name} has nothing of the kind {sample.value} to tell yet; try another --kind")
    sender = sender_of(context.config)
    zone = context.config.schedule.zone
    return render(said, channel=channel, sender=sender, zone=zone)


def _status(context: Context, session: Session, issue: Issue) -> Announcement | None:
    """The newest published move; before there is one, what approving the pending proposal would tell."""
    move = board.last_move(session, issue.id)
    if move is not None:
        return _composed(context, session, issue, [move], [])
    waiting = proposals.newest_pending(session, issue.id)
    if waiting is None:
        return None
    status = Status(waiting.to_status or issue.status)
    return announce.preview(context.config, session, waiting, status, waiting.narrative, context.now())


def _activity(context: Context, session: Session, issue: Issue) -> Announcement | None:
    return _composed(context, session, issue, [], [_acted(context, _newest(session, issue))])


def _hearing(context: Context, session: Session, issue: Issue) -> Announcement | None:
    return _composed(context, session, issue, [], [_heard(context, _newest(session, issue))])


def _heartbeat(context: Context, session: Session, issue: Issue) -> Announcement | None:
    item = asdict(heartbeat.note(context.config, heartbeat.health_of(session, context.now())))
    kept = {name: item[name] for name in ("heading", "sentence", "url")}
    return _composed(context, session, issue, [], [_notice(context, AnnouncementKind.HEARTBEAT, [kept])])


def _digest(context: Context, session: Session, issue: Issue) -> Announcement | None:
    move, rows = board.last_move(session, issue.id), _newest(session, issue)
    hearings = _heard(context, rows)
    others = [one for one in rows if one.id not in hearings.items]
    return _composed(context, session, issue, [move] if move else [], [hearings, _acted(context, others)])


_SAMPLES: Mapping[Sample, Callable[[Context, Session, Issue], Announcement | None]] = {
    Sample.STATUS: _status,
    Sample.ACTIVITY: _activity,
    Sample.HEARING: _hearing,
    Sample.HEARTBEAT: _heartbeat,
    Sample.DIGEST: _digest,
}


def _composed(
    context: Context, session: Session, issue: Issue, moves: list[Transition], notices: list[Notice]
) -> Announcement | None:
    """As for somebody who follows this issue and wants everything, in a digest if there are several things."""
    several = len(moves) + len(notices) > 1
    reader = Subscription(
        topics=[],
        issues=[issue.id],
        interests=list(Interest),
        cadence=Cadence.WEEKLY if several else Cadence.IMMEDIATE,
    )
    return compose(context.config, session, moves, notices, reader)


def _newest(session: Session, issue: Issue) -> list[ChangeRow]:
    return changes.newest(session, issue.id, _NEWEST)


def _acted(context: Context, rows: list[ChangeRow]) -> Notice:
    return _notice(context, AnnouncementKind.ACTIVITY, [one.id for one in rows])


def _heard(context: Context, rows: list[ChangeRow]) -> Notice:
    """The hearings to come, or the last one there was: it looks the same."""
    days = [(day, one.id) for one in rows if (day := heard_on(one)) is not None]
    coming = [number for day, number in days if day >= context.today()]
    return _notice(context, AnnouncementKind.HEARING, coming or [number for _, number in sorted(days)[-1:]])


def _notice(context: Context, kind: AnnouncementKind, items: Sequence[object]) -> Notice:
    return Notice(kind=kind, items=list(items), created_at=context.now())
