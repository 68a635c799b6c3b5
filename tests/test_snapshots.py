"""Raw bytes are the truth: they come back as they were, cost little, and say so when they no longer can."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline import World, issue, watch
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from monitor.model.tracking import ChangeKind, Page, SourceKind, Verdict
from monitor.store import migrations, snapshots
from monitor.store.database import Database
from monitor.store.schema import Action, Bill, ChangeRow, Evidence, Proposal, Snapshot, Source
from monitor.store.snapshots import DamagedError, pack, unpack
from monitor.workflow.prune import prune as prune_all

NOW = datetime(2025, 6, 10, 16, 0, tzinfo=UTC)
ROW = "<tr><td>6/{day}/2025</td><td>{code}</td><td>{text}</td></tr>\n"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    migrations.upgrade(opened)
    with opened.transaction() as session:
        for slug in ("one", "two"):
            session.add(Source(slug=slug, kind=SourceKind.BILL_PAGE, url=f"https://example.org/{slug}"))
    yield opened
    opened.close()


def history_page(rows: int, seed: int = 1) -> bytes:
    """A status page of about 50 KB: one row differs from the next as much as real ones do."""
    dice = random.Random(seed)
    words = ("Referred", "Reported", "Favorable", "Change", "of", "Reference", "Senate", "House", "Calendar", "Number")
    lines = []
    for _ in range(rows):
        text = " ".join(dice.choice(words) for _ in range(6)) + f" {dice.randint(1, 999)}"
        lines.append(ROW.format(day=dice.randint(1, 30), code=dice.choice(("JUD", "PS", "LCO")), text=text))
    return ("<html><body><table>" + "".join(lines) + "</table></body></html>").encode()


def keep(
    database: Database, body: bytes, *, slug: str = "one", verdict: Verdict = Verdict.OK, at: datetime = NOW
) -> int:
    with database.transaction() as session:
        source = session.scalars(select(Source).where(Source.slug == slug)).one()
        page = Page(source.url, source.url, 200, {"content-type": "text/html"}, body, at)
        return snapshots.add(session, source, page, verdict).id


def body(database: Database, number: int) -> bytes:
    with database.reading() as session:
        return snapshots.body_of(session, number)


def stored(database: Database, number: int) -> Snapshot:
    with database.reading() as session:
        found = session.get_one(Snapshot, number)
        assert found.body is not None  # deferred: loaded while the session lives
        return found


# ------------------------------------------------------------------ round trips


@settings(deadline=None)
@given(st.binary(max_size=5000), st.none() | st.binary(max_size=5000))
def test_whatever_is_packed_comes_back(content: bytes, base: bytes | None) -> None:
    assert unpack(pack(content, base), base) == content


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(0, 8), st.binary(max_size=50))
def test_an_edited_body_comes_back(pieces: list[bytes], at: int, new: bytes) -> None:
    was = b"".join(pieces)
    edited = b"".join([*pieces[:at], new, *pieces[at:]])
    assert unpack(pack(edited, was), was) == edited


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5))
def test_whatever_is_kept_comes_back(database: Database, bodies: list[bytes]) -> None:
    kept = [(keep(database, one), one) for one in bodies]
    assert [body(database, number) for number, _ in kept] == [one for _, one in kept]
    with database.reading() as session:
        assert snapshots.damaged(session) == []


# ------------------------------------------------------------------ what it costs


def test_one_new_row_costs_at_most_a_twentieth_of_the_page(database: Database) -> None:
    was = history_page(520)
    now = was.replace(b"<table>", b"<table>" + ROW.format(day=9, code="", text="Signed by the Governor").encode())
    assert 45_000 < len(was) < 60_000
    keep(database, was)
    second = stored(database, keep(database, now))
    assert second.base_id is not None
    assert len(second.body) <= 0.05 * len(now)


def test_thirty_versions_cost_thirty_small_deltas_on_whole_bodies(database: Database) -> None:
    """A delta never leans on another delta: the thirtieth is read as fast as the second."""
    page = history_page(600)
    numbers = [keep(database, page)]
    for version in range(29):
        page = page.replace(
            b"<table>", b"<table>" + ROW.format(day=1, code="PS", text=f"Act {version * 7919}").encode()
        )
        numbers.append(keep(database, page))
    rows = {number: stored(database, number) for number in numbers}
    bases = {row.base_id for row in rows.values() if row.base_id is not None}
    assert all(rows[base].base_id is None for base in bases)
    assert sum(len(row.body) for row in rows.values()) < 1.5 * len(page)
    assert body(database, numbers[-1]) == page
    assert all(snapshots.sha256(body(database, number)) == rows[number].sha256 for number in numbers)


def test_a_page_that_became_another_is_stored_whole_and_becomes_the_base(database: Database) -> None:
    keep(database, history_page(300, seed=1))
    new_look = history_page(300, seed=2)
    second = keep(database, new_look)
    third = keep(database, new_look + b"<!-- -->")
    assert stored(database, second).base_id is None
    assert stored(database, third).base_id == second


def test_a_failed_capture_is_nobodys_base(database: Database) -> None:
    whole = keep(database, history_page(300))
    keep(database, history_page(300, seed=2), verdict=Verdict.LAYOUT_CHANGED)
    assert stored(database, keep(database, history_page(300) + b"<!-- -->")).base_id == whole


def test_one_sources_bodies_never_lean_on_anothers(database: Database) -> None:
    keep(database, history_page(300))
    assert stored(database, keep(database, history_page(300), slug="two")).base_id is None


# ------------------------------------------------------------------ damage


def test_every_flipped_bit_is_found_whole_or_delta(database: Database) -> None:
    first = keep(database, history_page(4))
    second = keep(database, history_page(4).replace(b"<table>", b"<table><!-- one more -->"))
    assert stored(database, second).base_id == first
    for number in (first, second):
        sound = stored(database, number).body
        original = body(database, number)
        for at in range(len(sound)):
            bad = bytearray(sound)
            bad[at] ^= 1 << (at % 8)
            with database.transaction() as session:
                session.execute(update(Snapshot).where(Snapshot.id == number).values(body=bytes(bad)))
            with database.reading() as session:
                found = snapshots.damaged(session)
            # A few bits of a frame say nothing about its content.
            assert any(f"snapshot {number}" in one for one in found) or body(database, number) == original, at
        with database.transaction() as session:
            session.execute(update(Snapshot).where(Snapshot.id == number).values(body=sound))


def test_damage_is_said_with_the_snapshots_number(database: Database) -> None:
    number = keep(database, b"<p>as received</p>")
    with database.transaction() as session:
        session.execute(update(Snapshot).where(Snapshot.id == number).values(body=pack(b"<p>as altered!</p>", None)))
    with pytest.raises(DamagedError, match=f"snapshot {number} is damaged"):
        body(database, number)


def test_a_new_page_is_never_built_on_a_damaged_base(database: Database) -> None:
    first = keep(database, history_page(50))
    with database.transaction() as session:
        session.execute(update(Snapshot).where(Snapshot.id == first).values(body=b"rot"))
    second = keep(database, history_page(50) + b"<!-- -->")
    assert stored(database, second).base_id is None
    assert body(database, second) == history_page(50) + b"<!-- -->"


@pytest.mark.parametrize("channel", ["feed", "page"])
def test_a_damaged_baseline_stops_nothing_and_invents_nothing(tmp_path: Path, channel: str) -> None:
    """The ledger still knows which rows are known: the day's news is one change each, and the rest goes on."""
    channels = {"feed": channel == "feed", "page": channel == "page"}
    issues = [issue("stops", watch("2025 HB 7132", effect="some_progress"), watch("2025 HB 7250"))]
    with World(tmp_path, issues, day=date(2025, 3, 12), **channels) as world:
        world.check()
        with world.database.transaction() as session:
            session.execute(update(Snapshot).values(body=b"rot"))
        world.at(date(2025, 4, 30))
        report = world.check()
        expected = [
            row.on
            for key in ("HB07132", "HB07250")
            for row in world.replica.facts.bills[world.bill(key).key].rows
            if date(2025, 3, 12) < row.on <= date(2025, 4, 30)
        ]
        assert expected
        assert sorted(change["date"] for change in report.changes) == sorted(day.isoformat() for day in expected)
        assert (report.failed, report.blocked) == (0, 0)
        world.at(date(2025, 5, 1))
        world.check()  # and the next day compares with a sound one
        with world.database.reading() as session:
            damaged = {line.split()[1] for line in snapshots.damaged(session)}
            kept = set(map(str, session.scalars(select(Source.snapshot_id).where(Source.snapshot_id.is_not(None)))))
        assert kept.isdisjoint(damaged)


