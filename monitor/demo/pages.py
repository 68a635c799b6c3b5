"""The site's HTML pages and feeds, in its structure and with its quirks. Pure: facts and a day in, text out.

Places where the site puts something new at every request are left as marks (``MARKS``) that
``noise.py`` fills in, so that a page is rendered once and made noisy cheaply.
"""

from __future__ import annotations

import calendar
import zlib
from collections.abc import Iterable, Sequence
from datetime import date
from html import escape
from itertools import cycle, groupby

from monitor.demo.facts import BillFacts, Link, Row, TaskForce
from monitor.demo.wording import WebRow, holders, web_rows
from monitor.model.legislature import BillKey

#: What noise fills in at every request.
MARKS = (AS_OF, WIDGET, STAFF) = ("@@AS-OF@@", "@@WIDGET@@", "@@STAFF@@")

STATUS_PATH = "/asp/cgabillstatus/cgabillstatus.asp"

#: Age cells: new today, 2-4 days old, 5 days and older. The colours are ours, that they change is the site's.
_COLOURS = ("#FFFF99", "#CCFFCC", "#FFFFFF")

_HEAD = """<!DOCTYPE html>
<html lang='en'>
<head>
<meta charset="utf-8">
<meta http-equiv='X-UA-Compatible' content='IE=edge'>
<title>{title}</title>
<link rel="stylesheet" href='/css/bootstrap.min.css?v=3&t=1'>
<script src="/js/footable.js"></script>
</head>
<body>
<nav class='navbar navbar-default'><ul class="nav">
<li><a href="/default.asp">Home</a></li>
<li><a href='/asp/menu/CommDocList.asp?comm_code=JUD&doc_type=ca'>Committees</a></li>
<li><a href="/asp/CGABillInfo/CGABillInfoRequest.asp">Bill Info</a></li>{menu}
</ul></nav>
<div class="container">
"""
_FOOT = """
<hr>
<p class='small'>Connecticut General Assembly &nbsp State Capitol, Hartford, Connecticut</p>
</div>
</body>
</html>
"""


def _page(title: str, body: str, menu: str = "") -> str:
    return _HEAD.format(title=escape(title, quote=False), menu=menu) + body + _FOOT


def slash_date(day: date) -> str:
    """As the site writes dates: "1/8/2025"."""
    return f"{day.month}/{day.day}/{day.year}"


# --- the status page -------------------------------------------------------------------------------------------------

_LETTERS = {"HB": "H.B.", "SB": "S.B.", "HJ": "H.J.", "SJ": "S.J.", "HR": "H.R.", "SR": "S.R."}
_SECTIONS = (
    ("Fiscal Notes", ("Fiscal Note",)),
    ("Bill Analyses", ("Bill Analysis",)),
    ("Committee Actions", ("Joint Fav. Rpt", "Vote Tally")),
    ("Text of Bill", ("",)),
)
_ORDER = ("Text of Bill", "Committee Actions", "Fiscal Notes", "Bill Analyses")


def bill_page(bill: BillFacts, day: date, *, pad_to: int = 0, odd: bool = False) -> str:
    """The status page on ``day``. ``odd`` leaves hundreds of font tags open: plain lxml then drops the history."""
    links = [link for link in bill.links if link.on_page <= day]
    parts = [
        _heading(bill, links, day),
        _introducers(bill, [link.title for link in links]),
        "<p>New today | 2-4 days old | 5 days &amp; older</p>",
        *(_section(name, rows, day) for name, rows in _sections(links)),
        WIDGET,
        "<p><b>Co-sponsors for Amendment LCO:</b></p>",
        '<font color="#000000">' * 300 if odd else "",
        _history(bill, day),
    ]
    known = "\n".join(parts)
    tail = "\n<p>NOTE: Please direct all inquiries regarding the status of bills to the Office of the House Clerk"
    tail += f" and/or Senate Clerks' Office.&nbsp; {AS_OF}</p>"
    padding = pad_to - len(known) - len(_HEAD) - len(_FOOT) - len(tail)
    return _page(f"{bill.key.label} {bill.key.session}", known + _cosponsors(bill, padding) + tail)


def missing_page(identifier: str, session: str) -> str:
    """What the site answers, with 200, for a bill it does not have."""
    return _page(
        "Bill Status",
        f"<h3 class='text-center'>{escape(identifier)} {escape(session)} not found in Database</h3>{WIDGET}",
    )


def _heading(bill: BillFacts, links: Sequence[Link], day: date) -> str:
    number = f"{_LETTERS[bill.key.letters]} No. {bill.key.number}"
    return (
        f'<h3 class="text-center"><strong>{_stage_words(bill, links, day)}{number} <br>Session Year {bill.key.session}'
        f"</strong></h3>\n<h4>{escape(bill.title, quote=False)}</h4>\n"
        f"<p class='text-justify'>{escape(bill.purpose, quote=False)}</p>"
    )


