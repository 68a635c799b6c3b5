"""Listings: a table on a terminal, tab-separated lines in a pipe, JSON when asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import typer

#: What a terminal would obey instead of showing.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

#: The same as far as JSON leaves it as it is, and the two line ends that some programs take for such.
_ESCAPED = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: object) -> str:
    """Text of the sources as it may stand on a terminal, on one line."""
    return _CONTROL.sub("", " ".join(str("" if text is None else text).split()))


def plain_json(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON that people can read on a terminal: what that would obey is escaped, letters are not."""
    written = json.dumps(value, indent=indent, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def as_json(value: Any) -> None:
    """Print ``value`` for programs."""
    typer.echo(plain_json(value, indent=2))


def is_terminal(stream: TextIO | None) -> bool:
    """False for a closed stream too."""
    return stream is not None and stream.isatty()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal's stderr, silence in a pipe. Call it with what is done and, if known, the whole."""
    if not is_terminal(sys.stderr):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows for people; ``empty`` is said when there are none."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty)
    elif is_terminal(sys.stdout):
        _rich(columns, cells)
    else:
        for row in [list(columns), *cells]:
            typer.echo("\t".join(row))


def _rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    Console().print(grid)
