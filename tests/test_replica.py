"""The replica shows the facts it was given, on the days it says, and misbehaves exactly as asked."""

from __future__ import annotations

import csv
import html
import http.client
import re
import socket
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest
import requests

from monitor.demo import noise, pages
from monitor.demo.facts import Facts, Row
from monitor.demo.faults import FAULTS, drip, redirect, slow, status
from monitor.demo.replica import Replica
from monitor.demo.site import Promises
from monitor.demo.wording import WebRow, split_bulk, web_row, web_rows
from monitor.interpret.actions import classify
from monitor.model.committees import COMMITTEES
from monitor.model.legislature import BillKey

SIGNED = date(2025, 6, 12)
HISTORY = "/ftp/pub/data/bill_history.csv"
INFO = "/ftp/pub/data/bill_info.csv"
ACTS = "/asp/CGATodayFileCopies/CGAAllPA.asp"
TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"
STATUS = "/asp/cgabillstatus/cgabillstatus.asp?selBillType=Bill&bill_num={}&which_year={}"


@pytest.fixture
def replica() -> Iterator[Replica]:
    with Replica(Facts.bundled(), day=SIGNED) as running:
        yield running


def get(replica: Replica, path: str, **headers: str) -> requests.Response:
    return requests.get(replica.base_url + path, headers=headers, timeout=20, allow_redirects=False)


_ROW = re.compile(r"<tr>(?:(?!</tr>).)*data-value='\d+'>([\d/]+)</td><td[^>]*>(.*?)</td><td>(.*?)</td></tr>", re.DOTALL)


def page_rows(text: str) -> Sequence[tuple[str, ...]]:
    """The history as a reader sees it: date, code, action; newest first."""
    rows = _ROW.findall(text.partition("Bill History")[2])
    return [tuple(map(folded, row)) for row in rows]


def folded(cell: str) -> str:
    return " ".join(html.unescape(cell.replace("&nbsp ", "&nbsp; ")).split())


def expected_rows(replica: Replica, bill: BillKey, day: date) -> list[tuple[str, str, str]]:
    facts = replica.facts.bills[bill]
    seen = [row for row in facts.rows if row.on_page <= day]
    web = web_rows([row.description for row in seen], facts.lco)
    rows = [
        (f"{row.on.month}/{row.on.day}/{row.on.year}", f"({w.code})" if w.code else "", w.text)
        for row, w in zip(seen, web, strict=True)
    ]
    return rows[::-1]


def feed_rows(body: bytes) -> dict[str, list[tuple[str, str]]]:
    rows: dict[str, list[tuple[str, str]]] = {}
    for row in csv.DictReader(body.decode("utf-8").splitlines()):
        rows.setdefault(row["bill_num"], []).append((row["act_date"], row["act_desc"] + row["qual1"] + row["qual2"]))
    return rows


# --- facts -----------------------------------------------------------------------------------------------------------


def test_the_bundled_session_is_about_sixty_real_policing_bills():
    facts = Facts.bundled()
    bills = facts.of_session("2025")
    assert 55 <= len([bill for bill in bills if not bill.trap]) <= 65
    assert {bill.key.label for bill in bills} >= {"HB 7132", "HB 7073", "SB 213", "SB 1171", "HB 6387", "HB 6907"}
    past = {str(key) for key in facts.bills if key.session != "2025"}
    assert past == {"2013 SB 1143", "2017 HB 7146", "2019 SB 380", "2020 HB 6004", "2021 SB 1093", "2023 SB 1022"}


def test_police_accountability_was_signed_on_july_31_and_not_august_1():
    bill = Facts.bundled().bills[BillKey("2020", "HB06004")]
    assert bill.rows[-1] == Row.of(date(2020, 7, 31), "SIGNED BY GOVERNOR")
    assert bill.special == "July"


