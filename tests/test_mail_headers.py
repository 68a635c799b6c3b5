"""A mail as it arrives: its headers, what is its reader's own, its signature, and what no text can put into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import dkim
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from monitor.config import ConfigError, load
from monitor.config.mailing import is_aligned
from monitor.model.messaging import PLACE, Attachment, ChannelKind, Message, Reader
from monitor.notify import mime
from monitor.notify.calendar import MEDIA_TYPE
from monitor.notify.signing import Signature
from monitor.workflow.links import Links, Purpose, links
from tests.hostile import PAYLOADS
from tests.pipeline import ORGANIZATION, World, issue
from tests.readers import Elements
from tests.slack_sink import SlackSink
from tests.smtp_sink import Mail, SmtpSink
from tests.telling import ALEX, SECRET, parsed, propose, publish, told_world

ANN, BOB = "ann@example.net", "bob@example.net"
BOARD = "https://board.example.org"
BOUNCES = "bounces@lists.example.org"


@pytest.fixture
def mail() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def slack() -> Iterator[SlackSink]:
    with SlackSink() as sink:
        yield sink


def configured(sink: SmtpSink, board_url: str = BOARD, name: str = ORGANIZATION["name"], **mail: Any) -> dict[str, Any]:
    organization = {**ORGANIZATION, "name": name, **({"board_url": board_url} if board_url else {})}
    server = {"host": "127.0.0.1", "port": sink.port, "security": "none", "from": "board@example.org", **mail}
    return {"organization": organization, "mail": server}


def keyed(world: World) -> Links:
    with world.database.transaction() as session:
        return links(session)


def told(world: World, sink: SmtpSink, *addresses: str) -> list[Mail]:
    """The mails that a published change makes."""
    for address in addresses:
        world.subscribe(address)
    publish(world)
    world.deliver()
    return sink.mails


# ------------------------------------------------------------------ ways to leave, RFC 2369 and RFC 8058


def test_every_reader_has_a_way_of_their_own_to_leave(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail, settings=configured(mail, bounce_address=BOUNCES)) as world:
        mails = told(world, mail, ANN, BOB)
        own = {one.recipient: parsed(one) for one in mails}
        tokens = {address: keyed(world).token(Purpose.MANAGE, number) for address, number in ((ANN, 1), (BOB, 2))}
    for address, token in tokens.items():
        ways = f"<{BOARD}/alerts/{token}/leave>, <mailto:bounces+{token}@lists.example.org?subject=leave>"
        assert own[address]["List-Unsubscribe"] == ways
        assert own[address]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert own[address]["List-Id"] == "Example Police Reform Advocates <alerts.example.org>"
        assert own[address]["Auto-Submitted"] == "auto-generated"
        assert own[address]["Precedence"] == "list"
        assert own[address]["From"] == "Example Police Reform Advocates <board@example.org>"
        assert own[address].defects == []


@pytest.mark.parametrize(
    ("board_url", "ways"),
    [
        (
            "http://127.0.0.1:8080",
            "<http://127.0.0.1:8080/alerts/TOKEN/leave>, <mailto:monitor@example.org?subject=leave>",
        ),
        ("", "<mailto:monitor@example.org?subject=leave>"),
    ],
)
def test_only_https_claims_one_click(tmp_path: Path, mail: SmtpSink, board_url: str, ways: str) -> None:
    with told_world(tmp_path, mail, settings=configured(mail, board_url)) as world:
        message = parsed(told(world, mail, ANN)[0])
        token = keyed(world).token(Purpose.MANAGE, 1)
    assert message["List-Unsubscribe"] == ways.replace("TOKEN", token)
    assert message["List-Unsubscribe-Post"] is None


def test_a_board_that_takes_no_sign_ups_is_named_in_no_mail(tmp_path: Path, mail: SmtpSink) -> None:
    given = {**configured(mail, bounce_address=BOUNCES), "web": {"sign_up": False}}
    with told_world(tmp_path, mail, settings=given) as world:
        message = parsed(told(world, mail, ANN)[0])
        token = keyed(world).token(Purpose.MANAGE, 1)
    assert message["List-Unsubscribe"] == f"<mailto:bounces+{token}@lists.example.org?subject=leave>"
    assert message["List-Unsubscribe-Post"] is None
    assert "/alerts" not in message.get_body(("html",)).get_content() + message.get_body(("plain",)).get_content()


def hearing_mail(folder: Path, sink: SmtpSink, **settings: Any) -> tuple[EmailMessage, str]:
    """What a reader is told of a hearing, and their token; HB 7132's was noticed on March 3."""
    given = {**configured(sink, bounce_address=BOUNCES), **settings}
    board = [issue("stops", "2025 HB 7132")]
    with World(folder, board, day=date(2025, 3, 2), settings=given) as world:
        world.subscribe(ANN, interests=["status", "activity", "hearings"])
        world.check()
        world.at(date(2025, 3, 3)).check()
        world.deliver()
        token = keyed(world).token(Purpose.MANAGE, 1)
    (one,) = sink.mails
    return parsed(one), token


