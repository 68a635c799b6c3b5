"""config.yaml: what it may say, and how it says no."""

from __future__ import annotations

import copy
import pickle
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from monitor.config import Config, ConfigError, Problem, Secret, load, missing_secrets, secret, warnings
from monitor.config.checks import between
from monitor.config.cron import parse_cron
from monitor.config.explain import every_key, explain, keys_at, path
from monitor.config.reading import MAY_MOVE_STATUS, Milestones
from monitor.config.reference import reference
from monitor.config.text import LARGEST, UnreadableError, decode, parse
from monitor.model.legislature import BillKey, why_impossible
from monitor.model.messaging import follows
from monitor.model.tracking import Direction, Effect, Milestone, SourceKind, Status

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "config.yaml"
NEW_YORK = ZoneInfo("America/New_York")

MINIMAL = """\
organization: {name: Advocates, contact: us@example.net}
topics:
  - id: stops
    name: Stops
    issues:
      - id: quotas
        name: Quotas
        initial_status: no_progress
        initial_narrative: Nothing yet.
        watches:
          - {bill: 2020 HB 6004, effect: achieved}
"""

#: Every key of the schema, each with a value it takes.
FULL = """\
organization:
  name: Advocates
  contact: us@example.net
  postal_address: 1 Street, Hartford
  board_url: https://example.net/board
database: sqlite:///data/x.sqlite3
sources:
  cga:
    base_url: http://127.0.0.1:8123
    ftp_url: ftp://127.0.0.1:2121/pub/data
    bulk_path: /ftp/pub/data
    intermediates: extra.pem
  hosts: [www.acluct.org]
  bill_feed: true
  bill_page: false
  acts_page: true
  ignore_robots: [bill_page, www.acluct.org]
manners:
  interval_seconds: 1.5
  deadline_seconds: 20
  max_bytes: 4 MB
  max_bytes_large: 20 MB
  max_redirects: 4
  full_read_every: 5
cadence:
  bill_feed: {in_session: 15m, out_of_session: 1d, settled: 30d}
  bill_page: {in_session: 6h, out_of_session: 1d, settled: 30d}
  acts_page: {in_session: 6h, out_of_session: 1d, settled: 30d}
  document_list: {in_session: 6h, out_of_session: 1d, settled: 30d}
  feed: {in_session: 6h, out_of_session: 1d, settled: 30d}
  crosscheck: 5d
schedule:
  timezone: America/New_York
  tick_seconds: 10
  daily_digest: 0 8 * * *
  weekly_digest: 0 8 * * 1
  prune: 30 4 * * *
milestones:
  law: status
  law_in_part: narrative
  veto: status
  reversed: status
  hearing: activity
  committee_vote: narrative
  chamber_passage: narrative
  act_number: narrative
  death: narrative
  merged: narrative
  failed: narrative
  adopted: narrative
  report: narrative
notices: {fail_after: 2, quiet_after: 5d, messages_a_day: 4}
mail:
  host: smtp.example.net
  port: 2525
  security: starttls
  username: monitor
  from: monitor@example.net
  connections: 2
  bounce_address: bounces@lists.example.net
  inbox:
    imap:
      host: imap.example.net
      port: 993
      username: bounces
      folder: INBOX
  dkim:
    selector: m2025
    domain: example.net
  nameserver: 127.0.0.1:5353
slack_bases: [https://chat.example.net/hooks]
apprise_hosts: [ntfy.example.net]
maintainers:
  - name: Alex
    channel: slack
    address_secret: SLACK_WEBHOOK
    topics: [stops]
    issues: [quotas]
operators:
  - name: Sam
    channel: email
    address: sam@example.net
    # address_secret would be the other way
web:
  listen: 127.0.0.1:8081
  hosts: [board.example.net]
  proxies: 1
  sign_up: true
  title: Where it stands
  find_legislators_url: https://example.net/find
retention: {snapshots: forever, rejected_pages: 10d, checks: 20d, deliveries: 30d}
topics:
  - id: stops
    name: Stops
    issues:
      - id: quotas
        name: Quotas
        initial_status: no_progress
        initial_since: 2020-07-31
        initial_narrative: Nothing yet.
        action_url: https://example.net/act
        letter:
          subject: No quotas in {town}
          body: I live in {town}. {name}
        watches:
          - {bill: 2020 HB 6004, direction: advances, effect: achieved, id: main}
          - {documents: /jud/taskforce.asp?TF=Police%20Task%20Force, terms: [stop, quota]}
          - {feed: https://www.acluct.org/feed/}
"""

Writer = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def write(content: str | bytes) -> Path:
        target = tmp_path / "config.yaml"
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    (tmp_path / "extra.pem").write_text("a certificate")
    return write


