"""A reader's own page behind the signed link: change, pause, leave in one click, come back, be forgotten."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pipeline import ORGANIZATION, World, issue, watch
from sqlalchemy import select
from web import app, csrf, public

from monitor.store.schema import Base, Delivery, Subscription
from monitor.store.schema_subscribers import Suppression
from monitor.workflow import managing, unreachable
from monitor.workflow.links import Purpose, links
from monitor.workflow.sign_up import sign_up

ISSUES = [issue("stops", watch("2025 HB 7132", effect="achieved")), issue("cash", "2025 SB 1171")]
OPEN = {"organization": {**ORGANIZATION, "board_url": "https://board.example.org"}}
ANN = "ann@example.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ann is told everything at once; HB 7132 is signed and its proposal waits."""
    with World(tmp_path, ISSUES, settings=OPEN, day=date(2025, 6, 3)) as world:
        world.check()
        world.subscribe(ANN)
        app(world)  # makes the keys that sign
        world.at(date(2025, 6, 10)).check()
        yield world


def own(world: World, number: int | None = None) -> str:
    """The path of a subscription's page."""
    wanted = number if number is not None else ann(world).id
    return f"/alerts/{world.ask(lambda session: links(session).token(Purpose.MANAGE, wanted))}"


def ann(world: World) -> Subscription:
    [row] = world.rows(Subscription, Subscription.address == ANN)
    return row


def suppressed(world: World) -> list[Suppression]:
    return list(world.ask(lambda session: list(session.scalars(select(Suppression)))))


def send(world: World, page: str, _path: str = "", **data: Any) -> Any:
    client = public(world)
    return client.post(f"{page}{_path}", data={"csrf_token": csrf(client, page), **data})


def follow(world: World, answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    return unescape(public(world).get(answer.location).text)


def publish(world: World) -> None:
    """Everything that waits for a decision is approved; nothing is sent yet."""
    waiting = world.proposals(kind="status")
    assert waiting
    for one in waiting:
        world.approve(one.id)


CHOICE: dict[str, Any] = {"interests": ["status"], "about": "all", "cadence": "immediate"}


# ------------------------------------------------------------------ change and pause


def test_a_change_is_kept_and_what_waits_leaves_when_it_says(world: World) -> None:
    page = own(world)
    publish(world)
    changed: dict[str, Any] = {
        **CHOICE,
        "cadence": "weekly",
        "about": "some",
        "issues": ["stops"],
        "weekday": "friday",
        "hour": "9",
    }
    text = follow(world, send(world, page, **changed))
    assert "Your changes are kept." in text
    row = ann(world)
    assert (row.cadence, row.issues, row.weekday, row.hour) == ("weekly", ["stops"], 4, 9)
    assert world.later(hours=1).deliver().sent == 0
    world.later(days=8)
    assert world.deliver().sent == 1


def test_what_waits_leaves_at_once_for_who_wants_it_at_once(world: World) -> None:
    page = own(world)
    follow(world, send(world, page, **{**CHOICE, "cadence": "weekly"}))
    publish(world)
    assert world.later(minutes=5).deliver().sent == 0
    follow(world, send(world, page, **CHOICE))
    assert world.later(minutes=5).deliver().sent == 1


def test_a_mistake_in_a_change_changes_nothing(world: World) -> None:
    answer = send(world, own(world), **{**CHOICE, "interests": []})
    assert answer.status_code == 422
    assert "<title>Error: Your alerts" in answer.text
    assert '<a href="#interests">Choose at least one thing to be told of.</a>' in answer.text
    assert ann(world).interests == ["status"]


def test_counting_keeps_what_was_typed_and_changes_nothing(world: World) -> None:
    answer = send(world, own(world), **{**CHOICE, "cadence": "daily", "then": "count"})
    assert answer.status_code == 200
    assert 'value="daily" checked' in answer.text
    assert ann(world).cadence == "immediate"


def test_nothing_is_sent_in_a_pause_and_everything_after_it(world: World) -> None:
    page = own(world)
    text = follow(world, send(world, page, "/pause", until="2025-06-20"))
    assert "Paused until June 20, 2025." in text
    assert ann(world).paused_until == date(2025, 6, 20)
    text = follow(world, send(world, page, "/pause", then="again"))
    assert "Paused until" not in text
    assert ann(world).paused_until is None


def test_what_was_tried_before_a_pause_does_not_outlast_it(world: World) -> None:
    """Whatever is newer waits behind it."""
    publish(world)
    with world.database.transaction() as session:
        for one in session.query(Delivery).filter_by(subscription_id=ann(world).id):
            one.attempts, one.message_key = 1, one.id  # the mail server said: later
    managing.pause(world.context, ann(world).id, world.today + timedelta(days=90))
    world.later(hours=1)
    assert world.deliver().sent == 0
    managing.pause(world.context, ann(world).id, None)
    assert world.deliver().sent == 1


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("", "Give the day"),
        ("soon", "Give the day"),
        ("2025-06-10", "still to come"),
        ("2025-01-01", "still to come"),
        ("2026-06-12", "a year at most"),
    ],
)
def test_a_pause_ends_on_a_day_to_come(world: World, until: str, says: str) -> None:
    answer = send(world, own(world), "/pause", until=until)
    assert answer.status_code == 422
    assert says in answer.text
    assert 'href="#until"' in answer.text
    assert f'value="{until}"' in answer.text
    assert ann(world).paused_until is None


