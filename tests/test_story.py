"""From first sight to the inbox: what the site published, what we proposed, what a person decided, what readers got.

Real rows of the 2025 session over real HTTP, both databases, a real SMTP conversation and a webhook.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from monitor.demo.facts import Facts, Row
from monitor.model.legislature import BillKey
from monitor.model.tracking import Milestone
from monitor.store import board
from monitor.store.schema import Proposal
from monitor.workflow.review import Refusal
from tests.pipeline import EVE, World, issue, watch
from tests.slack_sink import SlackSink
from tests.smtp_sink import SmtpSink
from tests.telling import parsed

SIGNED = BillKey("2025", "HB07132")  # Public Act 25-19, signed on June 9
VETOED = BillKey("2025", "HB05002")  # Public Act 25-49 on June 3, vetoed on June 23
TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"

MAINTAINER = {"name": "Alex Example", "channel": "email", "address": "alex@example.org"}
OPERATOR = {"name": "Sam Example", "channel": "email", "address": "sam@example.org"}

#: A working day of the session.
MARCH = date(2025, 3, 4)

BOARD = [
    issue("stops", watch("2025 HB 7132", effect="achieved"), narrative="Officers may stop anybody for a broken light."),
    issue("housing", watch("2025 HB 5002", effect="achieved")),
    issue("receipts", watch(TASK_FORCE, terms=["receipt"])),
]


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


def telling(mail: SmtpSink, slack: SlackSink | None = None) -> dict[str, Any]:
    """Config that really sends."""
    server = {"host": "127.0.0.1", "port": mail.port, "security": "none", "from": "board@example.org"}
    settings: dict[str, Any] = {"mail": server, "maintainers": [MAINTAINER], "operators": [OPERATOR]}
    return settings if slack is None else {**settings, "slack_bases": [slack.base]}


def mails_to(mail: SmtpSink, address: str) -> list[EmailMessage]:
    return [parsed(one) for one in mail.mails if one.recipient == address]


def plain(message: EmailMessage) -> str:
    """The text a reader without HTML sees, unfolded."""
    part = message.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def sight(world: World, *days: date) -> None:
    """The site on those days, read once a day."""
    for day in days:
        world.at(day).check()


def test_a_signature_on_the_site_becomes_a_message_in_the_inbox(
    tmp_path: Path, database_url: str, mail: SmtpSink, slack: SlackSink
) -> None:
    with World(tmp_path, BOARD, database_url=database_url, settings=telling(mail, slack)) as world:
        world.subscribe("ann@example.org", issues=["stops"])
        world.subscribe("bob@example.org", issues=["housing"])
        world.subscribe("eve@example.org", cadence="daily")
        world.subscribe(f"{slack.base}T01/B01/secret", "slack", topics=["topic"])
        sight(world, EVE, date(2025, 6, 8))
        report = world.at(date(2025, 6, 9)).check()
        assert [(one["bill"], one["date"], one["phrase"]) for one in report.changes if one["phrase"] == "signed"] == [
            ("HB07132", "2025-06-09", "signed")
        ]

        # What waits for a person, with its proof.
        [proposal] = world.proposals(kind="status")
        assert (proposal.issue_id, proposal.from_status, proposal.to_status) == ("stops", "no_progress", "achieved")
        assert proposal.reason.startswith("The governor signed HB 7132 on June 9, 2025.")
        proof = world.evidence(proposal.id)[0]
        assert (proof.quote, proof.action_date) == ("SIGNED BY GOVERNOR", date(2025, 6, 9))
        assert (proof.first_seen_at, len(proof.snapshot_sha256 or "")) == (world.now, 64)
        assert (proof.before, proof.after) == ("to governor", "signed")
        assert proof.url.startswith(world.replica.base_url)

        # Nothing reaches a subscriber before a person has agreed; the maintainer hears of it at once.
        world.deliver()
        assert {one.recipient for one in mail.mails} == {"alex@example.org"}
        assert "The governor signed HB 7132 on June 9, 2025." in plain(mails_to(mail, "alex@example.org")[-1])
        assert slack.posts == []

        transition = world.later(hours=1).approve(proposal.id)
        assert transition is not None
        standing = world.issue("stops")
        assert (standing.status, standing.status_since) == ("achieved", date(2025, 6, 9))
        assert standing.narrative.startswith(
            "Officers may stop anybody for a broken light. The governor signed HB 7132"
        )
        world.deliver()

        [message] = mails_to(mail, "ann@example.org")
        text = plain(message)
        assert "Stops" in message["Subject"]
        assert "No Progress" in text
        assert "Legislation Achieved" in text
        assert "The governor signed HB 7132 on June 9, 2025." in text
        assert "SIGNED BY GOVERNOR" in text
        assert message["List-Unsubscribe"] or "unsubscribe" in text.lower() or "You asked to be told" in text
        [post] = slack.posts
        assert "HB 7132" in post.body.decode()
        assert mails_to(mail, "bob@example.org") == []
        # The daily digest comes at eight in the morning.
        assert mails_to(mail, "eve@example.org") == []
        world.at(date(2025, 6, 10), 8, 1).deliver()
        assert len(mails_to(mail, "eve@example.org")) == 1
        # Nothing is sent twice, however often it is asked.
        count = len(mail.mails), len(slack.posts)
        world.later(days=2).deliver()
        assert (len(mail.mails), len(slack.posts)) == count


def test_an_act_number_is_not_law_and_a_veto_proposes_none(tmp_path: Path, database_url: str) -> None:
    with World(tmp_path, BOARD, database_url=database_url) as world:
        sight(world, EVE, date(2025, 6, 3), date(2025, 6, 10), date(2025, 6, 23), date(2025, 7, 20))
        assert world.bill(VETOED).stage == "vetoed"
        of_housing = [one for one in world.proposals(None) if one.issue_id == "housing"]
        assert {one.kind for one in of_housing} == {"narrative"}
        assert "Public Act 25-49" in " ".join(one.reason for one in of_housing)
        assert "the number alone does not make it law" in " ".join(one.reason for one in of_housing)
        [waiting] = [one for one in of_housing if one.state == "pending"]
        assert "vetoed HB 5002 on June 23, 2025" in waiting.reason
        # Approving it tells the text and moves no status.
        world.approve(waiting.id)
        assert world.issue("housing").status == "no_progress"


def test_a_veto_after_an_approved_signature_suggests_the_way_back(tmp_path: Path, database_url: str) -> None:
    """Not as the law knows it, but as records are corrected: the signature was a slip for a veto."""
    with World(tmp_path, BOARD, database_url=database_url) as world:
        sight(world, EVE, date(2025, 6, 9))
        world.approve(world.proposals(kind="status")[0].id)

        def corrected(rows: tuple[Row, ...]) -> Iterable[Row]:
            return [*rows[:-1], Row.of(date(2025, 6, 9), "VETOED BY GOVERNOR")]

        world.replica.edit(SIGNED, corrected)
        world.at(date(2025, 6, 10)).check()
        sight(world, date(2025, 6, 11), date(2025, 6, 12))
        assert world.bill(SIGNED).stage == "vetoed"
        [back] = world.proposals(kind="status")
        assert (back.from_status, back.to_status) == ("achieved", "no_progress")
        assert "vetoed HB 7132" in back.reason
        world.approve(back.id)
        assert world.issue("stops").status == "no_progress"
        with world.database.reading() as session:
            assert [(one.from_status, one.to_status) for one in board.history(session, "stops")] == [
                ("achieved", "no_progress"),
                ("no_progress", "achieved"),
            ]
        # It stays there: nothing is proposed again by reading the same rows.
        sight(world, date(2025, 6, 13), date(2025, 7, 1))
        assert world.proposals(kind="status") == []


def test_a_pending_status_survives_later_news_with_all_its_proof(tmp_path: Path) -> None:
    with World(tmp_path, BOARD) as world:
        sight(world, EVE, date(2025, 6, 8), date(2025, 6, 9))
        [first] = world.proposals(kind="status")
        quotes = {one.quote for one in world.evidence(first.id)}
        world.replica.edit(SIGNED, lambda rows: [*rows, Row.of(date(2025, 6, 11), "PUBLIC ACT 25-19")])
        world.at(date(2025, 6, 11)).check()
        [second] = world.proposals(kind="status")
        assert second.to_status == "achieved"
        assert second.id != first.id
        assert "The governor signed HB 7132 on June 9, 2025." in second.reason
        assert quotes <= {one.quote for one in world.evidence(second.id)}
        # Whoever still holds the older one is told which one to decide on.
        with pytest.raises(Refusal, match=rf"superseded; decide on proposal {second.id}"):
            world.approve(first.id)
        world.approve(second.id, by="Kim Example")
        with pytest.raises(Refusal, match=r"Kim Example approved proposal \d+ on June 11, 2025 at 12:00 PM"):
            world.approve(second.id)


# --- what each milestone proposes ----------------------------------------------------------------------------------

MILESTONES = {
    Milestone.HEARING: (date(2025, 3, 6), date(2025, 3, 8), "public hearing on HB 7132 was set for March 7, 2025"),
    Milestone.COMMITTEE_VOTE: (date(2025, 4, 6), date(2025, 4, 7), "Judiciary Committee approved HB 7132 on April 7"),
    Milestone.CHAMBER_PASSAGE: (date(2025, 5, 7), date(2025, 5, 8), "The House passed HB 7132 on May 8"),
    Milestone.ACT_NUMBER: (date(2025, 5, 29), date(2025, 5, 30), "Public Act 25-19 on May 30"),
}


@pytest.mark.parametrize("milestone", MILESTONES)
@pytest.mark.parametrize("says", ["narrative", "activity"])
def test_config_says_what_a_milestone_proposes(tmp_path: Path, milestone: Milestone, says: str) -> None:
    before, after, words = MILESTONES[milestone]
    quiet = {name.value: "activity" for name in Milestone} | {milestone.value: says}
    with World(tmp_path, BOARD[:1], settings={"milestones": quiet}) as world:
        sight(world, EVE, date(2025, 3, 4), before, after)
        found = [one for one in world.proposals() if one.kind != "review"]
        if says == "activity":
            assert found == []
            assert world.changes() != []
        else:
            assert [(one.kind, one.to_status) for one in found] == [("narrative", "no_progress")]
            assert words in found[0].reason
            assert world.evidence(found[0].id)[0].snapshot_sha256


def test_death_is_proposed_once_the_session_is_over_and_its_last_rows_are_in(tmp_path: Path) -> None:
    with World(tmp_path, [issue("immunity", watch("2025 HB 5203", effect="achieved"))]) as world:
        sight(world, EVE, date(2025, 6, 3), date(2025, 6, 4), date(2025, 6, 5))
        assert world.bill("HB05203").stage == "in_committee"
        before = len(world.proposals(None))
        sight(world, date(2025, 6, 9))
        assert world.bill("HB05203").stage == "died"
        [waiting] = world.proposals(kind="narrative")
        assert len(world.proposals(None)) == before + 1
        assert waiting.reason.startswith("HB 5203 died in the Public Safety and Security Committee")
        assert (waiting.from_status, waiting.to_status) == ("no_progress", "no_progress")
        assert [one.quote for one in world.evidence(waiting.id)] == [world.ledger("HB05203")[-1].description]
        sight(world, date(2025, 6, 10), date(2025, 6, 11))
        assert len(world.proposals(None)) == before + 1


def test_a_new_report_of_the_task_force_reaches_the_issue_it_is_about(tmp_path: Path, mail: SmtpSink) -> None:
    with World(tmp_path, BOARD, settings=telling(mail)) as world:
        sight(world, EVE, date(2025, 4, 8), date(2025, 4, 9))
        [about] = [one for one in world.proposals(kind="narrative") if one.issue_id == "receipts"]
        assert "Report on Traffic Stop Receipts" in about.reason
        assert world.evidence(about.id)[0].quote == "Report on Traffic Stop Receipts (demonstration)"
        # An agenda is recorded and proposes nothing: it is about no issue of ours.
        assert any("Agenda" in change.quote for change in world.changes())


# --- who else is told ----------------------------------------------------------------------------------------------


def test_maintainers_get_one_message_a_run_and_operators_one_an_outage(tmp_path: Path, mail: SmtpSink) -> None:
    with World(tmp_path, BOARD, settings=telling(mail), feed=False) as world:
        sight(world, EVE, date(2025, 6, 2))
        world.deliver()
        [first] = mails_to(mail, "alex@example.org")
        assert "Stops" in plain(first)
        assert "Housing" in plain(first)

        # The site is down for half a day: one message; it is back: one message. Readers hear nothing.
        world.subscribe("ann@example.org")
        world.replica.misbehave("/", "unavailable")
        for _ in range(8):
            world.later(hours=2).check()
            world.deliver()
        assert len(mails_to(mail, "sam@example.org")) == 1
        world.replica.behave()
        world.later(hours=13).check()
        world.later(hours=13).check()
        world.deliver()
        [down, up] = mails_to(mail, "sam@example.org")
        assert "cannot be read" in down["Subject"] + plain(down)
        assert "back" in up["Subject"] + plain(up)
        assert mails_to(mail, "ann@example.org") == []


def test_verified_is_when_all_its_watches_were_last_read_well(tmp_path: Path) -> None:
    with World(tmp_path, [*BOARD, issue("nobody-looks")], feed=False) as world:
        sight(world, EVE + timedelta(days=1))
        standings = {one.issue.id: one for one in world.standings()}
        read_at = world.now
        assert standings["stops"].verified_at == read_at
        assert standings["nobody-looks"].verified_at is None
        world.replica.misbehave(lambda path: "HB07132" in path, "maintenance")
        sight(world, EVE + timedelta(days=2))
        standings = {one.issue.id: one for one in world.standings()}
        assert standings["stops"].verified_at == read_at
        assert standings["stops"].unread == ("stops/2025-HB07132",)
        assert standings["housing"].verified_at == world.now


def test_a_settled_bill_between_its_monthly_reads_does_not_hold_the_board_back(tmp_path: Path) -> None:
    """HB 6004 (2020) is watched by most issues and is law: read once a month it must not make them look stale."""
    both = [issue("stops", watch("2020 HB 6004"), watch("2025 HB 7132")), issue("past", watch("2020 HB 6004"))]
    with World(tmp_path, both, feed=False) as world:
        sight(world, MARCH)
        first = world.now
        for day in range(1, 4):
            world.at(MARCH + timedelta(days=day)).check(everything=False)
        standings = {one.issue.id: one for one in world.standings()}
        assert standings["stops"].verified_at == world.now
        assert standings["past"].verified_at == first
        assert [one.late for one in standings.values()] == [(), ()]
        # Once it cannot be read it does: nobody knows any more what its page says.
        world.replica.misbehave(lambda path: "06004" in path.upper(), "not_found")
        world.later(days=30).check(everything=False)
        standings = {one.issue.id: one for one in world.standings()}
        assert standings["stops"].verified_at == first
        assert standings["past"].unread == ("past/2020-HB06004",)


def test_a_board_whose_service_stopped_says_so(tmp_path: Path) -> None:
    with World(tmp_path, BOARD, feed=False) as world:
        sight(world, MARCH)
        world.later(hours=12)
        assert {one.late for one in world.standings()} == {()}
        world.later(days=2)
        assert {one.issue.id: len(one.late) for one in world.standings()} == {"stops": 1, "housing": 1, "receipts": 1}


def test_the_whole_year_of_the_real_board_leaves_a_short_queue(tmp_path: Path) -> None:
    """The board watches what the demonstration bundles; nobody decides all year. Each issue has one proposal a bill."""
    facts = Facts.bundled()
    bills = [bill.key for bill in facts.of_session("2025")]
    halves = [issue("a", *map(str, bills[::2])), issue("b", *map(str, bills[1::2]))]
    with World(tmp_path, halves, page=False) as world:
        world.check()
        for day in facts.days()[::3]:
            world.at(day).check()
        sight(world, date(2025, 12, 1))
        waiting = world.proposals()
        subjects = [(one.issue_id, one.subject) for one in waiting]
        assert len(subjects) == len(set(subjects))
        assert {one.kind for one in waiting if one.issue_id and one.subject.startswith("bill:")} == {"narrative"}
        assert no_law_before_signature(world.proposals(None)) == []


def no_law_before_signature(made: list[Proposal]) -> list[int]:
    return [one.id for one in made if one.kind == "status"]
