"""Options every command takes, and the context they open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from monitor.workflow.context import Context

REFUSED, USAGE, DATABASE = 1, 2, 3

_CONFIG = "The configuration, if not the one MONITOR_CONFIG names."
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help=_CONFIG, show_default="config.yaml")]
#: Before the command's name, where what the variable says is weaker than what is written after it.
SharedConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="MONITOR_CONFIG", help=_CONFIG, show_default="config.yaml")
]
NowOption = Annotated[
    str | None, typer.Option("--now", metavar="ISO-TIME", help="Pretend it is this moment (for replays).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Shared:
    """What was said before the command's name."""

    config: Path | None = None
    now: str | None = None


def fail(message: str, code: int = REFUSED) -> NoReturn:
    """Say on stderr what went wrong and what to do, and end with ``code``."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def clock(text: str | None) -> Callable[[], datetime]:
    """Now, or the moment that ``--now`` names. Ends the command if that is none."""
    if text is None:
        return lambda: datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--now {text!r} is not a time; write it as 2025-06-09T12:00:00Z", USAGE)
    fixed = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return lambda: fixed


def day(text: str, option: str) -> date:
    """The day that an option names. Ends the command if that is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text!r} is not a day; write it as 2025-06-10", USAGE)


def shared(context: typer.Context) -> Shared:
    """What was said before the command's name, if anything was."""
    return context.obj if isinstance(context.obj, Shared) else Shared()


def config_path(context: typer.Context, config: Path | None) -> Path:
    """Where the configuration is: as the command was told, else before its name, else beside us."""
    return config or shared(context).config or Path("config.yaml")


@contextmanager
def opened(
    typer_context: typer.Context,
    config: Path | None,
    now: str | None,
    *,
    fresh: bool = False,
    unready: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Context]:
    """Config, database and clock for one command. Every known trouble becomes words and an exit code.

    ``fresh`` lets an empty database be made ready on the spot, for the commands that fill it. ``unready``
    does not ask the database anything: the service waits until it answers.
    """
    from sqlalchemy.exc import DBAPIError

    from monitor.cli.logs import configure
    from monitor.config import ConfigError, load
    from monitor.store import migrations
    from monitor.store.database import Database
    from monitor.workflow.context import Context
    from monitor.workflow.review import Refusal

    configure()
    path, moment = config_path(typer_context, config), clock(now or shared(typer_context).now)
    try:
        settings = load(path, os.environ)
        with closing(Database(settings.database_url)) as database:
            if fresh and migrations.current(database) is None:
                migrations.upgrade(database)
            if not unready:
                migrations.require(database)
            yield Context(settings, database, moment, os.environ, stopping, config_path=path)
    except ConfigError as error:
        fail(str(error), USAGE)
    except migrations.SchemaMismatch as error:
        fail(str(error), DATABASE)
    except DBAPIError as error:
        fail(f"the database cannot be used: {error.orig}. `monitor doctor` looks closer.", DATABASE)
    except Refusal as error:
        fail(str(error), REFUSED)
