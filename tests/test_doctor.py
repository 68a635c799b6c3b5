"""The doctor on installations that lack something each: it finds it, says what to do, shows no secret, never raises."""

from __future__ import annotations

import json
import shutil
import ssl
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email import message
from email.policy import SMTP
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import certifi
import pytest
import trustme
from sqlalchemy import text, update

from monitor.fetch.probe import Handshake, Trust
from monitor.model.messaging import ChannelKind, DeliveryState
from monitor.model.tracking import SourceKind
from monitor.store.schema import Delivery, Run, Source, Subscription
from monitor.workflow import doctor, notices
from monitor.workflow.checkup import machine, site
from monitor.workflow.doctor import CHECKS, MACHINE, Finding, examine
from tests.fault_server import FaultServer, reply
from tests.pipeline import World, issue, watch
from tests.slack_sink import SlackSink
from tests.smtp_sink import RawServer, SmtpSink
from tests.telling import publish, told_world

BOARD = [issue("stops", watch("2025 HB 7132"), watch("2025 SB 213"))]


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def world(tmp_path: Path, mail: SmtpSink) -> Iterator[World]:
    """A sound installation in the middle of a session, read today."""
    with SlackSink() as slack, told_world(tmp_path, mail, slack, issues=BOARD, day=date(2025, 5, 5)) as world:
        (tmp_path / "monitor.sqlite3").chmod(0o600)
        world.check()
        yield world


def found(world: World, what: str | None = None, *, offline: bool = True) -> list[Finding]:
    """What the doctor says, about everything or one thing."""
    said = examine(world.config_path, world.environ, world.now, offline=offline)
    return [one for one in said if what in (None, one.what)]


def only(world: World, what: str, *, offline: bool = True) -> Finding:
    (one,) = found(world, what, offline=offline)
    return one


def verdicts(findings: list[Finding]) -> set[str]:
    return {one.verdict for one in findings}


# --- as a whole -------------------------------------------------------------------------------------------------------


def test_a_sound_installation_has_nothing_bad(world: World) -> None:
    findings = found(world, offline=False)
    assert [one for one in findings if one.verdict == "bad"] == []
    assert {one.what for one in findings} >= {
        "python", "email headers", "time zones", "urllib3", "lxml", "sqlite", "database", "schema", "configuration",
        "sending", "secrets", "disk", "database file", "stored data", "service", "sources", "quiet sources", "channels",
        "outbox", "dead letters", "held messages", "tls", "robots.txt", "mail server",
    }  # fmt: skip


def test_whatever_is_not_good_comes_with_one_sentence_of_advice(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(update(Source).values(failures=9, outage_since=world.now, error="no such table"))
    world.later(days=30)
    findings = found(world, offline=False)
    assert verdicts(findings) == {"good", "warn", "bad"}
    for one in findings:
        assert bool(one.advice) == (one.verdict != "good"), one
        assert "\n" not in one.said + one.advice


def test_offline_calls_nobody(world: World, mail: SmtpSink) -> None:
    before = world.replica.request_count
    assert {"tls", "robots.txt", "mail server"}.isdisjoint(one.what for one in found(world))
    assert (world.replica.request_count, mail.connections) == (before, 0)


def test_it_changes_nothing(world: World, mail: SmtpSink) -> None:
    world.subscribe("ann@example.org")
    publish(world)
    with world.database.reading() as session:
        before = list(session.connection().connection.driver_connection.iterdump())  # type: ignore[union-attr]
    found(world, offline=False)
    with world.database.reading() as session:
        assert list(session.connection().connection.driver_connection.iterdump()) == before  # type: ignore[union-attr]
    assert mail.mails == []


@pytest.mark.parametrize("check", [*(check.look for check in CHECKS), *MACHINE], ids=lambda look: look.__name__)
def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, check: Any
) -> None:
    def broken(*_: object) -> Iterator[Finding]:
        raise RuntimeError("hunter2")
        yield

    broken.__name__ = check.__name__
    rows = tuple(doctor.Check(broken) if row.look is check else row for row in CHECKS)
    monkeypatch.setattr(doctor, "CHECKS", rows)
    monkeypatch.setattr(doctor, "MACHINE", tuple(broken if look is check else look for look in MACHINE))
    one = only(world, check.__name__.replace("_", " "))
    assert (one.verdict, "RuntimeError" in one.said, "hunter2" in one.said) == ("bad", True, False)
    assert len(found(world)) >= 15


