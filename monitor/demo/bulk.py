"""The bulk CSV files, with their columns, their mixed encodings and their silence about the session."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from monitor.demo.facts import BillFacts
from monitor.demo.pages import full_name
from monitor.demo.wording import split_bulk
from monitor.model.committees import COMMITTEES
from monitor.model.legislature import BillKey


class BulkFiles:
    """Renders the files for a day. Lines are made once a bill: a day only chooses among them."""

    def __init__(self) -> None:
        self._lines: dict[BillKey, tuple[BillFacts, list[tuple[date, bytes]]]] = {}

    def history(self, bills: Iterable[BillFacts], day: date) -> bytes:
        """``bill_history.csv``: no session column; a bill's rows in the order taken."""
        lines = [line for bill in bills for on, line in self._history_lines(bill) if on <= day]
        return b"".join([b"bill_num,act_date,act_desc,qual1,qual2\r\n", *lines])

    def _history_lines(self, bill: BillFacts) -> list[tuple[date, bytes]]:
        known = self._lines.get(bill.key)
        if known is None or known[0] is not bill:
            known = (bill, [(row.on_feed, _history_line(bill, row.on, row.description)) for row in bill.rows])
            self._lines[bill.key] = known
        return known[1]


def _history_line(bill: BillFacts, on: date, description: str) -> bytes:
    return _line(bill.key.identifier, f"{on.isoformat()} 00:00:00", *split_bulk(description)).encode()


def _line(*cells: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _seen(bills: Iterable[BillFacts], day: date) -> list[BillFacts]:
    return [bill for bill in bills if any(row.on_feed <= day for row in bill.rows)]


def info(bills: Iterable[BillFacts], day: date) -> bytes:
    """``bill_info.csv``. Titles of bills of even number are in cp1252, the others in UTF-8, in one file."""
    lines = (
        _line(bill.key.session, bill.key.identifier, bill.title, bill.key.letters).encode(
            "utf-8" if bill.key.number % 2 else "cp1252", "replace"
        )
        for bill in _seen(bills, day)
    )
    return b"".join([b"sess_year,bill_num,bill_title,bill_type\r\n", *lines])


def subjects(bills: Iterable[BillFacts], day: date) -> bytes:
    """``subject.csv``."""
    lines = (_line(bill.key.identifier, subject) for bill in _seen(bills, day) for subject in bill.subjects)
    return ("bill_num,subj_desc\r\n" + "".join(lines)).encode()


def committees(_bills: Iterable[BillFacts], _day: date) -> bytes:
    """``committee.csv``: names end in "Committee" unless they begin with it."""
    lines = (_line(code, full_name(name)) for code, name in sorted(COMMITTEES.items()))
    return ("comm_code,comm_name\r\n" + "".join(lines)).encode()


#: The files without their history, which needs the memory of ``BulkFiles``.
STATELESS: Mapping[str, Callable[[Iterable[BillFacts], date], bytes]] = {
    "bill_info.csv": info,
    "subject.csv": subjects,
    "committee.csv": committees,
}
