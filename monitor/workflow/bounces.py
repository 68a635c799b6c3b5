"""Mail that came back is read, and whoever can or will not be written to is told nothing more.

Anybody can write to that mailbox: only a report with a token that we signed changes anything. Each mail is dealt with
in one transaction and marked after it, so that one that is read twice does nothing new.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.orm import Session

from monitor.model.messaging import ChannelKind, Outcome, OutcomeKind
from monitor.notify import returned
from monitor.notify.channels import mask_address
from monitor.notify.mailbox import Imap, ImapSettings, Mailbox, MailboxError, Maildir, Mbox
from monitor.notify.returned import Returned, ReturnedKind
from monitor.store import subscriptions, suppressions
from monitor.store.schema import Subscription
from monitor.workflow import notices, unreachable
from monitor.workflow.context import Context
from monitor.workflow.links import Links, Purpose, links

log = structlog.get_logger()


@dataclass(slots=True)
class BouncesReport:
    """What one reading of the mailbox found. ``unsigned`` would have ended a subscription, had it been ours."""

    read: int = 0
    unreachable: int = 0
    complaints: int = 0
    left: int = 0
    known: int = 0
    temporary: int = 0
    unsigned: int = 0
    other: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The stable form other tools read."""
        return asdict(self)


def open_inbox(context: Context) -> Mailbox | None:
    """The mailbox of config; None if it names none. Raises MailboxError."""
    mail = context.config.mail
    inbox = mail.inbox if mail is not None else None
    if inbox is None:
        return None
    if inbox.imap is None:
        return Maildir(Path(inbox.maildir)) if inbox.maildir else Mbox(Path(inbox.mbox or ""))
    password = inbox.imap.password(context.environ)
    if password is None:
        raise MailboxError("the mailbox wants a password, and MONITOR_IMAP_PASSWORD is not set")
    imap = inbox.imap
    return Imap(ImapSettings(imap.host, imap.username, password.reveal(), imap.port, imap.folder))


def read_bounces(
    context: Context, mailbox: Mailbox, *, dry_run: bool = False, progress: Callable[[int], None] = lambda done: None
) -> BouncesReport:
    """Deal with every mail nobody has read; with ``dry_run`` only say what would be done.

    Closes the mailbox. One that breaks off is a problem of the report: what was read until then is done.
    """
    report = BouncesReport()
    try:
        with closing(mailbox):
            for mark, data in mailbox.unread():
                if context.stopping():
                    break
                _count(report, _deal_with(context, returned.read(data), dry_run))
                if not dry_run:
                    mailbox.done(mark)
                progress(report.read)
    except MailboxError as error:
        report.problems.append(str(error))
    return report


def _count(report: BouncesReport, what: str) -> None:
    report.read += 1
    setattr(report, what, getattr(report, what) + 1)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a kind of mail is counted as, which tokens it may come with, and what it does to their subscription."""

    counts: str
    purposes: tuple[Purpose, ...]
    act: Callable[[Session, Context, Subscription, Returned], None]


def _deal_with(context: Context, mail: Returned, dry_run: bool) -> str:
    """The count it belongs to."""
    rule = _RULES.get(mail.kind)
    if rule is None:
        log.info("mail_came_back", kind=mail.kind.value, status=mail.status, detail=mail.diagnostic)
        return "temporary" if mail.kind is ReturnedKind.TEMPORARY else "other"
    what = _dealt_with(context, mail, rule, dry_run) if mail.tokens else "unsigned"
    log.info("mail_came_back", kind=mail.kind.value, status=mail.status, detail=mail.diagnostic, done=what)
    return what


def _says_more(session: Session, keyed: Links, row: Subscription, mail: Returned) -> bool:
    """Who left or bounced may be added again by name; who complained may not, though they did so after leaving."""
    return mail.kind is ReturnedKind.COMPLAINT and not suppressions.is_firm(session, keyed, row.address)


def _dealt_with(context: Context, mail: Returned, rule: _Rule, dry_run: bool) -> str:
    with context.database.transaction() as session:
        keyed = links(session)
        number = _number(keyed, mail, rule.purposes)
        if number is None:
            return "unsigned"
        row = session.get(Subscription, number)
        if row is None or row.channel != ChannelKind.EMAIL:
            return "known"
        if not row.live and not _says_more(session, keyed, row, mail):
            return "known"
        if not dry_run:
            rule.act(session, context, row, mail)
        return rule.counts


def _number(keyed: Links, mail: Returned, purposes: tuple[Purpose, ...]) -> int | None:
    """The subscription that the mail's tokens speak for; None without a good one."""
    read = (keyed.read(purpose, token) for token in mail.tokens for purpose in purposes)
    return next((number for number in read if number is not None), None)


def _unreachable(session: Session, context: Context, row: Subscription, mail: Returned) -> None:
    detail = f"{mail.status} {mail.diagnostic}".strip()
    unreachable.break_off(session, row, detail, context.now())
    outcome = Outcome(OutcomeKind.PERMANENT, detail)
    to = mask_address(ChannelKind.EMAIL, row.address)
    notices.not_reached(session, context.config, ChannelKind.EMAIL, to, outcome, context.now())


def _complained(session: Session, context: Context, row: Subscription, mail: Returned) -> None:
    subscriptions.leave(session, row, context.now())
    unreachable.suppress(session, row, "complained", f"called it {mail.diagnostic}", context.now())


def _left(session: Session, context: Context, row: Subscription, mail: Returned) -> None:
    subscriptions.leave(session, row, context.now())
    unreachable.suppress(session, row, "left", "wrote to the address to leave", context.now())


_RULES = {
    ReturnedKind.PERMANENT: _Rule("unreachable", (Purpose.BOUNCE,), _unreachable),
    ReturnedKind.COMPLAINT: _Rule("complaints", (Purpose.BOUNCE, Purpose.MANAGE), _complained),
    ReturnedKind.LEAVE: _Rule("left", (Purpose.MANAGE,), _left),
}
