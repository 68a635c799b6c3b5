"""Who is told: adding, changing, leaving, importing. All or none, and no secret shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.model.messaging import Cadence, ChannelKind, DeliveryState
from monitor.notify.channels import mask_address
from monitor.store.schema import Subscription
from monitor.workflow.subscribe import Unsuitable, read_csv, subscribe, unsubscribe, wish
from tests.pipeline import World
from tests.telling import of, publish, told_world

HOOK = "https://hooks.slack.com/services/T0123456/B0123456/s3cr3tHook"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with told_world(tmp_path, None) as world:
        yield world


def monitor(world: World, *arguments: str, given: str | None = None) -> tuple[int, str, str]:
    everything = ["--config", str(world.config_path), "--now", world.now.isoformat(), "subscribers", *arguments]
    done = CliRunner().invoke(app, everything, input=given)
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


def test_whoever_comes_back_is_told_again(world: World) -> None:
    world.subscribe("ann@example.org")
    unsubscribe(world.context, ChannelKind.EMAIL, "ann@example.org")
    with world.database.transaction() as session:
        session.query(Subscription).one().broken_at = world.now
    world.subscribe("ann@example.org", cadence="daily")
    (row,) = world.rows(Subscription)
    assert (row.live, row.broken_reason, row.cadence) == (True, "", "daily")


def test_leaving_twice_keeps_the_first_date(world: World) -> None:
    world.subscribe("ann@example.org")
    assert unsubscribe(world.context, ChannelKind.EMAIL, "ann@example.org")
    first = world.rows(Subscription)[0].left_at
    world.now += timedelta(days=3)
    unsubscribe(world.context, ChannelKind.EMAIL, "ann@example.org")
    assert world.rows(Subscription)[0].left_at == first
    assert not unsubscribe(world.context, ChannelKind.SLACK, "ann@example.org")


def test_leaving_cancels_what_waits(world: World) -> None:
    world.subscribe("ann@example.org", cadence="daily")
    world.subscribe("bob@example.org", cadence="daily")
    publish(world)
    unsubscribe(world.context, ChannelKind.EMAIL, "ann@example.org")
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
    assert everyone(world)[0][:2] == ("slack", HOOK)
    listed = monitor(world, "list")[1] + monitor(world, "list", "--json")[1] + monitor(world, "list", "--all")[1]
    removed = monitor(world, "remove", "--channel", "slack", "-", given=HOOK)
    again = monitor(world, "remove", "--channel", "slack", "-", given=HOOK)
    assert removed[0] == 0
    shown = out + listed + repr(removed) + repr(again)
    assert "https://hooks.slack.com…" in shown
    assert "s3cr3t" not in shown


def test_a_wrong_webhook_is_not_repeated_on_the_screen(world: World) -> None:
    code, out, err = monitor(world, "add", "--channel", "slack", "-", given="https://example.org/s3cr3tHook")
    assert (code, "s3cr3t" in out + err) == (1, False)


def test_nothing_on_standard_input(world: World) -> None:
    code, _, err = monitor(world, "add", "-", given="")
    assert code == 1
    assert err.strip()


# --- import -----------------------------------------------------------------------------------------------------------


def csv(world: World, text: str | bytes) -> str:
    path = world.folder / "people.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_a_file_is_imported(world: World) -> None:
    world.subscribe("bob@example.org")
    file = csv(
        world,
        "address,channel,topics,issues,cadence\r\n"
        "ann@example.org,,,stops quotas,weekly\r\n"
        '"bob@example.org",email,topic,,\r\n'
        f"{HOOK},slack,,,daily\r\n",
    )
    assert monitor(world, "import", file) == (0, "2 added, 1 changed.\n", "")
    assert everyone(world) == [
        ("email", "bob@example.org", ["topic"], [], "immediate"),
        ("email", "ann@example.org", [], ["stops", "quotas"], "weekly"),
        ("slack", HOOK, [], [], "daily"),
    ]
    assert json.loads(monitor(world, "import", file, "--json")[1]) == {"new": 0, "changed": 3, "left": []}


def test_who_has_left_stays_away_until_added_by_name(world: World) -> None:
    for address, channel in (("ann@example.org", "email"), (HOOK, "slack"), ("bob@example.org", "email")):
        world.subscribe(address, channel)
    for address, channel in (("ann@example.org", ChannelKind.EMAIL), (HOOK, ChannelKind.SLACK)):
        unsubscribe(world.context, channel, address)
    before = world.rows(Subscription)
    file = csv(
        world, f"address,channel,cadence\nann@Example.org,,daily\nbob@example.org,,\n{HOOK},slack,\nnew@example.org,,\n"
    )
    code, out, err = monitor(world, "import", file)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "1 added, 1 changed.",
        "2 left out, since they have left; if they ask to be back: monitor subscribers add",
        "  ann@example.org",
        f"  {mask_address(ChannelKind.SLACK, HOOK)}",
    ]
    after = world.rows(Subscription)
    assert [(one.left_at, one.cadence) for one in after[:2]] == [(one.left_at, one.cadence) for one in before[:2]]
    assert all(one.left_at for one in after[:2])
    assert json.loads(monitor(world, "import", file, "--json")[1])["left"] == [
        "ann@example.org",
        mask_address(ChannelKind.SLACK, HOOK),
    ]
    monitor(world, "add", "ann@example.org")
    assert [one.live for one in world.rows(Subscription)] == [True, False, True, True]


def test_a_hundred_who_have_left_are_not_a_wall_of_text(world: World) -> None:
    people = [f"reader{number}@example.org" for number in range(100)]
    for one in people:
        world.subscribe(one)
    with world.database.transaction() as session:
        session.query(Subscription).update({"left_at": world.now})
    out = monitor(world, "import", csv(world, "\n".join(["address", *people])))[1].splitlines()
    assert len(out) == 23
    assert out[-1] == "  … and 80 more"


@pytest.mark.parametrize(
    "text",
    [
        "address\nann@example.org\n",
        "\ufeffaddress\nann@example.org\n",  # as Excel saves it
        "address\r\nann@example.org",
        'address,topics\n"ann@example.org",\n\n',
        "cadence,address\nimmediate, ann@example.org \n",
    ],
)
def test_spellings_of_a_good_file(world: World, text: str) -> None:
    assert monitor(world, "import", csv(world, text)) == (0, "1 added, 0 changed.\n", "")
    assert everyone(world) == [("email", "ann@example.org", [], [], "immediate")]


def test_an_address_twice_in_a_file_counts_once_and_the_last_line_holds(world: World) -> None:
    text = "address,cadence\nann@example.org,daily\nann@Example.org,weekly\n"
    assert monitor(world, "import", csv(world, text)) == (0, "1 added, 1 changed.\n", "")
    assert everyone(world) == [("email", "ann@example.org", [], [], "weekly")]


def test_every_bad_line_is_named_and_nothing_is_imported(world: World) -> None:
    file = csv(
        world,
        "address,channel,topics,issues,cadence\n"
        "ann@example.org,,,,\n"
        "nonsense,,,,\n"
        "bob@example.org,,,stosp,\n"
        "cat@example.org,,toppic,,\n"
        "dan@example.org,,,,hourly\n"
        "eve@example.org,,,,\n"
        "https://example.org/s3cr3t,slack,,,\n",
    )
    code, out, err = monitor(world, "import", file)
    assert (code, out) == (1, "")
    told = err.splitlines()
    assert [line.split(": ", 1)[0] for line in told[:-1]] == [f"{file}:{number}" for number in (3, 4, 5, 6, 8)]
    assert "did you mean stops?" in told[1]
    assert "did you mean topic?" in told[2]
    assert told[-1] == "Nothing was imported."
    assert "s3cr3t" not in err
    assert everyone(world) == []


def test_a_hundred_bad_lines_are_not_a_wall_of_text(world: World) -> None:
    code, _, err = monitor(world, "import", csv(world, "address\n" + "nonsense\n" * 100))
    assert code == 1
    assert len(err.splitlines()) == 22
    assert "… and 80 more" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the first line names the columns"),
        ("email\nann@example.org\n", "it does not know email"),
        ("ann@example.org\nbob@example.org\n", "it does not know ann@example.org"),
        ("address;cadence\nann@example.org;daily\n", "the first line names the columns"),
        ("address,adress\nann@example.org,x\n", "it does not know adress"),
        ("address\nann@example.org,immediate\n", "more fields than columns"),
        (b"address\nm\xfcller@example.org\n", "UTF-8"),
        (b"address\n\x00\x01@example.org\n", "Nothing was imported"),
        ('address\n"ann@example.org\n', "Nothing was imported"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(world: World, text: str | bytes, said: str) -> None:
    file = csv(world, text)
    code, out, err = monitor(world, "import", file)
    assert (code, out) == (1, "")
    assert said in err
    assert file in err
    assert everyone(world) == []


def test_ten_thousand_lines_are_read_and_stored_at_once(world: World) -> None:
    """Counted and not timed: one look at what there is, and rows written by the hundred."""
    wishes = [
        wish(world.config, f"reader{number}@example.org", "email", (), ("stops",), "daily") for number in range(10_000)
    ]
    statements = counted(world, wishes)
    assert len(world.rows(Subscription)) == 10_000
    assert statements <= 50
    assert counted(world, wishes) <= 50, "and what is as it was is not written again"


def counted(world: World, wishes: Sequence[object]) -> int:
    from sqlalchemy import event

    count = 0

    def add(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(world.database.engine, "before_cursor_execute", add)
    try:
        subscribe(world.context, wishes)  # type: ignore[arg-type]
    finally:
        event.remove(world.database.engine, "before_cursor_execute", add)
    return count


def test_a_large_file_shows_progress_and_keeps_its_order(world: World) -> None:
    steps: list[int] = []
    file = csv(world, "address\n" + "".join(f"reader{number}@example.org\n" for number in range(10_000)))
    wishes = read_csv(world.config, Path(file), steps.append)
    assert steps == list(range(1, 10_001))
    assert [one.address for one in wishes][:2] == ["reader0@example.org", "reader1@example.org"]


def test_an_import_that_fails_half_way_leaves_nothing(world: World) -> None:
    good = [wish(world.config, f"reader{number}@example.org", "email", (), (), "daily") for number in range(5)]

    def failing() -> Iterator[object]:
        yield from good
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        subscribe(world.context, failing())  # type: ignore[arg-type]
    assert everyone(world) == []


# --- wishes -----------------------------------------------------------------------------------------------------------


def test_a_wish_has_defaults_and_masks_itself(world: World) -> None:
    made = wish(world.config, "ann@example.org", "", (), (), "")
    assert (made.channel, made.cadence, made.masked) == (ChannelKind.EMAIL, Cadence.IMMEDIATE, "a***@example.org")
    with pytest.raises(Unsuitable, match="there is no topic 'stops'"):
        wish(world.config, "ann@example.org", "", ("stops",), (), "")


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
    )
    assert "s3cr3t" not in repr(done.args) + done.stdout + done.stderr
    assert everyone(world)[0][1] == HOOK
