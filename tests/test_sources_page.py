"""The desk's page of sources: who is in trouble, since when, and reading one now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pipeline import World, issue, watch
from web import csrf, desk, public

from monitor.store.schema import Host, Source
from monitor.store.schema_desk import Deed

TASK_FORCE = "/jud/taskforce.asp?TF=20200116_Police%20Transparency%20and%20Accountability%20Task%20Force"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    issues = [issue("stops", watch("2025 HB 7132", effect="some_progress"), watch(TASK_FORCE))]
    with World(tmp_path, issues, database_url=database_url) as world:
        world.at(date(2025, 6, 10)).check()
        yield world


def page(world: World, path: str = "/desk/sources", role: str = "maintainer") -> str:
    answer = desk(world, role).get(path)
    assert answer.status_code == 200
    return str(answer.text)


def change(world: World, slug_like: str, **values: object) -> int:
    with world.database.transaction() as session:
        (source,) = session.query(Source).filter(Source.slug.like(slug_like)).all()
        for name, value in values.items():
            setattr(source, name, value)
        return int(source.id)


def test_every_source_says_how_it_fares(world):
    text = page(world)
    assert "3 are read; all of them well." in text
    for expected in ("HB 7132 (2025)", "Bulk files", "bill_history.csv", "Documents", "Task Force"):
        assert expected in text
    assert "June 10, 2025, 12:00 p.m." in text
    assert re.search(r"1 request, [\d.]+ kB", text)


def test_the_failing_ones_come_first_with_since_when_and_why(world):
    since = world.now
    change(
        world,
        "document_list/%",
        failures=4,
        verdict="layout_changed",
        error="no list <b>here</b>",
        outage_since=since,
    )
    text = page(world)
    assert "1 cannot be read well now." in text
    assert text.index("Task Force") < text.index("HB 7132")
    assert "The page looks different</b>, 4 reads in a row, since" in text
    assert "no list &lt;b&gt;here&lt;/b&gt;" in text
    assert "Last read well: <time" in text


def test_a_host_in_trouble_stands_above_all(world):
    with world.database.transaction() as session:
        session.merge(Host(host="www.example.org", failures=3, last_error="refused", outage_since=world.now))
    assert re.search(r"www\.example\.org</h3>\s*<p class=\"bad\"><b>Cannot be reached</b> since", page(world))


def test_a_source_is_read_now_by_the_service(world):
    client = desk(world)
    source = world.page("HB07132")
    assert source.next_check_at > world.now
    answer = client.post(f"/desk/sources/{source.id}/read", data={"csrf_token": csrf(client, "/desk/sources")})
    assert answer.status_code == 303
    assert "is due now: the service reads it with its next pass" in client.get(answer.location).text
    assert [(one.who, one.about) for one in world.rows(Deed, Deed.what == "asked to read now")] == [
        ("Dana", source.slug)
    ]
    requests = source.requests
    world.later(seconds=30).check(everything=False)
    assert world.page("HB07132").requests == requests + 1
    assert "was read:" in client.get(answer.location).text


def test_asking_twice_is_asking_once(world):
    client = desk(world)
    path = f"/desk/sources/{world.page('HB07132').id}/read"
    token = csrf(client, "/desk/sources")
    for _ in range(2):
        assert client.post(path, data={"csrf_token": token}).status_code == 303
    assert len(world.rows(Deed, Deed.what == "asked to read now")) == 1


def test_a_service_that_stands_still_is_said(world):
    world.later(hours=2)
    client = desk(world)
    assert "No service has begun a pass for some minutes." in client.get("/desk/sources").text
    answer = client.post(
        f"/desk/sources/{world.page('HB07132').id}/read", data={"csrf_token": csrf(client, "/desk/sources")}
    )
    assert "systemctl start legislative-monitor" in client.get(answer.location).text


def test_a_source_that_is_no_longer_read_is_refused(world):
    number = change(world, "document_list/%", active=False)
    client = desk(world)
    token = csrf(client, "/desk/sources")
    for wanted in (number, 4711):
        answer = client.post(f"/desk/sources/{wanted}/read", data={"csrf_token": token})
        assert answer.status_code == 409
        assert "is not read any more" in answer.text
    assert world.rows(Deed, Deed.what == "asked to read now") == []


def test_a_viewer_looks_and_nobody_else_does(world):
    client = desk(world, "viewer")
    assert "Read now" not in client.get("/desk/sources").text
    path = f"/desk/sources/{world.page('HB07132').id}/read"
    assert client.post(path, data={"csrf_token": csrf(client, "/desk/sources")}).status_code == 403
    assert public(world).get("/desk/sources").location.startswith("/desk/sign-in")


def test_many_sources_are_paged_without_losing_one(world):
    with world.database.transaction() as session:
        session.add_all(
            Source(slug=f"many/{number:03d}", kind="feed", url=f"https://example.org/{number:03d}.xml")
            for number in range(150)
        )
    client, seen, path = desk(world), [], "/desk/sources"
    while path:
        text = client.get(path).text
        seen += re.findall(r"example\.org: (\d{3})\.xml</a>", text)
        following = re.search(r'href="([^"]+)">More sources', text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"{number:03d}" for number in range(150)]


def test_an_address_a_browser_must_not_follow_is_no_link(world):
    for url in ("javascript:alert(1)", "data:text/html,x", "ftp://example.org/x"):
        change(world, "document_list/%", url=url)
        assert f'href="{url}"' not in page(world)


def test_looking_changes_nothing(world):
    client = desk(world)
    before = world.rows(Source)
    client.get(f"/desk/sources/{before[0].id}/read")
    client.get("/desk/sources?asked=1&after=zzz")
    client.get("/desk/sources?asked=x")
    assert [one.next_check_at for one in world.rows(Source)] == [one.next_check_at for one in before]
    assert world.today == date(2025, 6, 10)