def refused(target: Path, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(target, environ or {})
    assert str(target) in str(caught.value)
    return caught.value


def only(error: ConfigError) -> tuple[int, int, str, str]:
    [problem] = error.problems
    return problem.line, problem.column, problem.message, problem.hint


def edited(old: str, new: str, text: str = FULL) -> tuple[str, int]:
    """The text with one line's part replaced, and that line's number."""
    assert text.count(old) == 1, old
    return text.replace(old, new), text[: text.index(old)].count("\n") + 1


# ------------------------------------------------------------------------------------------ reading


def test_smallest_file_loads_with_the_documented_defaults(write: Writer) -> None:
    config = load(write(MINIMAL), {})
    assert config.sources.cga.base_url == "https://www.cga.ct.gov"
    assert config.manners.interval_seconds == 1.0
    assert (config.manners.max_bytes, config.manners.max_bytes_large) == (5_000_000, 25_000_000)
    assert config.mail is None
    assert config.cadence.of(SourceKind.BILL_FEED).in_session == timedelta(hours=1)
    assert config.retention.snapshots is None


def test_every_key_is_read(write: Writer) -> None:
    config = load(write(FULL), {})
    assert config.manners.max_bytes == 4_000_000
    assert config.cadence.bill_feed.in_session == timedelta(minutes=15)
    assert config.cadence.crosscheck == timedelta(days=5)
    assert config.schedule.zone == NEW_YORK
    assert config.milestones.table[Milestone.LAW_IN_PART] == "narrative"
    assert config.mail is not None
    assert (config.mail.effective_port, config.mail.sender) == (2525, "monitor@example.net")
    assert config.slack_bases == ("https://chat.example.net/hooks/",)
    assert follows(config.maintainers[0], "other", "stops")
    assert not follows(config.maintainers[0], "other", "other")
    assert config.operators[0].target({}) == Secret("sam@example.net")
    assert next(config.issues()).initial_since == date(2020, 7, 31)
    assert config.issue("quotas").name == "Quotas"
    assert config.issue("quotas").letter.filled("Sam", "Bolton") == ("No quotas in Bolton", "I live in Bolton. Sam")


def test_a_letter_knows_two_placeholders_only(write: Writer) -> None:
    text, line = edited("{town}. {name}", "{town}. {email}")
    at, _, message, _ = only(refused(write(text)))
    assert at == line
    assert message.endswith("a letter knows two placeholders only: {name} and {town}")


def test_nothing_can_be_changed_afterwards(write: Writer) -> None:
    config = load(write(FULL), {})
    with pytest.raises(ValidationError):
        config.manners.interval_seconds = 0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        next(config.watches()).id = "x"  # type: ignore[misc]


def test_watches_have_stable_ids_and_absolute_addresses(write: Writer) -> None:
    bill, documents, feed = load(write(FULL), {}).watches()
    assert (bill.id, bill.bill, bill.url) == ("quotas/main", BillKey("2020", "HB06004"), "")
    assert documents.id == "quotas/documents-police-task-force"
    assert documents.url == "http://127.0.0.1:8123/jud/taskforce.asp?TF=Police%20Task%20Force"
    assert (feed.id, feed.kind, feed.url) == ("quotas/feed-acluct-org", SourceKind.FEED, "https://www.acluct.org/feed/")
    assert (feed.issue, feed.topic) == ("quotas", "stops")
    [derived] = load(write(MINIMAL), {}).watches()
    assert (derived.id, derived.direction, derived.effect) == (
        "quotas/2020-HB06004",
        Direction.ADVANCES,
        Effect.ACHIEVED,
    )


def test_terms_pick_the_titles_that_concern_an_issue(write: Writer) -> None:
    _, documents, feed = load(write(FULL), {}).watches()
    assert documents.concerns("Report on Traffic STOPS")
    assert not documents.concerns("Testimony - Anonymous")
    assert feed.concerns("anything at all")


def test_a_replica_is_the_only_private_host_and_its_port_is_part_of_its_name(write: Writer) -> None:
    config = load(write(FULL), {})
    assert config.private_hosts == {"127.0.0.1:8123", "127.0.0.1:2121"}
    assert config.allowed_hosts == {"127.0.0.1:8123", "127.0.0.1:2121", "www.acluct.org"}
    live = load(write(MINIMAL), {})
    assert live.private_hosts == frozenset()
    assert live.allowed_hosts == {"www.cga.ct.gov", "ftp.cga.ct.gov"}


def test_overridden_robots_are_named_by_host_and_path(write: Writer) -> None:
    config = load(write(FULL), {})
    assert config.robots_overrides == {"127.0.0.1:8123/asp/cgabillstatus/", "www.acluct.org"}


def test_text_that_looks_like_something_else_stays_text(write: Writer) -> None:
    text = MINIMAL.replace("Nothing yet.", "no").replace("name: Quotas", "name: 12:30").replace("Stops", "1_033")
    config = load(write(text), {})
    assert next(config.issues()).initial_narrative == "no"
    assert next(config.issues()).name == "12:30"
    assert config.topics[0].name == "1_033"


def test_a_kind_that_sets_one_length_keeps_its_own_others(write: Writer) -> None:
    config = load(write(MINIMAL + "cadence: {bill_page: {in_session: 2h}}\n"), {})
    assert config.cadence.bill_page.in_session == timedelta(hours=2)
    assert config.cadence.bill_page.out_of_session == timedelta(days=7)


# ---------------------------------------------------------------------------------- database, secrets


def test_relative_paths_start_beside_the_file(write: Writer, tmp_path: Path) -> None:
    config = load(write(FULL), {})
    assert config.database_url == f"sqlite:///{tmp_path}/data/x.sqlite3"
    assert config.sources.cga.intermediates == tmp_path / "extra.pem"
    assert load(write(MINIMAL + "outbox: {dir: out}\n"), {}).outbox.dir == tmp_path / "out"  # type: ignore[union-attr]


def test_environment_overrides_the_database_and_may_hold_a_password(write: Writer) -> None:
    url = "postgresql://monitor:hunter2@db/board"
    config = load(write(FULL), {"MONITOR_DATABASE_URL": url})
    assert config.database_url == "postgresql+psycopg://monitor:hunter2@db/board"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "board.db", "postgresql://[x"])
