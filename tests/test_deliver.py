"""The outbox against a real mail server and a real HTTP server, both misbehaving as scripted."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from sqlalchemy import update

from monitor.model.messaging import Cadence, ChannelKind, Choice, DeliveryState, Item
from monitor.notify.render import render
from monitor.store import outbox
from monitor.store.database import Database
from monitor.store.schema import Delivery, Subscription
from monitor.workflow import channels, parcels
from monitor.workflow.deliver import deliver
from monitor.workflow.notices import tell_operators
from monitor.workflow.parcels import Packer
from monitor.workflow.subscribe import subscribe, wish
from monitor.workflow.undo import GRACE
from tests.pipeline import World
from tests.slack_sink import SlackSink
from tests.smtp_sink import DROP, DROP_TAKEN, HANG, RawServer, SmtpSink
from tests.telling import ALEX, leave, of, parsed, propose, publish, told, told_world

PENDING, SENT, DEAD = DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.DEAD
ANN, BOB, CAT = "ann@example.org", "bob@example.org", "cat@example.org"


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> Iterator[World]:
    with told_world(tmp_path, mail, slack, settings={"maintainers": [ALEX]}) as world:
        yield world


@pytest.fixture
def short_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail server gets half a second for a mail instead of half a minute."""
    usual = channels.smtp_settings

    def impatient(context: Any) -> Any:
        found = usual(context)
        return found and replace(found, timeout=0.5)

    monkeypatch.setattr(channels, "smtp_settings", impatient)


def to_subscribers(mail: SmtpSink) -> list[str]:
    return [address for address in told(mail) if address != ALEX["address"]]


def notices(world: World) -> list[tuple[str, str]]:
    """Every operations notice: its headings, and who is told."""
    rows = world.notices("operations")
    to = {one.id: [d.recipient for d in world.deliveries(Delivery.notice_id == one.id)] for one in rows}
    return [("; ".join(item["heading"] for item in one.items), ", ".join(to[one.id])) for one in rows]


# --- what a mail server may answer ------------------------------------------------------------------------------------


def test_a_temporary_refusal_is_retried_with_growing_pauses_until_two_days_have_passed(
    world: World, mail: SmtpSink
) -> None:
    mail.script("RCPT", "451 4.3.0 try later", recipient=ANN)
    world.subscribe(ANN)
    world.subscribe(BOB)
    publish(world)
    began, pauses = world.now, []
    while (one := of(world, ANN)[0]).state == PENDING:
        assert world.deliver().problems == (["a***@example.org: RCPT TO: 4.3.0 try later"])
        if (one := of(world, ANN)[0]).state == PENDING:
            pauses.append((one.due_at - world.now) / timedelta(minutes=1))
            world.deliver()  # not due yet: nobody hears anything
            assert of(world, ANN)[0].attempts == one.attempts
            world.now = one.due_at
    ceilings = [min(2 * 2**tries, 240) for tries in range(len(pauses))]
    assert all(ceiling / 2 <= pause <= ceiling for pause, ceiling in zip(pauses, ceilings, strict=True))
    assert one.state == DEAD
    assert timedelta(hours=48) < world.now - began <= timedelta(hours=52)
    assert to_subscribers(mail) == [BOB]
    assert notices(world) == [("a***@example.org could not be reached for two days", "maintainer:Alex")]


def failed_hours(world: World, address: str) -> float:
    """Deliver until it is given up; how many hours that took from its first try."""
    began = world.now
    while (one := of(world, address)[0]).state == PENDING:
        world.now = max(world.now, one.due_at)
        world.deliver()
    return (world.now - began) / timedelta(hours=1)


@pytest.mark.parametrize("cadence", ["daily", "weekly"])
def test_a_digest_is_tried_for_two_days_from_its_own_hour_on(world: World, mail: SmtpSink, cadence: str) -> None:
    mail.script("RCPT", "451 4.7.1 greylisted", recipient=ANN)
    world.subscribe(ANN, cadence=cadence)
    publish(world)
    world.now = of(world, ANN)[0].due_at
    assert 48 < failed_hours(world, ANN) <= 52
    assert of(world, ANN)[0].state == DEAD


def test_what_missed_a_digest_by_the_minute_is_tried_for_two_days_from_the_next_one_on(
    world: World, mail: SmtpSink
) -> None:
    mail.script("RCPT", "451 4.7.1 greylisted", recipient=ANN)
    world.subscribe(ANN, cadence="weekly")
    schedule = world.config.schedule
    line = schedule.weekly_digest.next_after(world.now, schedule.zone)
    world.now = line - timedelta(seconds=10)
    world.approve(propose(world), hold=GRACE)
    world.now = schedule.weekly_digest.next_after(line, schedule.zone)
    assert 48 < failed_hours(world, ANN) <= 52
    assert of(world, ANN)[0].state == DEAD


def test_after_an_outage_longer_than_our_patience_a_message_still_has_its_tries(world: World, mail: SmtpSink) -> None:
    mail.script("MAIL", "530 5.7.0 log in first")
    world.subscribe(ANN)
    publish(world)
    world.deliver()
    mail.clear()
    mail.script("RCPT", "451 4.7.1 greylisted", recipient=ANN)
    world.later(days=5)
    assert 2 < failed_hours(world, ANN) <= 8
    assert of(world, ANN)[0].attempts == 8


