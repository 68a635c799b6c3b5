"""``monitor subscribers change``, ``pause`` and ``resume``."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import USAGE, ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json
from monitor.cli.subscribers.common import (
    HourOption,
    InterestOption,
    IssueOption,
    KnownArgument,
    TopicOption,
    WeekdayOption,
    WhichOption,
    ZoneOption,
    day,
    given,
    plain,
    shown,
)

if TYPE_CHECKING:
    from monitor.model.messaging import Choice


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        epilog="Examples: monitor subscribers change ann@example.org --cadence daily --hour 7 · "
        "monitor subscribers change ann@example.org --everything --board-time"
    )(change)
    app.command(epilog="Example: monitor subscribers pause ann@example.org --until 2025-09-01")(pause)
    app.command(epilog="Example: monitor subscribers resume ann@example.org")(resume)


def change(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    topic: TopicOption = None,
    issue: IssueOption = None,
    everything: Annotated[bool, typer.Option("--everything", help="All topics and issues again.")] = False,
    interest: InterestOption = None,
    cadence: Annotated[str, typer.Option(help="immediate, daily or weekly.")] = "",
    hour: HourOption = None,
    weekday: WeekdayOption = "",
    zone: ZoneOption = "",
    board_time: Annotated[bool, typer.Option("--board-time", help="The board's own hour, day and zone again.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Change what a subscriber is told, and when; what is not named stays. What waits follows."""
    from monitor.store.subscriptions import choice_of
    from monitor.workflow import by_hand, managing
    from monitor.workflow.subscribe import Unsuitable, choose

    with opened(context, config, now) as opening:
        row = by_hand.find(opening, given(address), channel)
        try:
            checked = choose(
                opening.config,
                topics=topic or (),
                issues=issue or (),
                interests=interest or (),
                cadence=cadence,
                hour=hour,
                weekday=weekday,
                zone=zone,
            )
        except Unsuitable as error:
            fail(f"{error}. Nothing was changed.")
        asked: dict[str, Any] = {"topics": topic, "issues": issue, "interests": interest, "cadence": cadence}
        asked |= {"hour": hour is not None, "weekday": weekday, "zone": zone}
        choice = _merged(choice_of(row), checked, asked, everything=everything, board_time=board_time)
        managing.change(opening, row.id, choice, by=getpass.getuser())
        row = by_hand.find(opening, row.address, row.channel)
    _say(as_json_, plain(row, opening.today()), "is changed")


def _merged(before: Choice, checked: Choice, asked: dict[str, Any], *, everything: bool, board_time: bool) -> Choice:
    """What stood, with what was asked for in its place."""
    kept = replace(before, topics=(), issues=()) if everything or asked["topics"] or asked["issues"] else before
    kept = replace(kept, hour=None, weekday=None, zone=None) if board_time else kept
    return replace(kept, **{name: getattr(checked, name) for name, value in asked.items() if value})


def pause(
    context: typer.Context,
    address: KnownArgument,
    until: Annotated[str, typer.Option(help="The first day on which messages come again, such as 2025-09-01.")],
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Send a subscriber nothing before a day; what waited comes then, as one digest."""
    _pause(context, address, channel, day(until, "--until"), config, now, as_json_)


def resume(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """End a pause now."""
    _pause(context, address, channel, None, config, now, as_json_)


def _pause(
    context: typer.Context,
    address: str,
    channel: str,
    until: date | None,
    config: Any,
    now: str | None,
    as_json_: bool,
) -> None:
    from monitor.workflow import by_hand, managing

    with opened(context, config, now) as opening:
        row = by_hand.find(opening, given(address), channel)
        if until is not None and until <= opening.today():
            fail(f"--until {until} is not in the future. Nothing was changed.", USAGE)
        managing.pause(opening, row.id, until, by=getpass.getuser())
        row = by_hand.find(opening, row.address, row.channel)
    _say(as_json_, plain(row, opening.today()), f"is told nothing before {until}" if until else "is told again")


def _say(as_json_: bool, row: dict[str, Any], what: str) -> None:
    if as_json_:
        as_json(row)
    else:
        typer.echo(f"{shown(row['channel'], row['address'])} {what}.")