def test_no_secret_is_shown(tmp_path: Path, mail: SmtpSink) -> None:
    secrets = {
        "MONITOR_SMTP_PASSWORD": "hunter2-password",
        "MONITOR_SAM_WEBHOOK": "https://hooks.slack.example/services/hunter2",
        "MONITOR_DATABASE_URL": "postgresql+psycopg://monitor:hunter2@127.0.0.1:9/none?connect_timeout=2",
    }
    with SlackSink() as slack, told_world(tmp_path, mail, slack, environ=secrets) as world:
        findings = found(world, offline=False)
    assert only_of(findings, "database").verdict == "bad"
    assert "MONITOR_SAM_WEBHOOK" in only_of(findings, "secrets").said
    assert "hunter2" not in repr([one.as_json() for one in findings])


def only_of(findings: list[Finding], what: str) -> Finding:
    (one,) = [one for one in findings if one.what == what]
    return one


# --- configuration ----------------------------------------------------------------------------------------------------


def test_every_mistake_of_a_configuration_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("organisation: {name: A, contact: a@example.net}\ntopics: []\nmanners: {interval_secs: 1}\n")
    findings = [one for one in examine(path, {}, _now(), offline=True) if one.what == "configuration"]
    assert len(findings) >= 3
    assert verdicts(findings) == {"bad"}
    assert any(f"{path}:1:1" in one.said and "did you mean organization?" in one.advice for one in findings)


def _now() -> Any:
    return datetime(2025, 5, 5, 16, tzinfo=UTC)


def test_a_missing_configuration_is_no_crash(tmp_path: Path) -> None:
    findings = examine(tmp_path / "none.yaml", {}, _now(), offline=False)
    one = only_of(findings, "configuration")
    assert (one.verdict, "there is no such file" in one.said, "--config" in one.advice) == ("bad", True, True)


def test_the_examples_contact_is_pointed_out(world: World) -> None:
    assert any("contact is the example's" in one.said for one in found(world, "configuration") if one.verdict == "warn")


def test_a_secret_nobody_gave_is_named_with_both_ways_to_give_it(world: World) -> None:
    del world.environ["MONITOR_SAM_WEBHOOK"]
    one = only(world, "secrets")
    assert (one.verdict, one.said) == ("bad", "MONITOR_SAM_WEBHOOK is not set")
    assert "credential sam_webhook" in one.advice


def test_whether_anything_is_sent_at_all(tmp_path: Path, world: World) -> None:
    assert only(world, "sending").said.startswith("mail goes through 127.0.0.1")
    with told_world(tmp_path / "files", None) as files:
        one = only(files, "sending")
        assert (one.verdict, "sent to nobody" in one.said) == ("warn", True)
        without_mail(files)
        assert only(files, "sending").said == "config names no mail server"


def without_mail(world: World) -> None:
    """Neither a mail server nor a folder in its place."""
    whole = json.loads(world.config_path.read_text())
    world.config_path.write_text(json.dumps({key: whole[key] for key in whole if key not in ("mail", "outbox")}))


# --- the machine ------------------------------------------------------------------------------------------------------


def test_pythons_header_bug_is_tried_out_and_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An injecting and a safe EmailMessage, whatever this Python's own is."""

    class Injecting(message.EmailMessage):
        def as_bytes(self, *_: Any, **__: Any) -> bytes:
            return b"Subject: AN ACT\r\nBcc: victim@example.org\r\n\r\n"

    class Refusing(message.EmailMessage):
        def as_bytes(self, *_: Any, **__: Any) -> bytes:
            raise ValueError("header value contains a line break")

    monkeypatch.setattr(machine, "EmailMessage", Injecting)
    (one,) = machine.email_headers()
    assert (one.verdict, "no mail of ours is affected" in one.said) == ("warn", True)
    monkeypatch.setattr(machine, "EmailMessage", Refusing)
    (one,) = machine.email_headers()
    assert one.verdict == "good"


def test_this_pythons_own_answer_agrees_with_the_bytes_it_writes() -> None:
    mail = message.EmailMessage(SMTP)
    try:
        mail["Subject"] = "=?utf-8?q?x=0D=0ABcc=3A_v=40example.org?="
        affected = b"\nbcc:" in mail.as_bytes().lower()
    except Exception:  # noqa: BLE001  # refusing is right too
        affected = False
    (one,) = machine.email_headers()
    assert one.verdict == ("warn" if affected else "good")


