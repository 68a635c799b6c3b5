"""Bytes to records: fixture pages, and everything that must never become a record."""

from __future__ import annotations

import csv
import gzip
import html
import io
import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.demo.wording import split_bulk
from monitor.extract import bill_feed, fingerprint, page, text
from monitor.extract.base import ExtractError, pick
from monitor.extract.bill_page import BillPage
from monitor.extract.records import record_from_json, record_to_json
from monitor.extract.registry import EXTRACTORS, READERS
from monitor.extract.sandbox import extract_in_child, is_odd
from monitor.model.legislature import (
    ActionRow,
    ActList,
    Bill,
    BillHistoryFile,
    BillInfoFile,
    DocumentList,
    Feed,
    Record,
)
from monitor.model.tracking import SourceKind, Verdict

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Fixture:
    kind: SourceKind
    slug: str
    body: bytes
    url: str
    content_type: str | None

    def extract(self, body: bytes | None = None, url: str | None = None) -> Record:
        body = self.body if body is None else body
        return EXTRACTORS[self.kind].extract(body, url=url or self.url, content_type=self.content_type)

    def outcome(self) -> dict[str, Any]:
        try:
            return {"kind": self.kind.value, "record": record_to_json(self.extract())}
        except ExtractError as error:
            return {"kind": self.kind.value, "verdict": error.verdict.value, "message": error.message}


def _fixture(origin: Path) -> Fixture:
    about = json.loads(origin.read_text())
    slug = origin.name.removesuffix(".origin.json")
    body = next(path for path in origin.parent.glob(f"{slug}.*") if path.suffix != ".json").read_bytes()
    return Fixture(SourceKind(origin.parent.name), slug, body, about["url"], about["content_type"])


FIXTURES = [_fixture(origin) for origin in sorted(PAGES.glob("*/*.origin.json"))]
GOOD = [fixture for fixture in FIXTURES if "record" in fixture.outcome()]
by_slug = {fixture.slug: fixture for fixture in FIXTURES}


def _named(fixtures: list[Fixture]) -> Any:
    return pytest.mark.parametrize("fixture", fixtures, ids=lambda fixture: f"{fixture.kind}/{fixture.slug}")


def verdict(extract: Any, *args: Any, **kwargs: Any) -> Verdict:
    with pytest.raises(ExtractError) as caught:
        extract(*args, **kwargs)
    return caught.value.verdict


def bill_page(slug: str) -> tuple[Fixture, Bill]:
    record = by_slug[slug].extract()
    assert isinstance(record, Bill)
    return by_slug[slug], record


# --- fixtures --------------------------------------------------------------------------------------------------------


@_named(FIXTURES)
def test_a_page_gives_what_was_reviewed(fixture, expectation):
    expectation.check(PAGES / fixture.kind / f"{fixture.slug}.expected.json", fixture.outcome())


@pytest.mark.parametrize("kind", SourceKind)
def test_every_kind_is_registered_and_has_good_and_refused_pages(kind):
    assert EXTRACTORS[kind].kind is kind
    slugs = [fixture.slug for fixture in FIXTURES if fixture.kind is kind]
    good = [fixture.slug for fixture in GOOD if fixture.kind is kind]
    assert len(good) >= 2, f"tests/pages/{kind} needs pages: monitor record {kind} URL makes one"
    assert set(slugs) - set(good)


def test_no_file_of_the_pages_is_orphaned():
    known = {f"{fixture.kind}/{fixture.slug}" for fixture in FIXTURES}
    files = [path for path in PAGES.glob("*/*") if path.is_file()]
    assert {f"{path.parent.name}/{path.name.split('.')[0]}" for path in files} == known
    for origin in PAGES.glob("*/*.origin.json"):
        assert json.loads(origin.read_text()).keys() == {"url", "content_type", "facts", "invented"}


@_named(GOOD)
def test_a_record_survives_json(fixture):
    record = fixture.extract()
    data = json.loads(json.dumps(record_to_json(record)))
    assert record_from_json(type(record).__name__, data) == record