def test_a_bad_database_in_the_environment_is_blamed_on_the_environment(write: Writer, url: str) -> None:
    line, _, message, hint = only(refused(write(FULL), {"MONITOR_DATABASE_URL": url}))
    assert line == 0
    assert message.startswith("MONITOR_DATABASE_URL: ")
    assert "sqlite:///monitor.sqlite3" in hint


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@h/db", "postgresql://u@h/db?password=hunter2"])
def test_a_password_in_the_files_database_url_is_refused_and_not_repeated(write: Writer, url: str) -> None:
    text, number = edited("sqlite:///data/x.sqlite3", url)
    error = refused(write(text))
    line, _, message, hint = only(error)
    assert line == number
    assert "secrets never stand in config.yaml" in message
    assert "MONITOR_DATABASE_URL" in hint
    assert "hunter2" not in repr(error) + str(error)


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("  username: monitor", "  password: hunter2", "MONITOR_SMTP_PASSWORD"),
        ("    address_secret: SLACK_WEBHOOK", "    webhook: hunter2", "address_secret: NAME"),
        ("    address_secret: SLACK_WEBHOOK", "    address: https://hooks.slack.com/hunter2", "address_secret: NAME"),
        ("    address_secret: SLACK_WEBHOOK", "    address_secret: https://h/hunter2", "MONITOR_SLACK_WEBHOOK"),
        ("  board_url: https://", "  board_url: https://me:hunter2@", "before the @"),
        ("database: ", "api_key: hunter2\ndatabase: ", "MONITOR_NAME"),
    ],
)
def test_secrets_in_the_file_are_refused_and_not_repeated(write: Writer, old: str, new: str, hint: str) -> None:
    text, number = edited(old, new)
    error = refused(write(text))
    assert any(problem.line == number and hint in problem.hint for problem in error.problems), str(error)
    assert "hunter2" not in str(error) + repr(error)


def test_secrets_are_shown_nowhere(write: Writer) -> None:
    config = load(write(FULL), {"MONITOR_DATABASE_URL": "postgresql://u:hunter2@h/db"})
    shown = [repr(config), str(config), f"{config.database}", f"{config.database:>9}", repr(config.model_dump())]
    assert not [text for text in shown if "hunter2" in text]
    assert copy.deepcopy(config.database).reveal() == config.database_url
    with pytest.raises(TypeError):
        pickle.dumps(config.database)


def test_a_secret_comes_from_the_environment_then_from_systemds_credentials(tmp_path: Path) -> None:
    (tmp_path / "smtp_password").write_text("from systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert secret("SMTP_PASSWORD", environ) == Secret("from systemd")
    assert secret("SMTP_PASSWORD", {**environ, "MONITOR_SMTP_PASSWORD": "mine"}) == Secret("mine")
    assert secret("SMTP_PASSWORD", {**environ, "MONITOR_SMTP_PASSWORD": ""}) == Secret("from systemd")
    assert secret("OTHER", environ) is None
    assert secret("SMTP_PASSWORD", {}) is None


def test_a_credential_that_cannot_be_read_says_which(tmp_path: Path) -> None:
    (tmp_path / "smtp_password").mkdir()
    (tmp_path / "token").write_bytes(b"\xff")
    for name in ("SMTP_PASSWORD", "TOKEN"):
        with pytest.raises(ConfigError, match=name.lower()):
            secret(name, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_no_name_of_a_secret_leaves_the_credentials_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="named like"):
        secret("../PASSWD", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_secrets_nobody_gave_are_listed(write: Writer) -> None:
    config = load(write(FULL), {})
    assert list(missing_secrets(config, {})) == [
        "MONITOR_SMTP_PASSWORD",
        "MONITOR_DKIM_KEY",
        "MONITOR_IMAP_PASSWORD",
        "MONITOR_SLACK_WEBHOOK",
    ]
    given = ("SMTP_PASSWORD", "DKIM_KEY", "IMAP_PASSWORD", "SLACK_WEBHOOK")
    assert list(missing_secrets(config, {f"MONITOR_{name}": "x" for name in given})) == []


# ------------------------------------------------------------------------------------------ mistakes


def keys_of_full() -> Iterator[tuple[str, int, int, list[str]]]:
    """Each key that stands in FULL: name, line, column, and the keys its block knows."""
    document = YAML(typ="rt").load(FULL)

    def walk(node: object, loc: tuple[str | int, ...]) -> Iterator[tuple[str, int, int, list[str]]]:
        if isinstance(node, dict):
            for key, value in node.items():
                line, column = node.lc.key(key)  # type: ignore[attr-defined]
                yield key, line, column, keys_at(loc)
                yield from walk(value, (*loc, key))
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from walk(value, (*loc, index))

    yield from walk(document, ())


def mutations(word: str, rng: random.Random) -> Iterator[str]:
    """One edit each: a letter lost, doubled, changed or swapped with its neighbour."""
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at] + word[at:]
        yield word[:at] + rng.choice(string.ascii_lowercase) + word[at + 1 :]
        yield word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :] if at else word


