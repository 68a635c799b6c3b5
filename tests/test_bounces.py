"""Mail that came back, from real-looking reports to a subscription that ends, or does not."""

from __future__ import annotations

import itertools
import json
import mailbox
import random
import ssl
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.cli.service import _jobs
from monitor.config import ConfigError, load
from monitor.model.messaging import Choice, DeliveryState
from monitor.notify import returned
from monitor.notify.mailbox import Imap, ImapSettings, MailboxError, Maildir, Mbox
from monitor.notify.returned import LARGEST, ReturnedKind
from monitor.store.database import Database
from monitor.store.schema import Subscription
from monitor.store.schema_subscribers import Suppression
from monitor.workflow import by_hand, managing, unreachable
from monitor.workflow.bounces import BouncesReport, open_inbox, read_bounces
from monitor.workflow.links import Links, Purpose, links
from monitor.workflow.review import Refusal
from monitor.workflow.subscribe import wish
from tests.imap_server import LOGIN, ImapServer
from tests.pipeline import World, issue
from tests.smtp_sink import SmtpSink
from tests.telling import ALEX, of, parsed, publish, told, told_world

ANN, BOB = "ann@example.net", "bob@example.net"
FILES = Path(__file__).parent / "mail"
BOUNCES = "bounces@lists.example.org"
PERMANENT, TEMPORARY, UNKNOWN = ReturnedKind.PERMANENT, ReturnedKind.TEMPORARY, ReturnedKind.UNKNOWN
COMPLAINT, LEAVE, AUTO_REPLY = ReturnedKind.COMPLAINT, ReturnedKind.LEAVE, ReturnedKind.AUTO_REPLY

#: What each report says. A new file without a row here is found by the first test.
SAYS: dict[str, tuple[ReturnedKind, str]] = {
    "a-person-asks": (UNKNOWN, ""),
    "authentication-failure": (UNKNOWN, ""),
    "auto-reply": (AUTO_REPLY, ""),
    "complaint": (COMPLAINT, ""),
    "exchange-policy": (TEMPORARY, "5.7.1"),
    "exchange-unknown-user": (PERMANENT, "5.1.10"),
    "gmail-unknown-user": (PERMANENT, "5.1.1"),
    "leave": (LEAVE, ""),
    "postfix-delayed": (TEMPORARY, "4.4.1"),
    "postfix-mailbox-full": (TEMPORARY, "5.2.2"),
    "postfix-unknown-user": (PERMANENT, "5.1.1"),
}
#: The count each belongs to when its token is good.
COUNTED = {
    PERMANENT: "unreachable", TEMPORARY: "temporary", COMPLAINT: "complaints", LEAVE: "left", AUTO_REPLY: "other",
    UNKNOWN: "other",
}  # fmt: skip
ENDS = {PERMANENT, COMPLAINT, LEAVE}


def filled(slug: str, keyed: Links, number: int) -> bytes:
    """A sample about one subscription."""
    text = (FILES / f"{slug}.eml").read_text()
    for name, purpose in (("{bounce}", Purpose.BOUNCE), ("{manage}", Purpose.MANAGE)):
        text = text.replace(name, keyed.token(purpose, number))
    return text.encode()


def test_every_sample_is_read() -> None:
    assert {path.stem for path in FILES.glob("*.eml")} == set(SAYS)


