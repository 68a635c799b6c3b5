"""How long ``monitor --help`` takes, beside what Python and typer alone take."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from measuring import Scale, finish, ratio, title


def run(scale: Scale) -> None:
    title(f"start: user and system CPU of the process, median of {scale.starts}")
    ours, theirs = [], []
    for _ in range(scale.starts):
        ours.append(finish([Path(sys.executable).with_name("monitor"), "--help"])[1])
        theirs.append(finish([sys.executable, "-c", "import typer"])[1])
    ratio("monitor --help", median(ours), median(theirs), "s CPU", "import typer", "at most 2")
