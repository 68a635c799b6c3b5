"""``monitor subscribers``: who is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, progress, table

if TYPE_CHECKING:
    from monitor.store.schema import Subscription

app = typer.Typer(help="Who is told of published changes.", no_args_is_help=True, rich_markup_mode=None)

#: So many who have left are named by an import before the rest is counted.
_NAMED = 20

ChannelOption = Annotated[str, typer.Option(help="email, slack or apprise.")]
AddressArgument = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An email address or a webhook; - reads it from standard input.")
]


def _address(text: str) -> str:
    """A webhook is a secret: from standard input it does not show in the process list."""
    return sys.stdin.readline().strip() if text == "-" else text


@app.command(
    epilog="Examples: monitor subscribers add ann@example.org --issue quotas --cadence weekly · "
    "monitor subscribers add --channel slack - < webhook.txt"
)
def add(
    context: typer.Context,
    address: AddressArgument,
    channel: ChannelOption = "email",
    topic: Annotated[list[str] | None, typer.Option(help="Only this topic; may be repeated.")] = None,
    issue: Annotated[list[str] | None, typer.Option(help="Only this issue; may be repeated.")] = None,
    cadence: Annotated[str, typer.Option(help="immediate, daily or weekly.")] = "immediate",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Add a subscriber, or change what an address is told. Without --topic and --issue: everything."""
    from monitor.workflow.subscribe import Unsuitable, subscribe, wish

    with opened(context, config, now, fresh=True) as opening:
        try:
            wished = wish(opening.config, _address(address), channel, topic or (), issue or (), cadence)
        except Unsuitable as error:
            fail(f"{error}. Nothing was changed.")
        new = subscribe(opening, [wished]).new
    if as_json_:
        as_json({"address": wished.masked, "channel": wished.channel, "new": bool(new)})
    else:
        typer.echo(f"{wished.masked} {'is subscribed' if new else 'had a subscription; it is changed'}.")


@app.command("list", epilog="Examples: monitor subscribers list · monitor subscribers list --all --json")
def list_(
    context: typer.Context,
    everyone: Annotated[bool, typer.Option("--all", help="Also those who left or cannot be reached.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """List subscribers. Webhooks are shown masked."""
    from monitor.store import subscriptions

    with opened(context, config, now) as opening, opening.database.reading() as session:
        rows = [_plain(row) for row in subscriptions.listing(session, everyone=everyone)]
    if as_json_:
        as_json(rows)
        return
    columns = ("id", "channel", "address", "about", "cadence", "state")
    shown = [(r["id"], r["channel"], r["address"], _about(r), r["cadence"], r["state"]) for r in rows]
    table(columns, shown, "Nobody is subscribed. Add one: monitor subscribers add ann@example.org")


def _plain(row: Subscription) -> dict[str, Any]:
    return {
        "id": row.id,
        "channel": row.channel,
        "address": _shown(row.channel, row.address),
        "topics": row.topics,
        "issues": row.issues,
        "cadence": row.cadence,
        "state": "left" if row.left_at else "unreachable" if row.broken_at else "live",
        "reason": row.broken_reason,
    }


def _shown(channel: str, address: str) -> str:
    """A webhook is a secret; who runs this may see the addresses of people."""
    from monitor.model.messaging import ChannelKind
    from monitor.notify.channels import mask_address

    kind = ChannelKind(channel)
    return address if kind is ChannelKind.EMAIL else mask_address(kind, address)


def _about(row: dict[str, Any]) -> str:
    return ", ".join([*row["topics"], *row["issues"]]) or "everything"


@app.command(epilog="Example: monitor subscribers remove ann@example.org")
def remove(
    context: typer.Context,
    address: AddressArgument,
    channel: ChannelOption = "email",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Stop telling an address; what waits for it is cancelled."""
    from monitor.model.messaging import ChannelKind
    from monitor.workflow.subscribe import Unsuitable, unsubscribe, wish

    with opened(context, config, now) as opening:
        try:
            wished = wish(opening.config, _address(address), channel, (), (), "immediate")
        except Unsuitable as error:
            fail(f"{error}. Nothing was changed.")
        if not unsubscribe(opening, ChannelKind(wished.channel), wished.address):
            fail(f"{wished.masked} is not subscribed; `monitor subscribers list` shows who is. Nothing was changed.")
    if as_json_:
        as_json({"address": wished.masked, "state": "left"})
    else:
        typer.echo(f"{wished.masked} is told nothing more.")


@app.command(
    "import",
    epilog="Example: monitor subscribers import people.csv (columns: address, channel, topics, issues, cadence)",
)
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file with a column address.")],
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Import subscribers from a CSV file, all or none; whoever has left stays away."""
    from monitor.workflow.subscribe import Unsuitable, read_csv, subscribe

    with opened(context, config, now, fresh=True) as opening:
        try:
            with progress("Reading") as show:
                wishes = read_csv(opening.config, file, lambda done: show(done, None))
        except Unsuitable as error:
            fail(str(error))
        put = subscribe(opening, wishes, back=False)
    left = [_shown(one.channel, one.address) for one in put.left]
    if as_json_:
        as_json({"new": put.new, "changed": put.changed, "left": left})
        return
    typer.echo(f"{put.new} added, {put.changed} changed.")
    if left:
        typer.echo(f"{len(left)} left out, since they have left; if they ask to be back: monitor subscribers add")
        more = [f"… and {len(left) - _NAMED} more"] if len(left) > _NAMED else []
        typer.echo("\n".join(f"  {line}" for line in [*left[:_NAMED], *more]))
