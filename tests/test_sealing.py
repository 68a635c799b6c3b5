"""Webhooks at rest: sealed with a key that is not in the database, opened at sending alone, and shown nowhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.model.messaging import ChannelKind, DeliveryState
from monitor.notify.channels import mask_address
from monitor.store import hosts
from monitor.store.schema import Delivery, Notice, Subscription
from monitor.workflow import sealing
from monitor.workflow.doctor import examine
from monitor.workflow.sealing import NoKey, Sealer, sealer, settle, watch
from tests.pipeline import WEBHOOK_KEY, World
from tests.slack_sink import SlackSink
from tests.smtp_sink import SmtpSink
from tests.telling import publish, told, told_world

OTHER_KEY = "another-key-altogether-0123456789abcdefghij"
CANARY = "c4n4ryInTheMine"


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> Iterator[World]:
    with told_world(tmp_path, mail, slack) as world:
        yield world


@pytest.fixture
def both(tmp_path: Path, database_url: str, mail: SmtpSink, slack: SlackSink) -> Iterator[World]:
    with told_world(tmp_path, mail, slack, database_url=database_url) as world:
        yield world


def hook(slack: SlackSink) -> str:
    return f"{slack.base}T1/B1/{CANARY}"


def key(world: World, *keys: str) -> None:
    world.environ["MONITOR_WEBHOOK_KEY"] = "\n".join(keys)


def to_hooks(slack: SlackSink) -> int:
    return sum(CANARY in post.path for post in slack.posts)


def unsealed(world: World, address: str) -> None:
    """A row as it stood before webhooks were sealed."""
    world.subscribe(address, "slack")
    with world.database.transaction() as session:
        shown = session.query(Subscription).filter_by(address=mask_address(ChannelKind.SLACK, address))
        shown.update({"address": address, "sealed": None})


# --- keys -------------------------------------------------------------------------------------------------------------


def test_any_key_opens_and_the_first_seals() -> None:
    row = Subscription(channel="slack", address=mask_address(ChannelKind.SLACK, "https://x"))
    row.sealed = Sealer(["old"]).seal("https://x")
    assert Sealer(["new", "old"]).open(row) == "https://x"
    assert Sealer(["new"]).open(row) is None
    row.sealed = Sealer(["new", "old"]).seal("https://x")
    assert Sealer(["old"]).open(row) is None


def test_what_was_sealed_for_one_row_opens_for_no_other() -> None:
    row = Subscription(channel="slack", address=mask_address(ChannelKind.SLACK, "https://x"))
    row.sealed = Sealer(["key"]).seal("https://y")
    assert Sealer(["key"]).open(row) is None


def test_a_key_comes_from_the_environment_or_a_credential_and_is_not_short(tmp_path: Path) -> None:
    assert sealer({}) is None
    (tmp_path / "webhook_key").write_text(f"{WEBHOOK_KEY}\n")
    assert sealer({"CREDENTIALS_DIRECTORY": str(tmp_path)}) is not None
    with pytest.raises(NoKey, match="shorter than 32 characters") as refused:
        sealer({"MONITOR_WEBHOOK_KEY": f"{WEBHOOK_KEY} tooshort"})
    assert "tooshort" not in str(refused.value)


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_sealed_webhook_is_posted_to_and_one_that_cannot_be_opened_keeps_nobody_waiting(
    both: World, mail: SmtpSink, slack: SlackSink
) -> None:
    both.subscribe(hook(slack), "slack")
    both.subscribe("ann@example.org")
    publish(both)
    both.later(minutes=5)
    key(both, OTHER_KEY)
    report = both.deliver()
    assert (report.sent, to_hooks(slack), told(mail)) == (1, 0, ["ann@example.org"])
    [kept] = report.problems
    assert kept == "webhooks: MONITOR_WEBHOOK_KEY is not the key they were sealed with, so 1 is kept for them"
    del both.environ["MONITOR_WEBHOOK_KEY"]
    assert both.deliver().problems == ["webhooks: MONITOR_WEBHOOK_KEY is not set, so 1 is kept for them"]
    key(both, WEBHOOK_KEY)
    assert (both.deliver().sent, to_hooks(slack)) == (1, 1)
    assert {one.state for one in both.rows(Delivery) if one.subscription_id} == {DeliveryState.SENT}


def test_a_hundred_that_cannot_be_opened_are_in_nobodys_way(world: World, mail: SmtpSink, slack: SlackSink) -> None:
    for number in range(101):
        world.subscribe(f"{hook(slack)}{number}", "slack")
    key(world, OTHER_KEY)
    world.subscribe(f"{hook(slack)}Last", "slack")
    publish(world)
    report = world.later(minutes=5).deliver()
    assert (report.sent, to_hooks(slack)) == (1, 1)


def test_the_operators_are_told_once_and_once_more_when_it_is_over(both: World, slack: SlackSink) -> None:
    both.subscribe(hook(slack), "slack")
    watch(both.context)
    assert both.rows(Notice) == []
    del both.environ["MONITOR_WEBHOOK_KEY"]
    for _ in range(3):
        watch(both.context)
    [notice] = both.rows(Notice)
    assert notice.items[0]["heading"] == "1 webhook cannot be opened"
    assert "MONITOR_WEBHOOK_KEY is not set" in notice.items[0]["sentence"]
    [found] = [one for one in looked(both) if one.verdict == "bad" and "MONITOR_WEBHOOK_KEY is not set" in one.said]
    assert found.what == "webhooks", "said once, and not as a channel's trouble too"
    key(both, WEBHOOK_KEY)
    for _ in range(3):
        watch(both.context)
    assert [one.items[0]["heading"] for one in both.rows(Notice)][1:] == ["The webhooks can be opened again"]
    assert both.ask(hosts.channels) == {}


def looked(world: World) -> list:
    return examine(world.config_path, world.environ, world.now, offline=True)


def test_the_doctor_says_what_is_wrong_with_the_webhooks(world: World, slack: SlackSink) -> None:
    assert not [one for one in looked(world) if one.what == "webhooks"]
    world.subscribe(hook(slack), "slack")
    assert [(one.verdict, one.said) for one in looked(world) if one.what == "webhooks"] == [
        ("good", "all of 1 can be opened")
    ]
    key(world, OTHER_KEY)
    [found] = [one for one in looked(world) if one.what == "webhooks"]
    assert (found.verdict, "1 of 1 cannot be opened" in found.said) == ("bad", True)
    unsealed(world, f"{hook(slack)}2")
    assert "stand unsealed" in repr([one for one in looked(world) if one.what == "webhooks"])
    assert CANARY not in repr(looked(world))


# --- what stood there before ------------------------------------------------------------------------------------------


def test_a_row_from_before_is_told_as_ever_and_sealed_at_the_first_chance(both: World, slack: SlackSink) -> None:
    unsealed(both, hook(slack))
    publish(both)
    assert (both.later(minutes=5).deliver().sent, to_hooks(slack)) == (1, 1)
    assert settle(both.context) == 1
    [row] = both.rows(Subscription)
    assert row.address == mask_address(ChannelKind.SLACK, hook(slack))
    assert sealer(both.environ).open(row) == hook(slack)
    assert settle(both.context) == 0


def test_any_write_seals_what_stood_before_and_finds_it(world: World, slack: SlackSink) -> None:
    unsealed(world, hook(slack))
    world.subscribe(hook(slack), "slack", cadence="daily")
    [row] = world.rows(Subscription)
    assert (row.cadence, row.sealed is None) == ("daily", False)


def test_after_a_new_key_the_old_one_is_not_needed_any_more(world: World, slack: SlackSink) -> None:
    world.subscribe(hook(slack), "slack")
    key(world, OTHER_KEY, WEBHOOK_KEY)
    assert settle(world.context) == 1
    key(world, OTHER_KEY)
    publish(world)
    assert (world.later(minutes=5).deliver().sent, to_hooks(slack)) == (1, 1)


def test_a_key_that_does_not_fit_changes_nothing_at_the_start(world: World, slack: SlackSink) -> None:
    world.subscribe(hook(slack), "slack")
    before = world.rows(Subscription)[0].sealed
    for other in (OTHER_KEY, "short"):
        key(world, other)
        assert settle(world.context) == 0
    assert world.rows(Subscription)[0].sealed == before


# --- the canary -------------------------------------------------------------------------------------------------------


def test_no_webhook_stands_anywhere(
    both: World, slack: SlackSink, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every table, the file's bytes, logs and everything printed, after sending, failing and asking."""
    caplog.set_level(logging.DEBUG)
    unsealed(both, f"{hook(slack)}Old")
    settle(both.context)
    both.subscribe(hook(slack), "slack")
    both.subscribe(f"json://127.0.0.1:9/{CANARY}", "apprise")
    publish(both)
    slack.script(404, f"no_service {hook(slack)}", path=CANARY)
    report = both.later(minutes=5).deliver()
    assert report.dead >= 1
    printed = [repr(report), caplog.text, *capsys.readouterr()]
    for words in ("list --all", "list --all --json", "export -", "suppressed --json"):
        everything = ["--config", str(both.config_path), "subscribers", *words.split()]
        done = CliRunner().invoke(app, everything, env=both.environ)
        assert done.exit_code == 0, done.output
        printed += [done.output]
    assert CANARY not in "".join(printed)
    assert CANARY not in stored(both)
    if both.database.file is not None:
        both.database.close()
        for path in both.folder.glob("monitor.sqlite3*"):
            assert CANARY.encode() not in path.read_bytes(), path.name


def stored(world: World) -> str:
    """Every row of every table, as text."""
    from monitor.store.schema import Base

    with world.database.reading() as session:
        rows = [row for table in Base.metadata.tables.values() for row in session.execute(select(table))]
        assert session.scalar(text("SELECT count(*) FROM subscriptions")) == 3
    return repr(rows)


def test_the_masked_form_is_told_from_an_address() -> None:
    shown = mask_address(ChannelKind.SLACK, "https://hooks.slack.com/services/T/B/x")
    assert sealing.stored(ChannelKind.SLACK, shown) == shown
    assert sealing.stored(ChannelKind.SLACK, f"{shown}x") != f"{shown}x"
