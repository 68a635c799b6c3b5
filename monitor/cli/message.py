"""``monitor message``: what is sent, looked at before anybody gets it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption, NowOption, fail, opened
from monitor.cli.output import as_json
from monitor.model.messaging import ChannelKind

if TYPE_CHECKING:
    from monitor.model.messaging import Message

app = typer.Typer(help="What is sent.", no_args_is_help=True, rich_markup_mode=None)

_KINDS = ("status", "activity", "hearing", "heartbeat", "digest")


@app.command(epilog="Example: monitor message preview traffic-stops --channel email --kind hearing --open")
def preview(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(help="The issue's id.")],
    channel: Annotated[ChannelKind, typer.Option(help="In whose form.")] = ChannelKind.EMAIL,
    kind: Annotated[str, typer.Option(help=f"Which message: {', '.join(_KINDS)}.")] = "status",
    open_: Annotated[bool, typer.Option("--open", help="Show the email's HTML in the browser.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the email's HTML to this file.")] = None,
    config: ConfigOption = None,
    now: NowOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Show what would be sent about an issue as it stands now. Nothing is sent."""
    from monitor.workflow.foresee import Sample, foresee
    from monitor.workflow.review import Refusal

    if kind not in _KINDS:
        raise typer.BadParameter(f"it is one of {', '.join(_KINDS)}, not {kind!r}", param_hint="--kind")
    if (open_ or html) and channel is not ChannelKind.EMAIL:
        fail(f"only an email has HTML, not {channel.value}")
    with opened(context, config, now) as opening:
        try:
            message = foresee(opening, issue, Sample(kind), channel)
        except Refusal as refusal:
            fail(str(refusal))
    if html is not None:
        html.write_text(message.html, encoding="utf-8")
    if open_:
        typer.launch(str(_kept(message)))
    if as_json_:
        as_json(_plain(message))
    elif html is None and not open_:
        typer.echo(_shown(message))


def _kept(message: Message) -> Path:
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8", delete=False) as file:
        file.write(message.html)
    return Path(file.name)


def _plain(message: Message) -> dict[str, object]:
    return {
        "channel": message.channel.value,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "payload": json.loads(message.payload) if message.payload else None,
        "attachments": [one.name for one in message.attachments],
    }


def _shown(message: Message) -> str:
    if message.payload:
        return json.dumps(json.loads(message.payload), indent=1, ensure_ascii=False)
    attached = "".join(f"\nAttached: {one.name}" for one in message.attachments)
    return f"Subject: {message.subject}{attached}\n\n{message.text.rstrip()}"