@pytest.mark.needs_shared
def test_the_bundled_bills_are_the_record(shared_cga: Path):
    whole = Facts.from_open_states(shared_cga / "data" / "session-2025.jsonl.gz")
    for bill in Facts.bundled().of_session("2025"):
        real = whole.bills[bill.key]
        assert (bill.title, bill.rows, bill.documents, bill.subjects) == (
            real.title,
            real.rows,
            real.documents,
            real.subjects,
        )


# --- wording ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bulk", "committee", "web"),
    [  # each right-hand side is a row of a real page
        ("REF. TO JOINT COMM. ON Public Health", "", WebRow("", "Referred to Joint Committee on Public Health")),
        ("PUBLIC HEARING 0225", "LAB", WebRow("", "Public Hearing 02/25")),
        ("Joint Favorable Substitute", "LAB", WebRow("LAB", "Joint Favorable Substitute")),
        ("FILED WITH LCO", "LAB", WebRow("LCO", "Filed with Legislative Commissioners' Office")),
        ("FAV. RPT., TAB. FOR CAL., SEN.", "LAB", WebRow("", "Favorable Report, Tabled for the Calendar, Senate")),
        ("REF. BY SEN. TO COMM. ON Judiciary", "LAB", WebRow("", "Referred by Senate to Committee on Judiciary")),
        ("NO NEW FILE BY COMM. ON Appropriations", "APP", WebRow("", "No New File by Committee on Appropriations")),
        ("BILL PASSED TEMPORARILY", "LAB", WebRow("", "Bill Passed Temporary")),
        ("FILE NO. 221", "LAB", WebRow("LCO", "File Number 221")),
        ("PUBLIC ACT 13-75", "JUD", WebRow("LCO", "Public Act 13-75")),
        ("SIGNED BY GOVERNOR", "JUD", WebRow("", "Signed by the Governor")),
        ("TRANSMITTED TO SECRETARY OF THE STATE", "", WebRow("", "Transmitted to the Secretary of State")),
    ],
)  # fmt: skip
def test_rows_read_as_real_pages_had_them(bulk: str, committee: str, web: WebRow):
    assert web_row(bulk, committee) == web


def test_the_committee_column_follows_the_bill_from_committee_to_committee():
    rows = [
        "REF. TO JOINT COMM. ON Housing",
        "Joint Favorable",
        "REF. BY HOUSE TO COMMITTEE ON Appropriations",
        "Joint Favorable",
    ]
    assert [row.code for row in web_rows(rows)] == ["", "HSG", "", "APP"]


def test_an_unheard_of_phrase_is_shown_as_it_is():
    assert web_row("VETO OVERRIDDEN BY BOTH CHAMBERS") is None
    assert next(web_rows(["VETO OVERRIDDEN BY BOTH CHAMBERS"])) == WebRow("", "VETO OVERRIDDEN BY BOTH CHAMBERS")


@pytest.mark.needs_shared
def test_every_row_of_2025_has_a_web_wording_that_means_the_same(shared_cga: Path):
    facts = Facts.from_open_states(shared_cga / "data" / "session-2025.jsonl.gz")
    pairs = set()
    for bill in facts.of_session("2025"):
        descriptions = [row.description for row in bill.rows]
        pairs |= set(zip(descriptions, web_rows(descriptions, bill.lco), strict=True))
    assert len({bulk for bulk, _ in pairs}) > 2_500
    assert [bulk for bulk, _ in pairs if web_row(bulk) is None] == []
    texts = ((bulk, f"({web.code}) {web.text}" if web.code else web.text) for bulk, web in pairs)
    differing = [(bulk, web) for bulk, web in texts if classify(bulk).identity != classify(web).identity]
    assert differing == []


@pytest.mark.needs_shared
def test_the_columns_of_the_bulk_file_put_together_are_the_row_again(shared_cga: Path):
    facts = Facts.from_open_states(shared_cga / "data" / "session-2025.jsonl.gz")
    for description in {row.description for bill in facts.of_session("2025") for row in bill.rows}:
        action, first, second = split_bulk(description)
        named = COMMITTEES[first] if action.endswith(("COMM. ON", "COMMITTEE ON")) else first
        assert " ".join(f"{action} {named} {second}".split()) == " ".join(description.split())