def bodies(message: EmailMessage) -> tuple[str, str]:
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def test_a_mail_on_a_hearing_arrives_with_its_links_and_its_entry_for_the_calendar(
    tmp_path: Path, mail: SmtpSink
) -> None:
    message, token = hearing_mail(tmp_path, mail)
    page = f"{BOARD}/alerts/{token}"
    plain, html = bodies(message)
    assert {page, f"{page}/leave"} <= set(plain.split())
    assert {page, f"{page}/leave"} <= {link["href"] for link in Elements(html).of("a")}
    assert message["List-Unsubscribe"].startswith(f"<{page}/leave>, <mailto:bounces+{token}@")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (attached,) = message.iter_attachments()
    assert (attached.get_content_type(), attached["Content-Type"].params["method"]) == ("text/calendar", "PUBLISH")
    assert (attached.get_filename() or "").endswith(".ics")
    entry = Calendar.from_ical(attached.get_content())
    assert entry["method"] == "PUBLISH"
    assert [one.decoded("dtstart") for one in entry.walk("VEVENT")] == [date(2025, 3, 7)]


def test_a_mail_of_a_board_without_sign_ups_has_no_link_but_a_way_to_leave(tmp_path: Path, mail: SmtpSink) -> None:
    message, token = hearing_mail(tmp_path, mail, web={"sign_up": False})
    plain, html = bodies(message)
    assert "/alerts" not in plain + html
    assert token not in plain + html
    assert "monitor@example.org" in plain
    assert any(link["href"].startswith("mailto:monitor@example.org") for link in Elements(html).of("a"))
    assert message["List-Unsubscribe"] == f"<mailto:bounces+{token}@lists.example.org?subject=leave>"
    assert message["List-Unsubscribe-Post"] is None
    assert [one.get_content_type() for one in message.iter_attachments()] == ["text/calendar"]


def test_a_letter_to_one_of_our_own_people_is_no_lists(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(
        tmp_path, mail, settings={**configured(mail, bounce_address=BOUNCES), "maintainers": [ALEX]}
    ) as world:
        mail.script("RCPT", "550 5.1.1 nobody", recipient=ANN)
        told(world, mail, ANN)
        world.later(minutes=11)
        world.deliver()
    (letter,) = mail.mails
    names = [name.lower() for name in parsed(letter)]
    assert not [name for name in names if name.startswith("list-")]
    assert (letter.sender, parsed(letter)["Auto-Submitted"]) == (BOUNCES, "auto-generated")


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "x" * 39},
        {"token": PLACE},
        {"leave_url": "https://board.example.org/\r\nBcc: eve@example.org"},
        {"leave_url": "https://board.example.org/>,<https://evil.example/"},
        {"leave_address": "a@example.org>\r\nBcc: e@example.org"},
        {"leave_address": "=?utf-8?q?x?=@example.org"},
    ],
)
def test_what_is_the_readers_own_can_only_be_what_we_make(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"token|header"):
        mime.wire(message("t", "h", replace(READER, **changes)))


def test_an_envelope_sender_that_is_none_sends_nothing(tmp_path: Path, mail: SmtpSink) -> None:
    from monitor.notify.email import MailServer, SmtpSettings

    server = MailServer(SmtpSettings(mail.host, mail.port, security="none", from_address="board@example.org"))
    hostile = replace(READER, bounce_address="a@example.org>\r\nRCPT TO:<eve@example.org")
    assert server.deliver(message("t", "h", hostile)).kind == "refused"
    server.close()
    assert mail.mails == []


