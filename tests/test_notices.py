"""What our own people are told: maintainers what waits, operators what is broken. Each thing once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.config import ConfigError
from monitor.model.messaging import ChannelKind, DeliveryState
from monitor.store import proposals as store
from monitor.store.schema import Delivery, Proposal
from monitor.workflow import notices
from monitor.workflow.parcels import BATCH
from tests.pipeline import World, issue, watch
from tests.slack_sink import SlackSink
from tests.smtp_sink import SmtpSink
from tests.telling import SAM, parsed, propose, publish, told, told_world


def person(name: str, **follows: list[str]) -> dict[str, object]:
    return {"name": name, "channel": "email", "address": f"{name.lower()}@example.org", **follows}


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


def world_of(folder: Path, mail: SmtpSink, *maintainers: dict[str, object]) -> World:
    return told_world(folder, mail, settings={"maintainers": list(maintainers)})


def hire(world: World, *maintainers: dict[str, object]) -> None:
    """From now on these are the maintainers."""
    world.configure([issue("stops"), issue("quotas")], maintainers=list(maintainers))


def announce(world: World) -> int:
    """Returns how many notices it took."""
    with world.database.transaction() as session:
        return len(notices.announce_proposals(session, world.config, world.now))


def supersede(world: World, old: int, new: int) -> None:
    with world.database.transaction() as session:
        rows = [session.get_one(Proposal, number) for number in (old, new)]
        store.supersede(session, rows[0], rows[1], world.now, "A newer change.")


def mailed(mail: SmtpSink) -> dict[str, list[str]]:
    """By recipient, the ids that each mail asks to decide on."""
    found: dict[str, list[str]] = {}
    for one in mail.mails:
        text = parsed(one).get_body(("plain",)).get_content()
        ids = [line.rsplit(" ", 1)[1] for line in text.splitlines() if "monitor proposals show" in line]
        found.setdefault(one.recipient, []).append(" ".join(ids))
    return found


# --- maintainers ------------------------------------------------------------------------------------------------------


def test_maintainers_are_told_of_what_they_follow_in_one_message_each(tmp_path: Path, mail: SmtpSink) -> None:
    people = [
        person("Alex"),
        person("Stops", issues=["stops"]),
        person("Quotas", issues=["quotas"]),
        person("Topic", topics=["topic"]),
        person("Both", issues=["stops", "quotas"]),
    ]
    with world_of(tmp_path, mail, *people) as world:
        stops, quotas, review = propose(world, "stops"), propose(world, "quotas"), propose(world, None)
        assert announce(world) == 3, "one for each distinct set"
        world.deliver()
        everything = [f"{stops} {quotas} {review}"]
        assert mailed(mail) == {
            "alex@example.org": everything,
            "topic@example.org": everything,
            "both@example.org": everything,
            "stops@example.org": [f"{stops} {review}"],
            "quotas@example.org": [f"{quotas} {review}"],
        }
        assert announce(world) == 0
        assert world.deliver().sent == 0, "each thing once"


def test_what_nobody_follows_is_told_to_nobody_until_somebody_does(tmp_path: Path, mail: SmtpSink) -> None:
    with world_of(tmp_path, mail, person("Quotas", issues=["quotas"])) as world:
        number = propose(world, "stops")
        announce(world)
        world.deliver()
        assert mail.mails == []
        quotas = propose(world, "quotas")
        announce(world)
        world.deliver()
        assert mailed(mail) == {"quotas@example.org": [str(quotas)]}
        hire(world, person("Quotas", issues=["quotas"]), person("Alex"))
        announce(world)
        world.deliver()
        assert mailed(mail) == {"quotas@example.org": [str(quotas)], "alex@example.org": [str(number)]}


def test_with_nobody_to_tell_nothing_piles_up(tmp_path: Path, mail: SmtpSink) -> None:
    with world_of(tmp_path, mail) as world:
        number = propose(world)
        assert (announce(world), announce(world)) == (0, 0)
        assert (world.notices(), world.deliveries()) == ([], [])
        hire(world, person("Alex"))
        assert announce(world) == 1
        world.deliver()
        assert mailed(mail) == {"alex@example.org": [str(number)]}, "whoever comes later hears what waits"


def test_what_a_newer_proposal_replaced_before_the_notice_left_is_no_part_of_it(tmp_path: Path, mail: SmtpSink) -> None:
    with world_of(tmp_path, mail, person("Alex")) as world:
        old, kept = propose(world, "stops"), propose(world, "quotas")
        announce(world)
        new = propose(world, "stops", "achieved")
        supersede(world, old, new)
        announce(world)
        world.deliver()
        assert mailed(mail) == {"alex@example.org": [str(kept), str(new)]}


@pytest.mark.parametrize("settled", ["superseded", "approved", "rejected"])
def test_a_notice_of_which_nothing_is_left_is_not_sent(tmp_path: Path, mail: SmtpSink, settled: str) -> None:
    with world_of(tmp_path, mail, person("Alex")) as world:
        number = propose(world, "stops")
        announce(world)
        if settled == "superseded":
            supersede(world, number, propose(world, "stops", "achieved"))
        elif settled == "approved":
            world.approve(number)
        else:
            world.reject(number)
        report = world.deliver()
        assert (report.sent, report.cancelled, mail.mails) == (0, 1, [])
        (one,) = world.deliveries()
        assert (one.state, one.error) == (DeliveryState.CANCELLED, "what it told of is settled")


def test_a_proposal_gets_one_notice_however_the_run_before_ended(tmp_path: Path, mail: SmtpSink) -> None:
    """A run that died between record and notice leaves it to the next."""
    with world_of(tmp_path, mail, person("Alex")) as world:
        first = propose(world, "stops")
        second = propose(world, "quotas")
        announce(world)
        announce(world)
        world.deliver()
        assert mailed(mail) == {"alex@example.org": [f"{first} {second}"]}


def test_a_check_tells_the_maintainers_in_one_message_a_run(tmp_path: Path, mail: SmtpSink) -> None:
    board = [issue("stops", watch("2025 HB 7132", effect="some_progress"))]
    settings = {"maintainers": [person("Alex")]}
    with told_world(tmp_path, mail, issues=board, settings=settings) as world:
        world.check()
        world.deliver()
        assert mail.mails == [], "a first read is a baseline"
        world.at(date(2025, 7, 31)).check()
        world.deliver()
        waiting = [str(one.id) for one in world.proposals()]
        assert waiting
        assert mailed(mail) == {"alex@example.org": [" ".join(waiting)]}


def test_a_maintainer_who_is_no_longer_in_config_is_not_written_to(tmp_path: Path, mail: SmtpSink) -> None:
    with world_of(tmp_path, mail, person("Alex"), person("Bo")) as world:
        propose(world)
        announce(world)
        world.config = world.config.model_copy(update={"maintainers": world.config.maintainers[1:]})
        world.deliver()
        assert told(mail) == ["bo@example.org"]
        (gone,) = world.deliveries(Delivery.state == DeliveryState.CANCELLED)
        assert "nobody called maintainer:Alex is in config" in gone.error


def test_a_webhook_given_later_gets_what_waits(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    ours = {"name": "Our Slack", "channel": "slack", "address_secret": "OUR_SLACK"}
    with told_world(tmp_path, mail, slack, settings={"maintainers": [ours]}) as world:
        world.environ["MONITOR_OUR_SLACK"] = f"{slack.base}T1/B1/ours"
        number = propose(world)
        announce(world)
        world.deliver()
        (post,) = slack.posts
        assert post.path.endswith("/ours")
        assert f"monitor proposals show {number}" in post.body.decode()


def test_without_its_secret_a_notice_is_kept_and_said_to_be(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    """A command by hand has not the service's environment."""
    ours = {"name": "Our Slack", "channel": "slack", "address_secret": "OUR_SLACK"}
    with told_world(tmp_path, mail, slack, settings={"maintainers": [ours]}) as world:
        for number in range(BATCH + 1):
            propose(world, "stops", reason=f"Reason {number}.")
            announce(world)
        world.subscribe(f"{slack.base}T1/B1/x1", "slack")
        publish(world, "quotas")
        by_hand = world.deliver()
        assert (by_hand.sent, by_hand.cancelled) == (1, 0), "what is kept is in nobody's way"
        assert by_hand.problems == [
            f"maintainer:Our Slack: MONITOR_OUR_SLACK is not set, so {BATCH + 1} are kept for them"
        ]
        assert slack.posts[0].path.endswith("/x1")
        world.later(days=5)
        world.environ["MONITOR_OUR_SLACK"] = f"{slack.base}T1/B1/ours"
        assert (world.deliver().sent, world.deliver().problems) == (BATCH + 1, [])