# --- days ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [False, True])
def test_each_row_appears_on_its_day_on_the_page_and_in_the_feed(lag: bool):
    with Replica(Facts.bundled(), day=date(2025, 1, 7), lag=lag, feed_lag_days=1, seed=5) as replica:
        bills = [bill.key for bill in replica.facts.of_session("2025")]
        for day in sorted({date(2025, 1, 7), *replica.facts.days()}):
            replica.set_day(day)
            feed = feed_rows(replica.answer("GET", HISTORY, {}).body)
            for key in bills:
                count = len(replica.facts.bills[key].rows)
                on_feed = [replica.visible_on(key, index, feed=True) for index in range(count)]
                assert len(feed.get(key.identifier, [])) == sum(first <= day for first in on_feed)
                text = replica.answer("GET", STATUS.format(key.identifier, 2025), {}).body.decode()
                assert page_rows(text) == expected_rows(replica, key, day)


def test_lag_back_dates_some_rows_and_the_same_ones_for_the_same_seed():
    def late(seed: int) -> list[int]:
        facts = Facts.bundled().lagged(seed, 0)
        return [(row.on_page - row.on).days for bill in facts.of_session("2025") for row in bill.rows]

    assert set(late(1)) == {0, 1, 2}
    assert late(1) == late(1) != late(2)


def test_a_bill_is_absent_before_its_first_row(replica: Replica):
    replica.set_day(date(2025, 2, 27))
    page = get(replica, STATUS.format("HB07132", 2025))
    assert page.status_code == 200
    assert "not found in Database" in page.text
    assert "HB07132" not in get(replica, INFO).text + get(replica, HISTORY).text
    replica.set_day(date(2025, 2, 28))
    assert "HB07132" in get(replica, INFO).text
    assert page_rows(get(replica, STATUS.format("HB07132", 2025)).text) == [
        ("2/28/2025", "", "Referred to Joint Committee on Judiciary")
    ]


def test_documents_come_with_the_row_that_brought_them(replica: Replica):
    replica.set_day(date(2025, 5, 29))
    assert "Public Act No. 25-19" not in get(replica, STATUS.format("HB07132", 2025)).text
    replica.set_day(date(2025, 5, 30))
    assert "/2025/ACT/PA/PDF/2025PA-00019-R00HB-07132-PA.PDF" in get(replica, STATUS.format("HB07132", 2025)).text


def test_age_cells_change_their_colour_by_themselves(replica: Replica):
    colours = []
    for day in (SIGNED, SIGNED + timedelta(days=3), SIGNED + timedelta(days=9)):
        replica.set_day(day)
        page = get(replica, STATUS.format("HB07132", 2025)).text.partition("Bill History")[2]
        colours.append(sorted(re.findall(r"bgcolor=.(#\w+)", page.lower())))
    assert colours[0] != colours[1] == colours[2]


def test_an_edited_history_is_served_from_then_on(replica: Replica):
    replica.edit(
        "HB07132", lambda rows: (*rows[:-1], Row.of(date(2025, 6, 1), "A PHRASE NOBODY HAS SEEN", seen=SIGNED))
    )
    page, feed = get(replica, STATUS.format("HB07132", 2025)).text, get(replica, HISTORY).text
    assert "A PHRASE NOBODY HAS SEEN" in page
    assert "A PHRASE NOBODY HAS SEEN" in feed
    assert "Signed by the Governor" not in page


# --- the site's own ways ---------------------------------------------------------------------------------------------


def test_paths_and_bill_numbers_are_written_in_many_ways(replica: Replica):
    for path in (
        "/ASP/CGABillStatus/CGABILLSTATUS.asp?selBillType=Bill&bill_num=HB7132&which_year=2025",
        "/asp/cgabillstatus/cgabillstatus.asp?selBillType=Bill&bill_num=HB07132",
        "/asp/cgabillstatus/cgabillstatus.asp?bill_num=7132&which_year=2025",
    ):
        assert "H.B. No. 7132" in get(replica, path).text
    without_year = get(replica, "/asp/cgabillstatus/cgabillstatus.asp?bill_num=HB06004")
    assert "not found in Database" in without_year.text  # the current session, silently