def test_accept_is_refused_in_ci(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "accepting",
        "--accept",
        "--co",
        "-q",
        str(tmp_path),
        "-c",
        os.devnull,
    ]
    environment = {"CI": "true", "PYTHONPATH": str(Path(__file__).parent), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "refused where CI=true" in done.stderr


# --- what must never become a record ---------------------------------------------------------------------------------


@_named(GOOD)
def test_a_page_cut_anywhere_is_refused(fixture):
    """Except where the cut falls on the end of a row of a bulk file: only the transport's length can tell that."""
    whole = record_to_json(fixture.extract())
    cuts = [*range(1024, len(fixture.body) - 1, 1024), len(fixture.body) // 2, len(fixture.body) - 20]
    for cut in cuts:
        body = fixture.body[:cut]
        if fixture.kind is SourceKind.BILL_FEED and (body.endswith(b"\n") or fixture.body[cut : cut + 1] in b"\r\n"):
            continue
        try:
            record = record_to_json(fixture.extract(body))
        except ExtractError:
            continue
        # only trailing white space was lost, or (committee.txt) text that nobody reads
        assert record == whole, f"cut at {cut}"


def _swaps():
    named = [fixture for fixture in GOOD if fixture.kind in (SourceKind.BILL_PAGE, SourceKind.DOCUMENT_LIST)]
    for one, other in itertools.permutations(named, 2):
        if _what(one) != _what(other):
            yield one, other


def _what(fixture: Fixture) -> Any:
    query = page.query_of(fixture.url)
    number = re.sub(r"^[A-Z]*0*", "", query.get("bill_num", ""))
    return fixture.kind, number, query.get("which_year"), query.get("tf"), query.get("comm_code")


def test_a_page_under_another_pages_address_is_refused():
    checked = 0
    for one, other in _swaps():
        body, reader = other.body, READERS[one.kind]
        assert verdict(reader.extract, body, url=one.url) in (Verdict.WRONG_PAGE, Verdict.LAYOUT_CHANGED), (one, other)
        checked += 1
    assert checked > 300


def test_every_kind_refuses_every_other_kinds_pages():
    for fixture, kind in itertools.product(GOOD, SourceKind):
        if kind is not fixture.kind and not (kind is SourceKind.DOCUMENT_LIST and b"</html>" in fixture.body.lower()):
            address = next(other.url for other in GOOD if other.kind is kind)
            verdict(EXTRACTORS[kind].extract, fixture.body, url=address)


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\0\0", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize("kind", SourceKind)
def test_an_empty_body_is_a_soft_error(kind, body):
    address = next(fixture.url for fixture in GOOD if fixture.kind is kind)
    assert verdict(EXTRACTORS[kind].extract, body, url=address) is Verdict.SOFT_ERROR


SAID = (
    "The site is down for scheduled maintenance.",
    "This server is undergoing maintenance",
    "Scheduled Maintenance Notice",
    "The service is temporarily unavailable.",
    "Server Error in '/' Application.",
    "Runtime Error",
    "500 - Internal server error.",
    "Microsoft OLE DB Provider for SQL Server error '80040e31'",
    "An error has occurred.",
    "404 - File or directory not found.",
    "The page you are looking for cannot be found.",
    "HTTP Error 503. The service is unavailable.",
    "Timeout expired",
    "Request unsuccessful. Incapsula incident ID",
)


@pytest.mark.parametrize("words", SAID)
def test_what_error_pages_say_is_known(words):
    body = f"<html><head><title>x</title></head><body><h1>{words}</h1></body></html>".encode()
    url = by_slug["in-committee-sb623-2025"].url
    assert verdict(EXTRACTORS[SourceKind.BILL_PAGE].extract, body, url=url) is Verdict.SOFT_ERROR


def test_every_wording_of_an_error_page_has_an_example():
    for pattern, reason in page.SOFT_ERRORS:
        assert any(re.search(pattern, words, re.IGNORECASE) for words in SAID), reason


def test_a_bill_may_have_an_error_pages_words_in_its_title():
    fixture = by_slug["in-committee-sb623-2025"]
    body = fixture.body.replace(b"AN ACT ELIMINATING", b"AN ACT CONCERNING SCHEDULED MAINTENANCE AND ELIMINATING")
    record = fixture.extract(body)
    assert isinstance(record, Bill)
    assert "SCHEDULED MAINTENANCE" in record.title


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.cga.ct.gov/", Verdict.SOFT_ERROR),
        ("https://www.cga.ct.gov/default.asp", Verdict.SOFT_ERROR),
        ("https://www.cga.ct.gov/Error.aspx?aspxerrorpath=/asp/x.asp", Verdict.SOFT_ERROR),
        ("https://www.cga.ct.gov/asp/cgabillstatus/cgabillstatus.asp?bill_num=SB623", Verdict.WRONG_PAGE),
        ("https://www.cga.ct.gov/asp/cgabillstatus/cgabillstatus.asp?which_year=2025", Verdict.WRONG_PAGE),
        ("https://www.cga.ct.gov/x.asp?bill_num=HB623&which_year=2025", Verdict.WRONG_PAGE),
        ("https://www.cga.ct.gov/x.asp?bill_num=SB6230&which_year=2025", Verdict.WRONG_PAGE),
        ("https://www.cga.ct.gov/x.asp?bill_num=SB623&which_year=2024", Verdict.WRONG_PAGE),
    ],
)
def test_the_address_is_a_landmark(url, expected):
    body = by_slug["in-committee-sb623-2025"].body
    assert verdict(EXTRACTORS[SourceKind.BILL_PAGE].extract, body, url=url) is expected