def test_the_full_file_holds_every_key() -> None:
    present = {key for key, *_ in keys_of_full()} | {"outbox", "dir", "maildir", "mbox"}
    assert {key for _, key in every_key()} == present


@pytest.mark.parametrize("case", list(keys_of_full()), ids=lambda case: f"{case[1] + 1}-{case[0]}")
def test_every_one_letter_slip_in_a_key_is_caught_with_the_right_word(
    case: tuple[str, int, int, list[str]], write: Writer
) -> None:
    key, line, column, siblings = case
    lines = FULL.split("\n")
    for slip in set(mutations(key, random.Random(key))) - set(siblings) - {""}:
        changed = lines[line][:column] + slip + lines[line][column + len(key) :]
        error = refused(write("\n".join([*lines[:line], changed, *lines[line + 1 :]])))
        hints = [
            problem.hint
            for problem in error.problems
            if (problem.line, problem.column) == (line + 1, column + 1) and problem.message.startswith("unknown key")
        ]
        assert hints, (slip, str(error))
        assert re.search(rf"did you mean .*\b{key}\b", hints[0]), (slip, hints)


def test_a_key_in_the_wrong_block_is_told_where_it_belongs(write: Writer) -> None:
    line, column, message, hint = only(refused(write(MINIMAL + "timezone: America/New_York\n")))
    assert (line, column, message) == (12, 1, "unknown key timezone")
    assert hint == "timezone belongs under schedule"


def test_duplicate_keys_name_both_lines_at_any_depth(write: Writer) -> None:
    text = MINIMAL.replace("        name: Quotas\n", "        name: Quotas\n        name: Other\n")
    error = refused(write(text + "topics: []\n"))
    assert [(problem.line, problem.column) for problem in error.problems] == [(8, 9), (13, 1)]
    assert error.problems[0].message == "'name' stands twice: on line 7 and here"
    assert "on line 2 and here" in error.problems[1].message


