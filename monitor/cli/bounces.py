"""``monitor bounces``: mail that came back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import REFUSED, ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json, progress

if TYPE_CHECKING:
    from monitor.notify.mailbox import Mailbox
    from monitor.workflow.context import Context

#: Each count in words, in the order they are told.
_WORDS = (
    ("unreachable", "addresses cannot be reached and are told nothing more"),
    ("complaints", "complained and are told nothing more"),
    ("left", "left by mail"),
    ("known", "are about somebody who is told nothing any more"),
    ("temporary", "say that one message could not be delivered; the address stays subscribed"),
    ("unsigned", "would end a subscription and do not carry our sign; nothing was changed"),
    ("other", "are answering machines or something else"),
)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Examples: monitor bounces · monitor bounces --mbox /var/mail/bounces --dry-run")(bounces)


def bounces(
    context: typer.Context,
    mbox: Annotated[Path | None, typer.Option(help="Read this mailbox file instead of `mail.inbox`.")] = None,
    maildir: Annotated[Path | None, typer.Option(help="Read this Maildir instead of `mail.inbox`.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Read the mail that came back, and tell nothing more to whom it says cannot be reached, complained or left."""
    from monitor.notify.mailbox import MailboxError
    from monitor.workflow.bounces import read_bounces

    with opened(context, config, now) as opening:
        try:
            mailbox = _mailbox(opening, mbox, maildir)
        except MailboxError as error:
            fail(f"{error}. Nothing was changed.")
        with progress("Reading") as show:
            report = read_bounces(opening, mailbox, dry_run=dry_run, progress=lambda done: show(done, None))
    if as_json_:
        as_json(report.as_json())
    else:
        typer.echo(f"{report.read} read{'; with --dry-run nothing was changed' if dry_run else ''}.")
        for name, words in _WORDS:
            if count := getattr(report, name):
                typer.echo(f"  {count} {words}")
    for problem in report.problems:
        typer.echo(f"{problem}. What was read before is done.", err=True)
    if report.problems:
        raise typer.Exit(REFUSED)


def _mailbox(opening: Context, mbox: Path | None, maildir: Path | None) -> Mailbox:
    from monitor.notify.mailbox import Maildir, Mbox
    from monitor.workflow.bounces import open_inbox

    if mbox is not None and maildir is not None:
        fail("--mbox and --maildir are two mailboxes; name one")
    if mbox is not None:
        return Mbox(mbox)
    found = Maildir(maildir) if maildir is not None else open_inbox(opening)
    return found or fail("config.yaml names no mailbox; set mail.inbox, or name one with --mbox or --maildir")