# ------------------------------------------------------------------ PLACE

TOKEN, OTHER = f"m{'0' * 7}{'ab' * 16}", f"m{'1' * 7}{'cd' * 16}"
READER = Reader(TOKEN, f"{BOARD}/alerts/{TOKEN}/leave", f"bounces+{TOKEN}@example.org", f"bounces+{TOKEN}@example.org")


def message(text: str, html: str, reader: Reader | None, *attachments: Attachment) -> Message:
    headers = (("From", "board@example.org"), ("Date", "Tue, 10 Jun 2025 14:00:00 +0000"))
    return Message(
        ChannelKind.EMAIL,
        ANN,
        "1@example.org",
        "s",
        text,
        html,
        headers=headers,
        reader=reader,
        attachments=attachments,
    )


ALPHABETS = ("abc =\t.", "żółć é=", "депутат ", "立法監視", "👩‍👩‍👧‍👦🇺🇸 ", "\u2028=_?x")
PIECES = st.lists(
    st.one_of(
        st.just(f"{BOARD}/alerts/{PLACE}"),
        st.just(PLACE),
        st.just("\n"),
        st.just(PLACE[:-1] + "."),
        st.integers(0, 100).map(lambda count: "y" * count),
        st.sampled_from(ALPHABETS).flatmap(lambda letters: st.text(letters, max_size=90)),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(PIECES, PIECES)
def test_every_place_holds_the_readers_token_and_nobody_elses(text: str, html: str) -> None:
    html = f"<p>{html}</p>"
    other = replace(READER, token=OTHER)
    for reader, foreign in ((READER, OTHER), (other, TOKEN)):
        data = mime.wire(message(text, html, reader))
        joined = data.replace(b"=\r\n", b"").partition(b"\r\n\r\n")[2]
        assert PLACE.encode() not in joined
        assert foreign.encode() not in joined
        assert max(map(len, data.split(b"\r\n"))) <= 998
        parts = parsed(Mail("", "", data, 0))
        assert parts.defects == []
        for kind, put in (("plain", text), ("html", html)):
            body = parts.get_body((kind,))
            content = body.get_content().replace("\r\n", "\n")
            assert content.rstrip("\n") == put.replace(PLACE, reader.token).rstrip("\n")


def test_a_place_without_a_reader_is_never_sent() -> None:
    for text, html in ((PLACE, "h"), ("t", PLACE)):
        with pytest.raises(ValueError, match="no reader"):
            mime.wire(message(text, html, None))


def test_an_appointment_comes_along_and_says_what_it_is() -> None:
    calendar = b"BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nEND:VCALENDAR\r\n"
    one = Attachment("hearing.ics", MEDIA_TYPE, calendar)
    data = mime.wire(message(f"t {PLACE}", f"h {PLACE}", READER, one))
    mail = parsed(Mail("", "", data, 0))
    (attached,) = mail.iter_attachments()
    assert mail.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in mail.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "text/calendar",
    ]
    assert dict(attached["Content-Type"].params) == {"charset": "utf-8", "method": "PUBLISH"}
    assert (attached.get_filename(), attached.get_content()) == ("hearing.ics", calendar.decode())
    assert TOKEN in mail.get_body(("html",)).get_content()
    assert data == mime.wire(message(f"t {PLACE}", f"h {PLACE}", READER, one))


def test_a_place_in_an_attachment_is_filled_too() -> None:
    own = Attachment("mine.ics", MEDIA_TYPE, f"URL:{BOARD}/alerts/{PLACE}\r\n".encode())
    (attached,) = parsed(Mail("", "", mime.wire(message("t", "h", READER, own)), 0)).iter_attachments()
    assert attached.get_content() == f"URL:{BOARD}/alerts/{TOKEN}\r\n"


# ------------------------------------------------------------------ what strangers and sources can write

#: For headers: line ends of every kind, encoded words that hold them, and what turns a text round.
HEADERS = [
    "=?utf-8?q?HB=0D=0ABcc=3A=20eve@example.org?= and =?utf-8?b?DQpCY2M6IGVAeA==?=",
    "=?utf-8?q?=0AReply-To=3A_eve@example.org=0A=0A<script>?=",
    "=?us-ascii?Q?x?=\t=?us-ascii?Q?=0D=0AX-Evil:_1?=",
    "HB 1\r\nBcc: eve@example.org\r\n\r\nbody",
    "HB 1\rBcc: eve@example.org",
    "HB 1\nBcc: eve@example.org",
    "HB 1%0d%0aBcc: eve@example.org",
    "HB 1\x0b\x0c\x1c\x1d\x85\u2028\u2029Bcc: eve@example.org",
    "\u202eevil\u2066 \u200b\ufeff\u2060 text\u2069\u200f",
    "\U000e0042\U000e0043 tags \xad soft",
    "x" * 2_000,
    "\u0301" * 500,
    "--=boundary--\r\nContent-Type: text/html\r\n\r\n<script>",
    "\r\n.\r\nMAIL FROM:<eve@example.org>",
    "List-Unsubscribe: <https://evil.example/>",
    f"{BOARD}/alerts/{PLACE}/leave",
]
CHAT = [
    "<!channel> <!here> <!everyone> <!subteam^S1>",
    "<@U012AB3CD> <#C012AB3CD|general>",
    "<https://evil.example/|the official page>",
    "<mailto:eve@example.org|write to us> & &lt;!channel&gt; &#60;!here&#62;",
    "*bold* _it_ ~no~ `code` ```\nblock``` > quote",
    "@everyone @here @channel",
]
OURS = [
    *("To", "Message-ID", "In-Reply-To", "References", "List-Unsubscribe", "List-Unsubscribe-Post"),
    *("Subject", "From", "Reply-To", "Date"),
    *("Auto-Submitted", "Precedence", "List-Id", "MIME-Version", "Content-Type"),
]
_TURNS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u200b\ufeff\xad\U000e0000-\U000e0fff]")


