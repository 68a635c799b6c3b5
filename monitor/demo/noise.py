"""What changes at every request and never means anything: cheap substitutions on a rendered page.

Everything follows from the seed and the request's number, so a run can be repeated.
"""

from __future__ import annotations

from datetime import date

from monitor.demo import pages

_WIDGETS = (
    "<p><a href='/asp/CGABillStatus/CGAAddNotes.asp?sid={n}&x=1'>Add Notes</a> Go To My Bills</p>",
    "<p>This bill is in My Bills.<br>Do you wish to go to My Bills?</p><input type=hidden name=token value={n}>",
    "<p>*NOTE: Add to My Bills and Add Notes are cookie-based functions. ({n})</p>",
)
_STAFF = ("A. Clerk", "B. Clerk", "C. Counsel")

#: Pairs of spellings the site mixes; which side a request gets depends on its number.
_SPELLINGS = (
    (b"/asp/cgabillstatus/cgabillstatus.asp", b"/asp/CGABillStatus/cgabillstatus.asp"),
    (b"Favorable Report, Tabled", b"Favorable&nbsp;Report,  Tabled"),
    (b"Legislative Commissioners' Office</td>", b"Legislative  Commissioners' Office </td>"),
    (b"<td width='8%'></td>", b"<td width='8%'>&nbsp </td>"),
    (b"Referred to Joint", b"Referred  to\r\n Joint"),
    (b'bgcolor="#FFFFFF"', b"BGCOLOR='#ffffff'"),
    (b"&nbsp;[doc]", b" [doc] "),
    (b'<a href="/20', b'<a HREF="/20'),
)


def quiet(body: bytes) -> bytes:
    """The page with every mark filled in the same way always."""
    for mark in pages.MARKS:
        body = body.replace(mark.encode(), b"")
    return body


def noisy(body: bytes, day: date, seed: int, number: int) -> bytes:
    """The page as request ``number`` gets it."""
    roll = (number * 2654435761 + seed * 40503) & 0xFFFFFFFF
    for mark, text in zip(pages.MARKS, (_as_of(day, roll), _widget(roll), _staff(roll)), strict=True):
        body = body.replace(mark.encode(), text.encode())
    for bit, (plain, other) in enumerate(_SPELLINGS, start=8):
        if roll >> bit & 1:
            body = body.replace(plain, other)
    return body


def _as_of(day: date, roll: int) -> str:
    half = "am" if roll & 1 else "pm"
    return f"{pages.slash_date(day)} {roll % 12 + 1}:{roll // 16 % 60:02d}:{roll // 1024 % 60:02d} {half}"


def _widget(roll: int) -> str:
    return _WIDGETS[roll // 4 % len(_WIDGETS)].format(n=roll)


def _staff(roll: int) -> str:
    return f"<p>Staff: {_STAFF[roll // 8 % len(_STAFF)]}, (860) 240-{roll % 10000:04d}</p>"
