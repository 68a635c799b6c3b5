"""The mail to an address that was typed into the sign-up form. What it says is decided when it is sent.

The form answers everybody alike; only the mailbox's reader learns whether the address is subscribed.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.model.messaging import Announcement, AnnouncementKind, Cadence, Choice, Interest, Item
from monitor.store import sign_ups, subscriptions
from monitor.store.schema import Notice, Subscription
from monitor.store.schema_subscribers import SignUp
from monitor.workflow.links import Purpose, links
from monitor.workflow.sign_up import LASTS, choice_of, subscription_of

_WHAT = {
    Interest.STATUS: "status changes",
    Interest.ACTIVITY: "new actions in the record",
    Interest.HEARINGS: "public hearings",
    Interest.HEARTBEAT: "a word when nothing changed",
}
_HOW = {Cadence.IMMEDIATE: "as they come", Cadence.DAILY: "once a day", Cadence.WEEKLY: "once a week"}


def address_of(session: Session, to: str, now: datetime) -> str | None:
    """Whom a delivery to ``to`` is for; None for other recipients, and once the link in it would be no good."""
    kind, _, number = to.partition(":")
    row = session.get(SignUp, int(number)) if kind == sign_ups.RECIPIENT else None
    if row is None or row.used_at is not None or row.created_at <= now - LASTS:
        return None
    known = subscription_of(session, row)
    # The link to a reader's own page goes nowhere but where their messages go, whatever was typed.
    return known.address if known is not None and known.live else row.address


def announcement(config: Config, session: Session, notice: Notice) -> Announcement | None:
    """A link to confirm with or, to whom we tell things already, the link to their own page."""
    row = session.get(SignUp, notice.items[0])
    if row is None:
        return None
    known = subscription_of(session, row)
    item = _known(config, session, known) if known is not None and known.live else _new(config, session, row)
    why = "You get this because this address was typed into the sign-up form of our board."
    return Announcement(AnnouncementKind.CONFIRM, (item,), notice.created_at, why)


def _new(config: Config, session: Session, row: SignUp) -> Item:
    token = links(session).token(Purpose.CONFIRM, row.id)
    return Item(
        heading="Confirm your sign-up",
        sentence=f"Somebody asked us to write to this address: {in_words(config, choice_of(row))}. "
        "To begin, open the page below and press its button. The link works for 7 days, once.",
        narrative="Do nothing. Nothing more is sent, and the address is forgotten after 7 days.",
        url=f"{config.alerts_url}/confirm/{token}",
    )


def _known(config: Config, session: Session, row: Subscription) -> Item:
    token = links(session).token(Purpose.MANAGE, row.id)
    return Item(
        heading="You are already subscribed",
        sentence=f"We write to this address already: {in_words(config, subscriptions.choice_of(row))}. "
        "On the page below you can change that, pause or leave. Keep its link to yourself.",
        narrative="Do nothing. Nothing has changed.",
        url=f"{config.alerts_url}/{token}",
    )


def in_words(config: Config, choice: Choice) -> str:
    """ "status changes and public hearings on Quotas, once a week"."""
    topics, issues = ({one.id: one.name for one in named} for named in (config.topics, config.issues()))
    chosen = [topics[one] for one in choice.topics if one in topics]
    chosen += [issues[one] for one in choice.issues if one in issues]
    about = f"on {_listed(chosen)}" if chosen else "on every issue of the board"
    return f"{_listed([_WHAT[one] for one in choice.interests])} {about}, {_HOW[choice.cadence]}"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