@pytest.mark.parametrize("number", ["SB00623", "SB623", "sb-623", "623", "00623"])
def test_every_spelling_of_the_number_in_the_address_is_the_same_bill(number):
    body = by_slug["in-committee-sb623-2025"].body
    url = f"https://www.cga.ct.gov/x.asp?Bill_Num={number}&WHICH_YEAR=2025"
    assert str(EXTRACTORS[SourceKind.BILL_PAGE].extract(body, url=url).key) == "2025 SB 623"


HEADINGS = {
    "Substitute for Raised H.B. No. 5001 <br>Session Year 2026": ("2026", "HB05001"),
    "Proposed S.B. No. 623<br>Session Year 2025": ("2025", "SB00623"),
    "Raised S.B. No. 1050 Session Year 2025": ("2025", "SB01050"),
    "H.J. No. 12 <br> Session Year 2025": ("2025", "HJ00012"),
    "S.J.R. No. 9<br>Session Year 2025": ("2025", "SJ00009"),
    "Senate Joint Resolution No. 9<br>Session Year 2025": ("2025", "SJ00009"),
    "H.R. No. 3<br>Session Year 2025": ("2025", "HR00003"),
    "House Resolution No. 3<br>Session Year 2025": ("2025", "HR00003"),
    "Substitute House Bill No. 7146 Session Year 2017": ("2017", "HB07146"),
    "Bill No. 6004 July Special Session, 2020": ("2020", "HB06004"),
    "H.B. No. 8002 2025 November Special Session": ("2025", "HB08002"),
}


@pytest.mark.parametrize(("heading", "key"), HEADINGS.items(), ids=HEADINGS)
def test_every_form_of_heading_is_read(heading, key):
    fixture = by_slug["in-committee-sb623-2025"]
    body = re.sub(rb"<strong>.*?</strong>", f"<strong>{heading}</strong>".encode(), fixture.body, flags=re.DOTALL)
    record = fixture.extract(body, f"https://x/x.asp?bill_num={key[1]}&which_year={key[0]}")
    assert isinstance(record, Bill)
    assert (record.key.session, record.key.identifier) == key


# --- the status page -------------------------------------------------------------------------------------------------


def test_the_history_is_oldest_first_and_same_day_rows_in_the_order_taken():
    _, bill = bill_page("signed-hb7132-2025")
    assert bill.actions[0] == ActionRow(date(2025, 2, 28), "Referred to Joint Committee on Judiciary")
    assert [row.description for row in bill.actions if row.date == date(2025, 4, 24)] == [
        "(LCO) Reported Out of Legislative Commissioners' Office",
        "Favorable Report, Tabled for the Calendar, House",
        "House Calendar Number 480",
        "(LCO) File Number 767",
    ]
    assert bill.actions[-1] == ActionRow(date(2025, 6, 9), "Signed by the Governor")


@pytest.mark.needs_shared
def test_the_page_texts_real_rows_come_out_as_they_were_read(shared_cga):
    """The fixture's rows against the text of the real page, which no helper of ours wrote."""
    known = (shared_cga / "page-texts" / "bill-status_2023_HB05197.txt").read_text().partition("Bill History")[2]
    rows = re.findall(r"^(\d\S+) \|(?: \((\w+)\) \|)? ([^|]+?) \|", known, re.MULTILINE)
    _, bill = bill_page("quirks-hb5197-2023")
    written = [f"({code}) {words}" if code else words for _, code, words in rows]
    assert [row.description for row in reversed(bill.actions)] == written


def test_lxml_alone_misses_what_html5lib_finds():
    for slug in ("html5lib-no-row-tags-hb6732-2023", "html5lib-open-template-hb6732-2023"):
        fixture, bill = bill_page(slug)
        assert len(bill.actions) == 2
        read = text.decode(fixture.body, fixture.content_type)
        rows = page.soup(read, "lxml").find("table", summary="Bill history").find_all("tr")
        assert sum("Public Hearing" in row.get_text() and len(row.find_all("td")) == 4 for row in rows) == 0


