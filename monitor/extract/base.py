"""What every extractor promises, and how a selection says what it expected to find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from monitor.model.legislature import Record
from monitor.model.tracking import SourceKind, Verdict

T = TypeVar("T")

#: "At least one": the default that turns an empty selection from silence into an error.
SOME = range(1, 1_000_000)


class ExtractError(Exception):
    """A page that may not become a record. ``verdict`` says why; the baseline stays where it is."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.message = message


class Extractor(Protocol):
    """Reads one kind of source.

    ``version`` goes up whenever the same bytes would give another record.
    """

    @property
    def kind(self) -> SourceKind: ...

    @property
    def version(self) -> int: ...

    def extract(self, body: bytes, *, url: str, content_type: str | None = None) -> Record:
        """The record in ``body``. ``url`` is where the body came from, after redirects.

        Raises ExtractError, and nothing else, for whatever is not exactly what was asked for.
        """
        ...

    def fingerprint(self, body: bytes) -> str | None:
        """A cheap hash: two bodies with equal fingerprints hold the same record, letter case aside.

        None means "cannot tell": the page must be read in full.
        """
        ...


def pick(nodes: Iterable[T], *, what: str, where: str, expect: int | range = SOME) -> list[T]:
    """``nodes`` as a list, if there are as many as expected.

    Raises ExtractError (layout changed) with what was expected, what was found, and where.
    """
    found = list(nodes)
    wanted = range(expect, expect + 1) if isinstance(expect, int) else expect
    if len(found) not in wanted:
        raise ExtractError(
            Verdict.LAYOUT_CHANGED, f"expected {_amount(wanted)} {what}, found {len(found)}, on {where or 'the page'}"
        )
    return found


def _amount(wanted: range) -> str:
    if len(wanted) == 1:
        return str(wanted.start)
    return f"at least {wanted.start}" if wanted.stop >= SOME.stop else f"{wanted.start} to {wanted.stop - 1}"
