"""What the public will read, made by the renderers that will make it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from monitor.model.messaging import ChannelKind, Message
from monitor.model.tracking import Status
from monitor.notify.render import render
from monitor.store import watched
from monitor.store.schema import Proposal
from monitor.web.links import Linker, Piece
from monitor.web.proposal_view import Draft
from monitor.workflow.announce import preview as announcement
from monitor.workflow.announce import sender_of
from monitor.workflow.context import Context

#: The tabs, in their order.
TABS = {"board": "Board", "email": "Email", "slack": "Slack"}


@dataclass(frozen=True, slots=True)
class Preview:
    """One tab. ``pieces`` are the board's text with its links, ``lines`` a message's paragraphs."""

    tab: str
    name: str
    status: Status
    subject: str = ""
    pieces: tuple[Piece, ...] = ()
    lines: tuple[str, ...] = ()


def read_preview(session: Session, context: Context, proposal_id: int, draft: Draft, tab: str) -> Preview | None:
    """``tab`` of what ``draft`` would tell; None if it would tell nothing."""
    proposal = session.get(Proposal, proposal_id)
    if proposal is None or proposal.issue is None or draft.status is None:
        return None
    return _TABS.get(tab, _board)(session, context, proposal, draft)


def email_html(session: Session, context: Context, proposal_id: int, draft: Draft) -> str:
    """The email as its reader gets it; "" if it would tell nothing."""
    proposal = session.get(Proposal, proposal_id)
    if proposal is None or proposal.issue is None or draft.status is None:
        return ""
    return _message(session, context, proposal, draft, ChannelKind.EMAIL).html


def _board(session: Session, context: Context, proposal: Proposal, draft: Draft) -> Preview:
    linker = Linker.of(context.config, watched.bill_keys(session), watched.acts(session))
    pieces = linker.pieces(draft.narrative, str(proposal.issue_id))
    return Preview("board", _name(proposal), _status(draft), pieces=pieces)


def _email(session: Session, context: Context, proposal: Proposal, draft: Draft) -> Preview:
    message = _message(session, context, proposal, draft, ChannelKind.EMAIL)
    return Preview("email", _name(proposal), _status(draft), message.subject, lines=(message.text,))


def _slack(session: Session, context: Context, proposal: Proposal, draft: Draft) -> Preview:
    message = _message(session, context, proposal, draft, ChannelKind.SLACK)
    texts = tuple(_texts(json.loads(message.payload)["blocks"]))
    return Preview("slack", _name(proposal), _status(draft), message.text, lines=texts)


_TABS: Mapping[str, Callable[[Session, Context, Proposal, Draft], Preview]] = {
    "board": _board,
    "email": _email,
    "slack": _slack,
}


def _message(session: Session, context: Context, proposal: Proposal, draft: Draft, channel: ChannelKind) -> Message:
    told = announcement(context.config, session, proposal, _status(draft), draft.narrative, context.now())
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


def _name(proposal: Proposal) -> str:
    return proposal.issue.name if proposal.issue is not None else ""


def _status(draft: Draft) -> Status:
    return draft.status or Status.NO_PROGRESS