def test_wrong_or_missing_time_zone_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ZoneInfo", lambda name: UTC)
    (one,) = machine.time_zones()
    assert (one.verdict, "2025-03-09 07:00 UTC" in one.said, "tzdata" in one.advice) == ("bad", True, True)

    def none(name: str) -> Any:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(machine, "ZoneInfo", none)
    (one,) = machine.time_zones()
    assert (one.verdict, "no time zone data" in one.said) == ("bad", True)


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("2.6.9", "bad"),
        ("2.7.0", "good"),
        ("2.10.0", "good"),
        ("10.0", "good"),
        ("1.26.18", "bad"),
        ("2.7.0rc1", "good"),
    ],
)
def test_libraries_have_a_floor(monkeypatch: pytest.MonkeyPatch, version: str, verdict: str) -> None:
    monkeypatch.setattr(machine, "version", lambda name: version if name == "urllib3" else "99.0")
    assert [one.verdict for one in machine.libraries()] == [verdict, "good"]


@pytest.mark.parametrize(("version", "verdict"), [((3, 40, 1), "warn"), ((3, 51, 3), "good"), ((3, 50, 7), "good")])
def test_sqlites_fault(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], verdict: str) -> None:
    monkeypatch.setattr(machine, "sqlite_version", lambda: version)
    (one,) = machine.sqlite_library()
    assert one.verdict == verdict
    assert ("journal_mode=TRUNCATE" in one.said) == (verdict == "warn")


# --- database and disk ------------------------------------------------------------------------------------------------


def test_no_database_yet(world: World) -> None:
    world.database.close()
    (world.folder / "monitor.sqlite3").unlink()
    one = only(world, "database")
    assert (one.verdict, "monitor db upgrade" in one.advice) == ("bad", True)
    assert not (world.folder / "monitor.sqlite3").exists(), "looking makes none"
    assert not found(world, "outbox"), "what needs tables is left out"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM alembic_version", "the database is empty"),
        ("UPDATE alembic_version SET version_num = '9999'", "9999, which this program does not know"),
    ],
)
def test_a_schema_that_is_not_ours(world: World, statement: str, said: str) -> None:
    with world.database.transaction() as session:
        session.execute(text(statement))
    one = only(world, "schema")
    assert (one.verdict, said in one.said) == ("bad", True)


def test_a_file_that_is_no_database(world: World) -> None:
    world.database.close()
    (world.folder / "monitor.sqlite3").write_bytes(b"Dear diary, " * 500)
    one = only(world, "database")
    assert (one.verdict, "not a database" in one.said) == ("bad", True)


def test_a_damaged_database(world: World) -> None:
    world.database.close()
    path = world.folder / "monitor.sqlite3"
    body = bytearray(path.read_bytes())
    for start in range(4096 * 6, len(body) - 4096, 4096 * 3):
        body[start : start + 200] = b"\xff" * 200
    path.write_bytes(body)
    assert "bad" in verdicts(found(world))


