"""What a maintainer does about a subscriber; each deed is a line of the audit log, without the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from monitor.model.messaging import ChannelKind, Outcome, OutcomeKind
from monitor.notify.channels import mask_address, validate_address
from monitor.store import subscriptions, suppressions
from monitor.store.schema import Delivery, Subscription
from monitor.store.schema_subscribers import Suppression
from monitor.workflow import audit, sealing, unreachable
from monitor.workflow.context import Context
from monitor.workflow.links import Purpose, links
from monitor.workflow.pace import reschedule_all
from monitor.workflow.review import Refusal
from monitor.workflow.subscribe import Wish, renew, sealed
from monitor.workflow.trial import try_out

#: Deliveries that are shown of one subscriber.
_SHOWN = 10

WHYS = ("bounced", "complained", "left", "deleted")


def add(context: Context, wish: Wish, by: str, *, consent: str = "") -> tuple[int, bool]:
    """Add a subscription, or change the one the address has: its number, and whether it is new.

    Who has left or bounced is brought back. Raises Refusal for an address that is not written to, and NoKey.
    """
    said = " ".join(consent.split())[:500]
    dated = replace(wish, consent=said or f"added by {by}", consented_on=context.today())
    [entry] = sealed(context, [dated])
    now = context.now()
    with context.database.transaction() as session:
        renew(context, session)
        _welcome(session, entry)
        same = subscriptions.find_mailbox(session, entry.address) if entry.channel is ChannelKind.EMAIL else None
        entry = replace(entry, address=same.address) if same is not None else entry
        if subscriptions.find(session, entry.channel, entry.address) and not said:
            entry = replace(entry, consent="", consented_on=None)
        put = subscriptions.put(session, [entry], now)
        reschedule_all(session, context.config, put.retimed, now)
        new = bool(put.new)
        row = subscriptions.find(session, entry.channel, entry.address)
        assert row is not None
        _note(session, by, "added subscriber" if new else "changed subscriber", row, now)
        return row.id, new


def _welcome(session: Session, entry: subscriptions.Entry) -> None:
    """Who is asked for by name is written to again, unless they said themselves that they do not want to be."""
    keyed = links(session)
    kept = suppressions.find(session, keyed, entry.address)
    if kept is not None and kept.why in suppressions.FIRM:
        raise Refusal(
            f"this address is not written to: {kept.why} on {kept.at:%Y-%m-%d}. If its reader asks to be back, lift "
            "that first: monitor subscribers lift. Nothing was changed."
        )
    suppressions.lift(session, keyed, entry.address)


def find(context: Context, text: str, channel: str = "") -> Subscription:
    """The subscription of an address, a webhook, or what a listing shows in a webhook's place. Raises Refusal."""
    with context.database.reading() as session:
        found = [row for row in _candidates(session, text.strip()) if channel in ("", row.channel)]
    if len(found) == 1:
        return found[0]
    if found:
        kinds = ", ".join(row.channel for row in found)
        raise Refusal(f"it is subscribed by {kinds}: say which with --channel. Nothing was changed.")
    shown = mask_address(ChannelKind.EMAIL, text.strip()) if "://" not in text else "this webhook"
    raise Refusal(f"{shown} is not subscribed; `monitor subscribers list` shows who is. Nothing was changed.")


def _candidates(session: Session, text: str) -> Sequence[Subscription]:
    spelled = {text}
    for kind in ChannelKind:
        try:
            spelled.add(sealing.stored(kind, validate_address(kind, text) if kind is ChannelKind.EMAIL else text))
        except ValueError:
            continue
    asked = or_(*(Subscription.address == one for one in sorted(spelled)))
    found = list(session.scalars(select(Subscription).where(asked).order_by(Subscription.id)))
    same = subscriptions.find_mailbox(session, text) if not found else None
    return [same] if same is not None else found


def get(context: Context, number: int) -> Subscription | None:
    with context.database.reading() as session:
        return session.get(Subscription, number)