def strict(data: bytes) -> EmailMessage:
    """RFC 5322 to the letter, and the same for a lenient parser."""
    assert data.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    head = data.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [field.partition(":")[0] for field in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")]
    found = message_from_bytes(data, policy=default)
    assert isinstance(found, EmailMessage)
    assert list(found.keys()) == names == OURS
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    return found


def test_nothing_a_source_or_a_maintainer_writes_gets_out_of_its_field(
    tmp_path: Path, mail: SmtpSink, slack: SlackSink
) -> None:
    texts = [*HEADERS, *CHAT, *PAYLOADS[:: max(1, len(PAYLOADS) // 12)]]
    with told_world(tmp_path, mail, slack, settings=configured(mail, bounce_address=BOUNCES)) as world:
        world.subscribe(ANN)
        world.subscribe(f"{slack.base}T1/B1/announce", "slack")
        publish(world)
        world.deliver()
        for text in texts:
            world.later(days=1)  # each is a message of its own
            assert world.approve(propose(world, "stops", _next(world), reason=f"It is {text}", row=f"Row {text}"))
            assert world.deliver().problems == []
        token = keyed(world).token(Purpose.MANAGE, 1)
    assert (len(mail.mails), len(slack.posts)) == (len(texts) + 1, len(texts) + 1)
    usual = Elements(strict(mail.mails[0].data).get_body(("html",)).get_content())
    for one in mail.mails:
        check_mail(one, token, usual)
    for post in slack.posts:
        check_post(post.body)


def _next(world: World) -> str:
    now = world.issue("stops").status
    return {"no_progress": "some_progress", "some_progress": "achieved", "achieved": "no_progress"}[now]


def check_mail(one: Mail, token: str, usual: Elements) -> None:
    found = strict(one.data)
    assert (found["To"], one.recipient) == (ANN, ANN)
    assert (found["List-Unsubscribe"] or "").count("<") == 2
    assert not _TURNS.search(str(found["Subject"]))
    text, html = (found.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert not _TURNS.search(text)
    assert PLACE not in text + html
    made = Elements(html)
    assert {tag for tag, _ in made.found} <= {tag for tag, _ in usual.found}
    assert {name for _, names in made.found for name in names} <= {name for _, names in usual.found for name in names}
    for link in made.of("a"):
        assert link["href"].startswith(("https://www.cga.ct.gov/", f"{BOARD}/", "mailto:monitor@example.org")), link
    assert all(foreign == token for foreign in re.findall(r"\b[mbc][0-9a-z]{7}[0-9a-f]{32}\b", text + html))


def check_post(body: bytes) -> None:
    post = json.loads(body)
    assert (post["parse"], post["link_names"]) == ("none", False)
    marked = [post["text"], *(block["text"] for block in walk(post["blocks"]) if block.get("type") == "mrkdwn")]
    for text in marked:
        assert not re.search("<[!@#]", text), text
        for url in re.findall(r"<([^>|]*)", text):
            assert url.startswith(("https://www.cga.ct.gov/", f"{BOARD}/")), text


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


@pytest.mark.parametrize(
    "name",
    ["=?utf-8?q?=0D=0ABcc=3A_eve@example.org?=", 'Quote " and, comma <eve@example.org>', "Ünïon für Réform", "x" * 300],
)
def test_names_in_config_get_out_of_no_field_either(tmp_path: Path, mail: SmtpSink, name: str) -> None:
    with told_world(
        tmp_path, mail, issues=[{**issue("stops"), "name": name}, issue("quotas")], settings=configured(mail, name=name)
    ) as world:
        (one,) = told(world, mail, ANN)
    found = strict(one.data)
    assert found["From"].addresses[0].addr_spec == "board@example.org"
    assert len(found["From"].addresses) == 1
    assert re.fullmatch(r"([A-Za-z0-9 ]+ )?<alerts\.example\.org>", found["List-Id"])


# ------------------------------------------------------------------ a signature, RFC 6376

KEY = rsa.generate_private_key(65537, 1024)


def pem(key: Any = KEY, form: PrivateFormat = PrivateFormat.PKCS8, lock: Any = None) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, form, lock or NoEncryption())
    return text.decode()


def verified(data: bytes, asked: list[bytes] | None = None) -> bool:
    public = Signature("m1", "example.org", KEY).public

    def dns(name: bytes, timeout: int = 5) -> bytes:
        if asked is not None:
            asked.append(name)
        return f"v=DKIM1; k=rsa; p={public}".encode()

    return bool(dkim.verify(data, dnsfunc=dns))


def signing(sink: SmtpSink, **more: str) -> dict[str, Any]:
    return configured(sink, bounce_address=BOUNCES, dkim={"selector": "m1", **more})


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_mail_is_signed_with_everything_a_reader_goes_by(tmp_path: Path, mail: SmtpSink, form: PrivateFormat) -> None:
    environ = {"MONITOR_DKIM_KEY": pem(form=form)}
    with told_world(tmp_path, mail, settings=signing(mail), environ=environ) as world:
        (one, _) = told(world, mail, ANN, BOB)
    asked: list[bytes] = []
    assert verified(one.data, asked)
    assert asked == [b"m1._domainkey.example.org."]
    (covered_tag,) = re.findall(r"\bh=([^;]*)", re.sub(r"\s", "", parsed(one)["DKIM-Signature"]))
    covered = set(covered_tag.split(":"))
    assert covered >= {
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "list-id",
    }
    for line in (b"List-Unsubscribe:", b"List-Unsubscribe-Post:", b"Subject:", b"From:", b"To:", b"Date:"):
        start = one.data.index(b"\r\n" + line) + 2
        assert not verified(one.data[:start] + line + b" x" + one.data[start + len(line) :]), line
    assert not verified(one.data.replace(b"Subject:", b"From: eve@example.com\r\nSubject:", 1))
    assert not verified(b"Reply-To: eve@example.com\r\n" + one.data)
    assert not verified(one.data[:-4] + b"x\r\n")


#: What is in a mail by the time it is signed: any header folded in any way, any body that has CRLF line ends.
BLANKS = st.sampled_from(["", " ", "\t", "  ", " \t ", "\r\n ", "\r\n\t", " \r\n  "])
WORDS = st.lists(st.tuples(BLANKS, st.text("aB:;=,<>@.-_", min_size=1, max_size=30)), max_size=6)
VALUES = st.tuples(WORDS, BLANKS.filter(lambda blank: "\n" not in blank)).map(
    lambda made: "".join(blank + word for blank, word in made[0]) + made[1]
)
NAMES = st.sampled_from(["To", "Subject", "DATE", "message-id", "Reply-To", "List-Unsubscribe", "X-Odd", "References"])
HEADS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
BODIES = st.lists(st.text("ab .=\t-", max_size=20), max_size=6).map("\r\n".join)


@settings(max_examples=150, deadline=None)
@given(HEADS, st.one_of(BODIES, BODIES.map(lambda body: f"{body}\r\n\r\n\r\n")))
def test_whatever_a_mail_looks_like_its_signature_is_the_librarys_own_and_good(head: Any, body: str) -> None:
    lines = [f"{name}:{value}" for name, value in [("From", " board@example.org"), *head]]
    data = ("\r\n".join([*lines, "", body])).encode()
    with time_machine.travel(0, tick=False):
        signed = Signature("m1", "example.org", KEY).on(data)
        names = re.sub(rb"\s", b"", signed).partition(b";h=")[2].partition(b";")[0].split(b":")
        private = pem(form=PrivateFormat.TraditionalOpenSSL).encode()
        usual = {"canonicalize": (b"relaxed", b"simple"), "include_headers": names, "linesep": b"\r\n"}
        line = dkim.sign(data, b"m1", b"example.org", private, **usual)
    assert signed == line + data
    assert verified(signed)


def test_without_its_key_nothing_is_sent_and_everything_kept(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail, settings=signing(mail)) as world:
        assert told(world, mail, ANN) == []
        assert [one.state for one in world.deliveries()] == ["pending"]
        world.environ["MONITOR_DKIM_KEY"] = pem()
        world.later(minutes=20)
        world.deliver()
    assert verified(mail.mails[0].data)


def test_without_mails_key_slack_is_told_all_the_same(tmp_path: Path, mail: SmtpSink, slack: SlackSink) -> None:
    with told_world(tmp_path, mail, slack, settings=signing(mail)) as world:
        world.subscribe(f"{slack.base}T1/B1/announce", "slack")
        assert told(world, mail, ANN) == []
    assert [one.path for one in slack.posts if not one.path.endswith(SECRET)] == ["/services/T1/B1/announce"]
    assert [one.path for one in slack.posts if one.path.endswith(SECRET)], "the operator hears that no mail leaves"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("hunter2", "not a private key in PEM form"),
        (pem()[:200], "not a private key in PEM form"),
        (pem(lock=BestAvailableEncryption(b"hunter2")), "locked with a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
    ],
    ids=["text", "cut", "locked", "elliptic"],
)
def test_a_key_that_cannot_sign_refuses_the_start(tmp_path: Path, mail: SmtpSink, key: str, words: str) -> None:
    with told_world(tmp_path, mail, settings=signing(mail)) as world:
        with pytest.raises(ConfigError, match=words) as caught:
            load(world.config_path, {"MONITOR_DKIM_KEY": key})
        assert "hunter2" not in str(caught.value)
        assert not any(line in str(caught.value) for line in key.split("\n")[1:3] if len(line) > 20)
        load(world.config_path, {"MONITOR_DKIM_KEY": pem()})


def test_a_signature_of_another_domain_refuses_the_start(tmp_path: Path, mail: SmtpSink) -> None:
    with told_world(tmp_path, mail) as world:
        world.configure([issue("stops")], **signing(mail, domain="mail.example.org"))
        for domain in ("example.com", "evil-example.org", "org"):
            with pytest.raises(ConfigError, match=r"not in the domain of `from`|is not a domain"):
                world.configure([issue("stops")], **signing(mail, domain=domain))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("example.org", "example.org", True),
        ("Example.ORG", "example.org", True),
        ("bounces.example.org", "example.org", True),
        ("example.org", "news.example.org", True),
        ("bounces.example.org", "news.example.org", False),
        ("badexample.org", "example.org", False),
    ],
)
def test_which_domains_belong_together(one: str, other: str, together: bool) -> None:
    assert is_aligned(one, other) is together