@pytest.mark.parametrize(
    ("odd", "rows", "expected"), [(1, 3, None), (2, 3, Verdict.LAYOUT_CHANGED), (1, 1, Verdict.LAYOUT_CHANGED)]
)
def test_one_odd_data_value_is_a_slip_and_most_of_them_another_format(odd, rows, expected):
    fixture = by_slug["signed-hb7132-2025" if rows == 3 else "in-committee-sb623-2025"]
    head, _, tail = fixture.body.partition(
        b'<tbody>\n<tr><td width="1%" bgcolor="#FFFF99">&nbsp;</td><td width=\'10%\''
    )
    body = head + b'<tbody>\n<tr><td width="1%" bgcolor="#FFFF99">&nbsp;</td><td width=\'10%\'' + tail
    values = re.findall(rb'data-value="\d+"', body)
    for value in values[: max(1, len(values) * odd // rows)] if odd > 1 or rows == 1 else values[:1]:
        body = body.replace(value, b'data-value="0"')
    if expected is None:
        assert fixture.extract(body) == fixture.extract()
    else:
        assert verdict(fixture.extract, body) is expected


LOST_LANDMARKS = {
    "history renamed": (b'summary="Bill history"', b'summary="History"'),
    "a second history": (b"<h4>Bill History</h4>", b'<table summary="Bill history"></table><h4>Bill History</h4>'),
    "history header": (b"Action Taken", b"What Happened"),
    "heading class": (b'<h3 class="text-center">', b"<h3>"),
    "session year": (b"Session Year 2025", b"Year 2025"),
    "title": (b"<h4>AN ACT", b"<h5>AN ACT"),
    "a date": (b">1/15/2025<", b">January 15<"),
    "an impossible date": (b">1/15/2025<", b">2/30/2025<"),
    "an action": (b">Referred to Joint Committee on Labor and Public Employees<", b">&nbsp;<"),
    "document tables": (b'summary="Status of bills"', b'summary="Documents"'),
}


@pytest.mark.parametrize("change", LOST_LANDMARKS.values(), ids=LOST_LANDMARKS)
def test_a_missing_landmark_is_a_changed_layout(change):
    fixture = by_slug["in-committee-sb623-2025"]
    assert change[0] in fixture.body
    assert verdict(fixture.extract, fixture.body.replace(*change)) is Verdict.LAYOUT_CHANGED


def test_a_missing_landmark_says_what_where_and_what_to_do():
    with pytest.raises(ExtractError) as caught:
        by_slug["refused-no-history-sb623"].extract()
    assert "expected 1 table 'Bill history', found none" in caught.value.message
    assert "SB00623" in caught.value.message
    with pytest.raises(ExtractError, match=r"expected at least 1 rows, found 0, on u"):
        pick([], what="rows", where="u")
    with pytest.raises(ExtractError, match=r"expected 2 to 3 rows, found 1, on u"):
        pick([1], what="rows", where="u", expect=range(2, 4))


def test_scripts_after_the_end_are_no_truncation():
    fixture = by_slug["in-committee-sb623-2025"]
    for tail in (b"\n<!-- node 3 -->\n", b"<script>track()</script>\n", b"\r\n\r\n"):
        assert fixture.extract(fixture.body + tail) == fixture.extract()
    assert verdict(fixture.extract, fixture.body + b"<div>") is Verdict.TRUNCATED


def test_document_addresses_are_absolute_and_without_fragment():
    _, bill = bill_page("quirks-hb5197-2023")
    urls = [document.url for document in bill.documents]
    assert "https://www.cga.ct.gov/2023/TOB/H/PDF/2023HB-05197-R00-HB.PDF?a=1&b=2&copy=3" in urls
    assert "https://www.cga.ct.gov/2023/VOTE/h/PDF/2023HV-00099-R00HB05197-HV.PDF" in urls


@pytest.mark.parametrize("href", ["javascript:alert(1)", "mailto:a@b", "data:text/html,x", "http://[bad", "file:///x"])
def test_an_address_that_leads_nowhere_is_none(href):
    assert page.address(href, "https://www.cga.ct.gov/x") == ""


# --- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("é".encode(), None, "é"),
        ("é".encode("cp1252"), None, "é"),
        ("é".encode("cp1252"), "text/html; charset=utf-8", "é"),
        ("é".encode("cp1252"), "text/html; charset=ISO-8859-1", "é"),
        (b"\x93x\x94", "text/html; charset=ISO-8859-1", "“x”"),
        (b"\xef\xbb\xbf\xc3\xa9", None, "é"),
        ("é".encode("utf-16"), None, "é"),
        (b'<meta charset="windows-1252">\xe9', None, '<meta charset="windows-1252">é'),
        (b"<meta charset=utf-8>\xc3\xa9\xe9", None, "<meta charset=utf-8>éé"),
        ("é".encode(), "text/html; charset=klingon", "é"),
        (b"a\x81b", None, "ab"),
    ],
)
def test_bytes_are_decoded_whatever_they_say_of_themselves(body, content_type, expected):
    assert text.decode(body, content_type) == expected


