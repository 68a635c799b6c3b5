"""``monitor serve`` and ``monitor publish``: the pages, live and as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.config import Config
    from monitor.workflow.context import Context


_UNAWARE = (
    "Warning: board_url is https and web.proxies is 0. If readers come through web servers in front, all seem "
    "to be one address, and one who guesses passwords makes every new browser wait. Set web.proxies to their number."
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Examples: monitor serve --config /etc/legislative-monitor/config.yaml · monitor serve --demo")(
        serve
    )
    app.command(epilog="Example: monitor publish --out /srv/board")(publish)


def serve(
    context: typer.Context,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where, if not `web.listen` of config.yaml.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Show the demonstration, which is made first if it is not there.")
    ] = False,
    folder: Annotated[Path, typer.Option("--dir", help="Where the demonstration keeps its files.")] = Path("demo-data"),
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Answer readers and maintainers: the public board and the desk, until SIGTERM."""
    import logging

    from monitor.cli.logs import configure
    from monitor.systemd import Notifier
    from monitor.web import server

    with opened(context, _demonstration(folder) if demo else config, now) as opening:
        configure(logging.WARNING if demo else logging.INFO)
        notify = Notifier.from_environ(os.environ)
        answering, welcome = _answering(opening, demo)

        def ready(address: str) -> None:
            notify.ready()
            typer.echo(welcome(address), err=True)

        if _is_unaware_of_its_proxy(opening.config):
            typer.echo(_UNAWARE, err=True)
        where = listen or opening.config.web.listen
        try:
            server.serve(answering, where, ready)
        except (OSError, ValueError) as error:
            fail(f"cannot listen on {where}: {error}. Say another with --listen, or in `web.listen`.")


def _is_unaware_of_its_proxy(config: Config) -> bool:
    """We speak no TLS: where the board is https, another server stands in front."""
    return urlsplit(str(config.organization.board_url or "")).scheme == "https" and not config.web.proxies


def _demonstration(folder: Path) -> Path:
    from monitor.demo.serving import prepare

    return prepare(folder)


def _answering(opening: Context, demo: bool) -> tuple[Context, Callable[[str], str]]:
    """The context that answers, and what is said once it does."""
    if not demo:
        return opening, lambda address: f"The board is at {address}"
    from monitor.demo.serving import ready

    shown = ready(opening)
    shown.deliver_meanwhile()
    return shown.context, shown.welcome


def publish(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make or replace.")],
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Write every public page, feed and saved page as files that any static host can serve."""
    from monitor.web.export import export

    with opened(context, config, now) as opening:
        copy = export(opening, out)
    for address in copy.lost:
        typer.echo(f"{address} is not kept whole; a note stands in its place. See `monitor db check`.", err=True)
    if as_json_:
        as_json({"out": str(copy.folder), "files": copy.files, "bytes": copy.size, "lost": copy.lost})
        return
    typer.echo(f"{copy.files} files, {copy.size / 1000:.0f} kB, in {copy.folder}. Open {copy.folder / 'index.html'}")
