"""Whether what is to be told is being told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from monitor.model.messaging import ChannelKind, DeliveryState, OutcomeKind
from monitor.notify.email import MailServer
from monitor.store import held as held_back
from monitor.store import hosts
from monitor.store.schema import Delivery, Subscription
from monitor.workflow.channels import smtp_settings
from monitor.workflow.checkup.finding import Finding, Patient, bad, good, warn
from monitor.workflow.context import Context
from monitor.workflow.sealing import KEY, Opened

#: Retries aside, whatever is due leaves within a tick of the service.
_STUCK_AFTER = timedelta(hours=1)
_LATELY = timedelta(days=7)


def mail_login(patient: Patient) -> Iterator[Finding]:
    """Say hello to the mail server, log in, and leave. Nothing is sent."""
    context = Context(patient.config, patient.database, now=lambda: patient.now, environ=patient.environ)
    try:
        settings = smtp_settings(context)
    except ValueError as error:
        yield bad("mail server", str(error), "Mail waits in the queue until it is set.")
        return
    if settings is None or patient.config.outbox is not None:
        return
    outcome = MailServer(settings).greet()
    if outcome.kind is OutcomeKind.SENT:
        how = "with a login" if settings.username else "without a login"
        yield good("mail server", f"{settings.host}:{settings.port} lets us in ({settings.security}, {how})")
    else:
        advice = "Check `mail` in config.yaml and MONITOR_SMTP_PASSWORD; meanwhile mail waits in the queue."
        yield bad("mail server", outcome.detail, advice)


def channels(patient: Patient) -> Iterator[Finding]:
    """Channels at rest because sending by them failed, and subscribers no channel is set up for."""
    with patient.database.reading() as session:
        known = hosts.channels(session)
        troubled = [(kind, known[kind]) for kind in ChannelKind if kind in known and known[kind].outage_since]
        live = select(func.count()).where(Subscription.left_at.is_(None), Subscription.broken_at.is_(None))
        by_mail = session.scalar(live.where(Subscription.channel == ChannelKind.EMAIL)) or 0
    for kind, row in troubled:
        said = f"nothing can be sent by {kind} since {row.outage_since:%Y-%m-%d %H:%M} UTC: {row.last_error}"
        yield bad("channels", said, "Mend it, then run: monitor deliver")
    lacking = by_mail and patient.config.mail is None and patient.config.outbox is None
    if lacking:
        yield bad(
            "channels", f"{by_mail} subscribers want email and there is no mail server", "Set `mail` in config.yaml."
        )
    if not troubled and not lacking:
        yield good("channels", "none is known to be broken")


def outbox(patient: Patient) -> Iterator[Finding]:
    """Messages that should have left long ago."""
    waiting = (DeliveryState.PENDING, DeliveryState.SENDING)
    with patient.database.reading() as session:
        count, oldest = session.execute(
            select(func.count(), func.min(Delivery.due_at)).where(
                Delivery.state.in_(waiting), Delivery.due_at < patient.now - _STUCK_AFTER
            )
        ).one()
        total = session.scalar(select(func.count()).where(Delivery.state.in_(waiting)))
    if count:
        said = f"{count} messages have been due for over an hour, the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
        yield bad("outbox", said, "See that the service runs; `monitor deliver` sends now and says what is wrong.")
    else:
        yield good("outbox", f"{total} messages wait, none for long")


def dead_letters(patient: Patient) -> Iterator[Finding]:
    """Messages of the last days that never arrived."""
    lately = (Delivery.state == DeliveryState.DEAD, Delivery.created_at > patient.now - _LATELY)
    with patient.database.reading() as session:
        count = session.scalar(select(func.count()).where(*lately))
        newest = session.scalar(select(Delivery.error).where(*lately).order_by(Delivery.created_at.desc()).limit(1))
    if count:
        said = f"{count} of the last 7 days' messages could not be delivered, the newest because: {newest}"
        yield warn("dead letters", said, "See who cannot be reached: monitor subscribers list --all")
    else:
        yield good("dead letters", "none in the last 7 days")


def webhooks(patient: Patient) -> Iterator[Finding]:
    """Whether what stands sealed can be opened with the key that is given here."""
    context = Context(patient.config, patient.database, now=lambda: patient.now, environ=patient.environ)
    with patient.database.reading() as session:
        opened = Opened(context, session)
    count = f"{len(opened.closed)} of {opened.count}"
    if opened.closed:
        said = f"{count} cannot be opened, and what is for them is kept: {opened.why}"
        yield bad("webhooks", said, f"Give back the key they were sealed with (MONITOR_{KEY}), or add them anew.")
    elif opened.count:
        yield good("webhooks", f"all of {opened.count} can be opened")
    if opened.unsealed:
        said = f"{opened.unsealed} stand unsealed in the database"
        yield warn("webhooks", said, f"Set MONITOR_{KEY} (openssl rand -base64 32) and restart the service.")


def held(patient: Patient) -> Iterator[Finding]:
    """Messages that a restored database had queued."""
    with patient.database.reading() as session:
        count = held_back.count(session)
    if count:
        said = f"{count} messages to subscribers are held: they were queued in a database that was restored"
        yield warn("held messages", said, "Send them: monitor deliver --resume. Or drop them: monitor deliver --forget")
    else:
        yield good("held messages", "none")