@given(
    st.text(st.characters(codec="cp1252", exclude_categories=["Cc"])), st.sampled_from(["utf-8", "cp1252", "utf-16"])
)
def test_one_text_in_any_declared_charset_is_one_text(words, charset):
    declared = None if charset == "utf-16" else f"text/html; charset={charset}"
    assert text.decode(words.encode(charset), declared) == words


def test_folding_drops_what_no_reader_sees():
    assert text.fold(" File\xa0Number\r\n  221\u200b \u202eabc\u202c\0 ") == "File Number 221 abc"
    assert text.fold("Cafe\u0301") == "Café"
    json.dumps(text.fold("\ud800x")).encode("ascii")


# --- bulk files ------------------------------------------------------------------------------------------------------


def _history(body: bytes) -> BillHistoryFile:
    record = EXTRACTORS[SourceKind.BILL_FEED].extract(body, url="https://x/ftp/pub/data/bill_history.csv")
    assert isinstance(record, BillHistoryFile)
    return record


HEADER = b"bill_num,act_date,act_desc,qual1,qual2\r\n"


def test_a_bulk_row_reads_as_the_contract_says():
    rows = _history(by_slug["history-2025"].body).actions["HB07132"]
    assert rows[:2] == (
        ActionRow(date(2025, 2, 28), "REF. TO JOINT COMM. ON Judiciary"),
        ActionRow(date(2025, 3, 3), "PUBLIC HEARING 0307"),
    )
    quirks = _history(by_slug["history-every-quirk"].body).actions
    assert quirks["HB05002"][0].description == "FAV. CHG. OF REF., SEN. TO COMM. ON XYZ"
    assert quirks["SB00007"][0].description == "REFERRED TO OLR, OFA 03/24/25"
    assert len({row.description for row in quirks["SJ00012"]}) == 1  # one text, in cp1252 and in UTF-8
    assert [row.date.day for row in quirks["HB05001"]] == [8, 3, 7, 7]


def test_a_bad_date_is_named_with_its_line():
    with pytest.raises(ExtractError, match=r"bill_history\.csv, line 3: '2025-02-30 00:00:00' is no date"):
        _history(by_slug["refused-history-bad-date"].body)


def test_the_session_is_that_of_most_bills():
    record = by_slug["info-while-a-session-begins"].extract()
    assert isinstance(record, BillInfoFile)
    assert record.session == "2025"
    assert record.titles["HB05002"] == "AN ACT CONCERNING HOUSING AND THE NEEDS OF HOMELESS PERSONS."


def _lines(*rows: str) -> bytes:
    return HEADER + "".join(f"{row}\r\n" for row in rows).encode()


ROW = st.builds(
    "{},2025-0{}-1{} 00:00:00,{},{},".format,
    st.sampled_from(["HB05001", "HB05002", "SB00007"]),
    st.integers(1, 9),
    st.integers(0, 9),
    st.sampled_from(["FILED WITH LCO", '"A, ""B"""', "IN CONCURRENCE", '"X\nY"', "PUBLIC HEARING"]),
    st.sampled_from(["", "0213", "JUD"]),
)


@given(st.lists(ROW, min_size=1, max_size=12), st.lists(ROW, min_size=1, max_size=12))
def test_the_cheap_road_finds_what_the_full_reading_finds(old, new):
    before, after = _history(_lines(*old)).actions, _history(_lines(*new)).actions
    expected = {
        bill
        for bill in before.keys() | after.keys()
        if sorted(before.get(bill, ()), key=repr) != sorted(after.get(bill, ()), key=repr)
    }
    found = bill_feed.changed_histories(_lines(*old), _lines(*new))
    assert expected == set(found)
    for bill, (was, now) in found.items():
        assert bill_feed.bill_actions(was) == before.get(bill, ())
        assert bill_feed.bill_actions(now) == after.get(bill, ())