class Sent:
    """A world where Ann and Bob are subscribed and Ann's mail has a sender of its own, and reports about it."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.database.transaction() as session:
            self.links: Links = links(session)

    def row(self, address: str = ANN) -> Subscription:
        (row,) = self.world.rows(Subscription, Subscription.address == address)
        assert isinstance(row, Subscription)
        return row

    def report(self, slug: str, *, about: int | None = None, keyed: Links | None = None) -> bytes:
        number = self.row().id if about is None else about
        return filled(slug, keyed or self.links, number)

    def read(self, *mails: bytes, **how: Any) -> BouncesReport:
        return read_bounces(self.world.context, Folder(self.world.folder / "inbox", *mails), **how)

    def suppressed(self) -> list[tuple[str, str]]:
        with self.world.database.reading() as session:
            return [(row.shown, row.why) for row in session.query(Suppression)]


def Folder(folder: Path, *mails: bytes) -> Maildir:  # noqa: N802
    """A Maildir with these mails in it, beside what it holds already."""
    box = mailbox.Maildir(folder)
    for data in mails:
        box.add(data)
    return Maildir(folder)


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


def server(mail: SmtpSink, **more: Any) -> dict[str, Any]:
    smtp = {"host": "127.0.0.1", "port": mail.port, "security": "none", "from": "board@example.org"}
    return {"mail": {**smtp, "bounce_address": BOUNCES, **more}, "maintainers": [ALEX]}


@pytest.fixture
def sent(tmp_path: Path, mail: SmtpSink) -> Iterator[Sent]:
    with told_world(tmp_path, mail, settings=server(mail)) as world:
        world.subscribe(ANN)
        world.subscribe(BOB)
        yield Sent(world)


# ------------------------------------------------------------------ what a report says


@pytest.mark.parametrize("slug", list(SAYS))
def test_what_a_report_says(slug: str) -> None:
    read = returned.read(filled(slug, Links(b"any"), 1))
    assert (read.kind, read.status) == SAYS[slug]
    assert "\n" not in read.diagnostic


@pytest.mark.parametrize(
    ("status", "words", "kind", "meant"),
    [
        ("5.0.0", "550 5.2.2 over quota", TEMPORARY, "5.2.2"),
        ("5.0.0", "550 no such user", PERMANENT, "5.0.0"),
        ("5.1.1", "", PERMANENT, "5.1.1"),
        ("5.1.8", "550 5.1.8 your address is unknown", TEMPORARY, "5.1.8"),
        ("5.2.1", "550 5.2.1 disabled", PERMANENT, "5.2.1"),
        ("5.3.4", "552 too large", TEMPORARY, "5.3.4"),
        ("5.4.6", "554 too many hops", TEMPORARY, "5.4.6"),
        ("5.6.1", "554 media", TEMPORARY, "5.6.1"),
        ("5.7.26", "550 5.7.26 unauthenticated", TEMPORARY, "5.7.26"),
        ("4.4.7", "expired", TEMPORARY, "4.4.7"),
        ("", "550 nobody here", PERMANENT, "5.0.0"),
        ("", "", UNKNOWN, ""),
        ("9.9.9", "x", UNKNOWN, ""),
    ],
)
def test_a_failure_costs_a_subscription_only_if_it_is_about_the_address(
    status: str, words: str, kind: ReturnedKind, meant: str
) -> None:
    text = (FILES / "exchange-unknown-user.eml").read_text()
    text = text.replace("Status: 5.0.0", f"Status: {status}")
    lines = [f"Diagnostic-Code: smtp;{words}" if one.startswith("Diagnostic-Code") else one for one in text.split("\n")]
    read = returned.read("\n".join(lines).encode())
    assert (read.kind, read.status) == (kind, meant)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_one_of_several_who_takes_it_is_enough(action: str) -> None:
    text = (FILES / "postfix-unknown-user.eml").read_text()
    other = f"\nFinal-Recipient: rfc822; other@example.net\nAction: {action}\nStatus: 2.0.0\n"
    assert returned.read(text.replace("    no such mailbox here\n", f"    no\n{other}").encode()).kind is UNKNOWN


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One sample with pieces lost, doubled, moved or overwritten."""
    for _ in range(chance.randint(1, 6)):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        piece = data[at:end][: chance.choice((1, 30, 400))]
        data = chance.choice((data[:at] + data[end:], data[:at] + piece * 3 + data[at:], data + piece, piece + data))
        data = data.replace(b"Status", chance.choice((b"Status", b"\xff\xfe", b"Status: =?utf-8?q?=00?=\r\n", b"")))
    return data