def test_a_missing_secret_of_whom_nothing_waits_for_is_no_problem_of_a_delivery(tmp_path: Path, mail: SmtpSink) -> None:
    ours = {"name": "Our Slack", "channel": "slack", "address_secret": "OUR_SLACK"}
    with told_world(tmp_path, mail, settings={"maintainers": [ours]}) as world:
        assert world.deliver().problems == []


# --- operators --------------------------------------------------------------------------------------------------------

JUNE = date(2025, 6, 2)
BOARD = [issue("stops", watch("2025 HB 7132"), watch("2025 SB 213"), watch("2025 HB 6907"))]


def texts(slack: SlackSink) -> list[str]:
    return [post.json["text"] for post in slack.posts]


def runs(world: World, days: int) -> None:
    """A pass over everything and what it has to tell, once a day."""
    for _ in range(days):
        world.later(days=1).check()
        world.deliver()


def test_a_dead_site_is_told_once_and_its_return_once(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE) as world:
        world.check()
        world.replica.misbehave("/", "unavailable")
        runs(world, 6)
        (text,) = texts(slack)
        assert "cannot be read" in text
        assert "We keep trying" in text
        world.replica.behave()
        runs(world, 2)
        assert ["is back" in one for one in texts(slack)] == [False, True]
        runs(world, 2)
        assert len(slack.posts) == 2