def _stage_words(bill: BillFacts, links: Sequence[Link], day: date) -> str:
    """ "Proposed ", "Raised ", "Substitute for Raised " …, as the texts so far say."""
    titles = [link.title for link in links]
    if any("Favorable Substitute" in row.description for row in bill.seen(day)):
        return "Substitute for Raised " if _raised(bill, titles) else "Substitute for "
    if "Committee Bill" in titles:
        return ""
    if _raised(bill, titles):
        return "Raised "
    return "Proposed " if any(title.startswith("Proposed") for title in titles) else ""


def _raised(bill: BillFacts, titles: Sequence[str]) -> bool:
    return bill.raised or "Raised Bill" in titles


def _introducers(bill: BillFacts, titles: Sequence[str]) -> str:
    """Members as links, a committee that raised or drafted the bill as bare text."""
    body = bill.introduced
    if not body and (_raised(bill, titles) or "Committee Bill" in titles):
        body = _first_committee(bill)
    if "Committee" not in body:
        body = "<br>\n".join(map(_member, body.split("; ") if body else bill.sponsors[:3]))
    return f"<h5>Introduced by: </h5>\n{body}"


def _first_committee(bill: BillFacts) -> str:
    names = (row.description.partition(" JOINT COMM. ON ")[2] for row in bill.rows)
    return next((full_name(name) for name in names if name), "")


def full_name(committee: str) -> str:
    """ "Judiciary Committee", but "Committee on Children"."""
    return committee if "Committee" in committee else f"{committee} Committee"


def _member(name: str) -> str:
    """The ampersands in this address are unescaped, as on the site."""
    number = zlib.crc32(name.encode()) % 900
    return f'<a href="/asp/CGABillStatus/CGAMemberBills.asp?member={number}&type=I">{escape(name)}</a>'


def _sections(links: Sequence[Link]) -> list[tuple[str, list[Link]]]:
    found: dict[str, list[Link]] = {name: [] for name in _ORDER}
    for link in links:
        found[next(name for name, starts in _SECTIONS if any(s in link.title for s in starts))].append(link)
    return [(name, rows) for name, rows in found.items() if rows]


def _section(name: str, links: Sequence[Link], day: date) -> str:
    rows = "\n".join(
        f"<tr><td width='1%' bgcolor=\"{_colour(link.on_page, day)}\">&nbsp</td>"
        f"<td><a href={quote}{link.path}{quote}>{escape(link.title, quote=False)}</a>&nbsp;[doc]</td></tr>"
        for link, quote in zip(links, cycle("\"'"), strict=False)
    )
    return (
        f"<table summary=\"Status of bills\" class='footable table'>\n<thead><tr><td colspan=2>{name}</td></tr></thead>"
        f"\n<tbody>\n{rows}\n</tbody></TABLE>"
    )


def _colour(on: date, day: date) -> str:
    age = (day - on).days
    return _COLOURS[0 if age <= 1 else 1 if age <= 4 else 2]


def _history(bill: BillFacts, day: date) -> str:
    """Newest first, same-day rows too."""
    seen = bill.seen(day)
    cells = list(zip(seen, web_rows([row.description for row in seen], bill.lco), strict=True))
    rows = "\n".join(_history_row(row.on, web, day, number) for number, (row, web) in enumerate(reversed(cells)))
    return (
        "<h4>Bill History</h4>\n<table summary=\"Bill history\" class='table footable'>\n"
        "<thead><tr><th>&nbsp;</th><th>Date</th><th>&nbsp</th><th>Action Taken</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</TABLE>"
    )


def _history_row(on: date, web: WebRow, day: date, number: int) -> str:
    code = f"({web.code})" if web.code else ("&nbsp", "&nbsp;", "")[number % 3]
    seconds = calendar.timegm(on.timetuple())
    return (
        f"<tr><td width='1%' bgcolor=\"{_colour(on, day)}\">&nbsp;</td>"
        f"<td width=\"10%\" data-value='{seconds}'>{slash_date(on)}</td>"
        f"<td width='8%'>{code}</td><td>{escape(web.text, quote=False)}</td></tr>"
    )


def _cosponsors(bill: BillFacts, padding: int) -> str:
    names = [*bill.sponsors[3:]]
    rows = [f"<tr><td>&nbsp;</td><td>{_member(name)}</td></tr>" for name in names]
    size = sum(map(len, rows))
    while size < padding:
        rows.append(f"<tr><td>&nbsp;</td><td>{_member(f'Member No. {len(rows)} of this replica')}</td></tr>")
        size += len(rows[-1]) + 1
    if not rows:
        return ""
    label = f"{bill.key.letters}-{bill.key.number}"
    return f'\n<h4>Co-sponsors of {label}</h4>\n<table class="table">\n' + "\n".join(rows) + "\n</table>"