def test_the_cheap_road_sees_two_lines_change_places():
    one, two = 'HB05001,2025-01-01,"X\nY",{},', 'HB05002,2025-01-01,"X\nY",{},'
    old, new = _lines(one.format("A"), two.format("B")), _lines(one.format("B"), two.format("A"))
    assert sorted(old.splitlines()) == sorted(new.splitlines())
    assert set(bill_feed.changed_histories(old, new)) == {"HB05001", "HB05002"}


def test_the_cheap_road_refuses_what_the_full_reading_refuses():
    old = by_slug["history-2025"].body
    for slug, fixture in by_slug.items():
        if slug.startswith("refused-history"):
            assert verdict(bill_feed.changed_histories, old, fixture.body) is verdict(_history, fixture.body), slug
    with pytest.raises(ExtractError, match="line 4"):
        bill_feed.changed_histories(
            _lines("HB05001,2025-01-01,A,,", "HB05002,2025-01-01,A,,"),
            _lines("HB05001,2025-01-01,A,,", "HB05002,2025-01-01,A,,", "HB05002,2025-13-01,B,,"),
        )
    assert verdict(bill_feed.changed_histories, old, old + b"SJ00001,2025-01-0") is Verdict.TRUNCATED
    assert verdict(bill_feed.changed_histories, old, old + b'SJ00001,2025-01-08,"ADOP') is Verdict.TRUNCATED


def test_the_years_of_a_history_are_counted():
    assert bill_feed.action_years(by_slug["history-2025"].body).most_common() == [(2025, 175)]


@pytest.mark.needs_shared
def test_the_whole_session_reads_as_recorded(shared_cga):
    with gzip.open(shared_cga / "data" / "session-2025.jsonl.gz") as lines:
        bills = [json.loads(line) for line in lines]
    rows = [
        (bill["identifier"], row["date"], *split_bulk(row["description"])) for bill in bills for row in bill["actions"]
    ]
    body = io.StringIO()
    csv.writer(body).writerows([("bill_num", "act_date", "act_desc", "qual1", "qual2"), *rows])
    record = _history(body.getvalue().encode())
    assert sum(map(len, record.actions.values())) == 18_011
    for bill in bills:
        written = [(row["date"], " ".join(row["description"].split())) for row in bill["actions"]]
        read = [(row.date.isoformat(), row.description) for row in record.actions.get(bill["identifier"], ())]
        assert read == sorted(written, key=lambda row: row[0])


# --- lists and feeds -------------------------------------------------------------------------------------------------


def test_acts_carry_their_sessions_year_and_kind():
    record = by_slug["two-sessions-2025"].extract()
    assert isinstance(record, ActList)
    numbers = [(act.number, act.bill.label, act.session_name) for act in record.acts]
    assert ("25-1", "HB 8001", "2025 November Special Session") in numbers or (
        "25-1",
        "HB 8002",
        numbers[0][2],
    ) in numbers
    assert ("25-1", "HB 7066", "2025 Regular Session") in numbers
    assert any(number.startswith("SA 25-") for number, _, _ in numbers)


def test_the_list_of_acts_may_be_empty_when_a_session_begins():
    assert by_slug["empty-2027"].extract() == ActList(())


def test_documents_are_told_apart_by_address_alone():
    record = by_slug["police-transparency-testimony-2021"].extract()
    assert isinstance(record, DocumentList)
    titles = [document.title for document in record.documents]
    assert titles.count("Testimony - Anonymous") == 2
    assert len({document.url for document in record.documents}) == len(titles) == 14
    assert all(" " not in document.url for document in record.documents)


def test_a_feed_entry_is_known_by_its_id_else_its_link():
    record = by_slug["aclu-reports-rss-2020"].extract()
    assert isinstance(record, Feed)
    assert [entry.id for entry in record.entries] == [
        "node 1201",
        "https://www.acluct.org/en/publications/traffic-stops",
    ]
    assert record.entries[1].title == "Racial Profiling Prohibition Data"
    assert str(record.entries[0].published) == "2020-09-01 16:00:00+00:00"


# --- fingerprints ----------------------------------------------------------------------------------------------------

