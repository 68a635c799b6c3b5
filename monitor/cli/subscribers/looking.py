"""``monitor subscribers list``, ``show`` and ``link``."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import USAGE, ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, clean, table
from monitor.cli.subscribers.common import KnownArgument, WhichOption, about, given, plain

if TYPE_CHECKING:
    from monitor.store.schema import Delivery, Subscription
    from monitor.store.subscriptions import Wanted
    from monitor.workflow.context import Context

#: Rows read at a time, however many are wanted.
_BATCH = 1_000


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        "list",
        epilog="Examples: monitor subscribers list · monitor subscribers list --state unreachable --json · "
        "monitor subscribers list --channel slack · monitor subscribers list --limit 100 --after 1200",
    )(list_)
    app.command(epilog="Example: monitor subscribers show ann@example.org")(show)
    app.command(epilog="Example: monitor subscribers link ann@example.org")(link)


def list_(
    context: typer.Context,
    everyone: Annotated[bool, typer.Option("--all", help="Also those who left or cannot be reached.")] = False,
    state: Annotated[str, typer.Option(help="Only live, paused, unreachable or left.")] = "",
    channel: Annotated[str, typer.Option(help="Only email, slack or apprise.")] = "",
    limit: Annotated[int | None, typer.Option(help="At most so many.", min=1)] = None,
    after: Annotated[int, typer.Option(help="Go on after the subscriber of this number.", min=0)] = 0,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """List subscribers. Webhooks are shown masked."""
    from monitor.store.subscriptions import STATES, Wanted

    if state and state not in STATES:
        fail(f"--state {state!r}: write one of {', '.join(STATES)}", USAGE)
    states = (state,) if state else STATES if everyone else ("live", "paused")
    with opened(context, config, now) as opening:
        rows = list(_rows(opening, Wanted(states, channel), limit, after))
    if as_json_:
        as_json(rows)
        return
    columns = ("id", "channel", "address", "about", "told of", "cadence", "state")
    cells = (
        (r["id"], r["channel"], r["address"], about(r), " ".join(r["interests"]), r["cadence"], r["state"])
        for r in rows
    )
    table(columns, cells, "Nobody is subscribed. Add one: monitor subscribers add ann@example.org")


def _rows(opening: Context, wanted: Wanted, limit: int | None, after: int) -> Iterator[dict[str, Any]]:
    from monitor.store import subscriptions

    today = opening.today()
    while limit is None or limit > 0:
        size = _BATCH if limit is None else min(_BATCH, limit)
        with opening.database.reading() as session:
            rows = subscriptions.page(session, wanted, today, limit=size, after=after)
        yield from (plain(row, today) for row in rows)
        if len(rows) < size:
            return
        after, limit = rows[-1].id, None if limit is None else limit - size


def show(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Everything about one subscriber: the choice, how it stands, and the last messages with what became of them."""
    from monitor.workflow import by_hand

    with opened(context, config, now) as opening:
        row = by_hand.find(opening, given(address), channel)
        found = {**plain(row, opening.today()), "deliveries": [_told(one) for one in by_hand.last_told(opening, row)]}
    if as_json_:
        as_json(found)
        return
    told = found.pop("deliveries")
    for name, value in found.items():
        typer.echo(f"{name.replace('_', ' ')}: {clean(', '.join(value) if isinstance(value, list) else value)}")
    typer.echo("")
    cells = [(one["created_at"], one["state"], one["sent_at"], one["error"]) for one in told]
    table(("queued", "state", "sent", "error"), cells, "Nothing was sent yet.")


def _told(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "created_at": delivery.created_at.isoformat(),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "sent_at": delivery.sent_at.isoformat() if delivery.sent_at else None,
        "code": delivery.code,
        "error": delivery.error or "",
    }


def link(
    context: typer.Context,
    address: KnownArgument,
    channel: WhichOption = "",
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Print the link to a reader's own page. Whoever has it can change and end the subscription."""
    from monitor.workflow import by_hand

    with opened(context, config, now) as opening:
        row: Subscription = by_hand.find(opening, given(address), channel)
        url = by_hand.manage_link(opening, row, getpass.getuser())
    if as_json_:
        as_json({"id": row.id, "url": url})
    else:
        typer.echo(url)