def test_an_operator_who_comes_later_hears_of_what_is_still_broken(
    tmp_path: Path, mail: SmtpSink, slack: SlackSink
) -> None:
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE, settings={"operators": []}) as world:
        world.check()
        world.replica.misbehave("/", "unavailable")
        mail.script("MAIL", "530 5.7.0 log in first")
        world.subscribe("ann@example.org")
        with world.database.transaction() as session:
            notices.channel_down(session, world.config, ChannelKind.EMAIL, "no", world.now)
        runs(world, 6)
        assert world.notices() == []
        world.configure(BOARD, operators=[SAM])
        with world.database.transaction() as session:
            notices.channel_down(session, world.config, ChannelKind.EMAIL, "no", world.now)
        runs(world, 2)
        assert [text.partition(":")[0] for text in texts(slack)] == ["Nothing can be sent by email", "127.0.0.1"]


def test_a_page_in_trouble_is_told_to_an_operator_who_comes_later(
    tmp_path: Path, mail: SmtpSink, slack: SlackSink
) -> None:
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE, settings={"operators": []}) as world:
        world.check()
        world.replica.misbehave("/asp", "history_missing")
        runs(world, 5)
        assert world.notices() == []
        world.configure(BOARD, operators=[SAM])
        runs(world, 2)
        (text,) = texts(slack)
        assert text.startswith("3 sources cannot be read")


def test_short_trouble_is_nobodys_business(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE) as world:
        world.check()
        world.replica.misbehave("/asp", "history_missing")
        runs(world, 2)
        world.replica.behave()
        runs(world, 2)
        assert slack.posts == []


def test_many_pages_in_trouble_are_one_notice(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE) as world:
        world.check()
        world.replica.misbehave("/asp", "history_missing")
        runs(world, 5)
        (text,) = texts(slack)
        assert text.startswith("3 sources cannot be read")
        world.replica.behave()
        runs(world, 3)
        assert texts(slack)[1].startswith("3 sources read well again")
        assert len(slack.posts) == 2


def test_no_subscriber_is_told_of_an_outage(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE) as world:
        world.subscribe("ann@example.org")
        world.check()
        world.replica.misbehave("/", "unavailable")
        runs(world, 6)
        assert mail.mails == []
        assert slack.posts


def test_a_channel_in_trouble_is_no_host_of_ours_to_read(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    """The same table keeps both; a check must neither ask it for pages nor take its rest away."""
    with told_world(tmp_path, mail, slack, issues=BOARD, feed=False, day=JUNE) as world:
        mail.script("MAIL", "530 5.7.0 log in first")
        world.subscribe("ann@example.org")
        with world.database.transaction() as session:
            for _ in range(5):
                notices.channel_down(session, world.config, ChannelKind.EMAIL, "no", world.now)
        until = {host.host: host.not_before for host in world.hosts()}["channel:email"]
        assert world.check().failed == 0
        assert {host.host: host.not_before for host in world.hosts()}["channel:email"] == until
        assert [item["heading"] for one in world.notices("operations") for item in one.items] == [
            "Nothing can be sent by email"
        ]


def test_a_service_told_to_read_its_configuration_again_writes_to_the_operators_of_now(
    tmp_path: Path, mail: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's loop is a stand-in; what it is handed is the real thing."""
    with told_world(tmp_path, mail, settings={"operators": [person("Olga")]}) as world:

        def service(jobs: Any, *, reload: Any, on_failing: Any, on_recovered: Any, **_: Any) -> int:
            on_failing("check", 3, OSError())
            world.configure([issue("stops")], operators=[person("Nina")])
            reload()
            on_failing("deliver", 3, OSError())
            on_recovered("deliver")
            world.config_path.write_text("nonsense: [")
            with pytest.raises(ConfigError):
                reload()
            on_recovered("check")
            return 0

        monkeypatch.setattr("monitor.schedule.run", service)
        done = CliRunner().invoke(app, ["--config", str(world.config_path), "run"])
        assert done.exit_code == 0, done.output
        assert [one.recipient for one in world.deliveries()].count("operator:Olga") == 1
        assert [one.recipient for one in world.deliveries()].count("operator:Nina") == 3