def test_other_sessions_keep_their_pages_and_stay_out_of_the_feed(replica: Replica):
    page = get(replica, STATUS.format("SB01143", 2013)).text
    assert "Session Year 2013" in page
    assert "Public Act 13-75" in page
    assert "SB01143" not in get(replica, HISTORY).text


def test_the_feed_does_not_say_its_session_and_mixes_encodings(replica: Replica):
    assert get(replica, HISTORY).content.splitlines()[0] == b"bill_num,act_date,act_desc,qual1,qual2"
    info = get(replica, INFO).content
    assert "TAÍNO".encode("cp1252") in info
    assert "TAÍNO".encode() not in info
    replica.set_feed_session("2013")
    assert get(replica, INFO).text.splitlines()[1].startswith("2013,SB01143,")


def test_acts_stand_by_session_with_numbers_that_repeat(replica: Replica):
    replica.set_day(date(2025, 12, 1))
    text = get(replica, ACTS).text
    regular, special = text.index("2025 Regular Session"), text.index("2025 November Special Session")
    assert "Public&nbsp;Act&nbsp;No.&nbsp;19</a>" in text[regular:special]
    assert "HB-8002" in text[special:]
    assert "Public&nbsp;Act&nbsp;No.&nbsp;1<" in text[special:]
    replica.set_day(date(2025, 1, 7))
    assert "<h3>" not in get(replica, ACTS).text


def test_the_task_forces_documents_repeat_their_titles_and_grow(replica: Replica):
    replica.set_day(date(2025, 4, 8))
    before = get(replica, TASK_FORCE).text
    replica.set_day(date(2025, 4, 9))
    after = get(replica, TASK_FORCE).text
    assert before.count(">Testimony - Anonymous<") == 2
    assert "20250409/Report.pdf" in after
    assert "20250409/Report.pdf" not in before


def test_feeds_and_agendas_and_documents_are_there(replica: Replica):
    rss, atom = get(replica, "/aclu/reports/feed.xml"), get(replica, "/aclu/reports/atom.xml")
    assert rss.text.count("<item>") == atom.text.count("<entry>") == 3
    agendas = get(replica, "/asp/menu/CommDocList.asp?comm_code=JUD&doc_type=ca").text
    assert "Public Hearing Agenda March 7, 2025" in agendas
    address = re.search(r"/2025/juddata/[^'\"]+", agendas)
    assert address is not None
    assert get(replica, address[0]).content.startswith(b"%PDF-")


def test_the_same_files_by_ftp():
    with Replica(Facts.bundled(), day=SIGNED, with_ftp=True) as replica:
        for day in (SIGNED, date(2025, 2, 1)):
            replica.set_day(day)
            over_ftp = urllib.request.urlopen(replica.ftp_url + "bill_history.csv", timeout=10).read()
            assert over_ftp == get(replica, HISTORY).content


# --- noise -----------------------------------------------------------------------------------------------------------


def test_noise_changes_bytes_and_no_facts(replica: Replica):
    for path in (STATUS.format("HB07132", 2025), STATUS.format("SB01492", 2025)):
        texts = [get(replica, path).text for _ in range(12)]
        assert len(set(texts)) == 12
        assert len({tuple(page_rows(text)) for text in texts}) == 1
    for path in (ACTS, TASK_FORCE, "/aclu/reports/feed.xml"):
        assert len({get(replica, path).text for _ in range(4)}) == 4


def test_noise_follows_from_the_seed_and_the_number():
    page = pages.task_force_page(Facts.bundled().task_forces[0], SIGNED).encode()
    assert noise.noisy(page, SIGNED, 1, 7) == noise.noisy(page, SIGNED, 1, 7)
    assert noise.noisy(page, SIGNED, 1, 7) != noise.noisy(page, SIGNED, 2, 7)


