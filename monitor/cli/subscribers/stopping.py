"""``monitor subscribers remove``, ``delete``, ``suppress``, ``lift`` and ``suppressed``."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import USAGE, ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, table
from monitor.cli.subscribers.common import AddressArgument, ChannelOption, KnownArgument, WhichOption, given

if TYPE_CHECKING:
    from monitor.workflow.context import Context
    from monitor.workflow.subscribe import Wish


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: monitor subscribers remove ann@example.org")(remove)
    app.command(epilog="Example: monitor subscribers delete ann@example.org")(delete)
    app.command(epilog="Example: monitor subscribers suppress ann@example.org --why complained")(suppress)
    app.command(epilog="Example: monitor subscribers lift ann@example.org")(lift)
    app.command(epilog="Examples: monitor subscribers suppressed · monitor subscribers suppressed --json")(suppressed)


def remove(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Stop telling an address; what waits for it is cancelled."""
    from monitor.workflow import by_hand, managing

    with opened(context, config, now) as opening:
        row = by_hand.find(opening, given(address), channel)
        managing.leave(opening, row.id, by=getpass.getuser())
    if as_json_:
        as_json({"address": managing.masked(row), "state": "left"})
    else:
        typer.echo(f"{managing.masked(row)} is told nothing more.")


def delete(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Forget a subscriber, as a reader's own “delete my data” does; only a fingerprint stays, so that no import writes
    to them again."""
    from monitor.workflow import by_hand, managing

    with opened(context, config, now) as opening:
        row = by_hand.find(opening, given(address), channel)
        managing.delete(opening, row.id, by=getpass.getuser())
    if as_json_:
        as_json({"id": row.id, "state": "deleted"})
    else:
        typer.echo("Nothing is kept of this subscriber but a fingerprint of the address.")


def suppress(
    context: typer.Context,
    address: AddressArgument,
    why: Annotated[str, typer.Option(help="bounced, complained, left or deleted.")] = "left",
    detail: Annotated[str, typer.Option(help="What is known of it.")] = "",
    channel: ChannelOption = "email",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Write to an address never again, subscribed or not, whatever an import says."""
    from monitor.workflow import by_hand

    if why not in by_hand.WHYS:
        fail(f"--why {why!r}: write one of {', '.join(by_hand.WHYS)}", USAGE)
    with opened(context, config, now) as opening:
        wished = _checked(opening, address, channel)
        by_hand.suppress(opening, wished.channel, wished.address, why, detail, getpass.getuser())
    if as_json_:
        as_json({"address": wished.masked, "why": why})
    else:
        typer.echo(f"Nobody writes to {wished.masked} any more.")


def lift(
    context: typer.Context,
    address: AddressArgument,
    channel: ChannelOption = "email",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Take an address off the list of those nobody writes to, because its reader asked for it."""
    from monitor.workflow import by_hand

    with opened(context, config, now) as opening:
        wished = _checked(opening, address, channel)
        if not by_hand.lift(opening, wished.channel, wished.address, getpass.getuser()):
            fail(f"{wished.masked} is not on the list. Nothing was changed.")
    if as_json_:
        as_json({"address": wished.masked, "lifted": True})
    else:
        typer.echo(f"{wished.masked} may be written to again; subscribe it with: monitor subscribers add")


def _checked(opening: Context, address: str, channel: str) -> Wish:
    from monitor.model.messaging import Choice
    from monitor.workflow.subscribe import Unsuitable, wish

    try:
        return wish(opening.config, given(address), channel, Choice())
    except Unsuitable as error:
        fail(f"{error}. Nothing was changed.")


def suppressed(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="At most so many, the newest first.", min=1)] = 1_000,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """List the addresses that nobody writes to, masked, and why."""
    from monitor.workflow import by_hand

    with opened(context, config, now) as opening:
        rows = [
            {"address": row.shown, "why": row.why, "detail": row.detail, "at": row.at.isoformat()}
            for row in by_hand.suppressed(opening, limit)
        ]
    if as_json_:
        as_json(rows)
    else:
        table(
            ("address", "why", "since", "detail"),
            [tuple(r[k] for k in ("address", "why", "at", "detail")) for r in rows],
            "Nobody is on the list.",
        )