def test_whatever_is_damaged_is_read_without_a_fault() -> None:
    samples, chance = [filled(slug, Links(b"any"), 1) for slug in SAYS], random.Random(4)
    kinds = {returned.read(damaged(chance.choice(samples), chance)).kind for _ in range(1_500)}
    assert kinds == set(ReturnedKind)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3_000))
def test_bytes_that_are_no_mail_are_read_without_a_fault(data: bytes) -> None:
    assert returned.read(b"Content-Type: multipart/report; boundary=x\n\n--x\n" + data).kind in ReturnedKind


def nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(depth))


@pytest.mark.parametrize(
    "data",
    [
        nested(30_000),
        b"Content-Type: message/rfc822\n\n" * 30_000,
        b"Content-Type: multipart/report; boundary=x\n\n" + b"--x\n\n" * 200_000,
        b"To: " + b"m" * (3 * LARGEST),
        b"Subject: " + b"=?utf-8?q?" * 90_000,
        b"Content-Type: multipart/report;" + b'";' * 300_000,
        b"x: y\rContent-Type: multipart/report" + b";\n a*0=b" * 100_000,
    ],
    ids=["nested", "mails in mails", "parts", "one line", "words", "quotes", "parameters"],
)
def test_a_mail_made_to_keep_us_busy_is_not_looked_into(data: bytes) -> None:
    began = process_time()
    assert returned.read(data).kind is UNKNOWN
    assert process_time() - began < 3


# ------------------------------------------------------------------ what it does


def test_every_readers_mail_comes_back_to_an_address_of_its_own(sent: Sent, mail: SmtpSink) -> None:
    publish(sent.world)
    sent.world.deliver()
    tokens = {address: sent.links.token(Purpose.BOUNCE, sent.row(address).id) for address in (ANN, BOB)}
    own = {one.recipient: one.sender for one in mail.mails}
    assert own == {address: f"bounces+{token}@lists.example.org" for address, token in tokens.items()}


def test_a_report_is_counted_and_ends_what_it_must(tmp_path: Path, mail: SmtpSink, database_url: str) -> None:
    with told_world(tmp_path, mail, settings=server(mail), database_url=database_url) as world:
        for slug in SAYS:
            world.subscribe(f"{slug}@example.net")
        sent = Sent(world)
        publish(world)
        for slug, (kind, _) in SAYS.items():
            address, ends = f"{slug}@example.net", kind in ENDS
            report = sent.read(sent.report(slug, about=sent.row(address).id))
            assert (report.read, getattr(report, COUNTED[kind])) == (1, 1), slug
            assert sent.row(address).live is not ends, slug
            assert [one.state for one in of(world, address)] == ["cancelled" if ends else "pending"], slug
        masked = [(f"{slug[0]}***@example.net", _why(kind)) for slug, (kind, _) in SAYS.items() if kind in ENDS]
        assert sorted(sent.suppressed()) == sorted(masked)


def _why(kind: ReturnedKind) -> str:
    return {PERMANENT: "bounced", COMPLAINT: "complained", LEAVE: "left"}[kind]


def test_the_maintainers_are_told_of_whom_nothing_reaches(sent: Sent, mail: SmtpSink) -> None:
    sent.read(sent.report("postfix-unknown-user"))
    assert "no such mailbox here" in sent.row().broken_reason
    sent.world.later(minutes=11)
    sent.world.deliver()
    assert told(mail) == [ALEX["address"]]
    text = parsed(mail.mails[0]).get_body(("plain",)).get_content()
    assert "a***@example.net is told nothing more" in text
    assert ANN not in text
    with sent.world.database.reading() as session:
        detail = session.query(Suppression).one().detail
    assert ANN not in sent.row().broken_reason + detail, "a viewer of the desk reads them"


def test_what_we_did_not_sign_changes_nothing(sent: Sent) -> None:
    strange = Links(b"another key")
    for slug in (slug for slug, (kind, _) in SAYS.items() if kind in ENDS):
        forged = [sent.report(slug, keyed=strange), *(mutated(sent.report(slug), at) for at in range(40))]
        report = sent.read(*forged)
        assert (report.read, report.unsigned + report.other) == (41, 41)
    assert sent.row().live
    assert sent.suppressed() == []