SIGNED = by_slug["signed-hb7132-2025"]
NOISE = {
    "age colours": (b'bgcolor="#CCE5FF"', b"BGCOLOR='#ffffff'"),
    "link case": (b"/2025/TOB/H/PDF", b"/2025/tob/h/pdf"),
    "nbsp": (b"Favorable Report, Tabled", b"Favorable&nbsp;Report,&nbsp Tabled"),
    "blanks": (b"Signed by the Governor</td>", b"  Signed by\r\n the  Governor </td>"),
    "empty cell": (b'<td width="8%">&nbsp;</td>', b'<td width="8%"></td>'),
    "widget": (b"<p>Co-sponsors for", b"<p>This bill is in <b>My Bills</b>.<br>Go?</p><!-- 17 --><p>Co-sponsors for"),
    "as of": (b"<p>NOTE:", b"<p>As of 6/9/2025 3:04:05 pm</p><p>NOTE:"),
    "footer": (b"Ask the Clerks' Offices", b"Ask the Clerks"),
    "co-sponsors": (b"<p>NOTE:", b"<h4>Co-sponsors of HB-7132</h4>Rep. New Member<p>NOTE:"),
}
MEANING = {
    "an action": (b"Signed by the Governor", b"Vetoed by the Governor"),
    "a letter": (b"House Calendar Number 480", b"House Calendar Number 481"),
    "a date": (b">6/9/2025<", b">6/8/2025<"),
    "a code": (b"(JUD)", b"(APP)"),
    "a title": (b"TRAFFIC STOPS, DRIVING", b"TRAFFIC STOPS AND DRIVING"),
    "an address": (b"R000909-FC", b"R000910-FC"),
    "a document's title": (b"File No. 909", b"File No. 910"),
    "a section": (b">Fiscal Notes<", b">Notes<"),
    "the introducer": (b"Judiciary Committee\n", b"Public Health Committee\n"),
    "the purpose": (b'text-justify"></p>', b'text-justify">To do good.</p>'),
    "the bill": (b"H.B. No. 7132", b"H.B. No. 7133"),
    "the session": (b"Session Year 2025", b"Session Year 2026"),
    "a comment over the history": (b"<h4>Bill History", b"<!-- <h4>Bill History"),
    "a row less": (b"<tr><td", b"<tr hidden><td"),
    "a glued word": (b"<br>Session", b"Session"),
    "a blank between words": (b"In Concurrence", b"InConcurrence"),
}


def _mark(body: bytes) -> str | None:
    return EXTRACTORS[SourceKind.BILL_PAGE].fingerprint(body)


@pytest.mark.parametrize("change", NOISE.values(), ids=NOISE)
def test_noise_leaves_the_fingerprint_and_the_record(change):
    assert change[0] in SIGNED.body
    noisy = SIGNED.body.replace(*change)
    assert _mark(noisy) == _mark(SIGNED.body) is not None
    assert _casefolded(SIGNED.extract(noisy)) == _casefolded(SIGNED.extract())


@pytest.mark.parametrize("change", MEANING.values(), ids=MEANING)
def test_a_meaning_change_changes_the_fingerprint(change):
    assert change[0] in SIGNED.body
    assert _mark(SIGNED.body.replace(*change)) != _mark(SIGNED.body)


@_named([fixture for fixture in FIXTURES if fixture.slug.startswith("refused")])
def test_a_refused_page_never_has_a_good_pages_fingerprint(fixture):
    mark = EXTRACTORS[fixture.kind].fingerprint(fixture.body)
    assert mark is None or mark not in {EXTRACTORS[good.kind].fingerprint(good.body) for good in GOOD}


def _casefolded(record: Record) -> str:
    return json.dumps(record_to_json(record), ensure_ascii=False).casefold()


