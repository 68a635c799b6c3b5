"""One phrase answers each row, in either wording, and nothing is guessed."""

from __future__ import annotations

import csv
import gzip
import json
import re
from datetime import date
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo.wording import web_rows
from monitor.interpret.actions import TABLE, UNCLASSIFIED, as_json, classify, hearing_day
from monitor.interpret.phrases import DEVIATIONS, PHRASES, Effect, Phrase
from monitor.model.committees import COMMITTEES, committee_label
from monitor.model.legislature import ActionRow

EXAMPLES = [example for phrase in PHRASES for example in (phrase.bulk, phrase.web)]


@lru_cache(maxsize=1)
def session_2025(shared: Path) -> list[tuple[str, tuple[str, ...]]]:
    """(description, Open States' classification) of every row of the real session."""
    with gzip.open(shared / "data" / "session-2025.jsonl.gz", "rt", encoding="utf-8") as lines:
        bills = [json.loads(line) for line in lines]
    return [(row["description"], tuple(row["classification"])) for bill in bills for row in bill["actions"]]


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.id)
def test_exactly_one_phrase_answers_each_example_and_both_wordings_are_one_action(phrase: Phrase) -> None:
    bulk, web = TABLE.answers(phrase.bulk), TABLE.answers(phrase.web)
    assert [action.phrase for action in bulk + web] == [phrase.id, phrase.id]
    assert bulk[0].identity == web[0].identity
    assert bulk[0].classification == phrase.classification
    assert bulk[0].arguments.items() <= web[0].arguments.items() | bulk[0].arguments.items()
    shared_names = bulk[0].arguments.keys() & web[0].arguments.keys()
    assert {name: bulk[0].arguments[name] for name in shared_names} == {
        name: web[0].arguments[name] for name in shared_names
    }


