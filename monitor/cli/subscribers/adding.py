"""``monitor subscribers add`` and ``test``."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json
from monitor.cli.subscribers.common import (
    AddressArgument,
    ChannelOption,
    HourOption,
    InterestOption,
    IssueOption,
    KnownArgument,
    TopicOption,
    WeekdayOption,
    WhichOption,
    ZoneOption,
    given,
    shown,
)

if TYPE_CHECKING:
    from monitor.workflow.context import Context
    from monitor.workflow.subscribe import Wish


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        epilog="Examples: monitor subscribers add ann@example.org --issue quotas --cadence weekly --hour 17 · "
        "monitor subscribers add --channel slack - < webhook.txt"
    )(add)
    app.command("test", epilog="Example: monitor subscribers test - < webhook.txt")(send_test)


def add(
    context: typer.Context,
    address: AddressArgument,
    channel: ChannelOption = "email",
    topic: TopicOption = None,
    issue: IssueOption = None,
    interest: InterestOption = None,
    cadence: Annotated[str, typer.Option(help="immediate, daily or weekly.")] = "immediate",
    hour: HourOption = None,
    weekday: WeekdayOption = "",
    zone: ZoneOption = "",
    consent: Annotated[str, typer.Option(help="How its reader came to want our messages.")] = "",
    no_test: Annotated[bool, typer.Option("--no-test", help="Without the test message to a webhook.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Add a subscriber, or change what an address is told. Without --topic and --issue: everything.

    A webhook is sent a test message first, and saved only if that was taken.
    """
    from monitor.workflow import by_hand
    from monitor.workflow.subscribe import Unsuitable, choose, wish

    with opened(context, config, now, fresh=True) as opening:
        try:
            choice = choose(
                opening.config,
                topics=topic or (),
                issues=issue or (),
                interests=interest or (),
                cadence=cadence,
                hour=hour,
                weekday=weekday,
                zone=zone,
            )
            wished = wish(opening.config, given(address), channel, choice)
            if not no_test:
                _try(opening, wished)
        except Unsuitable as error:
            fail(f"{error}. Nothing was changed.")
        _, new = by_hand.add(opening, wished, getpass.getuser(), consent=consent)
    if as_json_:
        as_json({"address": wished.masked, "channel": wished.channel, "new": new})
    else:
        typer.echo(f"{wished.masked} {'is subscribed' if new else 'had a subscription; it is changed'}.")


def _try(opening: Context, wished: Wish) -> None:
    from monitor.model.messaging import ChannelKind, OutcomeKind
    from monitor.workflow import sealing, trial

    if wished.channel is ChannelKind.EMAIL:
        return
    sealing.needed(opening.environ)
    outcome = trial.try_out(opening, wished.channel, wished.address)
    if outcome.kind is not OutcomeKind.SENT:
        fail(f"{trial.words(wished.channel, outcome)}. Nothing was changed.")


def send_test(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Send a test message to a webhook; one that was given up is told again once its service takes it."""
    from monitor.model.messaging import ChannelKind, OutcomeKind
    from monitor.workflow import by_hand, trial
    from monitor.workflow.subscribe import Unsuitable

    with opened(context, config, now) as opening:
        row = by_hand.find(opening, given(address), channel)
        try:
            outcome = by_hand.send_test(opening, row, getpass.getuser())
        except Unsuitable as error:
            fail(f"{error}. Nothing was sent.")
    name = shown(row.channel, row.address)
    if outcome.kind is not OutcomeKind.SENT:
        fail(f"{name}: {trial.words(ChannelKind(row.channel), outcome)}")
    if as_json_:
        as_json({"address": name, "channel": row.channel, "state": "live"})
    else:
        typer.echo(f"{name} took the test message.")