# --- other pages -----------------------------------------------------------------------------------------------------


def acts_page(bills: Iterable[BillFacts], day: date) -> str:
    """The list of all acts: one heading and table a session, empty but for its heading when there are none."""
    acts = [(_session_name(bill), *act) for bill in bills for act in _acts(bill, day)]
    acts.sort(key=lambda act: ("Regular" not in act[0], act[0], act[1], int(act[2].rpartition("-")[2])))
    tables = "".join(_act_table(name, list(rows)) for name, rows in groupby(acts, key=lambda act: act[0]))
    return _page("All Acts", f"<h2>All Public and Special Acts</h2>\n<p>All Acts as of {AS_OF}</p>\n{tables}")


def _session_name(bill: BillFacts) -> str:
    return f"{bill.key.session} {bill.special + ' Special' if bill.special else 'Regular'} Session"


def _acts(bill: BillFacts, day: date) -> Iterable[tuple[str, str, BillKey, str, str]]:
    for link in bill.links:
        kind, _, number = link.title.partition(" Act No. ")
        if kind in ("Public", "Special") and link.on_page <= day:
            yield kind, number, bill.key, bill.title, link.path


def _act_table(name: str, acts: Sequence[tuple[str, str, str, BillKey, str, str]]) -> str:
    rows = "\n".join(
        f"<tr><td><a href='{STATUS_PATH}?selBillType=Bill&bill_num={key.identifier}&which_year={key.session}'>"
        f"{key.letters}-{key.number}</a></td><td>{escape(title, quote=False)}</td>"
        f'<td><a href="{path}">{kind}&nbsp;Act&nbsp;No.&nbsp;{number.rpartition("-")[2]}</a></td></tr>'
        for _, kind, number, key, title, path in acts
    )
    head = "<thead><tr><th>Bill No.</th><th>Bill Title</th><th>Public Act</th></tr></thead>"
    return f'<h3>{name}</h3>\n<table class="footable">\n{head}\n<tbody>\n{rows}\n</tbody>\n</TABLE>\n'


def task_force_page(force: TaskForce, day: date) -> str:
    """Documents under hand-written titles that repeat; blanks stand unescaped in the addresses."""
    links = [link for link in force.links if link.on_page <= day]
    return _page(
        force.title,
        f"<h3 class='text-center'>{escape(force.title)}</h3>\n<p>{escape(force.charge)}</p>\n{STAFF}\n"
        f"<h4>Documents and Meetings</h4>\n{_list(links)}\n<p>{AS_OF}</p>",
    )


def committee_documents(code: str, name: str, links: Sequence[Link]) -> str:
    """A committee's agendas."""
    return _page(
        f"{name} agendas",
        f"<h3>{escape(name)} ({escape(code)})</h3>\n{STAFF}\n<h4>Agendas</h4>\n{_list(links)}\n<p>{AS_OF}</p>",
    )


def _list(links: Iterable[Link]) -> str:
    items = (
        f"<li><a href={quote}{link.path.replace('&', '%26')}{quote}>{escape(link.title)}</a></li>"
        for link, quote in zip(links, cycle("\"'"), strict=False)
    )
    return "<ul>\n" + "\n".join(items) + "\n</ul>"


def agendas(code: str, bills: Iterable[BillFacts], day: date) -> list[Link]:
    """A public hearing's agenda, linked from the day the hearing is noticed; the hour is ours."""
    found: dict[date, Link] = {}
    for bill in bills:
        for row, holder in zip(bill.rows, holders(row.description for row in bill.rows), strict=True):
            if holder == code and row.on_page <= day and row.description.startswith("PUBLIC HEARING "):
                link = _agenda(code, row)
                earlier = found.get(link[0])
                found[link[0]] = min(link[1], earlier, key=lambda one: one.on_page) if earlier else link[1]
    return [found[hearing] for hearing in sorted(found, reverse=True)]


def _agenda(code: str, row: Row) -> tuple[date, Link]:
    digits = row.description.rpartition(" ")[2]
    hearing = date(row.on.year, int(digits[:2]), int(digits[2:]))
    path = f"/{hearing.year}/{code.lower()}data/ca/{hearing.year}CA-0{hearing:%m%d}-R001000{code}-CA.pdf"
    return hearing, Link(f"Public Hearing Agenda {hearing:%B} {hearing.day}, {hearing.year}", path, row.on_page)


# --- pages that are not what was asked for ---------------------------------------------------------------------------


def home_page() -> str:
    return _page("Connecticut General Assembly", f"<h2>Welcome to the Connecticut General Assembly</h2>{WIDGET}")


def maintenance_page() -> str:
    """What the site answers, with 200, while it is worked on."""
    return _page(
        "Site maintenance",
        "<h2>This site is temporarily unavailable due to scheduled maintenance.</h2><p>Please try again later.</p>",
    )
