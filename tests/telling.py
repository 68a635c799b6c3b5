"""Something to tell, without reading any source first: proposals made by hand, and sinks to tell them to.

with SmtpSink() as mail, SlackSink() as slack, told_world(tmp_path, mail, slack) as world:
    world.subscribe("ann@example.org")
    publish(world)                       # proposed and approved
    world.deliver()
    mail.mails[0].data
"""

from __future__ import annotations

from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from monitor.store.schema import Delivery, Evidence, Issue, Proposal, Transition
from monitor.workflow import by_hand, managing
from monitor.workflow.context import Context
from tests.pipeline import World, issue
from tests.slack_sink import SlackSink
from tests.smtp_sink import Mail, SmtpSink

REASON = "SB 380 was signed by the Governor on July 1, 2019."
ROW = "SIGNED BY THE GOVERNOR"
ALEX = {"name": "Alex", "channel": "email", "address": "alex@example.org"}
SAM = {"name": "Sam", "channel": "slack", "address_secret": "SAM_WEBHOOK"}
SECRET = "T01/B01/s3cr3tOfSam"


def told_world(folder: Path, mail: Any, slack: SlackSink | None = None, **more: Any) -> World:
    """Two issues, stops and quotas; mail goes to ``mail``, Slack to ``slack``, Sam the operator is told by Slack.

    Without ``mail`` messages become files.
    """
    settings: dict[str, Any] = dict(more.pop("settings", {}))
    if mail is not None:
        server = {"host": "127.0.0.1", "port": mail.port, "security": "none", "from": "board@example.org"}
        settings = {"mail": server, **settings}
    environ = dict(more.pop("environ", {}))
    if slack is not None:
        settings = {"slack_bases": [slack.base], "operators": [SAM], **settings}
        environ.setdefault("MONITOR_SAM_WEBHOOK", f"{slack.base}{SECRET}")
    issues = more.pop("issues", [issue("stops"), issue("quotas")])
    return World(folder, issues, settings=settings, environ=environ, **more)


def propose(
    world: World, slug: str | None = "stops", to: str = "some_progress", *, reason: str = REASON, row: str = ROW
) -> int:
    """A pending proposal, as a check would have stored it."""
    with world.database.transaction() as session:
        known = session.get_one(Issue, slug) if slug else None
        proposal = Proposal(
            kind="status" if known else "review",
            issue_id=slug,
            subject=f"test:{slug}:{to}:{reason}",
            from_status=known.status if known else None,
            to_status=to if known else None,
            reason=reason,
            narrative=reason,
            created_at=world.now,
            evidence=[
                Evidence(
                    url="https://www.cga.ct.gov/bulk.csv",
                    quote=row,
                    action_date=date(2019, 7, 1),
                    first_seen_at=world.now,
                )
            ],
        )
        session.add(proposal)
        session.flush()
        return proposal.id


def publish(world: World, slug: str = "stops", to: str | None = None, **words: str) -> Transition:
    """A proposal, approved at once; by default the issue moves to the next status there is."""
    now = world.issue(slug).status
    other = {"no_progress": "some_progress", "some_progress": "achieved", "achieved": "no_progress"}[now]
    transition = world.approve(propose(world, slug, to or other, **words))
    assert transition is not None
    return transition


def leave(context: Context, address: str) -> bool:
    """They want to hear nothing more."""
    return managing.leave(context, by_hand.find(context, address).id)


def parsed(mail: Mail) -> EmailMessage:
    message = message_from_bytes(mail.data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def told(mail: SmtpSink) -> list[str]:
    """Who got a mail, in order."""
    return [one.recipient for one in mail.mails]


def of(world: World, address: str) -> list[Delivery]:
    """The deliveries to one subscriber, oldest first."""
    with world.database.reading() as session:
        rows = session.query(Delivery).join(Delivery.subscription).order_by(Delivery.transition_id).all()
        return [row for row in rows if row.subscription.address == address]
