"""The ``monitor`` command and what all its commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import (
    audit,
    board,
    bounces,
    check,
    database,
    demo,
    inspect,
    maintainers,
    message,
    pages,
    proposals,
    search,
    service,
    subscribers,
)
from monitor.cli.options import NowOption, Shared, SharedConfigOption

_EPILOG = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 the database cannot be used."

app = typer.Typer(
    name="monitor",
    help="Keeps an advocacy board true to the Connecticut General Assembly's record.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Help drawn by rich costs three times what all of Python and typer cost to start.
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)


def _version(wanted: bool) -> None:
    if wanted:
        from monitor import __version__

        typer.echo(f"legislative-monitor {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: SharedConfigOption = None,
    now: NowOption = None,
    version: Annotated[  # acts through its callback
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Keeps an advocacy board true to the Connecticut General Assembly's record."""
    context.obj = Shared(config, now)


for module in (check, service, bounces, board, pages, search, inspect, demo):
    module.register(app)
app.add_typer(proposals.app, name="proposals")
app.add_typer(subscribers.app, name="subscribers")
app.add_typer(message.app, name="message")
app.add_typer(maintainers.app, name="maintainers")
app.add_typer(audit.app, name="audit")
app.add_typer(database.app, name="db")
