"""Every spelling of a bill or act number, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.interpret.citations import (
    as_document,
    as_heading,
    as_hyphenated,
    find_acts,
    find_bills,
    parse_bill,
    why_impossible,
)
from monitor.model.legislature import BillKey

SPELLINGS = [
    ("HB6663", "HB06663"),
    ("HB06663", "HB06663"),
    ("HB-6663", "HB06663"),
    ("HB-06663", "HB06663"),
    ("hb 6663", "HB06663"),
    ("H.B. No. 6663", "HB06663"),
    ("H. B. 6663", "HB06663"),
    ("Proposed S.B. No. 623", "SB00623"),
    ("Raised H.B. No. 6590", "HB06590"),
    ("Substitute for Raised H.B. No. 5303", "HB05303"),
    ("H.B. No. 6928 (RAISED)", "HB06928"),
    ("Substitute House Bill No. 7146", "HB07146"),
    ("sHB 7146", "HB07146"),
    ("sSB 8", "SB00008"),
    ("House Bill 6004", "HB06004"),
    ("Senate Bill 380", "SB00380"),
    ("Bill No. 6004", "HB06004"),
    ("Bill 6004", "HB06004"),
    ("Bill No. 380", "SB00380"),
    ("R00HB05001", "HB05001"),
    ("HB-08002SS1", "HB08002"),
    ("HJ 49", "HJ00049"),
    ("H.J. No. 49", "HJ00049"),
    ("HJR 49", "HJ00049"),
    ("House Joint Resolution No. 49", "HJ00049"),
    ("Senate Resolution No. 5", "SR00005"),
    ("SR00005", "SR00005"),
]


@pytest.mark.parametrize(("text", "identifier"), SPELLINGS)
def test_every_spelling_names_its_bill(text: str, identifier: str) -> None:
    assert parse_bill(text, "2025") == BillKey("2025", identifier)
    found = find_bills(f"As the board says, {text}, which came first.", "2025")
    assert [citation.key for citation in found] == [BillKey("2025", identifier)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2017HB-07146", BillKey("2017", "HB07146")),
        ("HB 7146 (2017)", BillKey("2017", "HB07146")),
        ("2019 SB 380", BillKey("2019", "SB00380")),
        ("HB 6004 of the July 2020 Special Session", BillKey("2020", "HB06004")),
        ("https://www.cga.ct.gov/2026/ACT/PA/PDF/2026PA-00014-R00SB-00397-PA.PDF", BillKey("2026", "SB00397")),
        ("https://www.cga.ct.gov/2025/ACT/PA/PDF/2025PA-00002-R00HB-08001SS1-PA.PDF", BillKey("2025", "HB08001")),
        ("https://www.cga.ct.gov/2025/FC/PDF/2025HB-05001-R000828-FC.PDF", BillKey("2025", "HB05001")),
    ],
)
def test_the_year_is_read_where_it_is_written(text: str, key: BillKey) -> None:
    assert [citation.key for citation in find_bills(text, "2024")] == [key]


@given(
    st.sampled_from(["HB", "SB", "HJ", "SJ", "HR", "SR"]),
    st.integers(1, 5000),
    st.integers(2015, 2030),
    st.sampled_from([as_heading, as_hyphenated, as_document, lambda key: key.label, lambda key: key.identifier]),
)
def test_what_is_written_is_read_again(letters: str, number: int, year: int, spell: object) -> None:
    key = BillKey(str(year), f"{letters}{number + 5000 if letters == 'HB' else number}")
    assert callable(spell)
    assert parse_bill(spell(key), key.session) == key


def test_spellings() -> None:
    key = BillKey("2025", "HB07132")
    assert [as_heading(key), as_hyphenated(key), as_document(key)] == ["H.B. No. 7132", "HB-7132", "2025HB-07132"]


def test_the_boards_own_mistake_is_found() -> None:
    [citation] = find_bills("SB 7146 (2017) lets agencies keep 69.5 % of proceeds")
    assert citation.key is None
    assert citation.session == "2017"
    assert "Senate bills number below 5001, so there is no SB 7146; HB 7146 may be meant" in citation.problem


@pytest.mark.parametrize(
    ("letters", "number", "meant"),
    [("SB", 7146, "HB 7146"), ("HB", 380, "SB 380"), ("HJ", 6004, "HB 6004"), ("HB", 0, "1 to 99999")],
)
def test_numbers_that_cannot_be(letters: str, number: int, meant: str) -> None:
    assert meant in (why_impossible(letters, number) or "")


@pytest.mark.parametrize(("letters", "number"), [("SB", 1), ("SB", 5000), ("HB", 5001), ("HB", 8004), ("SJ", 103)])
def test_numbers_that_can_be(letters: str, number: int) -> None:
    assert why_impossible(letters, number) is None


@pytest.mark.parametrize(
    "text", ["24 hr 5", "the bill of rights", "USB 3", "HB-5001-2", "bill", "ASB 12", "Bill 1234567"]
)
def test_what_is_no_bill(text: str) -> None:
    assert find_bills(text, "2025") == []


@pytest.mark.parametrize(
    ("text", "session", "words"),
    [
        ("seventy", "2025", "no bill number; write it like HB 7132"),
        ("HB 7132 and SB 8", "2025", "no bill number"),
        ("HB 7132", None, "which session"),
        ("SB 7146", "2017", "HB 7146 may be meant"),
        ("2017HB-07146", "2025", "says 2017, not 2025"),
    ],
)
def test_what_cannot_be_parsed_says_why(text: str, session: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_bill(text, session)


def test_several_in_one_sentence_in_order() -> None:
    found = find_bills("HB 6004, 2019 SB 380 and H.B. No. 7132 (2025); see SB 7146.")
    assert [(c.letters, c.number, c.session, bool(c.problem)) for c in found] == [
        ("HB", 6004, None, False),
        ("SB", 380, "2019", False),
        ("HB", 7132, "2025", False),
        ("SB", 7146, None, True),
    ]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Public Act 21-93", "PA 21-93"),
        ("Public Act No. 26-14", "PA 26-14"),
        ("PA 26-14", "PA 26-14"),
        ("established in legislation (PA05-280)", "PA 05-280"),
        ("P.A. 21-2 (June Sp. Sess.)", "PA 21-2 (June Sp. Sess.)"),
        ("July Special Session, Public Act No. 20-1", "PA 20-1 (July Sp. Sess.)"),
        ("Sec. 12 of Public Act 20-1 of the July Special Session:", "PA 20-1 (July Sp. Sess.)"),
        ("PA 20-1, July 2020 Special Session", "PA 20-1 (July Sp. Sess.)"),
        ("PA 25-1 (Nov. Sp. Sess.)", "PA 25-1 (Nov. Sp. Sess.)"),
        ("PA 20-1, Special Session", "PA 20-1 (Sp. Sess.)"),
        ("Special Act 21-28", "SA 21-28"),
        ("/2026/ACT/PA/PDF/2026PA-00014-R00SB-00397-PA.PDF", "PA 26-14"),
        ("/2025/ACT/PA/PDF/2025PA-00002-R00HB-08001SS1-PA.PDF", "PA 25-2 (Nov. Sp. Sess.)"),
    ],
)
def test_every_spelling_of_an_act(text: str, label: str) -> None:
    [act] = find_acts(text)
    assert act.label == label
    assert find_acts(act.label)[0].label == label


def test_acts_in_order_and_their_years() -> None:
    acts = find_acts("PA 17-193, Public Act 19-90 Sec. 6 as amended by Sec. 12 of Public Act 20-1, and P.A. 93-1")
    assert [(act.year, act.number) for act in acts] == [(2017, 193), (2019, 90), (2020, 1), (1993, 1)]


@given(st.text(alphabet="HhSsBJRPA.- 0123456789Nob()Actillus", max_size=60))
def test_no_text_breaks_the_search(text: str) -> None:
    for citation in find_bills(text, "2025"):
        assert citation.problem or citation.key is not None
    for act in find_acts(text):
        assert act.label