def mutated(data: bytes, at: int) -> bytes:
    """With one character of every token another one."""
    text = data.decode()
    for token in set(returned._TOKEN.findall(text)):
        other = "0" if token[at] != "0" else "1"
        text = text.replace(token, token[:at] + other + token[at + 1 :])
    return text.encode()


def test_mail_of_strangers_does_not_wait_for_the_database(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can write to that address, as much as they like. Without a token nothing asks to leave."""
    strange = [(FILES / f"{slug}.eml").read_bytes() for slug, (kind, _) in SAYS.items() if kind in ENDS - {LEAVE}]
    monkeypatch.setattr(Database, "transaction", lambda self: pytest.fail("it was written to"))
    assert sent.read(*strange).unsigned == len(strange)


def test_a_bounces_token_does_not_make_anybody_leave_nor_the_other_way_round(sent: Sent) -> None:
    number = sent.row().id
    leave = sent.report("leave").replace(
        sent.links.token(Purpose.MANAGE, number).encode(), sent.links.token(Purpose.BOUNCE, number).encode()
    )
    bounce = sent.report("gmail-unknown-user").replace(
        sent.links.token(Purpose.BOUNCE, number).encode(), sent.links.token(Purpose.MANAGE, number).encode()
    )
    report = sent.read(leave, bounce)
    assert (report.other, report.unsigned, sent.row().live) == (1, 1, True)


def test_a_token_that_was_written_in_capitals_on_the_way_is_good(sent: Sent) -> None:
    token = sent.links.token(Purpose.MANAGE, sent.row().id)
    assert sent.read(sent.report("leave").replace(token.encode(), token.upper().encode())).left == 1


def test_a_signed_token_of_somebody_who_is_no_more_is_known(sent: Sent) -> None:
    assert sent.read(sent.report("postfix-unknown-user", about=999)).known == 1


def test_a_mail_that_is_read_twice_does_nothing_new(sent: Sent) -> None:
    for slug in ("postfix-unknown-user", "complaint", "leave"):
        sent.read(sent.report(slug))
    before = (sent.row().broken_at, sent.row().broken_reason, sent.suppressed(), len(sent.world.notices()))
    sent.world.later(hours=1)
    again = sent.read(*(sent.report(slug) for slug in ("postfix-unknown-user", "complaint", "leave")))
    assert (again.read, again.known) == (3, 3)
    assert (sent.row().broken_at, sent.row().broken_reason, sent.suppressed(), len(sent.world.notices())) == before


@pytest.mark.parametrize("slug", ["leave", "postfix-unknown-user"])
def test_a_complaint_counts_though_its_reader_is_told_nothing_any_more(sent: Sent, slug: str) -> None:
    sent.read(sent.report(slug))
    assert sent.read(sent.report("complaint")).complaints == 1
    assert [why for _, why in sent.suppressed()] == ["complained"]
    again = wish(sent.world.config, ANN, "email", Choice())
    with pytest.raises(Refusal, match="this address is not written to: complained"):
        by_hand.add(sent.world.context, again, "Dana")
    assert sent.read(sent.report("complaint"), sent.report(slug)).known == 2


def test_what_comes_back_after_a_complaint_does_not_weaken_it(sent: Sent) -> None:
    sent.read(sent.report("complaint"))
    with sent.world.database.transaction() as session:
        unreachable.break_off(session, session.get_one(Subscription, sent.row().id), "550 5.1.1", sent.world.now)
    assert [why for _, why in sent.suppressed()] == ["complained"]


def test_what_is_not_marked_is_read_again_and_known(sent: Sent) -> None:
    class Forgetful(Maildir):
        def done(self, mark: str) -> None:
            raise MailboxError("the disk is full")

    folder = sent.world.folder / "inbox"
    Folder(folder, sent.report("leave"))
    first = read_bounces(sent.world.context, Forgetful(folder))
    assert (first.left, first.problems) == (1, ["the disk is full"])
    assert sent.read().known == 1
    assert sent.read().read == 0


def test_who_comes_back_by_their_own_hand_is_written_to_again(sent: Sent) -> None:
    sent.read(sent.report("leave"))
    assert managing.come_back(sent.world.context, sent.row().id)
    assert sent.row().live
    assert sent.suppressed() == []


def test_a_dry_run_says_it_and_changes_nothing(sent: Sent) -> None:
    mails = [sent.report(slug) for slug in SAYS]
    dry = sent.read(*mails, dry_run=True)
    assert sent.row().live
    assert sent.suppressed() == []
    wet = sent.read()
    assert (dry.read, wet.read) == (len(SAYS), len(SAYS))
    assert dry.unreachable > 1  # each by itself
    assert wet.unreachable + wet.complaints + wet.left == 1  # the first of them; then she is known


def test_a_refusal_for_good_at_once_keeps_an_import_away_too(sent: Sent, mail: SmtpSink) -> None:
    mail.script("RCPT", "550 5.1.1 no such user", recipient=ANN)
    publish(sent.world)
    sent.world.deliver()
    assert sent.suppressed() == [("a***@example.net", "bounced")]
    assert [one.state for one in of(sent.world, BOB)] == [DeliveryState.SENT]


# ------------------------------------------------------------------ mailboxes


def test_a_maildirs_mails_are_marked_as_seen(sent: Sent) -> None:
    sent.read(sent.report("leave"), sent.report("auto-reply"))
    box = mailbox.Maildir(sent.world.folder / "inbox")
    assert [one.get_flags() for one in box] == ["S", "S"]
    assert [one.get_subdir() for one in box] == ["cur", "cur"]
    assert sent.read().read == 0


def test_what_another_program_moved_to_cur_unseen_is_read(sent: Sent) -> None:
    folder = sent.world.folder / "inbox"
    Folder(folder, sent.report("leave"))
    (path,) = (folder / "new").iterdir()
    path.rename(folder / "cur" / f"{path.name}:2,F")
    assert sent.read().left == 1
    assert [one.get_flags() for one in mailbox.Maildir(folder)] == ["FS"]


def test_an_mbox_is_read_once_and_keeps_its_mails(sent: Sent) -> None:
    file = sent.world.folder / "mbox"
    box = mailbox.mbox(file)
    for slug in SAYS:
        box.add(sent.report(slug))
    box.close()
    assert read_bounces(sent.world.context, Mbox(file)).read == len(SAYS)
    assert read_bounces(sent.world.context, Mbox(file)).read == 0
    kept = mailbox.mbox(file)
    assert [one["Subject"] for one in kept] == [mailbox.mboxMessage(sent.report(slug))["Subject"] for slug in SAYS]
    assert {one.get_flags() for one in kept} == {"RO"}
    kept.close()


@pytest.mark.parametrize(
    "odd",
    [
        b"From \xc3\xa9@example.org Sat Nov 22 06:00:00 2025\nSubject: x\n\nx\n\n",
        b"From a@example.org Sat Nov 22 06:00:00 2025\nStatus: \xff\nX-Status: \xff\n\nx\n\n",
        b'From a@example.org Sat Nov 22 06:00:00 2025\nContent-Type: multipart/mixed; boundary="\xff"\n\n--\xff\n\n',
    ],
)
def test_an_odd_mail_in_an_mbox_keeps_no_other_from_being_marked(tmp_path: Path, odd: bytes) -> None:
    file = tmp_path / "mbox"
    plain = b"From a@example.org Sat Nov 22 06:00:00 2025\nSubject: x\n\nStatus: 5.1.1\n\n"
    file.write_bytes(plain + odd + plain)
    for left in (3, 0):
        box = Mbox(file)
        marks = [mark for mark, _ in box.unread()]
        for mark in marks:
            box.done(mark)
        box.close()
        assert len(marks) == left
    assert file.read_bytes().replace(b"Status: RO\n", b"") == plain + odd + plain, "and nothing else in it changes"


def test_what_is_no_mail_in_a_maildir_keeps_none_waiting(sent: Sent) -> None:
    folder = sent.world.folder / "inbox"
    Folder(folder)
    (folder / "new" / "0-a-folder").mkdir()
    (folder / "new" / "0-gone").symlink_to(folder / "nothing")
    assert (sent.read(sent.report("auto-reply")).read, sent.read().problems) == (1, [])
    unreadable = folder / "new" / "0-unreadable"
    unreadable.symlink_to("/proc/self/mem")  # whose first page nobody can read, root neither
    report = sent.read(sent.report("leave"))
    assert (report.read, report.left) == (1, 1)
    assert report.problems == [f"{unreadable} cannot be read: Input/output error"]


def test_a_maildir_that_cannot_be_marked_is_told_in_words(sent: Sent) -> None:
    box = Folder(sent.world.folder / "inbox", sent.report("leave"))
    (sent.world.folder / "inbox" / "cur").rmdir()
    (sent.world.folder / "inbox" / "cur").write_text("not a folder")
    report = read_bounces(sent.world.context, box)
    assert report.left == 1
    assert ["cannot be marked as seen" in one for one in report.problems] == [True]


def test_an_mbox_that_another_program_changed_is_told_in_words_and_read_again(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sent.world.folder / "mbox"
    mail = b"From a@example.org Sat Nov 22 06:00:00 2025\n" + sent.report("leave")
    file.write_bytes(mail)

    def appended(self: Mbox, mark: str) -> None:
        done(self, mark)
        with file.open("ab") as other:  # without asking for the lock
            other.write(b"\n" + mail)

    done = Mbox.done
    with monkeypatch.context() as patched:
        patched.setattr(Mbox, "done", appended)
        report = read_bounces(sent.world.context, Mbox(file))
    assert report.left == 1
    assert ["cannot be marked as read, so it is read again" in one for one in report.problems] == [True]
    again = read_bounces(sent.world.context, Mbox(file))
    assert (again.known, again.problems) == (2, [])
    assert read_bounces(sent.world.context, Mbox(file)).read == 0


def test_a_mailbox_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(MailboxError, match="no folder `new`"):
        Maildir(tmp_path)
    with pytest.raises(MailboxError, match="there is no mailbox file"):
        Mbox(tmp_path / "nothing")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def imap(server: ImapServer, ca_file: str = "", **changes: Any) -> Imap:
    given = {"username": LOGIN[0], "password": LOGIN[1], "ca_file": ca_file, "port": server.port, **changes}
    return Imap(ImapSettings(server.host, **given))


def test_over_imap_each_mail_is_read_once(sent: Sent, tls: ssl.SSLContext, ca_file: str) -> None:
    with ImapServer(tls, [sent.report("auto-reply"), sent.report("postfix-unknown-user")]) as server:
        report = read_bounces(sent.world.context, imap(server, ca_file))
        assert (report.read, report.unreachable, report.problems) == (2, 1, [])
        assert server.seen == {1, 2}
        assert read_bounces(sent.world.context, imap(server, ca_file)).read == 0
    assert not sent.row().live


def test_what_imap_broke_off_is_read_the_next_time(sent: Sent, tls: ssl.SSLContext, ca_file: str) -> None:
    with ImapServer(tls, [sent.report("auto-reply"), sent.report("leave")], break_after=1) as server:
        report = read_bounces(sent.world.context, imap(server, ca_file))
        assert (report.read, len(report.problems), server.seen) == (1, 1, {1})
        server.left = None
        assert read_bounces(sent.world.context, imap(server, ca_file)).left == 1


def test_imap_troubles_are_told_without_the_password(tls: ssl.SSLContext, ca_file: str) -> None:
    with ImapServer(tls, []) as server:
        cases: list[tuple[str, dict[str, Any]]] = [
            ("did not let us in", {"ca_file": ca_file, "password": "wrong-hunter2"}),
            ("refuses", {"ca_file": ca_file, "folder": "Elsewhere"}),
            ("cannot be reached", {}),  # nobody we trust has signed its certificate
            ("cannot be reached", {"ca_file": ca_file, "port": 9}),
        ]
        for words, changes in cases:
            with pytest.raises(MailboxError, match=words) as caught:
                imap(server, **changes)
            assert "hunter2" not in str(caught.value)
            assert LOGIN[1] not in str(caught.value)


# ------------------------------------------------------------------ config, the command, the service


def test_config_names_the_mailbox(tmp_path: Path, mail: SmtpSink) -> None:
    Folder(tmp_path / "inbox")
    with told_world(tmp_path, mail, settings=server(mail, inbox={"maildir": "inbox"})) as world:
        assert isinstance(open_inbox(world.context), Maildir)
        assert "bounces" in [job.name for job in _jobs(world.context)]
        over_imap = {"imap": {"host": "localhost", "username": "bounces"}}
        world.configure([issue("stops")], **server(mail, inbox=over_imap))
        with pytest.raises(MailboxError, match="MONITOR_IMAP_PASSWORD is not set"):
            open_inbox(world.context)
        world.configure([issue("stops")], **server(mail))
        assert open_inbox(world.context) is None
        assert "bounces" not in [job.name for job in _jobs(world.context)]


def run(world: World, *arguments: str, **how: Any) -> Any:
    return CliRunner().invoke(app, ["--config", str(world.config_path), "bounces", *arguments], **how)


def test_the_services_job_reads_the_mailbox(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail, settings=server(mail, inbox={"maildir": "inbox"})) as world:
        world.subscribe(ANN)
        sent = Sent(world)
        Folder(tmp_path / "inbox", sent.report("leave"))
        (job,) = (job for job in _jobs(world.context) if job.name == "bounces")
        job.action(type("Progress", (), {"touch": lambda self: None})())
        assert not sent.row().live


def test_the_command(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail, settings=server(mail)) as world:
        world.subscribe(ANN)
        sent = Sent(world)
        assert (run(world).exit_code, "names no mailbox" in run(world).stderr) == (1, True)
        assert run(world, "--mbox", "a", "--maildir", "b").exit_code == 1
        assert "no mailbox file" in run(world, "--mbox", str(tmp_path / "none")).stderr
        folder = tmp_path / "inbox"
        Folder(folder, *(sent.report(slug) for slug in ("leave", "auto-reply", "postfix-delayed")))
        said = run(world, "--maildir", str(folder), "--dry-run").stdout
        assert said.startswith("3 read; with --dry-run nothing was changed.")
        assert "1 left by mail" in said
        assert sent.row().live
        told = json.loads(run(world, "--maildir", str(folder), "--json").stdout)
        assert told == BouncesReport(read=3, left=1, temporary=1, other=1).as_json()
        assert not sent.row().live


def test_where_mail_comes_back_to_must_fit(tmp_path: Path, mail: SmtpSink) -> None:
    cases = [
        ("bounces@example.com", "not in the domain of `from`"),
        ("bounces@evil-example.org", "not in the domain of `from`"),
        ("boun+ces@example.org", "no \\+"),
        (f"{'b' * 24}@example.org", "20 letters"),
    ]
    with told_world(tmp_path, mail) as world:
        for address, words in cases:
            with pytest.raises(ConfigError, match=words):
                world.configure([issue("stops")], **server(mail, bounce_address=address))
        for inbox in ({}, {"maildir": "a", "mbox": "b"}):
            with pytest.raises(ConfigError, match="one of maildir, mbox and imap"):
                world.configure([issue("stops")], **server(mail, inbox=inbox))


def test_mail_needs_who_writes_and_where_they_live(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail, settings=server(mail)) as world:
        data = json.loads(world.config_path.read_text())
        for missing, nothing in itertools.product(("postal_address", "name"), (None, "")):
            organization = {**data["organization"], missing: nothing}
            told = {key: value for key, value in organization.items() if value is not None}
            world.config_path.write_text(json.dumps({**data, "organization": told}))
            with pytest.raises(ConfigError, match=missing):
                load(world.config_path, {})