def test_it_is_taken_in_the_end_by_a_server_that_had_its_reasons(world: World, mail: SmtpSink) -> None:
    for code in ("421 4.7.0 too many", "450 4.2.1 greylisted", "451 4.3.0 hm", "452 4.5.3 full"):
        mail.script("RCPT", code, recipient=ANN, times=1)
    world.subscribe(ANN)
    publish(world)
    for _ in range(5):
        world.deliver()
        world.now = of(world, ANN)[0].due_at + timedelta(seconds=1)
    assert told(mail) == [ANN]
    assert of(world, ANN)[0].attempts == 5


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "551 5.1.6 moved", "553 5.1.3 no such syntax"])
def test_an_address_refused_for_good_is_told_nothing_more_and_the_others_get_theirs_in_the_same_pass(
    world: World, mail: SmtpSink, reply: str
) -> None:
    mail.script("RCPT", reply, recipient=BOB)
    for address in (ANN, BOB, CAT):
        world.subscribe(address)
    publish(world)
    report = world.deliver()
    assert (report.sent, report.dead) == (2, 1)
    assert sorted(told(mail)) == [ANN, CAT]
    (broken,) = world.rows(Subscription, Subscription.broken_at.is_not(None))
    assert (broken.address, broken.broken_at) == (BOB, world.now)
    assert reply[4:] in broken.broken_reason
    publish(world, "quotas")
    assert len(of(world, BOB)) == 1, "what is published later is not even queued for it"


def test_what_waits_for_a_broken_address_is_cancelled(world: World, mail: SmtpSink) -> None:
    mail.script("RCPT", "550 5.1.1 no such user", recipient=ANN)
    world.subscribe(ANN)
    publish(world)
    world.approve(propose(world, "quotas"), hold=GRACE)
    world.deliver()
    assert [one.state for one in of(world, ANN)] == [DEAD, DeliveryState.CANCELLED]


def test_the_maintainers_hear_of_unreachable_subscribers_in_one_notice_without_their_addresses(
    world: World, mail: SmtpSink
) -> None:
    for number in range(30):
        world.subscribe(f"gone{number}@example.org")
        mail.script("RCPT", "550 5.1.1 no such user", recipient=f"gone{number}@example.org")
    publish(world)
    assert world.deliver().dead == 30
    assert told(mail) == [], "it gathers for a few minutes"
    world.later(minutes=11)
    world.deliver()
    assert told(mail) == [ALEX["address"]]
    words = parsed(mail.mails[0]).get_body(("plain",)).get_content()
    assert words.count("By email: RCPT TO: 5.1.1 no such user") == 20
    assert "and 10 more" in words, "nobody is left out in silence"
    assert "monitor subscribers list --all" in words
    assert "gone1@example.org" not in words
    assert "You are named as a maintainer" in words
    world.later(hours=3)
    world.deliver()
    assert len(mail.mails) == 1


@pytest.mark.parametrize("reply", ["554 5.6.0 content not wanted", "552 5.3.4 too big", "550 5.7.1 looks like spam"])
def test_refused_content_is_not_counted_against_the_address(world: World, mail: SmtpSink, reply: str) -> None:
    mail.script("DATA", reply, recipient=ANN, times=1)
    world.subscribe(ANN)
    publish(world)
    world.deliver()
    assert of(world, ANN)[0].state == DEAD
    assert notices(world) == [("a***@example.org did not get a message", "maintainer:Alex")]
    publish(world, "quotas")
    world.deliver()
    assert to_subscribers(mail) == [ANN]


@pytest.mark.parametrize(("drop", "copies"), [(DROP, 1), (DROP_TAKEN, 2)])
def test_a_connection_lost_at_data_means_the_same_message_again(
    world: World, mail: SmtpSink, drop: str, copies: int
) -> None:
    mail.script("DATA", drop, times=1)
    world.subscribe(ANN)
    publish(world)
    assert world.deliver().retrying == 1
    assert "may have been taken" in of(world, ANN)[0].error
    world.later(hours=1)
    world.deliver()
    assert told(mail) == [ANN] * copies
    assert len({one.data for one in mail.mails}) == 1, "the same bytes"
    assert parsed(mail.mails[0])["Message-ID"] == f"<{of(world, ANN)[0].id}@example.org>"


@pytest.mark.usefixtures("short_of_patience")
def test_a_recipient_at_whom_the_server_hangs_delays_nobody_but_itself(
    world: World, mail: SmtpSink, slack: SlackSink
) -> None:
    mail.script("RCPT", HANG, recipient=BOB)
    for address in (ANN, BOB, CAT):
        world.subscribe(address)
    world.subscribe(f"{slack.base}T1/B1/x1", "slack")
    publish(world)
    report = world.deliver()
    assert (report.sent, report.retrying) == (3, 1)
    assert sorted(told(mail)) == [ANN, CAT]
    assert len(slack.posts) == 1