def test_the_day_is_the_readers_own(world: World) -> None:
    """At ten in the evening in Hartford it is tomorrow in Kiritimati."""
    page = own(world)
    follow(world, send(world, page, **CHOICE, zone="Pacific/Kiritimati"))
    world.at(date(2025, 6, 10), 22)
    assert send(world, page, "/pause", until="2025-06-11").status_code == 422
    assert send(world, page, "/pause", until="2025-06-12").status_code == 303


# ------------------------------------------------------------------ leave and come back


def test_leaving_takes_one_click_and_wins_over_what_waits(world: World) -> None:
    page = own(world)
    publish(world)
    client = public(world)
    asked = client.get(f"{page}/leave").text
    assert "Leave</button>" in asked
    assert ann(world).live
    done = client.post(f"{page}/leave")
    assert done.status_code == 200
    assert "You have left" in done.text
    assert "Nothing more will be sent." in done.text
    assert world.later(minutes=5).deliver().sent == 0
    assert not ann(world).live
    [kept] = suppressed(world)
    assert (kept.why, kept.shown) == ("left", "a***@example.org")


def test_one_click_of_a_mail_program_needs_nothing_and_may_be_repeated(world: World) -> None:
    """RFC 8058: no cookie, no token of a form, the same answer ten times."""
    page = own(world)
    answers, states = [], set()
    for _ in range(10):
        program = public(world)
        answers.append(program.post(f"{page}/leave", data={"List-Unsubscribe": "One-Click"}))
        states.add((ann(world).left_at, len(suppressed(world)), suppressed(world)[0].at))
        world.later(minutes=1)
    assert {one.status_code for one in answers} == {200}
    assert {re.sub(r'name="csrf_token" value="[^"]+"', "", one.text) for one in answers} == {
        re.sub(r'name="csrf_token" value="[^"]+"', "", answers[0].text)
    }
    assert len(states) == 1


def test_leaving_can_be_undone(world: World) -> None:
    page = own(world)
    public(world).post(f"{page}/leave")
    client = public(world)
    left = client.get(page).text
    assert "You have left" in left
    assert f'action="{page}/back"' in left
    text = follow(world, client.post(f"{page}/back", data={"csrf_token": csrf(client, page)}))
    assert "You are subscribed again." in text
    assert ann(world).live
    assert suppressed(world) == []
    publish(world)
    assert world.later(minutes=5).deliver().sent == 1


def test_undoing_leaving_leaves_an_address_that_refused_mail_alone(world: World) -> None:
    page = own(world)
    with world.database.transaction() as session:
        unreachable.break_off(session, session.get_one(Subscription, ann(world).id), "550 5.1.1", world.now)
    public(world).post(f"{page}/leave")
    assert send(world, page, "/back").status_code == 409
    assert ann(world).left_at is not None
    assert len(suppressed(world)) == 1, "else an import brings it back"


@pytest.mark.parametrize("why", ["bounced", "complained"])
def test_leaving_is_not_undone_where_another_reason_stands(world: World, why: str) -> None:
    from monitor.store import suppressions

    page = own(world)
    managing.leave(world.context, ann(world).id)
    with world.database.transaction() as session:
        suppressions.suppress(session, links(session), ANN, "a***@example.org", why, "", world.now)
    answer = send(world, page, "/back")
    assert answer.status_code == 409
    assert not ann(world).live
    assert suppressed(world)[0].why == why


def test_whoever_left_cannot_change_what_nobody_sends(world: World) -> None:
    page = own(world)
    client = public(world)
    token = csrf(client, page)
    client.post(f"{page}/leave")
    for path in ("", "/pause"):
        answer = client.post(f"{page}{path}", data={"csrf_token": token, **CHOICE, "cadence": "weekly"})
        assert "You have left" in answer.text
    assert ann(world).cadence == "immediate"


def test_whoever_cannot_be_reached_is_told_why(world: World) -> None:
    with world.database.transaction() as session:
        session.get_one(Subscription, ann(world).id).broken_at = world.now
    assert "Your address refused our mail" in public(world).get(own(world)).text


# ------------------------------------------------------------------ the data


