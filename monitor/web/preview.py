"""What the public will read, made by the renderers that will make it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from monitor.model.messaging import ChannelKind, Message
from monitor.model.tracking import Status
from monitor.notify.render import render
from monitor.store.schema import Issue, Proposal
from monitor.web.links import Linker, Piece
from monitor.web.proposal_view import Draft, suggested
from monitor.workflow.announce import preview as announcement
from monitor.workflow.announce import sender_of
from monitor.workflow.context import Context


@dataclass(frozen=True, slots=True)
class Preview:
    """One tab. ``pieces`` are the board's text with its links, ``lines`` a message's paragraphs."""

    tab: str
    name: str
    status: Status
    subject: str = ""
    pieces: tuple[Piece, ...] = ()
    lines: tuple[str, ...] = ()


class _Telling(NamedTuple):
    """What would be told: the proposal with its issue, and the status and text the issue would have."""

    proposal: Proposal
    issue: Issue
    status: Status
    text: str


def _telling(session: Session, proposal_id: int, draft: Draft) -> _Telling | None:
    """With the status that was suggested, if none was chosen; None if nothing would be told."""
    proposal = session.get(Proposal, proposal_id)
    if proposal is None or proposal.issue is None:
        return None
    status = draft.status or suggested(proposal, proposal.issue).status
    return _Telling(proposal, proposal.issue, status, draft.narrative) if status is not None else None


def read_preview(session: Session, context: Context, proposal_id: int, draft: Draft, tab: str) -> Preview | None:
    """``tab`` of what ``draft`` would tell; None if it would tell nothing."""
    telling = _telling(session, proposal_id, draft)
    return TABS[tab].make(session, context, telling) if telling is not None else None


def email_html(session: Session, context: Context, proposal_id: int, draft: Draft) -> str:
    """The email as its reader gets it; "" if it would tell nothing."""
    telling = _telling(session, proposal_id, draft)
    return _message(session, context, telling, ChannelKind.EMAIL).html if telling is not None else ""


def _board(session: Session, context: Context, telling: _Telling) -> Preview:
    linker = Linker.of(session, context.config)
    pieces = linker.pieces(telling.text, telling.issue.id)
    return Preview("board", telling.issue.name, telling.status, pieces=pieces)


def _email(session: Session, context: Context, telling: _Telling) -> Preview:
    message = _message(session, context, telling, ChannelKind.EMAIL)
    return Preview("email", telling.issue.name, telling.status, message.subject, lines=(message.text,))


def _slack(session: Session, context: Context, telling: _Telling) -> Preview:
    message = _message(session, context, telling, ChannelKind.SLACK)
    texts = tuple(_texts(json.loads(message.payload)["blocks"]))
    return Preview("slack", telling.issue.name, telling.status, message.text, lines=texts)


class Tab(NamedTuple):
    name: str
    make: Callable[[Session, Context, _Telling], Preview]


#: In their order.
TABS: Mapping[str, Tab] = {"board": Tab("Board", _board), "email": Tab("Email", _email), "slack": Tab("Slack", _slack)}


def _message(session: Session, context: Context, telling: _Telling, channel: ChannelKind) -> Message:
    proposal, _, status, text = telling
    told = announcement(context.config, session, proposal, status, text, context.now())
    zone = context.config.schedule.zone
    return render(told, channel=channel, sender=sender_of(context.config), zone=zone)


def _texts(value: Any) -> Iterator[str]:
    """Every text of a post, as it reads once Slack has undone its escapes."""
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        said = value.get("text")
        if isinstance(said, str):
            yield said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        else:
            yield from _texts([one for key, one in value.items() if key != "type"])
