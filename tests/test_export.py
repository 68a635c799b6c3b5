"""``monitor publish``: the same pages as files; and ``monitor serve``, which answers them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from pipeline import World, issue, watch
from readers import Elements, reader, seen
from sqlalchemy import select

from monitor.store.schema import Snapshot
from monitor.web import export as exporting
from monitor.web.export import MARK, export
from monitor.web.files import addresses, file_of, relative, relinked
from monitor.workflow.review import Refusal

LETTER = {"subject": "Stops in {town}", "body": "I live in {town}. {name}"}
ISSUES = [
    {**issue("stops", watch("2025 HB 7132", effect="achieved"), status="some_progress"), "letter": LETTER},
    issue("swat", narrative="No law requires it."),
]
BOARD = {"organization": {"name": "A", "contact": "a@example.net", "board_url": "https://board.example.net/x"}}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """HB 7132 signed and approved, so that a saved page is cited."""
    with World(tmp_path / "world", ISSUES) as world:
        world.at(date(2025, 3, 3)).check()
        world.at(date(2025, 6, 10), 6, 10).check()
        world.approve(next(iter(world.proposals(kind="status"))).id)
        yield world


# ------------------------------------------------------------------ addresses and files


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/", "index.html"),
        ("/?status=achieved", "status-achieved.html"),
        ("/issues/stops", "issues/stops.html"),
        ("/issues/stops/feed.atom", "issues/stops/feed.atom"),
        ("/issues/stops/share", "issues/stops/share.html"),
        ("/board.json", "board.json"),
        ("/static/site.css?v=12ab", "static/site.css"),
        ("/archive/12ab", "archive/12ab.txt"),
        ("/embed", "embed.html"),
    ],
)
def test_every_address_has_a_file(address, file):
    assert file_of(address) == file


@pytest.mark.parametrize(
    ("address", "at", "link"),
    [
        ("/", "/", "index.html"),
        ("/", "/issues/stops", "../index.html"),
        ("/#stops", "/issues/stops", "../index.html#stops"),
        ("/issues/swat", "/issues/stops", "swat.html"),
        ("/issues/swat", "/", "issues/swat.html"),
        ("/static/site.css?v=1", "/issues/stops/share", "../../static/site.css"),
        ("/issues/stops#move-1", "/changes", "issues/stops.html#move-1"),
    ],
)
def test_links_are_relative(address, at, link):
    assert relative(address, at) == link


def test_only_our_own_addresses_are_rewritten():
    page = '<a href="https://example.org/">x</a> href=&#34;/y&#34; <a href="#z">z</a> <a href="/a?b=1&amp;c=2#d">d</a>'
    assert relinked(page, "/") == page.replace("/a?b=1&amp;c=2#d", "a.html#d")
    assert addresses(page) == ["/a?b=1&c=2"]


# ------------------------------------------------------------------ the copy


def pages(folder: Path) -> dict[str, str]:
    found = sorted(folder.rglob("*.html"))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}


def test_every_link_of_the_copy_leads_to_a_file_or_to_another_site(world, tmp_path):
    out = tmp_path / "copy"
    copy = export(world.context, out)
    found = pages(out)
    expected = {"index.html", "status-achieved.html", "issues/stops.html", "issues/swat.html", "changes.html"}
    assert expected <= set(found)
    followed = 0
    for name, page in found.items():
        links = re.findall(r'\b(?:href|src)="([^"]*)"', page)
        for link in map(unescape, links):
            if link.startswith(("http://", "https://", "mailto:", "#")):
                continue
            assert not link.startswith("/"), (name, link)
            target, _, fragment = link.partition("#")
            file = (out / name).parent / target
            assert file.is_file(), (name, link)
            if fragment and file.suffix == ".html":
                assert f'id="{fragment}"' in file.read_text(encoding="utf-8"), (name, link)
            followed += 1
    assert followed > 50
    files = [path for path in out.rglob("*") if path.is_file() and path.name != MARK]
    assert (copy.files, copy.size) == (len(files), sum(path.stat().st_size for path in files))


def test_the_copy_has_feeds_embeds_and_the_saved_page(world, tmp_path):
    export(world.context, tmp_path / "copy")
    names = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")}
    assert {"board.json", "feed.atom", "hearings.ics", "embed.html", "embed/stops.html", "static/letter.js"} <= names
    [saved] = [name for name in names if name.startswith("archive/")]
    assert "SIGNED BY GOVERNOR" in (tmp_path / "copy" / saved).read_text()
    assert not any("desk" in name for name in names if not name.startswith("static/"))


def test_the_copy_says_that_it_is_one_and_until_when(world, tmp_path):
    export(world.context, tmp_path / "copy")
    page = (tmp_path / "copy" / "index.html").read_text()
    words = seen(page)
    assert "Copy made June 10, 2025, 6:10 a.m." in words
    assert re.search(r"Next check due June \d+, 2025, \d+:\d\d [ap]\.m\.", words)
    assert "Next check due" not in seen(reader(world).get("/").text)
    policies = [one for one in Elements(page).of("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policies[0]["content"]


def test_with_an_address_feeds_and_facts_name_the_files(tmp_path):
    with World(tmp_path / "world", ISSUES, settings=BOARD) as world:
        world.check()
        export(world.context, tmp_path / "copy")
    page = (tmp_path / "copy" / "issues" / "stops.html").read_text()
    assert '<link rel="canonical" href="https://board.example.net/x/issues/stops.html">' in page
    assert "https://board.example.net/x/issues/stops.html" in (tmp_path / "copy" / "board.json").read_text()
    assert "https://board.example.net/x/embed/stops.html" in (tmp_path / "copy/issues/stops/share.html").read_text()


def test_without_an_address_nothing_names_this_machine(world, tmp_path):
    export(world.context, tmp_path / "copy")
    site = world.replica.base_url
    for path in (tmp_path / "copy").rglob("*"):
        if path.is_file() and "archive" not in path.parts:
            assert "localhost" not in path.read_text(encoding="utf-8").replace(site, ""), path
    board = json.loads((tmp_path / "copy" / "board.json").read_text())
    assert board["topics"][0]["issues"][0]["url"] == "issues/stops.html"


def test_readers_of_another_user_may_read_it(world, tmp_path):
    before = os.umask(0o077)
    try:
        export(world.context, tmp_path / "copy")
    finally:
        os.umask(before)
    for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


# ------------------------------------------------------------------ replacing


def test_a_second_copy_takes_the_first_ones_place_and_leaves_nothing_behind(world, tmp_path):
    out = tmp_path / "site" / "copy"
    export(world.context, out)
    (out / "old.html").write_text("from before")
    export(world.context, out)
    assert not (out / "old.html").exists()
    assert [path.name for path in out.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_somebody_reading_meanwhile_never_finds_half_a_copy(world, tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(exporting, "_exchanged", lambda *folders: False)
    out = tmp_path / "copy"
    export(world.context, out)
    misses, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            if not (out / "index.html").exists():
                misses.append(time.monotonic())

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(3):
        export(world.context, out)
    stop.set()
    thread.join()
    assert (out / "index.html").exists()
    assert not can_exchange or not misses


def test_a_folder_of_somebody_else_is_refused(world, tmp_path):
    out = tmp_path / "home"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(Refusal, match="name another"):
        export(world.context, out)
    assert (out / "thesis.txt").read_text() == "years of work"
    (tmp_path / "link").symlink_to(out)
    with pytest.raises(Refusal, match="not a folder"):
        export(world.context, tmp_path / "link")


def test_an_empty_folder_is_taken(world, tmp_path):
    (tmp_path / "empty").mkdir()
    export(world.context, tmp_path / "empty")
    assert (tmp_path / "empty" / "index.html").exists()


def test_a_page_that_cannot_be_made_leaves_the_old_copy(world, tmp_path, monkeypatch):
    out = tmp_path / "copy"
    export(world.context, out)
    monkeypatch.setattr(exporting, "_SEEDS", ("/", "/nothing"))
    (out / "index.html").write_text("the old one")
    with pytest.raises(Refusal, match="the page /nothing cannot be made"):
        export(world.context, out)
    assert (out / "index.html").read_text() == "the old one"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_saved_page_stops_no_copy_and_is_named(world, tmp_path):
    out = tmp_path / "copy"
    export(world.context, out)
    [saved] = [path.relative_to(out) for path in out.rglob("archive/*")]
    with world.database.transaction() as session:
        for row in session.scalars(select(Snapshot)):
            row.body = b"broken"
    done = world.monitor("publish", "--out", str(out), "--json")
    assert json.loads(done.stdout)["lost"] == [f"/{saved.with_suffix('').as_posix()}"]
    assert f"/{saved.with_suffix('').as_posix()} is not kept whole" in done.stderr
    assert "no longer kept whole" in (out / saved).read_text(encoding="utf-8")
    assert "Legislation Achieved" in (out / "index.html").read_text(encoding="utf-8")


# ------------------------------------------------------------------ the commands


def test_publish_says_what_it_wrote(world, tmp_path):
    out = tmp_path / "copy"
    done = json.loads(world.monitor("publish", "--out", str(out), "--json").stdout)
    assert done["out"] == str(out)
    assert done["files"] == sum(path.is_file() for path in out.rglob("*")) - 1
    assert done["bytes"] > 10_000
    again = world.monitor("publish", "--out", str(out))
    assert re.match(r"\d+ files, \d+ kB, in ", again.stdout)
    refused = world.monitor("publish", "--out", str(world.folder), code=1)
    assert "name another" in refused.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _started(world: World, port: int) -> subprocess.Popen[str]:
    command = world.command("serve", "--listen", f"127.0.0.1:{port}")
    process = subprocess.Popen(command, env=world.command_environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert f"http://127.0.0.1:{port}/" in process.stderr.readline()
    return process


def test_serve_answers_and_leaves_when_told(world):
    port = _free_port()
    process = _started(world, port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert "Legislation Achieved" in answer.read().decode()
            assert "Server" not in answer.headers
        other = world.process("serve", "--listen", f"127.0.0.1:{port}", code=1)
        assert f"cannot listen on 127.0.0.1:{port}" in other.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stderr.close()  # type: ignore[union-attr]


@pytest.mark.parametrize(("proxies", "scheme"), [(0, "http"), (1, "https")])
def test_what_a_web_server_in_front_says_counts_only_if_config_knows_of_it(tmp_path, proxies, scheme):
    with World(tmp_path, ISSUES, settings={"web": {"proxies": proxies}}) as world:
        port = _free_port()
        process = _started(world, port)
        try:
            headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)
            with urllib.request.urlopen(request) as answer:
                page = answer.read().decode()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            process.stderr.close()  # type: ignore[union-attr]
    assert f'<link rel="canonical" href="{scheme}://127.0.0.1' in page


@pytest.mark.parametrize(
    ("board_url", "proxies", "warned"),
    [("https://board.example.net/", 0, True), ("https://board.example.net/", 1, False), (None, 0, False)],
)
def test_serve_warns_when_config_does_not_know_of_the_web_server_in_front(tmp_path, board_url, proxies, warned):
    organization = {**BOARD["organization"], "board_url": board_url}
    with World(tmp_path, ISSUES, settings={"web": {"proxies": proxies}, "organization": organization}) as world:
        taken = socket.create_server(("127.0.0.1", 0))
        with taken:
            said = world.process("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", code=1).stderr
    assert ("web.proxies is 0" in said) is warned
    assert "cannot listen on" in said