def everything(world: World) -> str:
    with world.database.reading() as session:
        rows = (row for table in Base.metadata.sorted_tables for row in session.execute(select(table)))
        return "\n".join(map(repr, rows))


def test_the_export_holds_everything_we_know(world: World) -> None:
    publish(world)
    world.later(minutes=5).deliver()
    sign_up(world.context, ANN, world_choice(world), "192.0.2.7")
    answer = public(world).get(f"{own(world)}/export")
    assert answer.headers["Content-Disposition"] == "attachment; filename=my-alerts.json"
    held = json.loads(answer.text)
    assert held["subscription"]["address"] == ANN
    assert held["subscription"]["cadence"] == "immediate"
    [told] = held["messages"]
    assert (told["about"].partition(":")[0], told["state"]) == ("stops", "sent")
    assert [one["from"] for one in held["sign_ups"]] == ["192.0.2.7"]
    columns = {column.name for column in Subscription.__table__.columns}
    hidden = {"id", "sealed", "broken_reason"}
    assert columns - hidden <= set(held["subscription"])


def world_choice(world: World) -> Any:
    from monitor.store.subscriptions import choice_of

    return choice_of(ann(world))


def test_whoever_is_deleted_stands_nowhere(world: World) -> None:
    publish(world)
    world.later(minutes=5).deliver()
    sign_up(world.context, ANN, world_choice(world), "192.0.2.7")
    with world.database.transaction() as session:
        for row in session.scalars(select(Delivery)):
            row.error = f"550 {ANN} is full"
    page = own(world)
    sent = [one.id for one in world.deliveries(Delivery.state == "sent")]
    asked = public(world).get(f"{page}/delete").text
    assert "This cannot be undone." in asked
    assert ann(world).live
    answer = send(world, page, "/delete")
    assert "Your data is deleted" in answer.text
    assert "ann@" not in everything(world)
    assert "192.0.2.7" not in everything(world)
    assert [one.id for one in world.deliveries(Delivery.state == "sent")] == sent, "it was sent all the same"
    [kept] = suppressed(world)
    assert (kept.why, kept.shown) == ("deleted", "")
    client = public(world)
    assert client.get(page).status_code == 404
    for path in ("/leave", "/delete"):
        assert client.post(f"{page}{path}", data={"csrf_token": csrf(client, "/alerts")}).status_code == 200
    assert client.get(f"{page}/leave").status_code == 200
    assert world.deliver().sent == 0


def test_what_waits_for_whoever_is_deleted_is_not_sent(world: World) -> None:
    publish(world)
    send(world, own(world), "/delete")
    assert world.later(minutes=5).deliver().sent == 0
    assert {one.state for one in world.deliveries()} == {"cancelled"}


def test_the_link_of_whoever_was_deleted_opens_nobody_elses_page(world: World) -> None:
    """Ids are not given twice, even when the last row is gone."""
    page = own(world)
    send(world, page, "/delete")
    world.subscribe("bob@example.org")
    assert public(world).get(page).status_code == 404
    public(world).post(f"{page}/leave")
    [bob] = world.rows(Subscription)
    assert bob.live


# ------------------------------------------------------------------ who may


def test_every_form_but_leaving_wants_its_token(world: World) -> None:
    page = own(world)
    before = everything(world)
    for path in ("", "/pause", "/back", "/delete"):
        assert public(world).post(f"{page}{path}", data=CHOICE).status_code == 400, path
    assert everything(world) == before


def test_a_readers_link_never_stands_in_a_log(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when a page breaks, whose path the log names."""
    page = own(world)

    def broken(*_: Any) -> None:
        raise RuntimeError("something broke")

    monkeypatch.setattr(managing, "masked", broken)
    client = public(world)
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    with caplog.at_level(logging.DEBUG):
        assert client.get(page).status_code == 500
        assert client.get(f"{page[:-1]}0").status_code == 404
    said = capsys.readouterr()
    assert "something broke" in caplog.text
    for text in (caplog.text, said.out, said.err):
        assert page.removeprefix("/alerts/")[:40] not in text
    assert "[a signed link]" in caplog.text


def test_a_secret_address_is_shown_masked(world: World) -> None:
    world.subscribe("https://hooks.slack.com/services/T0/B0/abcdef", "slack")
    [row] = world.rows(Subscription, Subscription.channel == "slack")
    text = public(world).get(own(world, row.id)).text
    assert "abcdef" not in text
    assert "hooks.slack.com" in text


def test_a_page_of_a_reader_is_for_them_alone(world: World) -> None:
    page = own(world)
    for path in ("", "/leave", "/export", "/delete"):
        answer = public(world).get(f"{page}{path}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert page not in re.findall(r'<link rel="canonical" href="([^"]+)"', answer.text)