def test_without_noise_a_page_is_the_same_every_time_and_no_mark_is_left():
    with Replica(Facts.bundled(), day=SIGNED, noise=False) as replica:
        for path in (STATUS.format("HB07132", 2025), ACTS, TASK_FORCE, "/aclu/reports/feed.xml"):
            first, second = get(replica, path).text, get(replica, path).text
            assert first == second
            assert "@@" not in first


def test_padding_reaches_the_size_asked_for_and_keeps_the_rows():
    with Replica(Facts.bundled(), day=SIGNED, pad_to=50_000) as replica:
        page = get(replica, STATUS.format("HB07132", 2025))
        assert 50_000 <= len(page.content) < 51_500
        assert page_rows(page.text) == expected_rows(replica, BillKey("2025", "HB07132"), SIGNED)


# --- conditional requests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [STATUS.format("HB07132", 2025), HISTORY])
def test_honest_validators_answer_304_until_the_facts_change(replica: Replica, path: str):
    first = get(replica, path)
    by_etag = {"If-None-Match": first.headers["ETag"]}
    by_date = {"If-Modified-Since": first.headers["Last-Modified"]}
    for known in (by_etag, by_date):
        again = get(replica, path, **known)
        assert (again.status_code, again.content) == (304, b"")
    replica.edit("HB07132", lambda rows: rows[:-1])
    assert [get(replica, path, **known).status_code for known in (by_etag, by_date)] == [200, 200]


def test_a_new_day_without_news_is_still_304(replica: Replica):
    path = STATUS.format("SB00213", 2025)
    etag = get(replica, path).headers["ETag"]
    replica.set_day(SIGNED + timedelta(days=30))
    assert get(replica, path, **{"If-None-Match": etag}).status_code == 304


def test_the_other_ways_to_speak_of_versions(replica: Replica):
    path = STATUS.format("HB07132", 2025)
    replica.set_promises(Promises.NONE)
    assert {"ETag", "Last-Modified"}.isdisjoint(get(replica, path).headers)
    replica.set_promises(Promises.FLAPPING)
    assert get(replica, path).headers["ETag"] != get(replica, path).headers["ETag"]
    replica.set_promises(Promises.LYING)
    modified = get(replica, path).headers["Last-Modified"]
    replica.edit("HB07132", lambda rows: rows[:-1])
    assert get(replica, path, **{"If-Modified-Since": modified}).status_code == 304
    assert "Signed by the Governor" not in get(replica, path).text


# --- faults ----------------------------------------------------------------------------------------------------------


