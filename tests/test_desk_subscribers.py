"""Subscribers at the desk: looking, adding a channel after a test message, changing, ending, taking along."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.model.messaging import ChannelKind
from monitor.notify.channels import mask_address
from monitor.store.schema import Subscription
from monitor.store.schema_desk import Deed
from monitor.store.schema_subscribers import SignUp, Suppression
from monitor.workflow.sealing import sealer
from tests.pipeline import World
from tests.slack_sink import SlackSink
from tests.smtp_sink import SmtpSink
from tests.telling import publish, told_world
from tests.web import csrf, desk

MAIL = {"host": "127.0.0.1", "port": 9, "security": "none", "from": "board@example.org"}
CHOICE = {"interests": ["status", "hearings"], "about": "some", "issues": ["stops"], "cadence": "daily", "hour": "7"}


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, slack: SlackSink) -> Iterator[World]:
    with told_world(tmp_path, None, slack, settings={"mail": MAIL}) as world:
        yield world


@pytest.fixture
def both(tmp_path: Path, database_url: str, slack: SlackSink) -> Iterator[World]:
    with told_world(tmp_path, None, slack, database_url=database_url, settings={"mail": MAIL}) as world:
        yield world


def post(client: Any, path: str, **fields: Any) -> Any:
    return client.post(path, data={"csrf_token": csrf(client, "/desk/subscribers"), **fields})


def added(client: Any, hook: str, **more: Any) -> Any:
    return post(
        client, "/desk/subscribers/add", channel="slack", webhook=hook, name="the #police channel", **CHOICE, **more
    )


def hook(slack: SlackSink) -> str:
    return f"{slack.base}T1/B1/s3cr3t"


def the_row(world: World) -> Subscription:
    [row] = world.rows(Subscription)
    assert isinstance(row, Subscription)
    return row


def test_a_webhook_is_saved_once_its_service_took_a_test_message(world: World, slack: SlackSink) -> None:
    client = desk(world)
    slack.script(404, "no_service", times=1)
    refused = added(client, hook(slack))
    assert refused.status_code == 422
    assert "Slack did not take the test message: Slack: 404 no_service." in refused.text
    assert 'value="the #police channel"' in refused.text, "what was typed is kept"
    assert "s3cr3t" not in refused.text, "but the secret is not"
    assert world.rows(Subscription) == []
    done = added(client, hook(slack))
    assert done.status_code == 303
    row = the_row(world)
    assert sealer(world.environ).open(row) == hook(slack)
    assert (row.issues, row.interests, row.cadence, row.hour) == (["stops"], ["status", "hearings"], "daily", 7)
    assert row.consent == "the #police channel, added by Dana"
    page = client.get(done.location).text
    assert "The service took the test message. It is subscribed." in page
    assert mask_address(ChannelKind.SLACK, hook(slack)) in page
    assert "s3cr3t" not in page + client.get("/desk/subscribers").text + client.get("/desk/audit").text


def test_a_webhook_needs_no_key_of_mails(tmp_path: Path, slack: SlackSink) -> None:
    """The unit of the pages has only the key to webhooks."""
    signed = {**MAIL, "dkim": {"selector": "m1"}}
    with told_world(tmp_path, None, slack, settings={"mail": signed}) as world:
        client = desk(world)
        assert added(client, hook(slack)).status_code == 303
        assert post(client, f"/desk/subscribers/{the_row(world).id}/test").status_code == 303
    assert len(slack.posts) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"webhook": "https://example.org/s3cr3t"}, "A Slack address is an incoming webhook"),
        ({"channel": "email", "webhook": "ann@example.org"}, "Choose Slack or another service."),
        ({"channel": "apprise", "webhook": "json://127.0.0.1:9/s3cr3t"}, "127.0.0.1 is in a private network"),
        ({"channel": "apprise", "webhook": "json:////127.0.0.1:9/s3cr3t"}, "127.0.0.1 is in a private network"),
        ({"channel": "apprise", "webhook": "mailto://a:s3cr3t@gmail.com?smtp=10.0.0.5"}, "10.0.0.5 is in a private"),
        ({"interests": []}, "Choose at least one thing to be told of."),
        ({"issues": ["stosp"]}, "did you mean stops?"),
    ],
)
def test_a_mistake_is_told_at_its_field_and_nobody_is_asked(
    world: World, slack: SlackSink, fields: dict[str, Any], said: str
) -> None:
    client = desk(world)
    sent = {"channel": "slack", "webhook": hook(slack), **CHOICE, **fields}
    answer = post(client, "/desk/subscribers/add", **sent)
    assert answer.status_code == 422
    assert said in answer.text.replace("&#39;", "'")
    assert "<title>Error: " in answer.text
    assert "s3cr3t" not in answer.text
    assert (world.rows(Subscription), slack.posts) == ([], [])


def test_without_a_key_the_page_says_how_to_make_one(world: World, slack: SlackSink) -> None:
    del world.environ["MONITOR_WEBHOOK_KEY"]
    answer = added(desk(world), hook(slack))
    assert (answer.status_code, slack.posts) == (409, [])
    assert "openssl rand -base64 32" in answer.text


def test_a_form_that_was_open_too_long_does_not_show_the_webhook(world: World, slack: SlackSink) -> None:
    client = desk(world)
    sent = {"channel": "slack", "webhook": hook(slack), "csrf_token": "stale"}
    answer = client.post("/desk/subscribers/add", data=sent, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 400
    assert "Your form was open too long" in answer.text
    assert "s3cr3t" not in answer.text


def test_a_disabled_webhook_says_why_and_is_tested_and_enabled_again(world: World, slack: SlackSink) -> None:
    world.subscribe(hook(slack), "slack")
    publish(world)
    slack.script(410, "channel_is_archived", times=2)
    world.later(minutes=5).deliver()
    client, path = desk(world), f"/desk/subscribers/{the_row(world).id}"
    page = client.get(path).text
    assert "Slack: 410 channel_is_archived" in page
    assert "Send a test and enable again" in page
    assert "Slack: 410 channel_is_archived" in client.get("/desk/subscribers?state=unreachable").text
    again = post(client, f"{path}/test")
    assert (again.status_code, "Slack did not take the test message" in again.text) == (409, True)
    assert post(client, f"{path}/test").status_code == 303
    assert the_row(world).live


def test_a_choice_is_changed_paused_resumed_and_ended(world: World) -> None:
    world.subscribe("ann@example.org")
    client, path = desk(world), f"/desk/subscribers/{the_row(world).id}"
    assert post(client, f"{path}/change", **CHOICE).status_code == 303
    assert (the_row(world).issues, the_row(world).hour) == (["stops"], 7)
    wrong = post(client, f"{path}/change", **{**CHOICE, "zone": "Mars/Base"})
    assert (wrong.status_code, "there is no time zone" in wrong.text.lower()) == (422, True)
    until = world.today + timedelta(days=10)
    assert post(client, f"{path}/pause", until=until.isoformat()).status_code == 303
    assert the_row(world).paused_until == until
    assert "Nothing is sent before" in client.get(path).text
    for day in ("", "soon", world.today.isoformat(), (world.today + timedelta(days=999)).isoformat()):
        assert post(client, f"{path}/pause", until=day).status_code == 422
    assert post(client, f"{path}/pause", then="again").status_code == 303
    assert the_row(world).paused_until is None
    assert post(client, f"{path}/remove").status_code == 303
    assert the_row(world).left_at == world.now
    assert post(client, f"{path}/delete").status_code == 303
    assert world.rows(Subscription) == []
    assert client.get(path).status_code == 404
    deeds = [one.what for one in world.rows(Deed) if one.who == "Dana" and "subscriber" in one.what]
    assert deeds == [f"{what} subscriber" for what in ("changed", "paused", "resumed", "removed", "deleted")]


def test_the_list_counts_finds_and_goes_on(both: World) -> None:
    for number in range(60):
        both.subscribe(f"reader{number}@example.org")
    with both.database.transaction() as session:
        session.add(SignUp(address="x@example.org", choice={}, ip="", created_at=both.now))
        session.get_one(Subscription, 1).left_at = both.now
        session.get_one(Subscription, 2).broken_at = both.now
        session.get_one(Subscription, 3).paused_until = both.today + timedelta(days=2)
    client = desk(both)
    page = client.get("/desk/subscribers").text
    counts = re.findall(r"<dt>(?:<a[^>]*>)?([^<]+)(?:</a>)?</dt><dd>([\d,]+)</dd>", page)
    assert counts == [("Told", "57"), ("Paused", "1"), ("Unreachable", "1"), ("Left", "1"), ("Not confirmed yet", "1")]
    [after] = set(re.findall(r"after=(\d+)", page))
    rest = client.get(f"/desk/subscribers?after={after}").text
    assert page.count("@example.org</a>") + rest.count("@example.org</a>") == 60
    for spelled in ("reader7@EXAMPLE.org", "Reader7@EXAMPLE.org "):
        found = client.get(f"/desk/subscribers?address={spelled}").text
        assert found.count("@example.org</a>") == 1, "however it is spelled it is one mailbox"
    assert "Nobody is subscribed by this address." in client.get("/desk/subscribers?address=x@example.net").text
    assert client.get("/desk/subscribers?state=paused").text.count("@example.org</a>") == 1


def test_a_viewer_sees_neither_addresses_nor_buttons_and_may_do_nothing(world: World) -> None:
    world.subscribe("ann@example.org")
    client, number = desk(world, "viewer"), the_row(world).id
    for path in ("/desk/subscribers", f"/desk/subscribers/{number}", "/desk/subscribers/suppressed"):
        page = client.get(path).text
        assert "ann@example.org" not in page
        assert 'method="post"' not in page.partition("<main")[2]
    assert client.get("/desk/subscribers/add").status_code == 403
    for path in ("add", f"{number}/change", f"{number}/pause", f"{number}/test", f"{number}/remove"):
        assert post(client, f"/desk/subscribers/{path}").status_code == 403
    for path in (f"{number}/delete", "export", "suppressed"):
        assert post(client, f"/desk/subscribers/{path}").status_code == 403
    assert the_row(world).live


def test_a_viewer_sees_no_address_in_what_a_mail_server_said(tmp_path: Path) -> None:
    with SmtpSink() as mail, told_world(tmp_path, mail) as world:
        world.subscribe("ann@example.org")
        publish(world)
        mail.script("RCPT", "550 5.1.1 <Ann@Example.org>: no such user")
        world.later(minutes=5).deliver()
        client, number = desk(world, "viewer"), the_row(world).id
        paths = ("", f"/{number}", "?state=unreachable", "/suppressed")
        pages = {path: client.get(f"/desk/subscribers{path}").text for path in paths}
        pages["today"] = client.get("/desk/today").text
    for path, page in pages.items():
        assert "ann@example.org" not in page.lower(), path
        assert "no such user" in page, path


def test_late_in_the_evening_it_is_still_today_in_connecticut(world: World) -> None:
    world.at(date(2025, 6, 10), 23, 30)
    world.subscribe("ann@example.org")
    client = desk(world)
    post(client, "/desk/subscribers/suppressed", email="bob@example.org", why="left")
    one = f"/desk/subscribers/{the_row(world).id}"
    for path, said in (
        ("/desk/subscribers", "since June 10, 2025"),
        (one, "Subscribed since June 10, 2025."),
        ("/desk/subscribers/suppressed", "It left, June 10, 2025"),
    ):
        assert said in client.get(path).text, path


def test_an_export_is_a_file_with_webhooks_masked(world: World, slack: SlackSink) -> None:
    world.subscribe("ann@example.org")
    world.subscribe(hook(slack), "slack")
    answer = post(desk(world), "/desk/subscribers/export")
    assert answer.headers["Content-Disposition"] == "attachment; filename=subscribers.csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["address"] for row in rows] == ["ann@example.org", mask_address(ChannelKind.SLACK, hook(slack))]
    assert world.rows(Deed)[-1].what == "exported subscribers"


def test_an_address_is_put_on_the_list_and_taken_off_it(both: World) -> None:
    both.subscribe("ann@example.org")
    client, path = desk(both), "/desk/subscribers/suppressed"
    assert post(client, path, email="ann@example.org", why="complained").status_code == 303
    assert not the_row(both).live
    page = client.get(path).text
    assert "a***@example.org" in page
    assert "Its reader complained, " in page
    assert "ann@example" not in page
    assert post(client, path, email="nobody@example.org", then="lift").status_code == 422
    assert post(client, path, email="nonsense").status_code == 422
    assert post(client, path, email="ann@example.org", then="lift").status_code == 303
    with both.database.reading() as session:
        assert session.query(Suppression).count() == 0


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"email": "ann at example.org"}, "email", "is not an email address"),
        ({"email": "ann@example.org", "then": "lift"}, "email", "This address is not on the list."),
        ({"email": "ann@example.org", "why": "whim"}, "why", "Choose one of these reasons."),
    ],
)
def test_what_was_typed_for_the_list_is_kept_after_a_mistake(
    world: World, fields: dict[str, str], field: str, said: str
) -> None:
    answer = post(desk(world), "/desk/subscribers/suppressed", **{"why": "bounced", **fields})
    assert answer.status_code == 422
    assert f'name="email" value="{fields["email"]}"' in answer.text
    assert ('<option value="bounced" selected>' in answer.text) is ("why" not in fields)
    assert re.search(rf'<a href="#{field}">[^<]*{said}', answer.text)
    assert re.search(rf'<p class="wrong" id="wrong-{field}">[^<]*{said}', answer.text)


def test_the_list_of_those_nobody_writes_to_goes_on(both: World) -> None:
    with both.database.transaction() as session:
        for number in range(60):
            at = both.now + timedelta(hours=number // 2)
            session.add(Suppression(fingerprint=f"{number:064x}", shown=f"r{number}***", why="left", at=at, detail=""))
    client = desk(both)
    page = client.get("/desk/subscribers/suppressed").text
    older = client.get(re.findall(r'href="([^"]*before=[^"]*)"', page)[0].replace("&amp;", "&")).text
    seen = re.findall(r"r(\d+)\*\*\*", page + older)
    assert sorted(map(int, seen)) == list(range(60))
    assert client.get("/desk/subscribers/suppressed?before=nonsense").status_code == 200