def test_a_database_others_can_read(world: World) -> None:
    (world.folder / "monitor.sqlite3").chmod(0o644)
    one = only(world, "database file")
    assert (one.verdict, "chmod 600" in one.advice) == ("warn", True)


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("total", "free", "verdict"),
    [(100, 50, "good"), (100, 9, "warn"), (8, 0.9, "warn"), (8, 1.1, "good"), (100, 0.05, "bad")],
)
def test_disk_space(world: World, monkeypatch: pytest.MonkeyPatch, total: float, free: float, verdict: str) -> None:
    usage = Usage(int(total * 1e9), 0, int(free * 1e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert only(world, "disk").verdict == verdict


def test_disk_space_is_that_of_the_databases_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    usual = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usual(asked.append(folder) or folder))  # type: ignore[func-returns-value]
    found(world)
    assert asked == [world.folder]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_service_that_has_silently_stopped(world: World) -> None:
    assert only(world, "service").verdict == "good"
    world.later(minutes=110)
    assert only(world, "service").verdict == "good", "the bulk files are read once an hour"
    world.later(minutes=15)
    one = only(world, "service")
    assert (one.verdict, "silently stopped" in one.said) == ("bad", True)


def test_a_pass_that_began_and_did_not_end_counts_for_nothing(world: World) -> None:
    world.later(hours=5)
    with world.database.transaction() as session:
        session.add(Run(started_at=world.now, counts={}))
    assert only(world, "service").verdict == "bad"


def test_a_service_that_never_ran(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail) as world:
        assert only(world, "service").verdict == "warn"


def test_failing_sources_say_since_when_and_why(world: World) -> None:
    world.replica.misbehave("/asp", "history_missing")
    for _ in range(4):
        world.later(days=1).check()
    failing = [one for one in found(world, "sources") if one.verdict == "warn"]
    assert len(failing) == 2
    assert "bill_page/2025-HB07132 has failed 4 times since 2025-05-06" in failing[0].said
    assert "expected 1 table" in failing[0].said


def test_a_dead_host_is_told(world: World) -> None:
    world.replica.misbehave("/", "unavailable")
    for _ in range(5):
        world.later(days=1).check()
    assert any("has not answered since" in one.said for one in found(world, "hosts"))


def test_silence_in_session(world: World) -> None:
    assert only(world, "quiet sources").verdict == "good"
    with world.database.transaction() as session:
        session.execute(update(Source).values(last_changed_at=world.now - timedelta(days=8)))
    one = only(world, "quiet sources")
    assert (one.verdict, "has not changed since 2025-04-27" in one.said) == ("warn", True)
    world.at(date(2025, 8, 1))
    assert only(world, "quiet sources").verdict == "good"


# --- telling ----------------------------------------------------------------------------------------------------------


def test_an_outbox_that_is_stuck(world: World) -> None:
    world.subscribe("ann@example.org")
    publish(world)
    assert only(world, "outbox").said == "1 messages wait, none for long"
    world.later(minutes=61)
    one = only(world, "outbox")
    assert (one.verdict, "the oldest since 2025-05-05 16:00 UTC" in one.said) == ("bad", True)


def test_dead_letters_of_the_last_week(world: World, mail: SmtpSink) -> None:
    mail.script("RCPT", "550 5.1.1 no such user")
    world.subscribe("ann@example.org")
    publish(world)
    world.deliver()
    one = only(world, "dead letters")
    assert (one.verdict, "no such user" in one.said) == ("warn", True)
    world.later(days=8)
    assert only(world, "dead letters").verdict == "good"


def test_a_channel_in_trouble(world: World) -> None:
    with world.database.transaction() as session:
        notices.channel_down(session, world.config, ChannelKind.EMAIL, "refused the login", world.now)
    one = only(world, "channels")
    assert (one.verdict, "refused the login" in one.said, one.advice) == (
        "bad", True, "Mend it, then run: monitor deliver",
    )  # fmt: skip


def test_subscribers_by_mail_without_a_mail_server(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail) as world:
        world.subscribe("ann@example.org")
        without_mail(world)
        one = only(world, "channels")
        assert (one.verdict, "1 subscribers want email" in one.said) == ("bad", True)


def test_the_mail_server_is_greeted_and_gets_no_mail(world: World, mail: SmtpSink) -> None:
    one = only(world, "mail server", offline=False)
    assert (one.verdict, mail.connections, mail.mails) == ("good", 1, [])


def test_a_mail_server_that_refuses_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with SmtpSink(tls=context, login=("board", "right")) as sink:
        mail = {"host": "127.0.0.1", "port": sink.port, "security": "starttls", "username": "board"}
        settings = {"mail": {**mail, "from": "board@example.org"}}
        environ = {"MONITOR_SMTP_PASSWORD": "wr0ng-horse"}
        with told_world(tmp_path, sink, settings=settings, environ=environ) as world:
            one = only(world, "mail server", offline=False)
            assert (one.verdict, "refused the login" in one.said, "wr0ng" in one.said) == ("bad", True, False)
            world.environ["MONITOR_SMTP_PASSWORD"] = "right"
            assert only(world, "mail server", offline=False).said.endswith("lets us in (starttls, with a login)")


def test_a_mail_server_that_is_not_there(tmp_path: Path) -> None:
    with RawServer(lambda connection: None) as gone, told_world(tmp_path, gone) as world:
        assert only(world, "mail server", offline=False).verdict == "bad"


# --- the site ---------------------------------------------------------------------------------------------------------


@contextmanager
def https(leaf: trustme.LeafCert, *, chain: bool) -> Iterator[FaultServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    blobs = leaf.cert_chain_pems if chain else leaf.cert_chain_pems[:1]
    with trustme.Blob(leaf.private_key_pem.bytes() + b"".join(blob.bytes() for blob in blobs)).tempfile() as path:
        context.load_cert_chain(path)
    with FaultServer(context) as server:
        server.on("/robots.txt", reply(404, b""))
        yield server


@pytest.mark.parametrize(
    ("chain", "named", "name", "verdict", "said"),
    [
        (True, None, "127.0.0.1", "good", "sends a complete chain"),
        (False, "right", "127.0.0.1", "good", "does not send its intermediate certificate; right.pem fills the gap"),
        (False, "other", "127.0.0.1", "bad", "other.pem is not the one"),
        (False, None, "127.0.0.1", "bad", "godaddy-g2.pem is not the one"),
        (True, None, "somewhere.example", "bad", "is not good"),
        (False, "stranger", "127.0.0.1", "bad", "stranger.pem cannot be used"),
    ],
)
def test_the_sites_certificate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mail: SmtpSink,
    chain: bool,
    named: str | None,
    name: str,
    verdict: str,
    said: str,
) -> None:
    root = trustme.CA(organization_name="A root we trust")
    right, other = root.create_child_ca(), root.create_child_ca()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(root.cert_pem.bytes() + Path(certifi.where()).read_bytes())
    monkeypatch.setattr(certifi, "where", lambda: str(roots))
    for label, one in {"right": right, "other": other, "stranger": trustme.CA()}.items():
        one.cert_pem.write_to_path(tmp_path / f"{label}.pem")
    with https(right.issue_cert(name), chain=chain) as server, told_world(tmp_path, mail) as world:
        world.now = datetime.now(UTC)  # certificates are made today
        cga = {"base_url": f"https://127.0.0.1:{server.port}", "ftp_url": "ftp://127.0.0.1:9/x"}
        if named:
            cga["intermediates"] = str(tmp_path / f"{named}.pem")
        world.configure([issue("stops")], sources={"cga": cga})
        seen = only(world, "tls", offline=False)
        assert (seen.verdict, said in seen.said) == (verdict, True), seen
        assert ("sources.cga.intermediates" in seen.advice) == (verdict == "bad" and name == "127.0.0.1")


def test_an_intermediate_about_to_end_is_told_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "shake_hands", lambda *_: Handshake(Trust.MENDED))
    world.configure(BOARD, sources={"cga": {"base_url": "https://www.cga.ct.gov"}})
    world.now = datetime(2031, 1, 1, tzinfo=UTC)
    assert [one.verdict for one in found(world, "tls", offline=False)] == ["good"]
    world.now = datetime(2031, 4, 1, tzinfo=UTC)
    last = found(world, "tls", offline=False)[-1]
    assert (last.verdict, "godaddy-g2.pem is good until 2031-05-03 only" in last.said) == ("warn", True)


