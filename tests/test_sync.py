"""Config says what is tracked; the tables keep where everything stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.config import load
from monitor.model.legislature import BillKey
from monitor.model.tracking import SourceKind
from monitor.store.schema import Base, Bill, ChangeRow, Issue, Proposal, Source, Topic, Transition, Watch
from monitor.workflow.sync import bill_page_url, page_slug
from tests.pipeline import World, issue, watch

TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"
STOPS = issue("stops", watch("2025 HB 7132", effect="achieved"), watch(TASK_FORCE, id="documents"))
QUOTAS = issue("quotas", watch("2025 HB 7132", effect="some_progress"), watch("2025 SB 1436"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, [STOPS, QUOTAS]) as world:
        yield world


def again(world: World, *issues: Any, **settings: Any) -> Any:
    """config.yaml is edited, and the tables follow."""
    world.configure(issues, **settings)
    return world.sync()


def sources(world: World, *, active: bool = True) -> dict[str, Source]:
    return {one.slug: one for one in world.rows(Source) if one.active is active}


def watches(world: World, *, active: bool = True) -> dict[str, Watch]:
    return {one.id: one for one in world.rows(Watch) if one.active is active}


def tables(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database."""
    with world.database.reading() as session:
        return {
            table.name: sorted(map(tuple, session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


# --- the first sync ---------------------------------------------------------------------------------------------------


def test_what_config_names_is_tracked(world: World) -> None:
    assert {one.id: (one.topic_id, one.position, one.status) for one in world.rows(Issue)} == {
        "stops": ("topic", 0, "no_progress"),
        "quotas": ("topic", 1, "no_progress"),
    }
    assert {one.key for one in world.rows(Bill)} == {BillKey("2025", "HB07132"), BillKey("2025", "SB01436")}
    assert {one.id: one.effect for one in world.rows(Watch)} == {
        "stops/2025-HB07132": "achieved",
        "stops/documents": "none",
        "quotas/2025-HB07132": "some_progress",
        "quotas/2025-SB01436": "none",
    }
    assert sorted(one.kind for one in world.rows(Source)) == ["bill_feed", "bill_page", "bill_page", "document_list"]
    assert all(one.next_check_at == world.now for one in world.rows(Source))


def test_a_bill_of_two_issues_is_one_bill_and_one_page(world: World) -> None:
    of_bill = [one for one in watches(world).values() if one.id.endswith("2025-HB07132")]
    assert len(of_bill) == 2
    assert {one.bill_id for one in of_bill} == {world.bill("HB07132").id}
    assert [one.slug for one in world.rows(Source, Source.identifier == "HB07132")] == ["bill_page/2025-HB07132"]


def test_a_page_of_documents_of_two_issues_is_read_once(world: World) -> None:
    shared = watch(TASK_FORCE, id="documents", terms=["quota"])
    again(world, STOPS, {**QUOTAS, "watches": [*QUOTAS["watches"], shared]})
    pages = world.rows(Source, Source.kind == SourceKind.DOCUMENT_LIST)
    assert len(pages) == 1
    on_it = [one.id for one in watches(world).values() if one.source_id == pages[0].id]
    assert sorted(on_it) == ["quotas/documents", "stops/documents"]


def test_two_pages_with_one_name_in_two_folders_are_two_sources(world: World) -> None:
    other = watch(TASK_FORCE.replace("/jud/", "/app/"), id="other")
    again(world, {**STOPS, "watches": [*STOPS["watches"], other]}, QUOTAS)
    assert len(world.rows(Source, Source.kind == SourceKind.DOCUMENT_LIST)) == 2


def test_the_status_page_is_asked_for_with_its_session() -> None:
    """Without which_year the site would silently answer with the current session's bill of that number."""
    key = BillKey("2013", "SB01143")
    assert page_slug(key) == "bill_page/2013-SB01143"
    assert bill_page_url("https://www.cga.ct.gov", key) == (
        "https://www.cga.ct.gov/asp/cgabillstatus/cgabillstatus.asp?selBillType=Bill&bill_num=SB01143&which_year=2013"
    )


@pytest.mark.parametrize("off", ["feed", "page"])
def test_a_channel_that_is_switched_off_is_no_source(tmp_path: Path, off: str) -> None:
    with World(tmp_path, [STOPS], feed=off != "feed", page=off != "page") as world:
        assert f"bill_{off}" not in {one.kind for one in world.rows(Source)}
        assert world.bill("HB07132").title == ""  # still watched, through the other channel


# --- again ------------------------------------------------------------------------------------------------------------


def test_a_second_sync_changes_nothing(world: World) -> None:
    before = tables(world)
    report = world.sync()
    assert tables(world) == before
    assert (report.added, report.retired, report.kept) == ([], [], [])
    assert (report.issues, report.watches, report.sources) == (2, 4, 4)


def test_a_second_sync_after_reads_changes_nothing(world: World) -> None:
    world.at(date(2025, 6, 10)).check()
    before = tables(world)
    world.later(hours=1)
    world.sync()
    assert tables(world) == before


def publish(world: World) -> None:
    """The board says something else than config since a maintainer approved it."""
    with world.database.transaction() as session:
        proposal = Proposal(
            kind="status",
            issue_id="stops",
            subject="test",
            from_status="no_progress",
            to_status="achieved",
            reason="It is law.",
            narrative="It is law.",
            created_at=world.now,
        )
        session.add(proposal)
        session.flush()
        number = proposal.id
    world.approve(number)


def test_a_published_status_and_text_are_never_overwritten(world: World) -> None:
    publish(world)
    changed = {**STOPS, "initial_status": "some_progress", "initial_narrative": "Config says this now."}
    report = again(world, {**changed, "name": "Reasons for stops"}, QUOTAS)
    stops = world.issue("stops")
    assert (stops.status, stops.narrative) == ("achieved", "Nothing yet. It is law.")
    assert stops.status_since == world.today
    assert stops.name == "Reasons for stops"  # names, order and links are config's
    assert report.kept == ["stops"]


def test_a_text_changed_in_config_alone_is_kept_and_said(world: World) -> None:
    """What the board shows was never approved by anyone else, but only a decision or a person moves it."""
    report = again(world, {**STOPS, "initial_narrative": "Reworded."}, QUOTAS)
    assert world.issue("stops").narrative == "Nothing yet."
    assert report.kept == ["stops"]


def test_order_names_and_links_follow_config(world: World) -> None:
    again(world, {**QUOTAS, "action_url": "https://example.org/act"}, STOPS)
    assert [(world.issue(slug).position) for slug in ("quotas", "stops")] == [0, 1]
    assert world.issue("quotas").action_url == "https://example.org/act"
    again(world, QUOTAS, STOPS)
    assert world.issue("quotas").action_url == ""


def test_a_new_issue_and_its_watches_are_added(world: World) -> None:
    report = again(world, STOPS, QUOTAS, issue("appeals", watch("2025 HB 5002"), status="some_progress"))
    assert report.added == ["appeals"]
    assert world.issue("appeals").status == "some_progress"
    assert "appeals/2025-HB05002" in watches(world)
    assert world.page("HB05002").next_check_at == world.now


def test_a_changed_effect_or_direction_reaches_the_watch(world: World) -> None:
    entry = watch("2025 HB 7132", effect="no_progress", direction="reverses")
    again(world, {**STOPS, "watches": [entry]}, QUOTAS)
    found = watches(world)["stops/2025-HB07132"]
    assert (found.effect, found.direction) == ("no_progress", "reverses")


# --- what config no longer names --------------------------------------------------------------------------------------


def test_what_config_no_longer_names_is_no_longer_read_and_its_history_stays(world: World) -> None:
    world.at(date(2025, 6, 10)).check()
    publish(world)
    rows = len(world.ledger("HB07132"))
    report = again(world, issue("appeals", watch("2025 SB 1436")))
    assert sorted(report.retired) == [
        "quotas",
        "quotas/2025-HB07132",
        "quotas/2025-SB01436",
        "stops",
        "stops/2025-HB07132",
        "stops/documents",
    ]
    assert not world.issue("stops").active
    assert {one.kind for one in sources(world).values()} == {"bill_feed", "bill_page"}
    assert list(sources(world, active=False)) != []
    assert len(world.ledger("HB07132")) == rows > 0
    assert len(world.rows(Transition)) == 1
    before = world.replica.request_count
    assert world.check().checked == 2  # the feed, and SB 1436's page
    assert world.replica.request_count > before


def test_one_of_two_watches_gone_leaves_the_page(world: World) -> None:
    report = again(world, {**STOPS, "watches": STOPS["watches"][1:]}, QUOTAS)
    assert report.retired == ["stops/2025-HB07132"]
    assert page_slug(BillKey("2025", "HB07132")) in sources(world)


def test_a_topic_that_is_gone_is_retired_with_its_name(world: World) -> None:
    whole = world.config_path.read_text(encoding="utf-8").replace('"id": "topic"', '"id": "policing"')
    world.config_path.write_text(whole, encoding="utf-8")
    world.config = load(world.config_path, {})
    report = world.sync()
    assert report.retired == ["topic"]
    assert {one.id: one.active for one in world.rows(Topic)} == {"topic": False, "policing": True}
    assert {one.topic_id for one in world.rows(Issue)} == {"policing"}


def test_a_watch_that_comes_back_is_due_at_once_and_goes_on_with_its_history(world: World) -> None:
    world.at(date(2025, 3, 6)).check()
    known = world.page("HB07132")
    rows = len(world.ledger("HB07132"))
    again(world, issue("appeals", watch("2025 SB 1436")))
    world.at(date(2025, 4, 9))
    report = again(world, STOPS, QUOTAS)
    back = world.page("HB07132")
    assert report.added == []
    assert (back.id, back.next_check_at, back.snapshot_id) == (known.id, world.now, known.snapshot_id)
    assert world.issue("stops").active
    world.check(everything=False)
    assert len(world.ledger("HB07132")) == rows + 2
    told = world.changes(ChangeRow.bill_id == world.bill("HB07132").id)
    assert [change.quote for change in told] == ["Joint Favorable Substitute", "FILED WITH LCO"]


def test_a_source_that_was_never_away_keeps_its_time(world: World) -> None:
    world.at(date(2025, 3, 6)).check()
    due = world.page("HB07132").next_check_at
    world.later(minutes=10)
    again(world, STOPS, QUOTAS)
    assert world.page("HB07132").next_check_at == due


# --- the site moves ---------------------------------------------------------------------------------------------------


def test_a_changed_address_of_the_site_moves_every_source_and_loses_nothing(world: World) -> None:
    world.at(date(2025, 3, 6)).check()
    before = {one.slug: one for one in world.rows(Source)}
    new = world.replica.base_url.replace("127.0.0.1", "localhost")
    again(world, STOPS, QUOTAS, sources={"cga": {"base_url": new, "ftp_url": world._ftp_url()}})
    after = {one.slug: one for one in world.rows(Source) if one.active}
    assert all(one.url.startswith(f"{new}/") for one in after.values())
    for slug in ("bill_feed/bill_history.csv", "bill_page/2025-HB07132"):
        assert after[slug].id == before[slug].id
        assert after[slug].snapshot_id == before[slug].snapshot_id
    world.later(days=1)
    assert world.check().failed == 0
    assert world.changes() == []


def test_a_page_of_documents_on_the_moved_site_is_read_afresh_and_tells_nothing(world: World) -> None:
    """Documents are known by their addresses, and each of them has moved too: none of that is news."""
    world.check()
    (old,) = world.rows(Source, Source.kind == SourceKind.DOCUMENT_LIST)
    new = world.replica.base_url.replace("127.0.0.1", "localhost")
    again(world, STOPS, QUOTAS, sources={"cga": {"base_url": new, "ftp_url": world._ftp_url()}})
    (moved,) = world.rows(Source, Source.kind == SourceKind.DOCUMENT_LIST, Source.active)
    assert (moved.url, moved.snapshot_id) == (f"{new}{TASK_FORCE}", None)
    assert watches(world)["stops/documents"].source_id == moved.id != old.id
    world.check()
    assert not world.changes()
    assert not world.proposals()
