"""``monitor maintainers``: who signs in at the desk."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import USAGE, ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, is_terminal, table

if TYPE_CHECKING:
    from monitor.store.schema_desk import Maintainer

app = typer.Typer(help="Who signs in at the desk.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As decisions are signed.")]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]


@app.command(
    epilog='Examples: monitor maintainers add "Dana Example" · '
    "monitor maintainers add Vera --role viewer --password-stdin < password.txt"
)
def add(
    context: typer.Context,
    name: NameArgument,
    role: Annotated[str, typer.Option(help="maintainer decides; viewer looks.")] = "maintainer",
    password_stdin: StdinOption = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Make somebody who can sign in. The password is asked for twice and has at least 12 characters."""
    from monitor.workflow import accounts

    if role not in accounts.ROLES:
        fail(f"--role {role!r}: write one of {', '.join(accounts.ROLES)}", USAGE)
    with opened(context, config, now, fresh=True) as opening:
        row = accounts.add(opening, name, _password(password_stdin), role, getpass.getuser())
    if as_json_:
        as_json(_plain(row))
    else:
        typer.echo(f"{row.name} can sign in as a {row.role}.")


@app.command("list", epilog="Examples: monitor maintainers list · monitor maintainers list --json")
def list_(
    context: typer.Context, config: ConfigOption = None, now: NowOption = None, as_json_: JsonOption = False
) -> None:
    """List everybody who can or could sign in."""
    from monitor.store import accounts

    with opened(context, config, now) as opening, opening.database.reading() as session:
        rows = [_plain(row) for row in accounts.listing(session)]
    if as_json_:
        as_json(rows)
        return
    shown = [(row["name"], row["role"], row["state"], row["created_at"], row["password_at"]) for row in rows]
    empty = "Nobody can sign in. Make a maintainer: monitor maintainers add NAME"
    table(("name", "role", "state", "since", "password of"), shown, empty)


@app.command(epilog='Example: monitor maintainers disable "Dana Example"')
def disable(
    context: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Nobody signs in by this name any more; open sign-ins end at once. `reset` takes it back."""
    from monitor.workflow import accounts

    with opened(context, config, now) as opening:
        row = accounts.disable(opening, name, getpass.getuser())
    if as_json_:
        as_json(_plain(row))
    else:
        typer.echo(f"{row.name} cannot sign in any more.")


@app.command(epilog='Example: monitor maintainers reset "Dana Example"')
def reset(
    context: typer.Context,
    name: NameArgument,
    password_stdin: StdinOption = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """A new password; who was disabled may sign in again. Open sign-ins end at once."""
    from monitor.workflow import accounts

    with opened(context, config, now) as opening:
        row = accounts.reset(opening, name, _password(password_stdin), getpass.getuser())
    if as_json_:
        as_json(_plain(row))
    else:
        typer.echo(f"{row.name} has a new password; sign in with it.")


def _password(from_stdin: bool) -> str:
    """Never an argument: those show in the list of processes."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not is_terminal(sys.stdin):
        fail("there is no terminal to ask for a password on; pipe it in with --password-stdin", USAGE)
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        fail("the two passwords differ. Nothing was changed.")
    return password


def _plain(row: Maintainer) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "state": "disabled" if row.disabled_at else "live",
        "created_at": row.created_at.isoformat(),
        "password_at": row.password_at.isoformat(),
    }