BAD_VALUES = [
    # (what stands in FULL, what stands there instead, a word of the message, a word of the hint)
    ("2020 HB 6004", "SB 7146 (2017)", "is not a bill", "did you mean 2017 HB 7146?"),
    ("2020 HB 6004", "2017 SB 7146", "Senate bills number below 5001", "did you mean 2017 HB 7146?"),
    ("2020 HB 6004", "2025 HB 213", "House bills number from 5001", "did you mean 2025 SB 213?"),
    ("2020 HB 6004", "H.B. No. 6004", "is not a bill", "write it like 2020 HB 6004"),
    ("2020 HB 6004", "HB-06004 of 2020", "is not a bill", "did you mean 2020 HB 6004?"),
    ("0 8 * * *", "0 8 * *", "five fields", "every day at 08:00"),
    ("0 8 * * *", "0 24 * * *", "hour is 0 to 23", "0 8"),
    ("0 8 * * *", "0 8 30 2 *", "never runs", ""),
    ("0 8 * * *", "0 8 31 4,6 *", "never runs", ""),
    ("0 8 * * *", "0 8 1 * mon", "different things", ""),
    ("0 8 * * *", "0 8 * * fri-mon", "backwards", ""),
    ("0 8 * * *", "0 8 * * 8", "weekday is 0 to 7", ""),
    ("0 8 * * *", "'*/0 8 * * *'", "step by 0", ""),
    ("0 8 * * *", "'@daily'", "five fields", "0 8 * * *"),
    ("0 8 * * *", "*/5 8 * * *", "anchors", "in quotes"),
    ("0 8 * * *", "@daily", "cannot start any token", "in quotes"),
    ("America/New_York", "America/New York", "not a time zone", "did you mean America/New_York?"),
    ("America/New_York", "../../etc/passwd", "not a time zone", ""),
    ("in_session: 15m", "in_session: 12:30", "not a length of time", "30s, 15m"),
    ("in_session: 15m", "in_session: 30", "not a length of time", "30s, 15m"),
    ("in_session: 15m", "in_session: -1h", "not a length of time", "30s, 15m"),
    ("in_session: 15m", "in_session: 0h", "more than nothing", ""),
    ("rejected_pages: 10d", "rejected_pages: never", "not a length of time", ""),
    ("fail_after: 2", "fail_after: -2", "at least 1", ""),
    ("tick_seconds: 10", "tick_seconds: soon", "whole number", ""),
    ("interval_seconds: 1.5", "interval_seconds: nan", "", ""),
    ("max_bytes: 4 MB", "max_bytes: 4 mega", "not a size", "5 MB"),
    ("max_bytes: 4 MB", "max_bytes: 4", "not a size", "5 MB"),
    ("bill_feed: true", "bill_feed: maybe", "true or false", ""),
    ("law: status", "law: staus", "'status', 'narrative' or 'activity'", "did you mean status?"),
    ("hearing: activity", "hearing: status", "cannot suggest a status", "only law, law_in_part"),
    ("initial_status: no_progress", "initial_status: No Progress!", "'no_progress'", "did you mean no_progress?"),
    ("2020-07-31", "7/31/2020", "a date such as 2020-07-31", ""),
    ("direction: advances", "direction: advance", "'advances'", "did you mean advances?"),
    ("effect: achieved", "effect: no_progress", "does not fit a bill that advances", "achieved"),
    ("terms: [stop, quota]", "effect: achieved", "belongs to a bill", "remove"),
    ("effect: achieved, id: main", "terms: [x]", "terms belong to documents", "remove"),
    ("id: quotas", "id: Quotas!", "is not an id", "did you mean quotas?"),
    ("https://www.acluct.org/feed/", "https://aclu.org/feed/", "aclu.org is not allowed", "sources.hosts"),
    ("https://www.acluct.org/feed/", "http://www.acluct.org/feed/", "plain http", "https://www.acluct.org"),
    ("https://www.acluct.org/feed/", "//www.acluct.org/feed/", "one slash", ""),
    ("https://www.acluct.org/feed/", "file:///etc/passwd", "", ""),
    ("https://www.acluct.org/feed/", r"http://127.0.0.1\@www.acluct.org/", "backslashes", ""),
    ("https://www.acluct.org/feed/", "https://www.acluct.org:99999/", "not a URL", ""),
    ("https://www.acluct.org/feed/", "https://2130706433/", "no proper host", ""),
    ("https://www.acluct.org/feed/", "https://www.acluct.org/a b", "no blanks", "%20"),
    ("hosts: [www.acluct.org]", "hosts: [www.acluct.org, 169.254.169.254]", "private address", "base_url"),
    ("hosts: [www.acluct.org]", "hosts: [www.acluct.org, 'https://x.org/y']", "not a host name", "did you mean x.org?"),
    ("[ntfy.example.net]", "['https://NTFY.example.lan/x']", "not a host name", "did you mean ntfy.example.lan?"),
    ("[ntfy.example.net]", "['ntfy.example.lan:8080']", "not a host name", "did you mean ntfy.example.lan?"),
    ("[ntfy.example.net]", "['ntfy example']", "not a host name", "without scheme"),
    ("[ntfy.example.net]", "['[::1']", "not a host name", ""),
    ("ignore_robots: [bill_page", "ignore_robots: [bill_pages", "neither a channel", "did you mean bill_page?"),
    ("issues: [quotas]", "issues: [quota]", "no issue 'quota'", "did you mean quotas?"),
    ("topics: [stops]", "topics: [stop]", "no topic 'stop'", "did you mean stops?"),
    ("contact: us@example.net", "contact: us at example", "not an email", "someone@example.org"),
    ("contact: us@example.net", 'contact: "us@example.net\\nBcc: x@y.z"', "not an email", ""),
    ("organization:\n  name: Advocates", 'organization:\n  name: "A\\nB"', "one line", ""),
    ("security: starttls", "security: none", "in the clear", "starttls"),
    ("security: starttls", "security: ssl", "'starttls'", ""),
    ("channel: slack", "channel: slak", "'slack'", "did you mean slack?"),
    ("address: sam@example.net", "address: Sam <sam@example.net>", "not an email", "someone@example.org"),
    ("intermediates: extra.pem", "intermediates: other.pem", "there is no file", "folder of config.yaml"),
    ("retention: {", "outbox: {dir: out}\nretention: {", "mail sends", "keep one"),
]


@pytest.mark.parametrize(("old", "new", "message", "hint"), BAD_VALUES, ids=[row[1][:40] for row in BAD_VALUES])
def test_a_bad_value_is_one_problem_on_its_line_with_a_way_out(
    write: Writer, old: str, new: str, message: str, hint: str
) -> None:
    text, number = edited(old, new) if FULL.count(old) == 1 else (FULL.replace(old, new, 1), 0)
    number = number or FULL[: FULL.index(old)].count("\n") + 1
    error = refused(write(text))
    matching = [one for one in error.problems if message in one.message and hint in one.hint]
    assert len(matching) == 1, str(error)
    assert abs(matching[0].line - number) <= 1, (number, str(error))


def test_ids_names_and_watches_stand_once(write: Writer) -> None:
    again = """\
  - id: quotas
    name: Again
    issues:
      - {id: stops, name: A, initial_status: achieved, initial_narrative: B, watches: []}
"""
    twice = "          - {bill: 2020 HB 6004, effect: achieved}\n"
    person = "  - {name: A, channel: email, address: a@example.net}\n"
    error = refused(write(MINIMAL.replace(twice, twice + twice) + again + "operators:\n" + person + person))
    assert [(problem.line, problem.message) for problem in error.problems] == [
        (12, "topics[0].issues[0].watches[1]: this issue watches 2020-HB06004 twice: on line 11 and here"),
        (13, "topics[1].id: the id 'quotas' stands twice: on line 6 and here"),
        (16, "topics[1].issues[0].id: the id 'stops' stands twice: on line 3 and here"),
        (19, "operators[1].name: 'A' stands twice: on line 18 and here"),
    ]


