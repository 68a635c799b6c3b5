"""Looking inside, without a database: ``classify``, ``stage``, ``extract``; and ``record`` for a new fixture."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.options import ConfigOption, NowOption, day, fail, opened
from monitor.cli.output import plain_json

#: Errors of single lines go to stderr; the exit code tells that there were some.
_SOME_FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: echo 'SIGNED BY GOVERNOR' | monitor classify")(classify)
    app.command(
        epilog='Example: echo \'{"session": "2025", "identifier": "HB07132", "actions": '
        '[{"date": "2025-06-09", "description": "SIGNED BY GOVERNOR"}]}\' | monitor stage --as-of 2025-06-10'
    )(stage)
    app.command(epilog="Example: monitor extract bill_page page.html --url 'https://www.cga.ct.gov/asp/…'")(extract)
    app.command(epilog="Example: monitor record bill_page 'https://www.cga.ct.gov/asp/…' --slug hb07132-signed")(record)


def classify() -> None:
    """Classify action texts: one a line in, one JSON object a line out."""
    from monitor.interpret.actions import as_json

    _each_line(as_json)


def stage(
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="The day to read for.")] = None,
) -> None:
    """Read bills' stages: one JSON object with session, identifier and actions a line in, one a line out."""
    from datetime import datetime

    from monitor.interpret.stage import read_stage, reading_as_json
    from monitor.workflow.context import EASTERN

    on = day(as_of, "--as-of") if as_of else datetime.now(EASTERN).date()

    def read(line: str) -> dict[str, Any]:
        given = json.loads(line)
        key, actions = _bill(given)
        # The bill as it was named: whoever asked finds their own spelling again.
        return reading_as_json(str(given["session"]), str(given["identifier"]), read_stage(key, actions, on))

    _each_line(read)


def _bill(given: dict[str, Any]) -> Any:
    from datetime import date

    from monitor.model.legislature import ActionRow, BillKey

    try:
        key = BillKey(str(given["session"]), str(given["identifier"]).replace(" ", ""))
        rows = [ActionRow(date.fromisoformat(row["date"][:10]), _text(row["description"])) for row in given["actions"]]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'expected {{"session", "identifier", "actions": [{{"date", "description"}}]}}: {error}'
        ) from error
    return key, rows


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a description is text, not {value!r}")
    return value


def _each_line(work: Callable[[str], dict[str, Any]]) -> None:
    failed = False
    for number, line in enumerate(_lines(), start=1):
        try:
            typer.echo(plain_json(work(line)))
        except ValueError as error:
            failed = True
            typer.echo(f"line {number}: {error}", err=True)
    if failed:
        raise typer.Exit(_SOME_FAILED)


def _lines() -> Iterator[str]:
    for line in sys.stdin:
        if line.strip():
            yield line.rstrip("\r\n")


def extract(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="bill_page, bill_feed, acts_page, document_list or feed.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The saved body.")],
    url: Annotated[str, typer.Option(help="Where the body came from; it says which bill and session to expect.")],
    content_type: Annotated[str | None, typer.Option(help="The Content-Type it came with.")] = None,
) -> None:
    """Extract the record of a saved page and print it as JSON."""
    from monitor.extract.base import ExtractError
    from monitor.extract.records import record_to_json
    from monitor.extract.registry import EXTRACTORS

    source_kind = _kind(kind)
    try:
        record = EXTRACTORS[source_kind].extract(file.read_bytes(), url=url, content_type=content_type)
    except ExtractError as error:
        fail(f"{error.verdict}: {error}")
    typer.echo(plain_json({"kind": kind, "record": record_to_json(record)}))


def _kind(text: str) -> Any:
    from monitor.model.tracking import SourceKind

    try:
        return SourceKind(text)
    except ValueError:
        fail(f"there is no kind {text!r}; write one of {', '.join(SourceKind)}", 2)


def record(
    context: typer.Context,
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="bill_page, bill_feed, acts_page, document_list or feed.")
    ],
    url: Annotated[str, typer.Argument(metavar="URL", help="The page; its host must be one that config names.")],
    slug: Annotated[str | None, typer.Option(help="The fixture's name.", show_default="from the address")] = None,
    folder: Annotated[Path, typer.Option("--dir", help="Where fixtures live.")] = Path("tests/pages"),
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Fetch a page politely and keep it as a fixture: body, expected record and origin."""
    from monitor.workflow.record_page import record_page

    source_kind = _kind(kind)
    with opened(context, config, now, fresh=True) as opening:
        files = record_page(opening, source_kind, url, folder, slug)
    typer.echo("\n".join(f"Wrote {file}" for file in files))
    typer.echo("Next: read the expected record line by line, then commit all three.")