def address_of(context: Context, row: Subscription) -> str:
    """The address itself, of a secret one opened. Raises Refusal if it cannot be."""
    if row.sealed is None:
        return row.address
    address = sealing.needed(context.environ).open(row)
    if address is None:
        raise Refusal(f"this webhook cannot be opened: MONITOR_{sealing.KEY} is not the key it was sealed with.")
    return address


def send_test(context: Context, row: Subscription, by: str) -> Outcome:
    """Send a test message to a subscription; one that was given up is told again once its provider takes it."""
    outcome = try_out(context, ChannelKind(row.channel), address_of(context, row))
    now = context.now()
    with context.database.transaction() as session:
        current = session.get_one(Subscription, row.id)
        if outcome.kind is OutcomeKind.SENT:
            current.broken_at, current.broken_reason = None, ""
        elif outcome.kind is OutcomeKind.PERMANENT and current.live:
            unreachable.break_off(session, current, outcome.detail, now)
        _note(session, by, "tested subscriber", current, now, answer=outcome.kind.value)
    return outcome


def last_told(context: Context, row: Subscription) -> list[Delivery]:
    """The newest deliveries to it, with what became of them."""
    rows = select(Delivery).where(Delivery.subscription_id == row.id)
    with context.database.reading() as session:
        return list(session.scalars(rows.order_by(Delivery.created_at.desc(), Delivery.id).limit(_SHOWN)))


def manage_link(context: Context, row: Subscription, by: str) -> str:
    """The address of the reader's own page. Whoever has it can change and end the subscription. Raises Refusal."""
    alerts = context.config.alerts_url
    if not alerts:
        raise Refusal("readers have no page of their own here; set organization.board_url in config.yaml")
    with context.database.transaction() as session:
        token = links(session).token(Purpose.MANAGE, row.id)
        _note(session, by, "made manage link", row, context.now())
    return f"{alerts}/{token}"


def suppress(context: Context, kind: ChannelKind, address: str, why: str, detail: str, by: str) -> None:
    """Write to this address never again, whether it is subscribed or not; what waits for it is cancelled."""
    stored, now = sealing.stored(kind, address), context.now()
    with context.database.transaction() as session:
        keyed = links(session)
        shown = "" if why == "deleted" else mask_address(kind, stored) if kind is ChannelKind.EMAIL else stored
        suppressions.suppress(session, keyed, stored, shown, why, detail or f"by {by}", now)
        is_mail = kind is ChannelKind.EMAIL
        row = subscriptions.find_mailbox(session, stored) if is_mail else subscriptions.find(session, kind, stored)
        if row is not None:
            subscriptions.leave(session, row, now)
        audit.append(session, by, "suppressed address", why, {}, now)


def lift(context: Context, kind: ChannelKind, address: str, by: str) -> bool:
    """Write to this address again, if anybody subscribes it. False if nothing kept us from it."""
    with context.database.transaction() as session:
        lifted = suppressions.lift(session, links(session), sealing.stored(kind, address))
        if lifted:
            audit.append(session, by, "lifted suppression", "address", {}, context.now())
        return lifted


def suppressed(context: Context, limit: int, before: tuple[datetime, str] | None = None) -> list[Suppression]:
    """Addresses that are not written to, the newest first; ``before`` is the moment and fingerprint of the last one
    that was shown."""
    rows = select(Suppression).order_by(Suppression.at.desc(), Suppression.fingerprint)
    if before is not None:
        at, fingerprint = before
        rows = rows.where(or_(Suppression.at < at, (Suppression.at == at) & (Suppression.fingerprint > fingerprint)))
    with context.database.reading() as session:
        return list(session.scalars(rows.limit(limit)))


def _note(session: Session, by: str, what: str, row: Subscription, now: datetime, **detail: str) -> None:
    audit.append(session, by, what, f"subscription {row.id}", {"channel": row.channel, **detail}, now)
