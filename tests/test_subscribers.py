"""Who is told, on the command line: adding, looking, changing, stopping. No secret is shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.model.messaging import Cadence, ChannelKind, Choice, DeliveryState
from monitor.notify.channels import mask_address
from monitor.store.schema import Subscription
from monitor.store.schema_desk import Deed
from monitor.workflow.links import Purpose, links
from monitor.workflow.subscribe import Unsuitable, choose, wish
from monitor.workflow.trial import _refuse_private
from tests.pipeline import ORGANIZATION, World, issue
from tests.slack_sink import SlackSink
from tests.telling import leave, of, publish, told_world

HOOK = "https://hooks.slack.com/services/T0123456/B0123456/s3cr3tHook"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with told_world(tmp_path, None) as world:
        yield world


def monitor(world: World, *arguments: str, given: str | None = None) -> tuple[int, str, str]:
    everything = ["--config", str(world.config_path), "--now", world.now.isoformat(), "subscribers", *arguments]
    done = CliRunner().invoke(app, everything, input=given, env=world.environ)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def everyone(world: World) -> list[tuple[str, str, list[str], list[str], str]]:
    return [(one.channel, one.address, one.topics, one.issues, one.cadence) for one in world.rows(Subscription)]


# --- one by one -------------------------------------------------------------------------------------------------------


def test_an_address_is_added_changed_and_removed(world: World) -> None:
    added = monitor(world, "add", "Ann@Example.ORG", "--issue", "stops", "--topic", "topic", "--cadence", "weekly")
    assert added == (0, "A***@example.org is subscribed.\n", "")
    assert everyone(world) == [("email", "Ann@example.org", ["topic"], ["stops"], "weekly")]
    changed = monitor(world, "add", "Ann@example.org")
    assert changed == (0, "A***@example.org had a subscription; it is changed.\n", "")
    assert everyone(world) == [("email", "Ann@example.org", [], [], "immediate")]
    assert monitor(world, "remove", "Ann@example.org") == (0, "A***@example.org is told nothing more.\n", "")
    assert monitor(world, "list")[1].startswith("Nobody is subscribed")
    assert "left" in monitor(world, "list", "--all")[1]


def test_what_waits_leaves_when_the_address_now_wants_it(world: World) -> None:
    world.subscribe("ann@example.org", cadence="weekly")
    world.subscribe("bob@example.org")
    publish(world)
    monitor(world, "add", "ann@example.org", "--cadence", "immediate")
    monitor(world, "add", "bob@example.org", "--cadence", "weekly")
    assert world.later(minutes=5).deliver().sent == 1
    assert [one.state for one in of(world, "ann@example.org")] == ["sent"]


def test_whoever_comes_back_is_told_again(world: World) -> None:
    world.subscribe("ann@example.org")
    leave(world.context, "ann@example.org")
    with world.database.transaction() as session:
        session.query(Subscription).one().broken_at = world.now
    world.subscribe("ann@example.org", cadence="daily")
    (row,) = world.rows(Subscription)
    assert (row.live, row.broken_reason, row.cadence) == (True, "", "daily")


def test_leaving_twice_keeps_the_first_date(world: World) -> None:
    world.subscribe("ann@example.org")
    assert leave(world.context, "ann@example.org")
    first = world.rows(Subscription)[0].left_at
    world.now += timedelta(days=3)
    leave(world.context, "ann@example.org")
    assert world.rows(Subscription)[0].left_at == first


def test_leaving_cancels_what_waits(world: World) -> None:
    world.subscribe("ann@example.org", cadence="daily")
    world.subscribe("bob@example.org", cadence="daily")
    publish(world)
    leave(world.context, "ann@example.org")
    assert of(world, "ann@example.org")[0].state == DeliveryState.CANCELLED
    assert of(world, "bob@example.org")[0].state == DeliveryState.PENDING


@pytest.mark.parametrize(
    ("address", "channel", "said"),
    [
        ("ann", "email", "is not an email address"),
        ("ann@example", "email", "should look like name@example.org"),
        ("Ann <ann@example.org>", "email", "is not an email address"),
        ("ann@example.org\r\nBcc: x@example.net", "email", "is not an email address"),
        ("=?utf-8?q?a?=@example.org", "email", "is not an email address"),
        (
            "https://hooks.slack.com.evil.example/services/x",
            "slack",
            "it starts with https://hooks.slack.com/services/",
        ),
        ("syslog://localhost", "apprise", "acts on the machine the monitor runs on"),
        ("nonsense", "apprise", "does not understand"),
        ("ann@example.org", "fax", "there is no channel 'fax'; it is one of email, slack, apprise"),
        ("ann@example.org", "emial", "there is no channel 'emial'; did you mean email?"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_words(world: World, address: str, channel: str, said: str) -> None:
    code, out, err = monitor(world, "add", address, "--channel", channel)
    assert (code, out) == (1, "")
    assert said in err
    assert "Nothing was changed." in err
    assert everyone(world) == []


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_webhook_comes_by_standard_input_and_is_shown_masked(world: World) -> None:
    code, out, err = monitor(world, "add", "--channel", "slack", "-", given=f"{HOOK}\n")
    assert (code, err) == (0, "")
    assert everyone(world)[0][:2] == ("slack", mask_address(ChannelKind.SLACK, HOOK))
    listed = monitor(world, "list")[1] + monitor(world, "list", "--json")[1] + monitor(world, "list", "--all")[1]
    removed = monitor(world, "remove", "--channel", "slack", "-", given=HOOK)
    again = monitor(world, "remove", "-", given=HOOK.replace("s3cr3t", "s3cr3tToo"))
    assert (removed[0], again[0]) == (0, 1)
    shown = out + listed + repr(removed) + repr(again)
    assert "https://hooks.slack.com…" in shown
    assert "s3cr3t" not in shown


def test_a_webhook_is_named_by_what_the_list_shows(world: World) -> None:
    world.subscribe(HOOK, "slack")
    [row] = json.loads(monitor(world, "list", "--json")[1])
    assert monitor(world, "remove", row["address"])[0] == 0
    assert world.rows(Subscription)[0].left_at == world.now


def test_a_wrong_webhook_is_not_repeated_on_the_screen(world: World) -> None:
    code, out, err = monitor(world, "add", "--channel", "slack", "-", given="https://example.org/s3cr3tHook")
    assert (code, "s3cr3t" in out + err) == (1, False)


def test_nothing_on_standard_input(world: World) -> None:
    code, _, err = monitor(world, "add", "-", given="")
    assert code == 1
    assert err.strip()


# --- test messages ----------------------------------------------------------------------------------------------------


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


@pytest.fixture
def sending(tmp_path: Path, slack: SlackSink) -> Iterator[World]:
    """Slack is posted to, at the sink."""
    mail = {"host": "127.0.0.1", "port": 9, "security": "none", "from": "board@example.org"}
    with told_world(tmp_path, None, slack, settings={"mail": mail}) as world:
        yield world


def test_a_webhook_is_saved_only_after_its_provider_took_a_test_message(sending: World, slack: SlackSink) -> None:
    hook = f"{slack.base}T1/B1/s3cr3t"
    slack.script(404, "no_service", times=1)
    code, out, err = monitor(sending, "add", "--channel", "slack", "-", given=hook)
    assert (code, out) == (1, "")
    assert err == "Slack did not take the test message: Slack: 404 no_service. Nothing was changed.\n"
    assert everyone(sending) == []
    assert monitor(sending, "add", "--channel", "slack", "-", given=hook)[0] == 0
    assert slack.posts[1].json["text"].startswith("Test message from Example Police Reform Advocates.")
    assert len(everyone(sending)) == 1
    assert monitor(sending, "add", "--channel", "slack", "--no-test", "-", given=f"{hook}2")[0] == 0
    assert len(slack.posts) == 2


def test_without_a_key_nobody_is_asked_and_nothing_is_kept(sending: World, slack: SlackSink) -> None:
    del sending.environ["MONITOR_WEBHOOK_KEY"]
    for more in ((), ("--no-test",)):
        code, out, err = monitor(sending, "add", "--channel", "slack", "-", *more, given=f"{slack.base}T1/B1/s3cr3t")
        assert (code, out) == (1, "")
        assert "MONITOR_WEBHOOK_KEY is not set" in err
        assert "openssl rand -base64 32" in err
    assert (slack.posts, everyone(sending)) == ([], [])


def test_a_disabled_webhook_says_why_and_a_test_enables_it_again(sending: World, slack: SlackSink) -> None:
    hook = f"{slack.base}T1/B1/s3cr3t"
    sending.subscribe(hook, "slack")
    publish(sending)
    slack.script(410, "channel_is_archived", times=2)
    sending.later(minutes=5).deliver()
    [row] = json.loads(monitor(sending, "list", "--state", "unreachable", "--json")[1])
    assert row["reason"] == "Slack: 410 channel_is_archived"
    code, _, err = monitor(sending, "test", "-", given=hook)
    assert (code, "channel_is_archived" in err) == (1, True)
    assert not sending.rows(Subscription)[0].live
    assert monitor(sending, "test", row["address"])[0] == 0
    assert sending.rows(Subscription)[0].live
    assert [one.what for one in sending.rows(Deed)][-2:] == ["tested subscriber"] * 2


def test_what_waits_for_a_webhook_that_refuses_a_test_for_good_is_cancelled(sending: World, slack: SlackSink) -> None:
    hook = f"{slack.base}T1/B1/s3cr3t"
    sending.subscribe(hook, "slack", cadence="weekly")
    publish(sending)
    slack.script(410, "channel_is_archived", times=1)
    assert monitor(sending, "test", "-", given=hook)[0] == 1
    [waited] = [one for one in sending.deliveries() if one.subscription_id]
    assert (waited.state, waited.error) == ("cancelled", "the address refuses mail for good")


def test_an_address_of_our_own_network_is_not_asked(sending: World, slack: SlackSink) -> None:
    address = slack.base.replace("http://", "json://")
    code, _, err = monitor(sending, "add", "--channel", "apprise", address)
    assert (code, slack.posts) == (1, [])
    assert "127.0.0.1 is in a private network; if it is meant, name it under apprise_hosts" in err
    sending.configure([issue("stops"), issue("quotas")], apprise_hosts=["127.0.0.1"])
    assert monitor(sending, "add", "--channel", "apprise", address)[0] == 0
    assert slack.posts[0].json["title"].startswith("Test message from")


def test_a_host_of_our_own_network_is_named_in_any_case(sending: World) -> None:
    given = ["LocalHost", "my-server", "ntfy_1.Example.LAN", "[FD00::1]", "10.0.0.5"]
    sending.configure([issue("stops"), issue("quotas")], apprise_hosts=given)
    assert sending.config.apprise_hosts == ("localhost", "my-server", "ntfy_1.example.lan", "fd00::1", "10.0.0.5")
    context = sending.context
    _refuse_private(context.config, "json://LOCALHOST:9/x")
    _refuse_private(context.config, "json://[fd00::1]:9/x")


# --- looking and changing ---------------------------------------------------------------------------------------------


def test_a_whole_choice_is_given_shown_and_changed_bit_by_bit(world: World) -> None:
    choice = ["--issue", "stops", "--interest", "status", "--interest", "hearings", "--cadence", "weekly"]
    when = ["--hour", "17", "--weekday", "friday", "--zone", "America/Chicago"]
    monitor(world, "add", "ann@example.org", *choice, *when, "--consent", "asked at the fair")
    before = json.loads(monitor(world, "show", "ann@example.org", "--json")[1])
    asked = {"issues": ["stops"], "interests": ["status", "hearings"], "cadence": "weekly", "hour": 17}
    asked |= {"weekday": "friday", "zone": "America/Chicago", "consent": "asked at the fair", "state": "live"}
    assert asked.items() <= before.items()
    assert before["consented_on"] == world.today.isoformat()
    changed = json.loads(monitor(world, "change", "ann@example.org", "--hour", "0", "--json")[1])
    assert {**changed, "deliveries": []} == {**before, "hour": 0}
    back = json.loads(monitor(world, "change", "ann@example.org", "--everything", "--board-time", "--json")[1])
    assert (back["issues"], back["hour"], back["weekday"], back["zone"], back["cadence"]) == (
        [],
        None,
        None,
        None,
        "weekly",
    )
    assert monitor(world, "change", "ann@example.org", "--zone", "Mars/Base")[0] == 1


def test_the_last_messages_and_their_errors_are_shown(sending: World, slack: SlackSink) -> None:
    sending.subscribe(f"{slack.base}T1/B1/s3cr3t", "slack")
    publish(sending)
    slack.script(500, "oops")
    sending.later(minutes=5).deliver()
    [row] = json.loads(monitor(sending, "list", "--json")[1])
    [told] = json.loads(monitor(sending, "show", row["address"], "--json")[1])["deliveries"]
    assert (told["state"], told["code"], told["error"]) == ("pending", 500, "Slack: 500 oops")
    assert "Slack: 500 oops" in monitor(sending, "show", row["address"])[1]


def test_a_pause_begins_and_ends(world: World) -> None:
    world.subscribe("ann@example.org")
    until = (world.today + timedelta(days=30)).isoformat()
    assert monitor(world, "pause", "ann@example.org", "--until", until)[0] == 0
    assert json.loads(monitor(world, "list", "--state", "paused", "--json")[1])[0]["paused_until"] == until
    assert json.loads(monitor(world, "list", "--state", "live", "--json")[1]) == []
    assert monitor(world, "pause", "ann@example.org", "--until", "2020-01-01")[0] == 2
    assert monitor(world, "resume", "ann@example.org")[0] == 0
    assert world.rows(Subscription)[0].paused_until is None


def test_a_long_list_is_read_page_by_page(world: World) -> None:
    for number in range(5):
        world.subscribe(f"reader{number}@example.org")
    first = json.loads(monitor(world, "list", "--limit", "3", "--json")[1])
    rest = json.loads(monitor(world, "list", "--after", str(first[-1]["id"]), "--json")[1])
    assert [one["address"] for one in first + rest] == [f"reader{number}@example.org" for number in range(5)]


def test_a_link_opens_the_readers_own_page(world: World) -> None:
    world.subscribe("ann@example.org")
    code, _, err = monitor(world, "link", "ann@example.org")
    assert (code, "organization.board_url" in err) == (1, True)
    world.configure([issue("stops")], organization={**ORGANIZATION, "board_url": "https://board.example.org/"})
    url = monitor(world, "link", "ann@example.org")[1].strip()
    base, _, token = url.rpartition("/")
    assert base == "https://board.example.org/alerts"
    assert world.ask(lambda session: links(session).read(Purpose.MANAGE, token)) == world.rows(Subscription)[0].id


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_who_was_removed_is_not_written_to_until_added_by_name(world: World) -> None:
    world.subscribe("ann@example.org")
    assert monitor(world, "remove", "ann@example.org")[0] == 0
    [listed] = json.loads(monitor(world, "suppressed", "--json")[1])
    assert (listed["address"], listed["why"]) == ("a***@example.org", "left")
    assert monitor(world, "add", "ann@example.org")[0] == 0
    assert json.loads(monitor(world, "suppressed", "--json")[1]) == []
    assert world.rows(Subscription)[0].live


def test_who_was_deleted_leaves_nothing_but_a_fingerprint(world: World) -> None:
    world.subscribe("ann@example.org")
    publish(world)
    assert monitor(world, "delete", "ann@example.org")[0] == 0
    assert everyone(world) == []
    assert b"ann@example" not in dump(world)
    code, _, err = monitor(world, "add", "ann@example.org")
    assert (code, everyone(world)) == (1, [])
    assert "this address is not written to: deleted on" in err
    assert monitor(world, "lift", "ann@example.org")[0] == 0
    assert monitor(world, "add", "ann@example.org")[0] == 0


def test_an_address_is_suppressed_whether_it_is_subscribed_or_not(world: World) -> None:
    world.subscribe("ann@example.org")
    for name in ("ann", "bob"):
        assert (
            monitor(world, "suppress", f"{name}@example.org", "--why", "complained", "--detail", "by telephone")[0] == 0
        )
    assert not world.rows(Subscription)[0].live
    rows = json.loads(monitor(world, "suppressed", "--json")[1])
    assert sorted((one["address"], one["detail"]) for one in rows) == [
        ("a***@example.org", "by telephone"),
        ("b***@example.org", "by telephone"),
    ]
    assert monitor(world, "suppress", "ann@example.org", "--why", "annoying")[0] == 2
    assert monitor(world, "lift", "nobody@example.org")[0] == 1


def test_an_address_in_other_capitals_is_found_and_suppressed(world: World) -> None:
    world.subscribe("ann@example.org")
    assert monitor(world, "add", "Ann@example.org", "--cadence", "weekly")[0] == 0
    (ann,) = world.rows(Subscription)
    assert (ann.address, ann.cadence) == ("ann@example.org", "weekly")
    assert monitor(world, "suppress", "ANN@example.org", "--why", "complained")[0] == 0
    (ann,) = world.rows(Subscription)
    assert ann.left_at is not None
    assert monitor(world, "delete", "Ann@Example.org")[0] == 0
    assert world.rows(Subscription) == []


def test_every_deed_is_in_the_audit_log_and_no_address_is(world: World) -> None:
    until = (world.today + timedelta(days=9)).isoformat()
    monitor(world, "add", "ann@example.org")
    for words in ("change --hour 7", f"pause --until {until}", "resume", "remove", "add", "delete", "suppress", "lift"):
        name, *more = words.split()
        assert monitor(world, name, "ann@example.org", *more)[0] == 0
    deeds = [
        one for one in world.rows(Deed) if "subscri" in one.what or "address" in one.what or "suppression" in one.what
    ]
    assert [one.what for one in deeds] == [
        "added subscriber",
        "changed subscriber",
        "paused subscriber",
        "resumed subscriber",
        "removed subscriber",
        "changed subscriber",
        "deleted subscriber",
        "suppressed address",
        "lifted suppression",
    ]
    assert "example.org" not in repr([(one.about, one.detail) for one in deeds])


def dump(world: World) -> bytes:
    """The database's file, everything of it on disk."""
    world.database.close()
    return (world.folder / "monitor.sqlite3").read_bytes()


# --- wishes -----------------------------------------------------------------------------------------------------------


def test_a_wish_has_defaults_and_masks_itself(world: World) -> None:
    made = wish(world.config, "ann@example.org", "", Choice())
    assert (made.channel, made.choice.cadence, made.masked) == (
        ChannelKind.EMAIL,
        Cadence.IMMEDIATE,
        "a***@example.org",
    )
    with pytest.raises(Unsuitable, match="there is no topic 'stops'"):
        choose(world.config, topics=["stops"])


def test_the_process_list_shows_no_webhook(world: World) -> None:
    """Given as ``-``, the address stands in no argument of the process."""
    command = [sys.executable, "-m", "monitor", "--config", str(world.config_path), "subscribers", "add"]
    done = subprocess.run(
        [*command, "--channel", "slack", "-"],
        input=HOOK,
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, **world.environ},
    )
    assert "s3cr3t" not in repr(done.args) + done.stdout + done.stderr
    assert everyone(world)[0][1] == mask_address(ChannelKind.SLACK, HOOK)