# ------------------------------------------------------------------ forgetting


def failures(database: Database, count: int, *, slug: str = "one", first: datetime = NOW) -> list[int]:
    return [
        keep(
            database,
            b"<p>down %d</p>" % number,
            slug=slug,
            verdict=Verdict.SOFT_ERROR,
            at=first + timedelta(hours=number),
        )
        for number in range(count)
    ]


def prune(database: Database, before: datetime) -> set[int]:
    """What is left."""
    with database.transaction() as session:
        count = len(list(session.scalars(select(Snapshot.id))))
        gone = snapshots.prune_failures(session, before)
        left = set(session.scalars(select(Snapshot.id)))
        assert count - len(left) == gone
        return left


def test_old_failures_go_but_each_sources_newest_stay(database: Database) -> None:
    good = keep(database, b"<p>good</p>", at=NOW - timedelta(days=900))
    old, others = failures(database, 6), failures(database, 2, slug="two")
    assert prune(database, NOW + timedelta(days=90)) == {good, *old[-3:], *others}


def test_young_failures_stay(database: Database) -> None:
    old, young = failures(database, 3), failures(database, 4, first=NOW + timedelta(days=30))
    assert prune(database, NOW + timedelta(days=1)) == set(young)
    assert not set(old) & set(young)


def test_what_anything_cites_is_never_forgotten(database: Database) -> None:
    cited = failures(database, 4)
    failures(database, 3, first=NOW + timedelta(days=1))
    with database.transaction() as session:
        source = session.scalars(select(Source).where(Source.slug == "one")).one()
        bill = Bill(session="2025", identifier="HB07132")
        session.add(bill)
        session.flush()
        source.snapshot_id = cited[0]
        session.add(
            ChangeRow(source_id=source.id, snapshot_id=cited[1], kind=ChangeKind.ACTION, quote="q", first_seen_at=NOW)
        )
        session.add(
            Action(
                bill_id=bill.id,
                position=0,
                date=NOW.date(),
                description="d",
                first_seen_at=NOW,
                source_id=source.id,
                snapshot_id=cited[2],
            )
        )
        sha = session.get_one(Snapshot, cited[3]).sha256
        proposal = Proposal(kind="review", state="rejected", subject="s", reason="r", created_at=NOW)
        proposal.evidence.append(Evidence(url="u", quote="q", first_seen_at=NOW, snapshot_sha256=sha))
        session.add(proposal)
    assert set(cited) <= prune(database, NOW + timedelta(days=90))
    with database.transaction() as session:
        session.execute(delete(Evidence))
        session.execute(delete(ChangeRow))
        session.execute(delete(Action))
        session.execute(update(Source).values(snapshot_id=None))
    assert not set(cited) & prune(database, NOW + timedelta(days=90))