class Wire:
    """One request over a bare socket, so that nothing tidies up what the server did."""

    def __init__(self, replica: Replica, path: str) -> None:
        address = urlsplit(replica.base_url)
        assert address.hostname
        assert address.port
        self._socket = socket.create_connection((address.hostname, address.port), timeout=20)
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())

    def piece(self, timeout: float = 20) -> bytes:
        self._socket.settimeout(timeout)
        return self._socket.recv(65_536)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        return b"".join(iter(self.piece, b""))

    def head(self) -> tuple[int, dict[str, str], bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.piece()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers, body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()


PAGE = STATUS.format("HB07132", 2025)


def answers(code: int, **headers: str) -> Callable[[Replica], None]:
    def check(replica: Replica) -> None:
        reply = get(replica, PAGE)
        assert reply.status_code == code
        for name, value in headers.items():
            assert reply.headers[name.replace("_", "-")] == value
        assert ("Retry-After" in reply.headers) == bool(headers)

    return check


def leads_to(location: str) -> Callable[[Replica], None]:
    def check(replica: Replica) -> None:
        reply = get(replica, PAGE)
        assert (reply.status_code, reply.headers["Location"]) == (302, location)

    return check


def page_has(count: int) -> Callable[[Replica], None]:
    """So many of the 23 rows, oldest ones, on a page that is otherwise whole."""

    def check(replica: Replica) -> None:
        text = get(replica, PAGE).text
        whole = expected_rows(replica, BillKey("2025", "HB07132"), SIGNED)
        assert page_rows(text) == whole[len(whole) - count :]
        assert 'summary="Bill history"' in text
        assert text.rstrip().endswith("</html>")

    return check


def feed_keeps(count: int) -> Callable[[Replica], None]:
    def check(replica: Replica) -> None:
        rows = feed_rows(get(replica, HISTORY).content)["HB07132"]
        replica.behave()
        assert rows == feed_rows(get(replica, HISTORY).content)["HB07132"][:count]

    return check


def robots_says(rule: str) -> Callable[[Replica], None]:
    return lambda replica: _contains(get(replica, "/robots.txt"), 200, rule)


def _contains(reply: requests.Response, code: int, text: str) -> None:
    assert reply.status_code == code
    assert text in reply.text


def no_history(replica: Replica) -> None:
    text = get(replica, PAGE).text
    assert "Bill history" not in text
    assert "Bill History" not in text
    assert "H.B. No. 7132" in text
    assert text.rstrip().endswith("</html>")


def renamed_history(replica: Replica) -> None:
    text = get(replica, PAGE).text
    assert "Bill history" not in text
    assert 'summary="Actions"' in text
    assert "Signed by the Governor" in text


def another_bill(replica: Replica) -> None:
    text = get(replica, PAGE).text
    assert "No. 7132" not in text
    assert "Session Year 2025" in text
    assert page_rows(text)


def half(replica: Replica) -> None:
    with Wire(replica, PAGE) as wire:
        code, headers, body = wire.head()
        body += wire.rest()
    assert code == 200
    assert len(body) == int(headers["content-length"]) // 2


def half_in_silence(replica: Replica) -> None:
    with Wire(replica, PAGE) as wire:
        code, headers, body = wire.head()
        body += wire.rest()
    assert (code, headers["connection"], headers.get("content-length")) == (200, "close", None)
    assert b"H.B. No. 7132" in body
    assert b"</html>" not in body


def half_then_reset(replica: Replica) -> None:
    with pytest.raises(requests.exceptions.RequestException):
        get(replica, PAGE)
    assert replica.requests[-1].status == 200


def reset_at_once(replica: Replica) -> None:
    with Wire(replica, PAGE) as wire, pytest.raises(ConnectionResetError):
        wire.rest()


def drips(replica: Replica) -> None:
    with Wire(replica, PAGE) as wire:
        code, headers, body = wire.head()
        assert code == 200
        assert int(headers["content-length"]) > 5_000
        assert max(len(body), len(wire.piece())) < 10


def drips_headers(replica: Replica) -> None:
    with Wire(replica, PAGE) as wire:
        assert "HTTP/1.1 200 OK".startswith((wire.piece() + wire.piece()).decode())


def nothing_yet(replica: Replica) -> None:
    with Wire(replica, PAGE) as wire, pytest.raises(TimeoutError):
        wire.piece(timeout=0.3)


def sixty_megabytes(replica: Replica) -> None:
    with requests.get(replica.base_url + PAGE, stream=True, timeout=20) as reply:
        size = sum(len(piece) for piece in reply.iter_content(1 << 20))
    assert size == int(reply.headers["Content-Length"]) >= 60_000_000


def small_that_unpacks_big(replica: Replica) -> None:
    with requests.get(replica.base_url + PAGE, stream=True, timeout=20) as reply:
        packed = reply.raw.read(decode_content=False)
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 1_000_000
    unpacker, size = zlib.decompressobj(31), 0
    while packed and not unpacker.eof:
        size += len(unpacker.decompress(packed, 1 << 22))
        packed = unpacker.unconsumed_tail
    assert size >= 200_000_000


def gzip_in_name_only(replica: Replica) -> None:
    with pytest.raises(requests.exceptions.ContentDecodingError):
        get(replica, PAGE)


def wrong_charset(replica: Replica) -> None:
    reply = get(replica, PAGE)
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    with pytest.raises(UnicodeDecodeError):
        reply.content.decode("utf-8")
    assert "“à”" in reply.content.decode("cp1252")


def last_session(replica: Replica) -> None:
    info, rows = get(replica, INFO).text.splitlines(), feed_rows(get(replica, HISTORY).content)
    assert all(line.startswith("2024,") for line in info[1:])
    assert rows["HB07132"][0][0].startswith("2024-")
    assert len(rows["HB07132"]) == 23


def header_only(replica: Replica) -> None:
    assert get(replica, HISTORY).content == b"bill_num,act_date,act_desc,qual1,qual2\r\n"
    assert get(replica, INFO).content.count(b"\n") == 1


def some_missing(replica: Replica) -> None:
    rows = feed_rows(get(replica, HISTORY).content)
    assert "HB07073" not in rows
    assert "HB07132" in rows


def etag_flaps(replica: Replica) -> None:
    first = get(replica, PAGE)
    again = get(replica, PAGE, **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]


def date_lies(replica: Replica) -> None:
    modified = get(replica, PAGE).headers["Last-Modified"]
    replica.edit("HB07132", lambda rows: rows[:3])
    assert get(replica, PAGE, **{"If-Modified-Since": modified}).status_code == 304


CHECKS: dict[str, Callable[[Replica], None]] = {
    "too_many_requests": answers(429, Retry_After="120"),
    "unavailable_retry_after": answers(503, Retry_After="60"),
    "unavailable": answers(503),
    "server_error": answers(500),
    "forbidden": answers(403),
    "bot_wall": lambda replica: _contains(get(replica, PAGE), 403, "Checking your browser"),
    "not_found": answers(404),
    "maintenance": lambda replica: _contains(get(replica, PAGE), 200, "scheduled maintenance"),
    "empty": lambda replica: _equals(get(replica, PAGE), b""),
    "blank": lambda replica: _equals(get(replica, PAGE), b"\r\n  \r\n"),
    "history_missing": no_history,
    "history_renamed": renamed_history,
    "history_empty": page_has(0),
    "history_shrunk": page_has(2),
    "row_removed": page_has(22),
    "other_bill": another_bill,
    "truncated": half,
    "truncated_silently": half_in_silence,
    "dropped_midway": half_then_reset,
    "reset": reset_at_once,
    "drip": drips,
    "drip_headers": drips_headers,
    "slow": nothing_yet,
    "big": sixty_megabytes,
    "gzip_bomb": small_that_unpacks_big,
    "gzip_broken": gzip_in_name_only,
    "charset_lies": wrong_charset,
    "redirect_private": leads_to("http://169.254.169.254/latest/meta-data/"),
    "redirect_private_lan": leads_to("http://10.0.0.1/"),
    "redirect_root": leads_to("/"),
    "redirect_error_page": leads_to(f"/error.html?aspxerrorpath={PAGE}"),
    "redirect_other_host": leads_to("http://www.example.com/"),
    "redirect_loop": leads_to(PAGE),
    "redirect_file": leads_to("file:///etc/passwd"),
    "robots_forbid_status": robots_says("Disallow: /asp/cgabillstatus/"),
    "robots_forbid_all": robots_says("Disallow: /\n"),
    "robots_unavailable": lambda replica: _contains(get(replica, "/robots.txt"), 503, ""),
    "last_session_feed": last_session,
    "feed_empty": lambda replica: _equals(get(replica, HISTORY), b""),
    "feed_header_only": header_only,
    "feed_bills_missing": some_missing,
    "feed_shrunk": feed_keeps(2),
    "feed_row_removed": feed_keeps(22),
    "etag_flapping": etag_flaps,
    "last_modified_lies": date_lies,
    "no_validators": lambda replica: _no_validators(get(replica, PAGE)),
}


def _equals(reply: requests.Response, body: bytes) -> None:
    assert (reply.status_code, reply.content) == (200, body)


def _no_validators(reply: requests.Response) -> None:
    assert reply.status_code == 200
    assert {"ETag", "Last-Modified"}.isdisjoint(reply.headers)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_is_served_as_described_and_ends(replica: Replica, name: str):
    replica.misbehave(FAULTS[name].where, name)
    CHECKS[name](replica)
    replica.behave()
    assert get(replica, "/robots.txt").status_code == 200
    assert "H.B. No. 7132" in get(replica, PAGE).text


def test_no_check_is_for_a_fault_that_is_gone():
    assert set(CHECKS) == set(FAULTS)


def test_a_fault_can_be_for_some_paths_and_a_number_of_times(replica: Replica):
    replica.misbehave(lambda path: "HB07073" in path, status(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), times=2)
    replica.misbehave("/ASP/cgatoday", "not_found")
    codes = [get(replica, STATUS.format("HB07073", 2025)).status_code for _ in range(3)]
    assert codes == [503, 503, 200]
    assert get(replica, PAGE).status_code == 200
    assert get(replica, ACTS).status_code == 404


def test_the_fault_added_last_wins(replica: Replica):
    replica.misbehave("/", "server_error")
    replica.misbehave("/", redirect("/elsewhere"))
    assert get(replica, PAGE).headers["Location"] == "/elsewhere"


def test_an_unknown_fault_is_refused(replica: Replica):
    with pytest.raises(KeyError, match="histroy"):
        replica.misbehave("/", "histroy_missing")


def test_a_stopped_replica_keeps_nobody_waiting():
    with Replica(Facts.bundled(), day=SIGNED) as replica:
        replica.misbehave(PAGE, slow(3600))
        replica.misbehave(ACTS, drip(3600))
        ended = []

        def ask(path: str) -> None:
            with pytest.raises(requests.exceptions.RequestException):
                requests.get(replica.base_url + path, timeout=60)
            ended.append(path)

        clients = [threading.Thread(target=ask, args=(path,)) for path in (PAGE, ACTS)]
        for client in clients:
            client.start()
        while replica.request_count < 2:
            time.sleep(0.01)
    for client in clients:
        client.join(timeout=30)
    assert sorted(ended) == sorted([PAGE, ACTS])


# --- being watched and driven ----------------------------------------------------------------------------------------


def test_requests_are_written_down_in_order(replica: Replica):
    get(replica, "/robots.txt", **{"User-Agent": "somebody"})
    get(replica, "/nowhere")
    assert [(request.path, request.status) for request in replica.requests] == [("/robots.txt", 200), ("/nowhere", 404)]
    assert replica.requests[0].headers["user-agent"] == "somebody"
    assert replica.requests[0].at <= replica.requests[1].at
    assert replica.request_count == 2


def test_connections_are_kept_alive(replica: Replica):
    address = urlsplit(replica.base_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=20)
    connection.connect()
    first = connection.sock
    for path in (PAGE, ACTS, "/nowhere", HISTORY):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is first
    connection.close()


def test_another_process_can_set_the_day_and_faults(replica: Replica):
    def post(path: str, body: str) -> requests.Response:
        return requests.post(replica.base_url + path, data=body, timeout=20)

    assert post("/__replica__/day", "2025-03-01").text == "2025-03-01\n"
    assert replica.day == date(2025, 3, 1)
    post("/__replica__/fault", '{"where": "/", "fault": "maintenance", "times": 1}')
    assert "maintenance" in get(replica, PAGE).text
    assert "H.B. No. 7132" in get(replica, PAGE).text
    assert post("/__replica__/day", "not a day").status_code == 400
    assert post("/anything", "").status_code == 405


@pytest.mark.needs_shared
def test_the_whole_session_is_served(shared_cga: Path):
    facts = Facts.from_open_states(shared_cga / "data" / "session-2025.jsonl.gz")
    with Replica(facts, day=date(2025, 12, 1)) as replica:
        rows = feed_rows(get(replica, HISTORY).content)
        assert (len(rows), sum(map(len, rows.values()))) == (4_073, 18_011)  # three bills have no row
        assert get(replica, ACTS).text.count("<tr><td>") == sum(
            any(title.startswith(("Public Act No.", "Special Act No.")) for title, _ in bill.documents)
            for bill in facts.of_session("2025")
        )
