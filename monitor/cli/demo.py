"""``monitor demo``: the main job on a real session, without leaving the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: monitor demo --dir demo-data")(demo)


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where the demonstration keeps its files.")] = Path("demo-data"),
) -> None:
    """Replay the real 2025 session of some 60 policing bills, day by day, against a local replica of the site."""
    from monitor.demo.run import run

    run(folder)