FRAGMENTS = [
    *(
        b"",
        b" ",
        b"&nbsp;",
        b"\xa0",
        b"\xc2\xa0",
        b"<",
        b">",
        b'"',
        b"'",
        b"<!--",
        b"-->",
        b"\0",
        b"&",
        b";",
        b"1",
        b"x",
    ),
    *(
        b"</td>",
        b"<td>",
        b"</tr>",
        b"<tr>",
        b"</table>",
        b"<table>",
        b"<p>",
        b"</p>",
        b"<b>",
        b"</b>",
        b"<br>",
        b"<h3>",
    ),
    *(b"</h3>", b"<h4>", b"</h4>", b"<script>", b"</script>", b"<p class=text-justify>", b"<template>", b"bgcolor="),
    *(b"<title>", b"<a href=x>", b"</a>", b"</html>", b"<h5>introduced by</h5>", b"<table summary='Bill history'>"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_equal_fingerprints_mean_equal_records(data):
    """Mutations anywhere: whatever keeps the fingerprint keeps the record."""
    fixture = data.draw(st.sampled_from([good for good in GOOD if good.kind is not SourceKind.BILL_FEED]))
    body = _mutated(data, fixture.body)
    reader = EXTRACTORS[fixture.kind]
    mark = reader.fingerprint(body)
    if mark is not None and mark == reader.fingerprint(fixture.body):
        assert _casefolded(fixture.extract(body)) == _casefolded(fixture.extract())


def _mutated(data: st.DataObject, body: bytes) -> bytes:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        length = data.draw(st.sampled_from([0, 1, 2, 5, 20]))
        body = body[:start] + data.draw(st.sampled_from(FRAGMENTS)) + body[start + length :]
    return body


# --- hostile input ---------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_broken_bytes_raise_nothing_but_extract_errors(data):
    fixture = data.draw(st.sampled_from(FIXTURES))
    body = _mutated(data, fixture.body)
    if data.draw(st.booleans()):
        body = body[: data.draw(st.integers(0, len(body)))]
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.binary(max_size=40)) + body[at:]
    try:
        record = READERS[fixture.kind].extract(body, url=fixture.url, content_type=fixture.content_type)
    except ExtractError:
        return
    assert record_from_json(type(record).__name__, json.loads(json.dumps(record_to_json(record)))) == record


@pytest.mark.parametrize(
    "body", [b"<" * 5000, b"\0" * 5000, b"<!--" * 5000, b"</html>" * 5000, b"&" * 5000, b'"' * 5000]
)
@pytest.mark.parametrize("kind", SourceKind)
def test_hostile_bytes_are_refused(kind, body):
    address = next(fixture.url for fixture in GOOD if fixture.kind is kind)
    verdict(EXTRACTORS[kind].extract, body, url=address)


def _history_of(rows: bytes) -> bytes:
    body = by_slug["in-committee-sb623-2025"].body
    at = body.index(b"<tbody>\n", body.index(b"Bill History")) + 8
    return body[:at] + rows + body[at:]


def test_a_deep_page_is_read_in_a_child_and_loses_nothing():
    deep = _history_of(b"").replace(b"<h4>Bill History", b"<div>" * 400 + b"<h4>Bill History")
    assert is_odd(deep)
    assert not is_odd(by_slug["vetoed-hb5002-2025"].body)
    fixture = by_slug["in-committee-sb623-2025"]
    assert fixture.extract(deep) == fixture.extract()


def test_the_child_passes_on_what_the_page_is_refused_for():
    fixture = by_slug["refused-no-history-sb623"]
    with pytest.raises(ExtractError, match="expected 1 table 'Bill history'") as caught:
        extract_in_child(fixture.kind, fixture.body, fixture.url, fixture.content_type)
    assert caught.value.verdict is Verdict.LAYOUT_CHANGED


@pytest.mark.parametrize(
    "rows",
    [
        b"<tr><td></td><td>1/1/2025</td><td></td><td>x</td></tr>" * 60_000,
        b"<tr " + b" ".join(b"a%d=1" % n for n in range(150_000)) + b"><td></td></tr>",
    ],
    ids=["60,000 rows", "150,000 attributes"],
)
def test_a_page_that_eats_time_or_memory_dies_in_its_child(rows):
    fixture = by_slug["in-committee-sb623-2025"]
    body = _history_of(rows)
    assert is_odd(body)
    found = verdict(extract_in_child, fixture.kind, body, fixture.url, fixture.content_type, seconds=2, megabytes=160)
    assert found is Verdict.TOO_LARGE


def test_the_child_sees_none_of_our_secrets(monkeypatch):
    seen: dict[str, Any] = {}
    real = subprocess.run

    def spying(command, **options):
        seen.update(options["env"])
        return real(command, **options)

    monkeypatch.setenv("MONITOR_SMTP_PASSWORD", "hunter2")
    monkeypatch.setattr(subprocess, "run", spying)
    fixture = by_slug["in-committee-sb623-2025"]
    extract_in_child(fixture.kind, fixture.body, fixture.url, fixture.content_type)
    assert seen.keys() == {"PYTHONPATH"}


def test_hostile_text_comes_out_plain():
    fixture = by_slug["in-committee-sb623-2025"]
    attack = html.escape("<script>alert(1)</script>\u202e =?utf-8?q?=0D=0ABcc:?=")
    body = fixture.body.replace(b"AN ACT ELIMINATING", f"AN ACT {attack}".encode())
    record = fixture.extract(body)
    assert isinstance(record, Bill)
    assert "\u202e" not in record.title
    assert "\n" not in record.title


def test_a_reader_is_the_registrys_in_this_process():
    assert isinstance(READERS[SourceKind.BILL_PAGE], BillPage)
    assert fingerprint.of_bytes(b"") is None
