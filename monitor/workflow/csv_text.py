"""CSV as people's programs write it: what is read, what is refused and in which words, and cells no program runs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

#: A cell that begins so may be run as a formula by the program that opens the file.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
#: So long is no line of a list of subscribers.
_LONGEST_LINE = 1_000_000

_SAVE = "save it as CSV in UTF-8 (in Excel: “CSV UTF-8”)."
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class NotThis(Exception):
    """The file is not one we read; says why and what to do."""


def safe(cell: str) -> str:
    """The cell so that no spreadsheet takes it for a formula; ``plain`` gives it back as it was."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def plain(cell: str) -> str:
    """What ``safe`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the number of its last line; what is too much for the columns stands under "".

    The file's first line names some of ``columns``, the first of them at least. Raises NotThis.
    """
    reader = csv.reader(_lines(path), strict=True)
    try:
        names = next(reader, [])
        _check(path, names, columns)
        for cells in reader:
            if cells:
                more = {"": ",".join(cells[len(names) :])} if len(cells) > len(names) else {}
                yield reader.line_num, dict(zip(names, cells, strict=False)) | more
    except csv.Error as error:
        raise NotThis(f"{path}:{reader.line_num}: {error}; is a quotation mark missing?") from None


def _lines(path: Path) -> Iterator[str]:
    """The file's lines as text. Each is decoded by itself, so that a bad one can be named."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(partial(file.readline, _LONGEST_LINE + 1), b""), 1):
            yield _decoded(f"{path}:{number}", line, first=number == 1)


def _decoded(where: str, line: bytes, *, first: bool) -> str:
    if first and line.startswith(_UTF_16):
        raise NotThis(f"{where}: this is UTF-16; {_SAVE}")
    if len(line) > _LONGEST_LINE:
        raise NotThis(f"{where}: this line has more than {_LONGEST_LINE:,} bytes; it is no list of subscribers.")
    if b"\0" in line:
        raise NotThis(f"{where}: this line has a NUL in it; {_SAVE}")
    try:
        return line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError:
        raise NotThis(f"{where}: this is not UTF-8 text, perhaps Windows-1252; {_SAVE}") from None


def _check(path: Path, found: Sequence[str], columns: Sequence[str]) -> None:
    unknown = [name for name in found if name not in columns]
    twice = sorted({name for name in found if found.count(name) > 1})
    if not unknown and not twice and columns[0] in found:
        return
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(found) == 1 and mark in found[0]:
            raise NotThis(f"{path}: its columns are parted by {name}; save it with commas between them.")
    extra = f"; it does not know {', '.join(name[:40] for name in unknown[:10])}" if unknown else ""
    extra += f"; it names {', '.join(twice)} twice" if twice else ""
    raise NotThis(f"{path}: the first line names the columns {', '.join(columns)} ({columns[0]} is needed){extra}.")
