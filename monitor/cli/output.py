"""Listings: a table on a terminal, tab-separated lines in a pipe, JSON when asked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

#: What a terminal would obey instead of showing.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """Text of the sources as it may stand on a terminal, on one line."""
    return _CONTROL.sub("", " ".join(str("" if text is None else text).split()))


def as_json(value: Any) -> None:
    """Print ``value`` for programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print rows for people; ``empty`` is said when there are none."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty)
    elif sys.stdout.isatty():
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