@pytest.mark.usefixtures("short_of_patience")
def test_a_server_that_answers_nobody_costs_three_deadlines_and_not_a_thousand(
    world: World, mail: SmtpSink, slack: SlackSink
) -> None:
    mail.script("RCPT", HANG)
    for number in range(20):
        world.subscribe(f"reader{number}@example.org")
    world.subscribe(f"{slack.base}T1/B1/x1", "slack")
    publish(world)
    report = world.deliver()
    assert (report.sent, report.retrying) == (1, 3)
    mail.clear()
    world.later(hours=1)
    assert world.deliver().sent == 20
    assert len(set(told(mail))) == 20


# --- a channel that fails as a whole ----------------------------------------------------------------------------------


def silent(connection: Any) -> None:
    """Take the call and say nothing, not even a banner."""
    connection.recv(1)


@pytest.mark.usefixtures("short_of_patience")
def test_a_mail_server_that_never_says_hello_leaves_slack_alone_and_keeps_its_queue(
    tmp_path: Path, slack: SlackSink
) -> None:
    with RawServer(silent) as server, told_world(tmp_path, server, slack) as world:
        world.subscribe(ANN)
        world.subscribe(BOB)
        world.subscribe(f"{slack.base}T1/B1/x1", "slack")
        publish(world)
        report = world.deliver()
        assert (report.sent, report.retrying) == (2, 1), "Slack, and the operator by Slack; one try tells enough"
        assert [(one.state, one.attempts) for one in [*of(world, ANN), *of(world, BOB)]] == [(PENDING, 0)] * 2


def test_operators_hear_once_and_by_another_channel_that_nothing_can_be_mailed(
    world: World, mail: SmtpSink, slack: SlackSink
) -> None:
    mail.script("MAIL", "530 5.7.0 log in first")
    world.subscribe(ANN)
    publish(world)
    for _ in range(12):
        world.deliver()
        world.later(minutes=30)
    (post,) = slack.posts
    assert post.path.endswith("/s3cr3tOfSam")
    assert "Nothing can be sent by email" in post.json["text"]
    mail.clear()
    assert world.deliver().sent == 2
    world.deliver()
    assert told(mail) == [ANN], "six hours late, and once"
    assert "Sending by email works again" in slack.posts[-1].json["text"]
    assert len(slack.posts) == 2
    assert world.hosts() == []