def test_a_replica_needs_no_certificate(world: World) -> None:
    assert "replica" in only(world, "tls", offline=False).said


def test_robots_txt_that_forbids_bill_pages(world: World) -> None:
    assert only(world, "robots.txt", offline=False).verdict == "good"
    world.replica.misbehave("/robots.txt", "robots_forbid_status")
    one = only(world, "robots.txt", offline=False)
    assert (one.verdict, one.said) == (
        "warn",
        f"/asp/cgabillstatus/cgabillstatus.asp is forbidden to robots: {site._WITHOUT[SourceKind.BILL_PAGE]}",
    )
    assert "their documents are not seen" in one.said
    assert "sources.ignore_robots" in one.advice


def test_robots_txt_that_forbids_everything_names_every_channel_and_page(tmp_path: Path, mail: SmtpSink) -> None:
    board = [issue("stops", "2025 HB 7132", "/jud/taskforce.asp?TF=x")]
    with told_world(tmp_path, mail, issues=board, acts=True) as world:
        world.replica.misbehave("/robots.txt", "robots_forbid_all")
        said = [one.said for one in found(world, "robots.txt", offline=False)]
        assert [line.partition(" ")[0] for line in said] == [
            "/ftp/pub/data/bill_history.csv",
            "/asp/cgabillstatus/cgabillstatus.asp",
            "/asp/CGATodayFileCopies/CGAAllPA.asp",
            "/jud/taskforce.asp",
        ]


def test_a_robots_txt_that_config_overrides_is_still_told(world: World) -> None:
    sources = {**world._settings.get("sources", {})}
    cga = {"base_url": world.replica.base_url, "ftp_url": "ftp://127.0.0.1:9/x"}
    world.configure(BOARD, sources={**sources, "cga": cga, "ignore_robots": ["bill_page"]})
    world.replica.misbehave("/robots.txt", "robots_forbid_status")
    one = only(world, "robots.txt", offline=False)
    assert (one.verdict, "config reads it all the same" in one.said) == ("warn", True)


def test_a_robots_txt_that_cannot_be_read_means_not_now(world: World) -> None:
    world.replica.misbehave("/robots.txt", "unavailable")
    one = only(world, "robots.txt", offline=False)
    assert (one.verdict, "nothing is read for now" in one.said) == ("warn", True)


def test_dead_deliveries_to_our_own_people_count_too(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(update(Subscription).values(left_at=world.now))
        session.add(
            Delivery(
                id="x" * 32, recipient="operator:Sam", channel="slack", state=DeliveryState.DEAD, due_at=world.now,
                created_at=world.now, error="gone",
            )
        )  # fmt: skip
    assert only(world, "dead letters").verdict == "warn"