def forget_accepted(database: Database, before: datetime) -> set[int]:
    """What is left."""
    with database.transaction() as session:
        snapshots.prune_accepted(session, before)
        return set(session.scalars(select(Snapshot.id)))


def test_old_accepted_pages_go_but_what_others_are_packed_against_goes_after_them(database: Database) -> None:
    page = history_page(40)
    base, delta = keep(database, page), keep(database, page + b"<!-- 1 -->", at=NOW + timedelta(days=1))
    assert stored(database, delta).base_id == base
    young = keep(database, b"<p>other</p>", slug="two", at=NOW + timedelta(days=9))
    bad = failures(database, 1)
    assert forget_accepted(database, NOW + timedelta(hours=1)) == {base, delta, young, *bad}
    assert forget_accepted(database, NOW + timedelta(days=2)) == {base, young, *bad}
    assert forget_accepted(database, NOW + timedelta(days=2)) == {young, *bad}


@pytest.mark.parametrize("by", ["source", "change", "action", "evidence"])
def test_an_accepted_page_that_anything_cites_stays(database: Database, by: str) -> None:
    cited, idle = keep(database, b"<p>cited</p>"), keep(database, b"<p>idle</p>", slug="two")
    with database.transaction() as session:
        source = session.scalars(select(Source).where(Source.slug == "one")).one()
        cite(session, by, source, session.get_one(Snapshot, cited))
    assert idle not in (left := forget_accepted(database, NOW + timedelta(days=90)))
    assert left == {cited}


def cite(session: Session, by: str, source: Source, snapshot: Snapshot) -> None:
    seen = {"source_id": source.id, "snapshot_id": snapshot.id, "first_seen_at": NOW}
    if by == "source":
        source.snapshot_id = snapshot.id
    elif by == "change":
        session.add(ChangeRow(kind=ChangeKind.ACTION, quote="q", **seen))
    elif by == "action":
        bill = Bill(session="2025", identifier="HB07132")
        session.add(bill)
        session.flush()
        session.add(Action(bill_id=bill.id, position=0, date=NOW.date(), description="d", **seen))
    else:
        proposal = Proposal(kind="review", state="rejected", subject="s", reason="r", created_at=NOW)
        proposal.evidence.append(Evidence(url="u", quote="q", first_seen_at=NOW, snapshot_sha256=snapshot.sha256))
        session.add(proposal)


@pytest.mark.parametrize(("kept", "left"), [("forever", 2), ("30d", 1)])
def test_config_says_how_long_accepted_pages_are_kept(tmp_path: Path, kept: str, left: int) -> None:
    """A second page that changed nothing worth a change: nothing cites it, and the first one is its base."""
    board = [issue("stops", watch("2025 HB 7132"))]
    with World(tmp_path, board, settings={"retention": {"snapshots": kept}}, synced=True) as world:
        with world.database.transaction() as session:
            source = session.scalars(select(Source).limit(1)).one()
            for at, text in enumerate((b"<p>one</p>", b"%PDF another")):
                page = Page(source.url, source.url, 200, {}, text, world.now + timedelta(hours=at))
                source.snapshot_id = snapshots.add(session, source, page, Verdict.OK).id
        world.now += timedelta(days=60)
        assert prune_all(world.context)["snapshots"] == 2 - left
        assert len(world.rows(Snapshot)) == left


def test_forgetting_leaves_everything_else_readable(database: Database) -> None:
    for number in range(5):
        keep(database, history_page(40) + b"<!-- %d -->" % number)
        failures(database, 2, first=NOW - timedelta(days=40 - number))
    prune(database, NOW)
    with database.reading() as session:
        assert snapshots.damaged(session) == []
        assert session.scalar(select(func.count()).where(Snapshot.verdict == Verdict.OK)) == 5