def test_a_channel_in_trouble_rests_longer_and_longer_unless_a_person_asks(world: World, mail: SmtpSink) -> None:
    mail.script("MAIL", "530 5.7.0 log in first")
    world.subscribe(ANN)
    publish(world)
    tries = []
    for _ in range(60):
        if world.deliver().retrying:
            tries.append(world.now)
        world.later(minutes=1)
    pauses = [(later - earlier) / timedelta(minutes=1) for earlier, later in pairwise(tries)]
    assert pauses == [1, 2, 4, 8, 15, 15]
    assert world.deliver(rested=True).retrying == 1
    mail.clear()
    world.deliver(rested=True)
    assert told(mail) == [ANN]


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """A root of our own, trusted by this process as the system's are."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "root.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    return made


def served_by(authority: trustme.CA, name: str = "127.0.0.1") -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def with_login(sink: SmtpSink) -> dict[str, Any]:
    mail = {"host": "127.0.0.1", "port": sink.port, "security": "starttls", "username": "board"}
    return {"mail": {**mail, "from": "board@example.org"}}


def test_a_refused_login_pauses_mail_keeps_the_queue_and_never_shows_the_password(
    tmp_path: Path, slack: SlackSink, authority: trustme.CA
) -> None:
    with (
        SmtpSink(tls=served_by(authority), login=("board", "right horse")) as sink,
        told_world(
            tmp_path, sink, slack, settings=with_login(sink), environ={"MONITOR_SMTP_PASSWORD": "wrong horse"}
        ) as world,
        structlog.testing.capture_logs() as logs,
    ):
        for address in (ANN, BOB):
            world.subscribe(address)
        publish(world)
        first = world.deliver()
        assert (first.sent, first.retrying) == (1, 1), "the operator is told"
        assert "refused the login" in first.problems[0]
        assert world.deliver().retrying == 0, "it rests"
        world.deliver()
        shown = repr((logs, first.as_json(), [(p.body, p.headers) for p in slack.posts], world.notices()[0].items))
        assert "horse" not in shown
        world.environ["MONITOR_SMTP_PASSWORD"] = "right horse"
        world.later(minutes=20)
        assert world.deliver().sent == 3
        assert sorted(told(sink)) == [ANN, BOB]
        assert [heading for heading, _ in notices(world)] == [
            "Nothing can be sent by email",
            "Sending by email works again",
        ]


@pytest.mark.parametrize("trouble", ["stripped", "another name", "unknown root"])
def test_nothing_goes_in_the_clear_when_tls_is_not_what_it_should_be(
    tmp_path: Path, slack: SlackSink, authority: trustme.CA, trouble: str
) -> None:
    issuer = trustme.CA() if trouble == "unknown root" else authority
    tls = (
        None if trouble == "stripped" else served_by(issuer, "x.example" if trouble == "another name" else "127.0.0.1")
    )
    secrets = {"MONITOR_SMTP_PASSWORD": "right horse"}
    with (
        SmtpSink(tls=tls, login=tls and ("board", "right horse")) as sink,
        told_world(tmp_path, sink, slack, settings=with_login(sink), environ=secrets) as world,
    ):
        world.subscribe(ANN)
        publish(world)
        assert world.deliver().retrying == 1
        assert sink.mails == []
        assert of(world, ANN)[0].state == PENDING
        assert [who for _, who in notices(world)] == ["operator:Sam"]


def test_mail_without_a_mail_server_in_config_waits_for_one(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    with told_world(tmp_path, mail, slack) as world:
        world.subscribe(ANN)
        publish(world)
        configured = world.config
        world.config = configured.model_copy(update={"mail": None})
        assert "names no mail server" in world.deliver().problems[0]
        world.config = configured
        world.later(hours=1)
        world.deliver()
        assert told(mail) == [ANN]


# --- Slack ------------------------------------------------------------------------------------------------------------


def test_slack_is_asked_again_when_it_said_and_meanwhile_the_others_get_theirs(world: World, slack: SlackSink) -> None:
    slack.script(429, "rate_limited", {"Retry-After": "600"}, path="/x1", times=1)
    for name in ("x1", "x2"):
        world.subscribe(f"{slack.base}T1/B1/{name}", "slack")
    publish(world)
    report = world.deliver()
    assert (report.sent, report.retrying) == (1, 1)
    (waiting,) = world.deliveries(Delivery.state == PENDING)
    assert waiting.due_at - world.now == timedelta(seconds=600)
    publish(world, "quotas")
    world.later(minutes=5)
    world.deliver()
    assert sorted(post.path[-2:] for post in slack.posts) == ["x1", "x2", "x2"], "the news behind it waits its turn"
    world.later(minutes=6)
    world.deliver()
    assert [post.path[-2:] for post in slack.posts[3:]] == ["x1", "x1"]
    headings = [post.json["blocks"][0]["text"]["text"] for post in slack.posts[3:]]
    assert headings == ["Stops moved to Some Progress", "Quotas moved to Some Progress"]


def test_what_a_webhook_missed_while_it_was_asked_to_wait_comes_as_one_message(world: World, slack: SlackSink) -> None:
    slack.script(429, "rate_limited", {"Retry-After": "3600"}, times=1)
    world.subscribe(f"{slack.base}T1/B1/x1", "slack")
    publish(world, row="THE FIRST ROW")
    assert world.deliver().retrying == 1
    meanwhile = ["SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH"]
    for number, word in enumerate(meanwhile):
        world.later(minutes=10)
        publish(world, ("quotas", "stops")[number % 2], row=f"THE {word} ROW")
        world.deliver()
    assert len(slack.posts) == 1, "not asked again before the hour is over"
    world.later(minutes=11)
    assert world.deliver().sent == 2
    _, again, together = (post.body.decode() for post in slack.posts)
    assert "THE FIRST ROW" in again
    assert [word for word in ("FIRST", *meanwhile) if f"THE {word} ROW" in together] == meanwhile
    assert world.deliver().sent == 0


def test_our_own_peoples_webhook_is_left_alone_too_as_long_as_it_said(world: World, slack: SlackSink) -> None:
    slack.script(429, "rate_limited", {"Retry-After": "600"}, times=1)
    for number in range(3):
        with world.database.transaction() as session:
            tell_operators(session, world.config, Item(f"Trouble {number}", "Look."), world.now)
    world.deliver()
    world.later(minutes=9)
    world.deliver()
    assert len(slack.posts) == 1
    world.later(minutes=2)
    assert world.deliver().sent == 3
    said = Counter(post.json["text"].partition(":")[0] for post in slack.posts)
    assert sorted(said.values()) == [1, 1, 2]


@pytest.mark.parametrize(
    ("status", "answer"),
    [(404, "no_service"), (410, "channel_is_archived"), (403, "action_prohibited"), (404, "<html>gone</html>")],
)
def test_a_dead_webhook_is_used_no_more_and_the_maintainers_hear_of_it_by_mail(
    world: World, mail: SmtpSink, slack: SlackSink, status: int, answer: str
) -> None:
    slack.script(status, answer, path="/x1")
    world.subscribe(f"{slack.base}T1/B1/x1", "slack")
    world.subscribe(f"{slack.base}T1/B1/x2", "slack")
    publish(world)
    world.later(minutes=1)
    quotas = publish(world, "quotas").id
    with world.database.transaction() as session:  # as a digest waits for its hour
        waits = update(Delivery).where(Delivery.transition_id == quotas).where(Delivery.subscription_id == 1)
        session.execute(waits.values(due_at=world.now + timedelta(hours=1)))
    assert (world.deliver().sent, len(world.rows(Subscription, Subscription.broken_at.is_not(None)))) == (1, 1)
    assert Counter(one.state for one in world.deliveries(Delivery.subscription_id == 1)) == {"dead": 1, "cancelled": 1}
    for _ in range(4):
        publish(world)
        world.later(minutes=31)
        world.deliver()
    assert [post.path[-2:] for post in slack.posts].count("x1") == 1
    (told_by_mail,) = mail.mails
    assert told_by_mail.recipient == ALEX["address"]
    assert b"T1/B1/x1" not in told_by_mail.data, "a webhook is a secret"
    assert b"is told nothing more" in told_by_mail.data


@pytest.mark.parametrize(
    ("status", "answer"), [(200, "<html>log in</html>"), (302, ""), (500, "oops"), (503, "rollup_error")]
)
def test_only_ok_is_success(world: World, slack: SlackSink, status: int, answer: str) -> None:
    slack.script(status, answer, {"Location": slack.base}, times=1)
    world.subscribe(f"{slack.base}T1/B1/x1", "slack")
    publish(world)
    assert (world.deliver().sent, len(slack.posts)) == (0, 1)
    world.later(hours=1)
    assert world.deliver().sent == 1


def test_a_webhook_shows_in_no_report_log_or_table(world: World, slack: SlackSink) -> None:
    slack.script(500, f"cannot post to {slack.base}T1/B1/s3cr3t")
    world.subscribe(f"{slack.base}T1/B1/s3cr3t", "slack")
    publish(world)
    with structlog.testing.capture_logs() as logs:
        report = world.deliver()
    (one,) = world.deliveries()
    assert report.retrying == 1
    assert "s3cr3t" not in repr((report.as_json(), logs, one.error))


# --- one among many ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("short_of_patience")
def test_of_a_thousand_subscribers_four_bad_ones_keep_nobody_waiting(world: World, mail: SmtpSink) -> None:
    addresses = [f"reader{number:04}@example.org" for number in range(1_000)]
    subscribe(world.context, [wish(world.config, one, "email", Choice()) for one in addresses])
    hangs, refused, garbled, later = bad = addresses[3], addresses[500], addresses[501], addresses[990]
    mail.script("RCPT", HANG, recipient=hangs)
    mail.script("RCPT", "550 5.1.1 no such user", recipient=refused)
    mail.script("DATA", "451 4.3.0 later", recipient=later)
    publish(world)
    with world.database.transaction() as session:
        # Whatever may come to stand there: its message cannot be put into words.
        broken = update(Subscription).where(Subscription.address == garbled)
        session.execute(broken.values(issues=[{"not": "an id"}]))
    report = world.deliver()
    assert (report.sent, report.retrying, report.dead) == (996, 2, 2)
    assert Counter(told(mail)) == Counter(set(addresses) - set(bad))
    assert "cannot be put into words" in of(world, garbled)[0].error


def test_a_rendering_that_fails_stops_one_message(
    world: World, mail: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = render

    def stumbling(announcement: Any, **known: Any) -> Any:
        if "on the board" not in announcement.why:
            raise RecursionError("a template ran away")
        return usual(announcement, **known)

    monkeypatch.setattr(parcels, "render", stumbling)
    for address in (ANN, CAT):
        world.subscribe(address)
    world.subscribe(BOB, issues=["stops"])
    publish(world)
    report = world.deliver()
    assert (report.sent, report.dead) == (2, 1)
    assert notices(world) == [("b***@example.org did not get a message", "maintainer:Alex")]


# --- who wants it -----------------------------------------------------------------------------------------------------


def test_whoever_leaves_before_it_is_sent_gets_nothing(world: World, mail: SmtpSink) -> None:
    for address in (ANN, BOB):
        world.subscribe(address)
    publish(world)
    assert leave(world.context, ANN)
    world.deliver()
    assert told(mail) == [BOB]
    assert of(world, ANN)[0].state == DeliveryState.CANCELLED


def test_whoever_leaves_while_it_is_being_retried_gets_nothing(world: World, mail: SmtpSink) -> None:
    mail.script("RCPT", "451 4.3.0 later", times=1)
    world.subscribe(ANN)
    publish(world)
    world.deliver()
    leave(world.context, ANN)
    world.later(hours=1)
    assert world.deliver().sent == 0
    assert mail.mails == []


def test_whoever_leaves_while_a_dead_worker_holds_it_gets_nothing(world: World, mail: SmtpSink) -> None:
    world.subscribe(ANN)
    publish(world)
    assert len(Packer(world.context).claim(ChannelKind.EMAIL)) == 1
    with world.database.transaction() as session:
        session.execute(update(Subscription).values(left_at=world.now))
    world.later(minutes=3)
    assert (world.deliver().cancelled, mail.mails) == (1, [])


def test_everybody_hears_of_what_they_asked_for_and_nothing_else(world: World, mail: SmtpSink) -> None:
    world.subscribe("all@example.org")
    world.subscribe("topic@example.org", topics=["topic"])
    world.subscribe("stops@example.org", issues=["stops"])
    world.subscribe("quotas@example.org", issues=["quotas"])
    world.subscribe("both@example.org", issues=["quotas", "stops"])
    publish(world, "stops")
    world.deliver()
    assert {address.partition("@")[0] for address in told(mail)} == {"all", "topic", "stops", "both"}
    assert len(mail.mails) == 4
    publish(world, "quotas")
    world.deliver()
    assert {address.partition("@")[0] for address in told(mail)[4:]} == {"all", "topic", "quotas", "both"}


def test_news_reaches_a_subscriber_in_the_order_it_was_published(world: World, mail: SmtpSink) -> None:
    mail.script("RCPT", "451 4.3.0 later", recipient=ANN, times=1)
    for address in (ANN, BOB):
        world.subscribe(address)
    for slug in ("stops", "quotas", "stops"):
        publish(world, slug)
        world.deliver()
    assert told(mail) == [BOB] * 3, "the first to Ann must go before the others"
    world.later(hours=1)
    world.deliver()
    subjects = [parsed(one)["Subject"] for one in mail.mails if one.recipient == ANN]
    assert subjects == ["Stops: now Some Progress", "2 changes"], "and what waited behind it leaves as one"


# --- cadences ---------------------------------------------------------------------------------------------------------


def test_a_digest_says_everything_due_in_one_message_and_once(world: World, mail: SmtpSink) -> None:
    world.at(date(2025, 6, 11), 14)  # a Wednesday
    for cadence in ("immediate", "daily", "weekly"):
        world.subscribe(f"{cadence}@example.org", cadence=cadence)
    publish(world, "stops")
    publish(world, "quotas")
    world.deliver()
    assert told(mail) == ["immediate@example.org"], "what is due at one moment is one message, whatever the cadence"
    world.at(date(2025, 6, 12), 7, 59)
    world.deliver()
    assert len(mail.mails) == 1
    world.at(date(2025, 6, 12), 8)
    world.deliver()
    assert told(mail)[1:] == ["daily@example.org"]
    publish(world, "stops")
    world.at(date(2025, 6, 16), 8, 30)  # the next Monday; the service was down for a while
    report = world.deliver()
    assert (report.sent, told(mail)[2:]) == (3, ["immediate@example.org", "daily@example.org", "weekly@example.org"])
    weekly = parsed(mail.mails[-1])
    assert weekly["Subject"] == "3 changes this week"
    assert weekly.get_body(("plain",)).get_content().index("Stops") < weekly.get_body(("plain",)).get_content().index(
        "Quotas"
    )
    world.later(days=8)
    assert world.deliver().sent == 0


def test_a_digest_that_is_tried_again_is_the_same_digest(world: World, mail: SmtpSink) -> None:
    mail.script("DATA", DROP_TAKEN, times=1)
    world.at(date(2025, 6, 11), 14)
    world.subscribe(ANN, cadence="daily")
    publish(world, "stops")
    publish(world, "quotas")
    world.at(date(2025, 6, 12), 8)
    world.deliver()
    publish(world, "stops")  # due tomorrow: no part of it
    world.later(hours=2)
    world.deliver()
    assert len(mail.mails) == 2
    assert mail.mails[0].data == mail.mails[1].data
    assert parsed(mail.mails[0])["Subject"] == "2 changes today"
    first, second, third = of(world, ANN)
    assert first.message_key == second.message_key == first.id
    assert (first.state, second.state, third.state) == (SENT, SENT, PENDING)


@pytest.mark.parametrize(
    ("approved", "cadence", "due"),
    [
        (datetime(2025, 3, 7, 18, tzinfo=UTC), "daily", datetime(2025, 3, 8, 13, tzinfo=UTC)),  # 8:00 EST
        (
            datetime(2025, 3, 8, 18, tzinfo=UTC),
            "daily",
            datetime(2025, 3, 9, 12, tzinfo=UTC),
        ),  # 8:00 EDT, a day of 23 h
        (datetime(2025, 3, 9, 12, tzinfo=UTC), "daily", datetime(2025, 3, 10, 12, tzinfo=UTC)),  # at 8:00 sharp
        (datetime(2025, 11, 1, 18, tzinfo=UTC), "daily", datetime(2025, 11, 2, 13, tzinfo=UTC)),  # a day of 25 h
        (
            datetime(2025, 11, 2, 5, 30, tzinfo=UTC),
            "daily",
            datetime(2025, 11, 2, 13, tzinfo=UTC),
        ),  # 1:30 the first time
        (datetime(2025, 11, 2, 6, 30, tzinfo=UTC), "daily", datetime(2025, 11, 2, 13, tzinfo=UTC)),  # and the second
        (datetime(2025, 3, 8, 18, tzinfo=UTC), "weekly", datetime(2025, 3, 10, 12, tzinfo=UTC)),
        (datetime(2025, 10, 27, 12, tzinfo=UTC), "weekly", datetime(2025, 11, 3, 13, tzinfo=UTC)),
    ],
)
def test_digests_keep_their_hour_when_the_clocks_change(
    world: World, mail: SmtpSink, approved: datetime, cadence: str, due: datetime
) -> None:
    world.subscribe(ANN, cadence=cadence)
    world.now = approved
    publish(world)
    assert of(world, ANN)[0].due_at == due
    world.now = due - timedelta(seconds=1)
    assert world.deliver().sent == 0
    world.now = due
    assert world.deliver().sent == 1


def test_a_digest_hour_that_does_not_exist_still_comes_once(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail, settings={"schedule": {"daily_digest": "30 2 * * *"}}) as world:
        world.subscribe(ANN, cadence="daily")
        for day in (8, 9):
            world.at(date(2025, 3, day), 12)
            publish(world)
        dues = [one.due_at for one in of(world, ANN)]
        assert dues == [datetime(2025, 3, 9, 7, 30, tzinfo=UTC), datetime(2025, 3, 10, 6, 30, tzinfo=UTC)]


# --- crashes and company ----------------------------------------------------------------------------------------------


def slips_of(file: Path) -> list[bytes]:
    """What is noted beside the database, read as another process would."""
    held = file.with_name(f"{file.name}-sent").read_bytes()
    return [held[start : start + 32] for start in range(0, len(held), 32) if held[start : start + 32].strip(b"\0")]


class Witness(SmtpSink):
    """Looks whenever it takes a mail: how many were marked as sent by then, in the outbox or on a slip?"""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.marked: list[int] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        database = Database(self._url)
        with database.reading() as session_:
            marked = session_.query(Delivery).filter(Delivery.state == SENT).count()
        noted = slips_of(database.file) if database.file else []
        self.marked.append(marked + len(noted))
        database.close()
        return await super().handle_DATA(server, session, envelope)


def test_no_mail_is_taken_before_the_one_before_it_is_marked(tmp_path: Path, database_url: str) -> None:
    witness = Witness(database_url)
    with witness, told_world(tmp_path, witness, database_url=database_url) as world:
        for number in range(12):
            world.subscribe(f"reader{number}@example.org")
        publish(world)
        assert world.deliver().sent == 12
    assert witness.marked == list(range(12)), "a crash can repeat one message at most"


def test_what_a_dead_worker_claimed_is_sent_by_another_when_its_lease_ends(world: World, mail: SmtpSink) -> None:
    for address in (ANN, BOB):
        world.subscribe(address)
    publish(world)
    claimed = Packer(world.context).claim(ChannelKind.EMAIL)  # and then the power fails
    assert len(claimed) == 2
    world.later(minutes=1)
    assert world.deliver().sent == 0
    world.later(minutes=1, seconds=1)
    assert world.deliver().sent == 2
    assert {parsed(one)["Message-ID"] for one in mail.mails} == {f"<{one.key}@example.org>" for one in claimed}


def test_a_worker_that_overslept_its_lease_writes_nothing(world: World, mail: SmtpSink) -> None:
    world.subscribe(ANN)
    publish(world)
    late = world.context
    packer = Packer(late)
    (parcel,) = packer.claim(ChannelKind.EMAIL)
    world.later(minutes=3)
    assert world.deliver().sent == 1
    with world.database.transaction() as session:
        late_word = {"code": 550, "error": "no", "sent_at": None, "due_at": world.now, "attempts": 1}
        assert not outbox.mark(session, parcel.key, late.owner, state=DEAD, **late_word)  # type: ignore[arg-type]
    assert of(world, ANN)[0].state == SENT


def test_two_services_on_one_database_send_every_message_once(
    tmp_path: Path, mail: SmtpSink, database_url: str
) -> None:
    with told_world(tmp_path, mail, database_url=database_url) as world:
        readers = [f"reader{number}@example.org" for number in range(150)]
        wishes = [
            wish(world.config, one, "email", Choice(cadence=list(Cadence)[at % 2])) for at, one in enumerate(readers)
        ]
        subscribe(world.context, wishes)
        publish(world)
        publish(world, "quotas")
        world.later(days=1)
        counts: list[int] = []

        def work() -> None:
            own = Database(database_url)
            counts.append(deliver(replace(world.context, database=own)).sent)
            own.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(counts) == 150
        per_reader = Counter(told(mail))
        assert [per_reader[one] for one in readers] == [1] * 150
        assert len({parsed(one)["Message-ID"] for one in mail.mails}) == len(mail.mails)


def test_told_to_stop_it_finishes_one_message_and_gives_the_others_back(world: World, mail: SmtpSink) -> None:
    for number in range(10):
        world.subscribe(f"reader{number}@example.org")
    publish(world)
    stopping = replace(world.context, stopping=lambda: len(mail.mails) >= 3)
    assert deliver(stopping).sent == 3
    left = world.deliveries(Delivery.state == PENDING)
    assert [(one.attempts, one.claimed_by, one.message_key) for one in left] == [(0, None, None)] * 7
    assert world.deliver().sent == 7, "at once, not when a lease ends"
    assert len(set(told(mail))) == 10


def test_a_limit_is_kept_and_progress_told(world: World, mail: SmtpSink) -> None:
    for number in range(5):
        world.subscribe(f"reader{number}@example.org")
    publish(world)
    steps: list[int] = []
    assert world.deliver(limit=2, progress=steps.append).sent == 2
    assert steps == [1, 2]
    assert world.deliver().sent == 3


def test_a_dead_address_of_our_own_people_is_told_of_once_and_not_to_that_address(
    world: World, mail: SmtpSink, slack: SlackSink
) -> None:
    mail.script("RCPT", "550 5.1.1 no such user", recipient=ALEX["address"])
    mail.script("RCPT", "550 5.1.1 no such user", recipient=ANN)
    world.subscribe(ANN)
    publish(world)
    for _ in range(4):
        world.deliver()
        world.later(minutes=15)
    assert notices(world) == [
        ("a***@example.org is told nothing more", "maintainer:Alex"),
        ("Alex did not get a notice", "operator:Sam"),
    ]
    (post,) = slack.posts
    assert "no such user" in post.json["text"]
    assert "Alex is one of the maintainers in config.yaml" in post.body.decode()


def test_a_dead_address_that_works_again_may_be_told_of_again(world: World, mail: SmtpSink) -> None:
    def lose(address: str) -> None:
        world.subscribe(address)
        mail.script("RCPT", "550 5.1.1 no such user", recipient=address)
        publish(world)
        world.deliver()
        world.later(minutes=15)
        world.deliver()

    mail.script("RCPT", "550 5.1.1 no such user", recipient=ALEX["address"])
    lose(ANN)
    lose(BOB)
    assert [who for _, who in notices(world)].count("operator:Sam") == 1
    mail.clear()
    lose(CAT)
    mail.script("RCPT", "550 5.1.1 no such user", recipient=ALEX["address"])
    lose("dan@example.org")
    assert [who for _, who in notices(world)].count("operator:Sam") == 2


def test_a_dead_webhook_of_an_operator_is_told_to_the_maintainers(
    world: World, mail: SmtpSink, slack: SlackSink
) -> None:
    slack.script(404, "no_service", path="/s3cr3tOfSam")
    with world.database.transaction() as session:
        tell_operators(session, world.config, Item("Something is broken", "Look."), world.now)
    for _ in range(3):
        world.deliver()
        world.later(minutes=15)
    (one,) = mail.mails
    assert one.recipient == ALEX["address"]
    words = parsed(one).get_body(("plain",)).get_content()
    assert "Sam did not get a notice" in words
    assert "Sam is one of the operators in config.yaml" in words
    assert b"s3cr3t" not in one.data


def test_when_nobody_of_ours_can_be_reached_the_notices_end(world: World, mail: SmtpSink, slack: SlackSink) -> None:
    slack.script(404, "no_service")
    mail.script("RCPT", "550 5.1.1 no such user")
    with world.database.transaction() as session:
        tell_operators(session, world.config, Item("Something is broken", "Look."), world.now)
    for _ in range(8):
        world.deliver()
        world.later(minutes=15)
    assert [who for _, who in notices(world)] == ["operator:Sam", "maintainer:Alex", "operator:Sam"]


# --- what strangers typed ---------------------------------------------------------------------------------------------

HOSTILE = [
    "AN ACT\r\nBcc: victim@example.net\r\n\r\nhello",
    "=?utf-8?q?AN_ACT=0D=0ABcc=3A_victim=40example.net?=",
    "=?utf-8?b?QU4gQUNUDQpCY2M6IHZpY3RpbUBleGFtcGxlLm5ldA==?=",
    "AN ACT\u2028Bcc: victim@example.net\u2029\x00\x0b\x85",
    "<script>alert(1)</script><img src=x onerror=alert(2)> <!channel> <@U012AB> <https://evil.example|the board>",
    "[the board](javascript:alert(1)) @everyone @here \u202egnp.exe \ud800 {{ ''.__class__ }} {% raw %}",
    "A" * 10_000 + "é" * 2_000 + "👩‍👩‍👧‍👦" * 500,
    "line\n.\nMAIL FROM:<evil@example.net>\r\n.\r\nQUIT",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_change_nothing_but_words_on_the_wire(
    tmp_path: Path, mail: SmtpSink, slack: SlackSink, text: str
) -> None:
    stored = text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    title = " ".join("".join(c if c.isprintable() else " " for c in stored).split())[:200]
    entries = [{"id": "stops", "name": title, "initial_status": "no_progress", "initial_narrative": "x", "watches": []}]
    with told_world(tmp_path, mail, slack, issues=entries) as world:
        world.subscribe(ANN)
        world.subscribe(f"{slack.base}T1/B1/x1", "slack")
        publish(world, reason=stored, row=stored)
        report = world.deliver()
    assert report.problems == []
    (one,) = mail.mails
    head, _, _ = one.data.partition(b"\r\n\r\n")
    message = parsed(one)
    assert told(mail) == [ANN]
    assert message.get_all("To") == [ANN]
    assert not {"bcc", "cc"} & {name.lower() for name in message}
    assert message["Reply-To"] == "monitor@example.org"
    assert b"\nbcc:" not in head.lower()
    assert all(len(line) <= 998 for line in one.data.split(b"\r\n"))
    assert b"\n" not in one.data.replace(b"\r\n", b"")
    html = message.get_body(("html",)).get_content()
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript:' not in html
    (post,) = slack.posts
    for forbidden in ("<!channel", "<@U", "<https://evil"):
        assert forbidden not in post.body.decode()
    assert (post.json["parse"], post.json["link_names"]) == ("none", False)
