"""Editing issues and watches at the desk: shown as a change of config.yaml, exported, or written if it may be."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pipeline import World, issue, watch
from ruamel.yaml import YAML
from web import csrf, desk, public

from monitor.config import edit, load
from monitor.config.edit import add_watch, rename_issue
from monitor.config.load import loads
from monitor.store.database import Database
from monitor.store.schema import Issue, Source, Watch
from monitor.store.schema_desk import Deed
from monitor.workflow import tracked
from monitor.workflow.review import Refusal


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    issues = [issue("stops", watch("2025 HB 7132", effect="some_progress")), issue("quotas")]
    with World(tmp_path, issues, database_url=database_url) as world:
        world.config_path.write_text(_as_yaml(world.config_path))
        yield world


def _as_yaml(path: Path) -> str:
    """The same as people write it, with comments."""
    data = YAML(typ="safe", pure=True).load(path.read_text())
    out, yaml = StringIO(), YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(data, out)
    return "# Ours.\n" + out.getvalue() + "# The end.\n"


ADD = {
    "issue": "quotas",
    "kind": "bill",
    "source": "2025 HB 6907",
    "direction": "advances",
    "effect": "none",
    "terms": "",
}


def send(client: FlaskClient, what: str, **fields: str) -> Any:
    return client.post(f"/desk/board/{what}", data={"csrf_token": csrf(client, "/desk/board"), **fields})


def seen(text: str) -> str:
    found = re.search(r'name="seen" value="(\w+)"', text)
    assert found is not None, text
    return found[1]


def test_the_page_shows_what_config_tracks(world):
    text = desk(world).get("/desk/board").text
    for expected in ("The topic", "Stops", "HB 7132 (2025)", "Advances this issue", "Effect: Some Progress"):
        assert expected in text
    assert "Nothing is watched" in text


def test_a_change_is_shown_before_anything_is_written(world):
    before = world.config_path.read_text()
    answer = send(desk(world), "add-watch", **ADD)
    assert answer.status_code == 200
    assert "+ " in answer.text
    assert "{bill: 2025 HB 6907, effect: none}</ins>" in answer.text
    assert world.config_path.read_text() == before
    assert world.rows(Watch, Watch.issue_id == "quotas") == []
    assert world.rows(Deed, Deed.what == "changed config.yaml") == []


def test_the_new_file_can_be_taken_along(world, tmp_path):
    answer = send(desk(world), "add-watch", then="export", **ADD)
    assert answer.headers["Content-Disposition"] == "attachment; filename=config.yaml"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    path = tmp_path / "new.yaml"
    path.write_bytes(answer.data)
    assert {one.id for one in load(path, {}).watches()} == {"stops/2025-HB07132", "quotas/2025-HB06907"}
    assert "# Ours." in answer.text


def test_what_is_written_is_tracked_and_in_the_audit_log(world):
    client = desk(world)
    world.config_path.chmod(0o640)
    shown = send(client, "add-watch", **ADD).text
    answer = send(client, "add-watch", then="write", seen=seen(shown), **ADD)
    assert answer.location == "/desk/board?done=1"
    assert "Written to config.yaml, and tracked from now on" in client.get(answer.location).text
    assert "HB 6907 (2025)" in client.get("/desk/board").text
    text = world.config_path.read_text()
    assert text.startswith("# Ours.\n")
    assert text.endswith("# The end.\n")
    assert world.config_path.stat().st_mode & 0o777 == 0o640
    assert [one.id for one in world.rows(Watch, Watch.active)] == ["quotas/2025-HB06907", "stops/2025-HB07132"]
    assert world.page("HB06907").active
    (deed,) = world.rows(Deed, Deed.what == "changed config.yaml")
    assert (deed.who, deed.about) == ("Dana", "issue quotas")
    assert deed.detail["lines"][-1] == "+ - {bill: 2025 HB 6907, effect: none}"
    assert list(world.folder.glob(".config.yaml.*")) == []


def test_pressed_twice_it_is_written_once(world):
    client = desk(world)
    shown = seen(send(client, "add-watch", **ADD).text)
    assert send(client, "add-watch", then="write", seen=shown, **ADD).status_code == 303
    again = send(client, "add-watch", then="write", seen=shown, **ADD)
    assert again.status_code == 422
    assert "twice" in again.text
    assert len(world.rows(Deed, Deed.what == "changed config.yaml")) == 1


def test_a_file_that_changed_meanwhile_is_shown_again_first(world):
    client = desk(world)
    shown = seen(send(client, "add-watch", **ADD).text)
    world.config_path.write_text(world.config_path.read_text() + "# Lee was here.\n")
    answer = send(client, "add-watch", then="write", seen=shown, **ADD)
    assert answer.status_code == 409
    assert "config.yaml has changed since you looked" in answer.text
    assert "HB 6907" not in world.config_path.read_text()
    assert send(client, "add-watch", then="write", seen=seen(answer.text), **ADD).status_code == 303
    assert world.config_path.read_text().endswith("# Lee was here.\n")


def test_a_file_that_may_not_be_written_is_only_exported(world, monkeypatch):
    monkeypatch.setattr(tracked, "is_writable", lambda path: False)
    client = desk(world)
    before = world.config_path.read_text()
    shown = send(client, "add-watch", **ADD)
    assert "Write it" not in shown.text
    assert "monitor sync" in shown.text
    answer = send(client, "add-watch", then="write", seen=seen(shown.text), **ADD)
    assert answer.status_code == 409
    assert "may not be written" in answer.text
    assert world.config_path.read_text() == before


def test_a_file_that_cannot_be_replaced_leaves_all_as_it_was(world, monkeypatch):
    def refuse(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tracked, "_put_in_place", refuse)
    client = desk(world)
    answer = send(client, "add-watch", then="write", seen=seen(send(client, "add-watch", **ADD).text), **ADD)
    assert answer.status_code == 409
    assert "No space left on device" in answer.text
    assert world.rows(Watch, Watch.issue_id == "quotas") == []
    assert world.rows(Deed, Deed.what == "changed config.yaml") == []


def test_a_mistake_stands_at_its_field_and_what_was_typed_stays(world):
    answer = send(desk(world), "add-watch", **{**ADD, "source": "SB 7146 <x>", "terms": "a\nb", "effect": "achieved"})
    assert answer.status_code == 422
    assert "<title>Error: Add a watch" in answer.text
    assert 'value="SB 7146 &lt;x&gt;"' in answer.text
    assert '<a href="#source">' in answer.text
    assert 'value="achieved" checked' in answer.text
    assert ">\na\nb</textarea>" in answer.text


def test_the_way_back_to_the_form_keeps_what_was_typed(world):
    answer = send(desk(world), "add-issue", then="form", topic="topic", id="x", name="A & B", initial_status="achieved",
                  initial_narrative="Two <words>")  # fmt: skip
    assert 'value="A &amp; B"' in answer.text
    assert "Two &lt;words&gt;" in answer.text


NEW_ISSUE = {
    "topic": "topic",
    "id": "consent",
    "name": "Consent",
    "initial_status": "no_progress",
    "initial_narrative": "Nobody says when.",
}
WRITTEN: list[tuple[str, dict[str, str], Callable[[World], bool]]] = [
    (
        "change-watch",
        {"watch": "stops/2025-HB07132", "direction": "reverses", "effect": "none"},
        lambda world: world.rows(Watch, Watch.active)[0].direction == "reverses",
    ),
    (
        "remove-watch",
        {"watch": "stops/2025-HB07132"},
        lambda world: (
            not world.rows(Watch, Watch.active) and not world.rows(Source, Source.kind == "bill_page")[0].active
        ),
    ),
    ("add-issue", NEW_ISSUE, lambda world: world.issue("consent").narrative == "Nobody says when."),
    ("rename-issue", {"issue": "quotas", "name": "No quotas"}, lambda world: world.issue("quotas").name == "No quotas"),
]


@pytest.mark.parametrize(("what", "fields", "check"), WRITTEN, ids=[one[0] for one in WRITTEN])
def test_every_edit_can_be_written(world, what, fields, check):
    client = desk(world)
    form = client.get(f"/desk/board/{what}", query_string=fields)
    assert form.status_code == 200
    answer = send(client, what, then="write", seen=seen(send(client, what, **fields).text), **fields)
    assert answer.status_code == 303, html.unescape(answer.text)
    assert check(world)
    load(world.config_path, {})


def test_an_issue_that_was_decided_on_keeps_its_status_when_renamed(world):
    with world.database.transaction() as session:
        session.get_one(Issue, "quotas").status = "achieved"
    client = desk(world)
    fields = {"issue": "quotas", "name": "No quotas"}
    send(client, "rename-issue", then="write", seen=seen(send(client, "rename-issue", **fields).text), **fields)
    assert world.issue("quotas").status == "achieved"


def test_a_config_that_is_broken_on_disk_is_told_and_left(world):
    world.config_path.write_text("topics: [")
    client = desk(world)
    for answer in (client.get("/desk/board"), client.get("/desk/board/add-watch?issue=quotas")):
        assert answer.status_code == 409
        assert "cannot be read as it is now" in answer.text


def test_a_config_that_breaks_between_looking_and_writing_is_told_and_left(world):
    file = tracked.file_of(world.context)
    text = rename_issue(file, "quotas", "No quotas")
    world.config_path.write_text("topics: [")
    with pytest.raises(Refusal, match="cannot be read as it is now") as refused:
        tracked.write(world.context, file, text, tracked.mark(file.text), "Dana", "issue quotas", {})
    assert not isinstance(refused.value, tracked.Changed)
    assert world.config_path.read_text() == "topics: ["


def test_nothing_is_parsed_while_the_database_waits(world, monkeypatch):
    """A large board takes a tenth of a second to read: nobody else writes meanwhile."""
    done = []
    transaction = Database.transaction

    @contextmanager
    def noted(database):
        with transaction(database) as session:
            done.append("begin")
            yield session
            done.append("end")

    monkeypatch.setattr(Database, "transaction", noted)

    def counted(*given):
        done.append("load")
        return loads(*given)

    monkeypatch.setattr(edit, "loads", counted)
    file = tracked.file_of(world.context)
    text = add_watch(file, "quotas", "bill", "2025 HB 6907", "advances", "none")
    tracked.write(world.context, file, text, tracked.mark(file.text), "Dana", "issue quotas", {})
    assert done == ["load", "load", "load", "begin", "end"], "as it was, as edited, as written"


def test_a_viewer_sees_and_changes_nothing(world):
    client = desk(world, "viewer")
    text = client.get("/desk/board").text
    assert "HB 7132" in text
    assert "Add a watch" not in text
    assert client.get("/desk/board/add-watch?issue=quotas").status_code == 403
    assert send(client, "add-watch", then="write", seen="x", **ADD).status_code == 403
    assert public(world).get("/desk/board").location.startswith("/desk/sign-in")
    assert client.get("/desk/board/nothing").status_code in (403, 404)