def test_mail_needs_a_postal_address_and_nothing_else_does(write: Writer) -> None:
    line, _, message, hint = only(refused(write(FULL.replace("  postal_address: 1 Street, Hartford\n", ""))))
    assert (line, message) == (1, "organization lacks postal_address, which every mail must carry")
    assert "remove mail" in hint
    assert load(write(MINIMAL), {}).organization.postal_address == ""


def test_all_mistakes_are_told_at_once_in_the_files_order(write: Writer) -> None:
    text = FULL
    for old, new in (
        ("contact: us@example.net", "contact: us"),
        ("bill_feed: true", "bill_feed: perhaps"),
        ("prune: 30 4", "prune: 99 4"),
        ("2020 HB 6004", "2020 SB 6004"),
        ("https://www.acluct.org/feed/", "https://evil.example/"),
        ("notices:", "noticse:"),
    ):
        text, _ = edited(old, new, text)
    error = refused(write(text))
    lines = [problem.line for problem in error.problems]
    assert len(lines) == 6
    assert lines == sorted(lines)
    assert str(error).count("config.yaml:") == 6


def test_a_long_list_of_mistakes_is_cut_on_the_screen_only(write: Writer) -> None:
    error = refused(write(MINIMAL + "".join(f"key{number}: 1\n" for number in range(100))))
    assert len(error.problems) == 100
    assert str(error).endswith("… and 70 more")


# ------------------------------------------------------------------------------------------ hostile files

BOMB = "a: &a [x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)

HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "alias bomb": (BOMB, "anchors"),
    "alias": ("a: *x\n", "anchors"),
    "merge": ("a: &x {b: 1}\nc: {<<: *x}\n", "anchors"),
    "python tag": ("a: !!python/object/apply:os.system [id]\n", "tags"),
    "local tag": ("a: !x 1\n", "tags"),
    "text tag": ("a: !!str 1\n", "tags"),
    "directive": ("%YAML 1.1\n---\na: no\n", "directives"),
    "two documents": ("a: 1\n---\nb: 2\n", "second document"),
    "10 MB": (b"a: 1\n" * 2_000_000, "larger than"),
    "just too large": (b"#" * (LARGEST + 1), "larger than"),
    "3,000 deep, flow": ("a: " + "[" * 3000, "nested more than"),
    "3,000 deep, closed": ("a: " + "[" * 3000 + "]" * 3000, "nested more than"),
    "3,000 deep, blocks": ("\n".join(" " * n + "a:" for n in range(1000)), "nested more than"),
    "3,000 deep, dashes": ("- " * 3000 + "x", "nested more than"),
    "300,000 values": ("a:\n" + "- b\n" * 200_000, "values"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
    "NUL": (b"a: \x00\n", "control character here (U+0000)"),
    "escape": (b"a: \x1b[31m\n", "control character here (U+001B)"),
    "UTF-16": (MINIMAL.encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": (MINIMAL.encode("utf-16-le"), "control character"),
    "BOM": (b"\xef\xbb\xbf" + MINIMAL.encode(), "byte order mark"),
    "cp1252": ("name: café\n".encode("cp1252"), "not UTF-8"),
    "tab": ("organization:\n\tname: x\n", "tab"),
    "empty": ("", "empty"),
    "comment only": ("# nothing\n", "empty"),
    "list": ("- a\n", "key: value"),
    "text": ("hello", "key: value"),
    "list as key": ("? [a]\n: b\n", "a key must be a word"),
    "half written": (FULL[: len(FULL) // 2].rsplit("\n", 1)[0] + "\n  - {name: 'x", "not YAML"),
    "colon in text": ("a: b: c\n", "mapping values"),
}


@pytest.mark.timeout(60)  # an exponential or quadratic reader would need far longer
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_clear_sentence(name: str, write: Writer) -> None:
    content, message = HOSTILE[name]
    error = refused(write(content))
    assert message in error.problems[0].message
    assert len(str(error)) < 10_000


def test_tabs_and_bad_bytes_are_placed(write: Writer) -> None:
    assert only(refused(write("a: 1\nb:\tx\n")))[:2] == (2, 3)
    assert only(refused(write(b"a: 1\nbc: \xff\n")))[:2] == (2, 5)


def test_a_missing_or_unreadable_file_says_so(tmp_path: Path) -> None:
    assert "no such file" in only(refused(tmp_path / "none.yaml"))[2]
    assert "cannot be read" in only(refused(tmp_path))[2]


def problems_of(raw: bytes) -> list[Problem]:
    """As load() finds them, without a file."""
    try:
        tree = parse(decode(raw))
    except UnreadableError as error:
        return error.problems
    try:
        Config.model_validate(tree.data, context={"home": ROOT})
    except ValidationError as error:
        return [*(explain(detail, tree) for detail in error.errors(include_url=False)), *between(tree)]
    return list(between(tree))


@given(st.text(alphabet=st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n0~"), max_size=60))
def test_any_text_is_refused_with_a_place_and_a_sentence(text: str) -> None:
    problems = problems_of(text.encode())
    assert problems
    assert all(problem.line >= 1 and problem.message for problem in problems)


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_any_byte_changed_in_a_good_file_never_crashes_the_reader(at: int, byte: int) -> None:
    raw = bytearray(FULL.replace("    intermediates: extra.pem\n", "").encode())
    raw[at % len(raw)] = byte
    assert all(problem.line >= 1 for problem in problems_of(bytes(raw)))


# ------------------------------------------------------------------------------------------ cron


def test_weekdays_are_crons_and_not_apschedulers() -> None:
    saturday = datetime(2025, 3, 1, 12, tzinfo=UTC)
    [monday] = parse_cron("0 8 * * 1").next_runs(saturday, NEW_YORK, 1)
    assert monday.strftime("%a %Y-%m-%d %H:%M %Z") == "Mon 2025-03-03 08:00 EST"
    assert parse_cron("0 8 * * 0").weekdays == parse_cron("0 8 * * 7").weekdays == parse_cron("0 8 * * sun").weekdays
    assert parse_cron("0 8 * * mon-fri").weekdays == (1, 2, 3, 4, 5)


def test_the_reference_shows_the_real_next_five_runs() -> None:
    runs = parse_cron("0 8 * * mon").next_runs(datetime(2025, 3, 1, tzinfo=UTC), NEW_YORK)
    shown = f"March {', '.join(str(run.day) for run in runs[:-1])} and {runs[-1].day}, 2025"
    assert shown in " ".join(reference().split())


@pytest.mark.parametrize(
    ("line", "start", "expected"),
    [
        # March 9, 2025: 02:00 to 03:00 does not exist. November 2: 01:00 to 02:00 comes twice.
        ("30 2 * * *", "2025-03-08T12:00", ["2025-03-09T07:30", "2025-03-10T06:30"]),
        ("0,30 2,3 * * *", "2025-03-08T12:00", ["2025-03-09T07:00", "2025-03-09T07:30", "2025-03-10T06:00"]),
        ("30 1 * * *", "2025-11-01T12:00", ["2025-11-02T05:30", "2025-11-03T06:30"]),
        ("0 0 29 2 *", "2025-01-01T00:00", ["2028-02-29T05:00", "2032-02-29T05:00"]),
        ("0 0 31 * *", "2025-03-31T12:00", ["2025-05-31T04:00"]),
        ("*/20 23 * dec sun", "2025-12-28T00:00", ["2025-12-29T04:00", "2025-12-29T04:20", "2025-12-29T04:40"]),
    ],
)
def test_each_slot_runs_once_whatever_the_clock_does(line: str, start: str, expected: list[str]) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    cron, found = parse_cron(line), []
    for _ in expected:
        moment = cron.next_after(moment, NEW_YORK)
        found.append(moment.strftime("%Y-%m-%dT%H:%M"))
    assert found == expected


@given(
    st.lists(st.integers(0, 59), min_size=1, max_size=3),
    st.lists(st.integers(4, 23), min_size=1, max_size=3),
    st.lists(st.integers(0, 6), min_size=1, max_size=3),
    st.integers(0, 6 * 366 * 24 * 60),
)
def test_away_from_clock_changes_apscheduler_agrees(
    minutes: list[int], hours: list[int], weekdays: list[int], start: int
) -> None:
    from apscheduler.triggers.cron import CronTrigger

    names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    listed = [",".join(map(str, values)) for values in (minutes, hours, weekdays)]
    trigger = CronTrigger(
        minute=listed[0], hour=listed[1], day_of_week=",".join(names[day] for day in weekdays), timezone=NEW_YORK
    )
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    ours = parse_cron(f"{listed[0]} {listed[1]} * * {listed[2]}").next_after(moment, NEW_YORK)
    assert ours == trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))


def test_lines_between_one_and_three_are_warned_of(write: Writer) -> None:
    text, _ = edited("prune: 30 4", "prune: 30 2")
    assert [line for line in warnings(load(write(text), {})) if "schedule.prune" in line and "clock" in line]
    assert not [line for line in warnings(load(write(FULL), {})) if "schedule." in line]


# ------------------------------------------------------------------------------------------ model, documentation


@pytest.mark.parametrize(
    ("letters", "number", "possible"),
    [
        ("SB", 1, True),
        ("SB", 1567, True),
        ("SB", 5000, True),
        ("SB", 5001, False),
        ("SB", 7146, False),
        ("SB", 8001, True),
        ("HB", 5000, False),
        ("HB", 5001, True),
        ("HB", 8004, True),
        ("HJ", 1, True),
        ("SR", 51, True),
        ("HJ", 6004, False),
    ],
)
def test_which_numbers_a_session_can_have(letters: str, number: int, possible: bool) -> None:
    assert (why_impossible(letters, number) is None) is possible


@pytest.mark.needs_shared
def test_every_real_bill_of_2025_is_possible(shared_cga: Path) -> None:
    import gzip
    import json

    with gzip.open(shared_cga / "data" / "session-2025.jsonl.gz", "rt") as lines:
        keys = [BillKey("2025", json.loads(line)["identifier"]) for line in lines]
    assert [str(key) for key in keys if why_impossible(key.letters, key.number)] == []
    assert len(keys) == 4076


def test_milestones_are_the_models() -> None:
    assert set(Milestones.model_fields) == {milestone.value for milestone in Milestone}
    table = Milestones().table
    assert {name for name, what in table.items() if what == "status"} == set(MAY_MOVE_STATUS)
    assert set(table.values()) == {"status", "narrative"}


def test_the_reference_is_fresh_and_holds_every_key() -> None:
    page = (ROOT / "docs" / "reference" / "config.md").read_text()
    assert page == reference(), "run: python -m monitor.config.reference > docs/reference/config.md"
    for block, key in every_key():
        assert re.search(rf"^\| `{key}` \| .* \| .+ \|$", page, re.MULTILINE), path((*block, key))


# ------------------------------------------------------------------------------------------ the shipped board


def board_table(text: str) -> list[tuple[str, str, str]]:
    """ISSUES.md's rows: topic, issue, status."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [(row[0], row[1], row[2].removesuffix("[?]").strip()) for row in rows[2:]]


@pytest.fixture(scope="module")
def shipped() -> Config:
    return load(SHIPPED, {})


def test_the_shipped_board_has_fifteen_issues_in_five_topics(shipped: Config) -> None:
    assert [len(topic.issues) for topic in shipped.topics] == [4, 3, 3, 3, 2]
    statuses = [issue.initial_status for issue in shipped.issues()]
    assert [statuses.count(status) for status in Status] == [4, 6, 5]
    assert [issue.id for issue in shipped.issues() if not issue.watches] == [
        "swat-data",
        "education-housing-community-health",
    ]


@pytest.mark.needs_shared
def test_the_shipped_board_is_the_one_of_issues_md(shipped: Config, shared_cga: Path) -> None:
    ours = [(topic.name, issue.name, issue.initial_status.label) for topic in shipped.topics for issue in topic.issues]
    assert ours == board_table((shared_cga / "ISSUES.md").read_text())


def test_the_old_boards_mistakes_are_gone(shipped: Config) -> None:
    text = " ".join(issue.initial_narrative for issue in shipped.issues())
    assert "SB 7146" not in text
    assert "HB 7146" in text
    assert "8/1/2020" not in text
    assert "August" not in text
    assert text.count("signed on July 31, 2020") == text.count("signed on July 31")


def test_bills_are_watched_where_they_belong_and_false_friends_nowhere(shipped: Config) -> None:
    watched = {(str(watch.bill), watch.issue): watch for watch in shipped.watches() if watch.bill}
    bills = {bill for bill, _ in watched}
    assert bills.isdisjoint({"2025 HB 6387", "2025 HB 6907", "2025 HB 6177", "2025 HB 6663", "2025 HB 6878"})
    died = "HB 5179, HB 5203, HB 5301, HB 5440, HB 5458, HB 5640, HB 6502, HB 6662, HB 6667, SB 346, SB 213"
    assert {(f"2025 {label}", "qualified-immunity") for label in died.split(", ")} <= set(watched)
    others = "HB 7069, SB 1241, HB 6853, HB 7204, HB 6656, SB 1493, SB 617, SB 1171, HB 7132, HB 7073"
    assert {f"2025 {label}" for label in others.split(", ")} <= bills
    past = {"2017 HB 7146", "2019 SB 380", "2020 HB 6004", "2021 SB 1093", "2013 SB 1143", "2023 SB 1022"}
    assert past <= bills
    repeal = watched["2025 SB 213", "qualified-immunity"]
    assert (repeal.direction, repeal.effect) == (Direction.REVERSES, Effect.SOME_PROGRESS)
    assert {watch.effect for watch in watched.values() if watch.direction is Direction.REVERSES} <= {
        Effect.NO_PROGRESS,
        Effect.SOME_PROGRESS,
        Effect.NONE,
    }


def test_an_achieved_issue_rests_on_a_bill_that_achieves_it(shipped: Config) -> None:
    resting = {watch.issue for watch in shipped.watches() if watch.effect is Effect.ACHIEVED}
    assert {issue.id for issue in shipped.issues() if issue.initial_status is Status.ACHIEVED} <= resting


@pytest.mark.needs_shared
def test_every_watched_bill_of_2025_is_real(shipped: Config, shared_cga: Path) -> None:
    import gzip
    import json

    with gzip.open(shared_cga / "data" / "session-2025.jsonl.gz", "rt") as lines:
        real = {json.loads(line)["identifier"] for line in lines}
    ours = {watch.bill.identifier for watch in shipped.watches() if watch.bill and watch.bill.session == "2025"}
    assert ours <= real


def test_the_shipped_config_warns_of_what_the_operator_must_fill_in(shipped: Config) -> None:
    said = list(warnings(shipped))
    for key in ("organization.contact", "maintainers", "operators", "swat-data"):
        assert [line for line in said if line.startswith(key)], key
