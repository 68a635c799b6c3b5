"""What is wrong with a configuration, where, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: More than this on a screen helps nobody; ``ConfigError.problems`` still holds them all.
SHOWN = 30


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. ``line`` and ``column`` count from 1; both are 0 when no place in the file is at fault
    (a missing file, a variable of the environment)."""

    line: int
    column: int
    message: str
    hint: str = ""

    def describe(self, path: Path) -> str:
        place = f"{path}:{self.line}:{self.column}" if self.line else str(path)
        return f"{place}: {self.message}" + (f"\n    {self.hint}" if self.hint else "")


class ConfigError(Exception):
    """The configuration cannot be used. Nothing was changed; the command line exits with 2."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = sorted(set(problems))
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        lines = [problem.describe(self.path) for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"… and {len(self.problems) - SHOWN} more")
        return "\n".join(lines)
