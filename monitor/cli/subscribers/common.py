"""What the commands of ``monitor subscribers`` share."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from monitor.store.schema import Subscription

app = typer.Typer(help="Who is told of published changes.", no_args_is_help=True, rich_markup_mode=None)

ChannelOption = Annotated[str, typer.Option(help="email, slack or apprise.")]
WhichOption = Annotated[str, typer.Option("--channel", help="Which of them, if the address is subscribed by several.")]
AddressArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An email address or a webhook; - reads it from standard input.")
]
KnownArgument = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="An email address, a webhook, or what the list shows in its place; - reads it from standard input.",
    ),
]
TopicOption = Annotated[list[str] | None, typer.Option(help="Only this topic; may be repeated.")]
IssueOption = Annotated[list[str] | None, typer.Option(help="Only this issue; may be repeated.")]
InterestOption = Annotated[
    list[str] | None, typer.Option(help="status, activity, hearings or heartbeat; may be repeated.")
]
HourOption = Annotated[int | None, typer.Option(help="When a digest leaves, 0 to 23.")]
WeekdayOption = Annotated[str, typer.Option(help="The weekly digest's day: monday, tuesday, …")]
ZoneOption = Annotated[str, typer.Option(help="The time zone of hour and weekday, such as America/New_York.")]


def given(text: str) -> str:
    """A webhook is a secret: from standard input it does not show in the process list."""
    return sys.stdin.readline().strip() if text == "-" else text


def plain(row: Subscription, today: date) -> dict[str, Any]:
    """A subscription for programs; a webhook is shown masked."""
    from monitor.store.subscriptions import choice_of, state_of
    from monitor.workflow.subscribe import WEEKDAYS

    choice = choice_of(row)
    return {
        "id": row.id,
        "channel": row.channel,
        "address": shown(row.channel, row.address),
        "topics": row.topics,
        "issues": row.issues,
        "interests": row.interests,
        "cadence": row.cadence,
        "hour": choice.hour,
        "weekday": None if choice.weekday is None else WEEKDAYS[choice.weekday],
        "zone": choice.zone,
        "consent": row.consent,
        "consented_on": _day(row.consented_on),
        "paused_until": _day(row.paused_until),
        "state": state_of(row, today),
        "reason": row.broken_reason,
    }


def _day(value: date | None) -> str | None:
    return value.isoformat() if value is not None else None


def shown(channel: str, address: str) -> str:
    """A webhook is a secret; who runs this may see the addresses of people."""
    from monitor.model.messaging import ChannelKind
    from monitor.workflow.sealing import stored

    return stored(ChannelKind(channel), address)


def about(row: dict[str, Any]) -> str:
    """What a subscription is about, in one cell."""
    return ", ".join([*row["topics"], *row["issues"]]) or "everything"