def test_phrases_have_names_of_their_own() -> None:
    names = [phrase.id for phrase in PHRASES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


def test_nothing_is_invented_for_what_was_never_seen() -> None:
    effects = {phrase.effect for phrase in PHRASES}
    assert Effect.OVERRIDDEN not in effects
    assert Effect.UNSIGNED_LAW not in effects


@pytest.mark.parametrize(
    "text",
    [
        "",
        "HELD AT DESK",
        "VETO OVERRIDDEN",
        "HOUSE OVERRODE VETO",
        "SENATE REPASSED",
        "HOUSE REPASSED NOTWITHSTANDING THE VETO OF THE GOVERNOR",
        "HOUSE PASSED NOTWITHSTANDING VETO",
        "BECAME LAW WITHOUT GOVERNOR'S SIGNATURE",
        "NOT SIGNED BY GOVERNOR",
        "SIGNED BY GOVERNOR IN PART",
        "SIGNED BY THE SPEAKER",
        "VETOED BY GOVERNOR OVERRIDDEN",
        "VETOED BY HOUSE",
        "PASSED",
        "HOUSE PASSED TEMPORARILY",
        "HOUSE FAILED TO PASS",
        "HOUSE PASSED, JOINT AMEND. SCH. A",
        "HOUSE ADOPTED REPORT",
        "IN CONCURRENCE FAILED",
        "PUBLIC ACT",
        "PUBLIC ACT 25",
        "PUBLIC HEARING 1399",
        "PUBLIC HEARING 0230",
        "PUBLIC HEARING CANCELLED",
        "REF. TO JOINT COMM. ON",
        "REF. TO JOINT COMM. ON Judiciary, VETOED",
        "REF. BY HOUSE TO COMMITTEE ON Appropriations AND PASSED",
        "Change of Reference withdrawn",
        "Joint Unfavorable",
        "JOINT FAVORABLE WITHDRAWN",
        "INCORPORATED IN",
        "FILE NO. ABC",
        "REFERRED TO OLR, OFA 13/45/25",
    ],
)
def test_an_unknown_phrase_is_never_guessed(text: str) -> None:
    action = classify(text)
    assert (action.phrase, action.classification) == (UNCLASSIFIED, (UNCLASSIFIED,))
    assert action.identity[0] == UNCLASSIFIED


@given(st.sampled_from(EXAMPLES), st.sampled_from(["OVERRIDDEN", "FAILED", "NOTWITHSTANDING", "WITHDRAWN", "PARTLY"]))
def test_a_word_more_makes_any_phrase_unknown(example: str, word: str) -> None:
    assert classify(f"{word} {example}").phrase == UNCLASSIFIED
    if word != "PARTLY" or " ON " not in example.upper():  # a committee nobody knows yet may have any name
        assert classify(f"{example} {word}").phrase == UNCLASSIFIED


@given(st.text(max_size=80))
def test_any_text_gets_an_answer(text: str) -> None:
    action = classify(text)
    assert action.phrase
    assert action.identity[0] == action.phrase


def _shout(text: str) -> str:
    return text.upper()


def _spread(text: str) -> str:
    return " " + text.replace(" ", " \u00a0\t ") + "\u00a0"


def _curl(text: str) -> str:
    return text.replace("'", "\u2019")


@pytest.mark.parametrize("distort", [_shout, _spread, _curl])
@pytest.mark.parametrize("example", EXAMPLES)
def test_case_blanks_and_apostrophes_change_nothing(example: str, distort: object) -> None:
    assert callable(distort)
    assert classify(distort(example)).identity == classify(example).identity


@pytest.mark.parametrize("code", COMMITTEES)
@pytest.mark.parametrize(
    "text",
    [
        "REF. TO JOINT COMM. ON {}",
        "Referred to Joint Committee on {}",
        "REF. BY HOUSE TO COMMITTEE ON {}",
        "Change of Reference {}",
        "Joint Favorable Change of Reference {}",
        "HOUSE RECOMMITTED TO {}",
        "NO NEW FILE BY COMM. ON {}",
    ],
)
def test_a_committee_is_the_same_by_code_and_by_name(code: str, text: str) -> None:
    by_code, by_name = classify(text.format(code)), classify(text.format(COMMITTEES[code]))
    assert by_code.arguments["committee"] == code
    assert by_code.identity == by_name.identity


def test_a_committee_nobody_knows_keeps_its_name_and_an_unknown_code_its_code() -> None:
    assert classify("REF. TO JOINT COMM. ON Artificial Intelligence").arguments == {
        "committee": "Artificial Intelligence"
    }
    assert classify("REF. TO JOINT COMM. ON XYZ").arguments == {"committee": "XYZ"}
    assert classify("Referred to Joint Committee on Children").arguments == {"committee": "KID"}


def test_committees_are_named_as_a_sentence_names_them() -> None:
    assert committee_label("JUD") == "the Judiciary Committee"
    assert committee_label("KID") == "the Committee on Children"
    assert committee_label("SED") == "the Select Committee on Special Education"
    assert committee_label("Internet") == "the Internet Committee"


@pytest.mark.parametrize(
    ("text", "phrase", "arguments"),
    [
        ("(JUD) Joint Favorable", "joint-favorable", {"committee": "JUD"}),
        ("Joint Favorable Substitute", "joint-favorable", {"substitute": "yes"}),
        ("PUBLIC HEARING 0213", "public-hearing", {"hearing_day": "02-13"}),
        ("Public Hearing 2/3", "public-hearing", {"hearing_day": "02-03"}),
        ("REFERRED TO OLR, OFA 03/24/25", "referred-for-analysis", {"due": "2025-03-24"}),
        (
            "(LCO) Referred to Office of Legislative Research and Office of Fiscal Analysis 04/11/23 12:00 PM",
            "referred-for-analysis",
            {"due": "2023-04-11", "time": "12:00 PM"},
        ),
        (
            "HOUSE PASSED, HOUSE AMEND. SCH. C,A",
            "passed",
            {"chamber": "lower", "amendment_chamber": "lower", "amendments": "A,C"},
        ),
        (
            "Senate Rejected Senate Amendment Schedule B 7061",
            "amendment-rejected",
            {"chamber": "upper", "amendment_chamber": "upper", "amendments": "B", "lco": "7061"},
        ),
        (
            "ADOPTED SEN. AS AMENDED BY HO. A",
            "adopted-as-amended",
            {"chamber": "upper", "amendment_chamber": "lower", "amendments": "A"},
        ),
        ("LINE ITEM VETOED BY THE GOVERNOR, SECTION(S): ", "line-item-vetoed", {}),
        ("LINE ITEM VETOED BY THE GOVERNOR, SECTION(S): 9, 10, 11", "line-item-vetoed", {"sections": "9,10,11"}),
        ("Incorporated in S.B. No. 376", "incorporated", {"bill": "SB00376"}),
        ("(LCO) Public Act No. 21-93", "public-act", {"act": "21-93"}),
        ("FILED WITH SENATE CLERKS", "filed-with-clerk", {"chamber": "upper"}),
        ("(PH) Vote to Hold Until Next Meeting", "vote-to-hold", {"committee": "PH"}),
        ("TRANSMITTED PURSUANT TO JOINT RULE 17", "transmitted-by-joint-rule", {"rule": "17"}),
        (
            "CHG. REF., SEN. TO COMM. ON Finance, Revenue and Bonding",
            "change-of-reference",
            {"chamber": "upper", "committee": "FIN"},
        ),
        ("Change of Reference Finance, Revenue and Bonding", "change-of-reference", {"committee": "FIN"}),
    ],
)
def test_what_a_row_fills_in(text: str, phrase: str, arguments: dict[str, str]) -> None:
    action = classify(text)
    assert (action.phrase, dict(action.arguments)) == (phrase, arguments)


@pytest.mark.parametrize(
    ("day", "text", "hearing"),
    [
        (date(2025, 2, 7), "PUBLIC HEARING 0213", date(2025, 2, 13)),
        (date(2025, 12, 29), "Public Hearing 01/06", date(2026, 1, 6)),
        (date(2025, 2, 14), "Public Hearing 02/13", date(2025, 2, 13)),  # dated after it
        (date(2024, 2, 20), "PUBLIC HEARING 0229", date(2024, 2, 29)),
        (date(2025, 2, 20), "PUBLIC HEARING 0229", None),
        (date(2025, 2, 20), "Vote to Draft", None),
    ],
)
def test_the_day_of_a_hearing_is_not_the_day_of_its_notice(day: date, text: str, hearing: date | None) -> None:
    assert hearing_day(ActionRow(day, text)) == hearing


def test_classify_as_json() -> None:
    assert as_json("Signed by the Governor") == {
        "description": "Signed by the Governor",
        "phrase": "signed",
        "classification": ["executive-signature"],
        "arguments": {},
    }
    with pytest.raises(ValueError, match="a text, not int"):
        as_json(7)  # type: ignore[arg-type]


@pytest.mark.needs_shared
def test_every_row_of_the_real_session_is_known(shared_cga: Path) -> None:
    rows = session_2025(shared_cga)
    assert len(rows) == 18_011
    assert [text for text, _ in rows if classify(text).phrase == UNCLASSIFIED] == []


@pytest.mark.needs_shared
def test_different_rows_are_different_actions(shared_cga: Path) -> None:
    texts = {text for text, _ in session_2025(shared_cga)}
    assert len({classify(text).identity for text in texts}) == len(texts)


@pytest.mark.needs_shared
def test_we_differ_from_open_states_only_where_the_table_says(shared_cga: Path) -> None:
    differences = {
        (action.phrase, theirs, action.classification)
        for action, theirs in ((classify(text), theirs) for text, theirs in session_2025(shared_cga))
        if action.classification != theirs
    }
    assert differences == {(row.phrase, row.theirs, row.ours) for row in DEVIATIONS}
    assert all(row.reason for row in DEVIATIONS)


@pytest.mark.needs_shared
def test_the_whole_session_reads_the_same_in_the_status_pages_wording(shared_cga: Path) -> None:
    texts = [text for text, _ in session_2025(shared_cga)]
    pages = [f"({row.code}) {row.text}" if row.code else row.text for row in web_rows(texts, {"House A": "8551"})]
    assert [(a, b) for a, b in zip(texts, pages, strict=True) if classify(a).identity != classify(b).identity] == []


@pytest.mark.needs_shared
def test_every_phrase_of_the_vocabulary_is_known(shared_cga: Path) -> None:
    fill = {"COMMITTEE": "JUD", "MMDD": "0213", "MM/DD/YY": "03/24/25", "N": "12", "X": "A", "YY-N": "25-49"}
    with (shared_cga / "data" / "vocabulary-2025.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    for row in rows:
        text = re.sub(r"<([^>]+)>", lambda match: fill[match[1]], row["phrase"])
        assert classify(text).phrase != UNCLASSIFIED, text


#: web_wording of the vocabulary, its alternatives and options written out.
WEB_WORDINGS = """
Referred to Joint Committee on Judiciary
Public Hearing 02/13
(LCO) Filed with Legislative Commissioners' Office
(LCO) Reported Out of Legislative Commissioners' Office
(LCO) File Number 221
(LCO) Referred to Office of Legislative Research and Office of Fiscal Analysis 03/28/23 5:00 PM
Favorable Report, Tabled for the Calendar, House
Favorable Report, Tabled for the Calendar, Senate
(JUD) Joint Favorable
(JUD) Joint Favorable Substitute
House Calendar Number 174
Senate Calendar Number 277
(LAB) Vote to Draft
Drafted by Committee
No New File by Committee on Higher Education and Employment Advancement
Transmitted to the Secretary of State
In Concurrence
Transmitted by Secretary of the State to Governor
Signed by the Governor
(LCO) Public Act 21-93
(LCO) Special Act 21-28
Referred by House to Committee on Education
Referred by Senate to Committee on Appropriations
House Adopted House Amendment Schedule A
Senate Adopted House Amendment Schedule A 8006
House Passed
Senate Passed
House Passed as Amended by House Amendment Schedule A
Senate Passed as Amended by House Amendment Schedule A
Tabled for the Calendar, House
(LAB) Reserved for Subject Matter Public Hearing
On Consent Calendar / In Concurrence
Senate Rejected Senate Amendment Schedule B 7061
Transmitted Pursuant To Joint Rule 17
Change of Reference Appropriations
Signed by Governor in Original
Bill Passed Temporary
Rules Suspended, Transmitted to the Governor
House Designated House Amendment Schedule A 8551
Moved to Foot of the Calendar, Senate
Favorable Change of Reference, House to Committee on Appropriations
Favorable Change of Reference, Senate to Committee on Appropriations
Joint Favorable Substitute Change of Reference Appropriations
(JUD) Joint Favorable Change of Reference APP
(JUD) Motion Failed JF
(JUD) Motion Failed Joint Favorable
Adopted, House
Adopted, Senate
Adopted House as Amended by House Amendment Schedule A
Emergency Certification
Vetoed by Governor
Vetoed by the Governor
Line Item Vetoed by the Governor, Section(s): 9, 10, 11
Line-Item Vetoed by the Governor, Sections 9 and 10
Incorporated in SB-376
Incorporated in HB06407
House Rejected Bill
Senate Reconsidered
House Reconsidered
House Recommitted to Judiciary
Immediate Transmittal to the Governor
(PH) Vote to Hold Until Next Meeting
""".strip().splitlines()


@pytest.mark.parametrize("text", WEB_WORDINGS)
def test_the_status_pages_wordings_are_known(text: str) -> None:
    assert classify(text).phrase != UNCLASSIFIED
    assert len(TABLE.answers(text)) == 1


@pytest.mark.needs_shared
def test_every_row_of_the_real_pages_is_known(shared_cga: Path) -> None:
    pages = sorted((shared_cga / "page-texts").glob("bill-status_*.txt"))
    plain = "\n".join(page.read_text(encoding="utf-8").replace("|", " ") for page in pages)
    texts = re.findall(r"^ *\d{1,2}/\d{1,2}/\d{4} *(.+?) *$", plain, re.MULTILINE)
    assert len(texts) > 70
    assert [text for text in texts if classify(text).phrase == UNCLASSIFIED] == []
