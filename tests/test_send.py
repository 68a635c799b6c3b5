"""Messages to real SMTP and HTTP on this machine: what is on the wire, and what every answer is taken for."""

from __future__ import annotations

import gc
import logging
import socket
import ssl
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
import trustme

from monitor.model.messaging import ChannelKind, Message, OutcomeKind
from monitor.notify.carrier import Carrier
from monitor.notify.channels import LOCAL_SCHEMES, mask_address, validate_address
from monitor.notify.email import MailServer, SmtpSettings
from monitor.notify.send import open_transport
from monitor.notify.slack import SlackHooks
from tests.slack_sink import SlackSink
from tests.smtp_sink import DROP, DROP_TAKEN, HANG, RawServer, SmtpSink

SENT, TEMPORARY, PERMANENT = OutcomeKind.SENT, OutcomeKind.TEMPORARY, OutcomeKind.PERMANENT
REFUSED, CHANNEL = OutcomeKind.REFUSED, OutcomeKind.CHANNEL
SECRET = "T0123456/B0123456/s3cr3tHook"


def mail(address: str = "lee@example.org", number: int = 1) -> Message:
    return Message(
        ChannelKind.EMAIL,
        address,
        f"{number}@example.org",
        "Quotas: now Legislation Achieved",
        "The governor signed HB 7132.\n.\nA line that starts with a full stop ends nothing.\n",
        html="<p>The governor signed HB&nbsp;7132.</p>",
        headers=(("From", "Example Coalition <board@example.org>"), ("Date", "Tue, 10 Jun 2025 14:00:00 +0000")),
    )


def settings(server, **changes) -> SmtpSettings:
    given = {"security": "none", "from_address": "board@example.org", "timeout": 20.0}
    return SmtpSettings(server.host, server.port, **{**given, **changes})


def email_to(server, **changes):
    return open_transport(ChannelKind.EMAIL, smtp=settings(server, **changes))


@pytest.fixture(params=[True, False], ids=["reads-on", "one-by-one"])
def sink(request):
    with SmtpSink(pipelining=request.param) as sink:
        yield sink


@pytest.fixture
def transport(sink):
    transport = email_to(sink)
    yield transport
    transport.close()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def tls_for(authority, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def content(parsed: EmailMessage, subtype: str) -> str:
    part = parsed.get_body((subtype,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


# ------------------------------------------------------------------ mail that arrives


def test_a_mail_arrives_whole_and_once(sink, transport):
    outcome = transport.send(mail())
    assert (outcome.kind, outcome.code) == (SENT, 250)
    [arrived] = sink.mails
    assert (arrived.sender, arrived.recipient) == ("board@example.org", "lee@example.org")
    parsed = message_from_bytes(arrived.data, policy=default)
    assert parsed["To"] == "lee@example.org"
    assert parsed.get_all("Message-ID") == ["<1@example.org>"]
    assert parsed["From"] == "Example Coalition <board@example.org>"
    assert parsed["Subject"] == "Quotas: now Legislation Achieved"
    assert content(parsed, "plain") == mail().text
    assert content(parsed, "html").strip() == mail().html
    assert b"\n" not in arrived.data.replace(b"\r\n", b"")
    assert arrived.data.isascii()


@pytest.mark.parametrize("text", [".", ".\n", "..\n", "Dear Lee,\n.\n.hidden\n..twice\nend\n", "no end"])
def test_lines_that_begin_with_a_dot_arrive_as_they_were(sink, transport, text):
    assert transport.send(replace(mail(), text=text, html="")).kind is SENT
    assert transport.send(mail(number=2)).kind is SENT, "it ended where it ends"
    arrived = message_from_bytes(sink.mails[0].data, policy=default)
    assert content(arrived, "plain") == (text if text.endswith("\n") else f"{text}\n")


def test_many_mails_share_one_connection(sink, transport):
    outcomes = [transport.send(mail(f"reader{number}@example.org", number)) for number in range(20)]
    assert {outcome.kind for outcome in outcomes} == {SENT}
    assert [arrived.recipient for arrived in sink.mails] == [f"reader{number}@example.org" for number in range(20)]
    assert sink.connections == 1


def test_the_same_message_is_the_same_bytes(sink, transport):
    transport.send(mail())
    transport.send(mail())
    assert sink.mails[0].data == sink.mails[1].data


def test_a_message_without_text_is_refused_not_lost(transport):
    empty = Message(ChannelKind.EMAIL, "lee@example.org", "1@example.org", "", "")
    assert transport.send(empty).kind is REFUSED


@pytest.mark.parametrize(
    "address",
    ["", "lee", "a@b@c.org", "lee@example.org\r\nRCPT TO:<x@example.org>", "Lee <lee@example.org>", "é@example.org"],
)
def test_an_address_that_is_none_is_never_put_on_the_wire(sink, transport, address):
    assert transport.send(mail(address)).kind is PERMANENT
    assert sink.mails == []


def test_a_broken_message_id_stops_one_message_only(sink, transport):
    broken = Message(ChannelKind.EMAIL, "lee@example.org", "1@x\r\nBcc: e@example.org", "s", "t")
    assert transport.send(broken).kind is REFUSED
    assert transport.send(mail()).kind is SENT
    assert len(sink.mails) == 1


# ------------------------------------------------------------------ what a server says, TORTURE N1, N2, N3


@pytest.mark.parametrize(
    ("phase", "reply", "kind"),
    [
        ("MAIL", "451 4.3.0 try later", TEMPORARY),
        ("RCPT", "450 4.2.1 greylisted", TEMPORARY),
        ("RCPT", "451 local error", TEMPORARY),
        ("RCPT", "452 4.2.2 mailbox full", TEMPORARY),
        ("DATA", "421 4.3.2 closing", TEMPORARY),
        ("DATA", "452 insufficient storage", TEMPORARY),
        ("RCPT", "550 5.1.1 no such user", PERMANENT),
        ("RCPT", "550 no such user", PERMANENT),
        ("RCPT", "551 user not local", PERMANENT),
        ("RCPT", "553 5.1.3 bad mailbox name", PERMANENT),
        ("RCPT", "552 5.2.2 mailbox full", TEMPORARY),
        ("RCPT", "550 5.7.1 we do not like your network", REFUSED),
        ("RCPT", "554 5.7.1 relay access denied", REFUSED),
        ("DATA", "552 5.3.4 too big", REFUSED),
        ("DATA", "554 5.7.1 looks like spam", REFUSED),
        ("DATA", "550 looks like spam", REFUSED),
        ("DATA", "550 5.1.1 no such user after all", PERMANENT),
        ("MAIL", "552 5.3.4 too big", REFUSED),
        ("MAIL", "553 5.7.1 not your sender address", CHANNEL),
        ("MAIL", "530 5.7.0 authentication required", CHANNEL),
    ],
)
def test_what_an_answer_means(sink, transport, phase, reply, kind):
    sink.script(phase, reply, times=1 if reply.startswith("421") else None)
    outcome = transport.send(mail())
    assert (outcome.kind, outcome.code) == (kind, int(reply[:3]))
    assert reply[4:] in outcome.detail
    sink.clear()
    assert transport.send(mail()).kind is SENT, "the connection, or the next one, is good again"


def test_one_dead_address_among_many(sink, transport):
    sink.script("RCPT", "550 5.1.1 no such user", recipient="gone@example.org")
    addresses = [f"reader{number}@example.org" for number in range(5)] + ["gone@example.org", "last@example.org"]
    kinds = {address: transport.send(mail(address)).kind for address in addresses}
    assert kinds.pop("gone@example.org") is PERMANENT
    assert set(kinds.values()) == {SENT}
    assert sink.connections == 1


@pytest.mark.parametrize("refused", [b"MAIL", b"RCPT"])
def test_a_server_that_wants_a_mail_for_nobody_gets_an_empty_one(refused):
    """RFC 2920, 3.1: commands that went together are all answered, and DATA perhaps with a yes."""
    heard: list[bytes] = []

    def talk(connection):
        lines = connection.makefile("rb")
        connection.sendall(b"220 x\r\n")
        once = {refused}
        for line in lines:
            heard.append(line)
            word = line[:4].upper()
            answer = {b"EHLO": b"250-x\r\n250 PIPELINING", b"DATA": b"354 go ahead"}.get(word, b"250 ok")
            if word in once:
                once.remove(word)
                answer = b"550 5.7.1 no"
            connection.sendall(answer + b"\r\n")
            if word == b"DATA":
                for text in lines:
                    heard.append(text)
                    if text == b".\r\n":
                        break
                connection.sendall(b"250 taken\r\n" if heard[-2] != line else b"554 no valid recipients\r\n")

    with RawServer(talk) as server:
        transport = email_to(server)
        kind = transport.send(mail(number=1)).kind
        assert kind is (CHANNEL if refused == b"MAIL" else REFUSED)
        assert heard[-3:] == [b"DATA\r\n", b".\r\n", b"rset\r\n"]
        assert transport.send(mail(number=2)).kind is SENT
        assert heard.count(b"EHLO example.org\r\n") + heard.count(b"ehlo example.org\r\n") == 1
        transport.close()


# ------------------------------------------------------------------ dropped and hanging connections, TORTURE N5, N6, N7


@pytest.mark.parametrize("phase", ["MAIL", "RCPT"])
def test_a_kept_connection_that_was_dropped_is_replaced_at_once(sink, transport, phase):
    assert transport.send(mail(number=1)).kind is SENT
    sink.script(phase, DROP, times=1)
    assert transport.send(mail(number=2)).kind is SENT
    assert (len(sink.mails), sink.connections) == (2, 2)


def test_a_server_that_says_goodbye_to_a_kept_connection(sink, transport):
    assert transport.send(mail(number=1)).kind is SENT
    sink.script("MAIL", "421 4.4.2 idle for too long", times=1)
    assert transport.send(mail(number=2)).kind is SENT


@pytest.mark.parametrize(("reply", "taken"), [(DROP, 0), (DROP_TAKEN, 1)])
def test_dropped_at_data_is_in_doubt_and_a_repeat_is_recognisable(sink, transport, reply, taken):
    sink.script("DATA", reply, times=1)
    outcome = transport.send(mail(number=7))
    assert outcome.kind is TEMPORARY
    assert "may have been taken" in outcome.detail
    assert len(sink.mails) == taken, "nothing is repeated behind the caller's back"
    assert transport.send(mail(number=7)).kind is SENT
    assert {message_from_bytes(kept.data)["Message-ID"] for kept in sink.mails} == {"<7@example.org>"}


def test_dropped_on_the_first_connection_is_worth_another_try(sink, transport):
    sink.script("RCPT", DROP, times=1)
    assert transport.send(mail()).kind is TEMPORARY
    assert transport.send(mail()).kind is SENT


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
def test_a_hang_ends_at_the_deadline_and_hurts_one_mail_only(sink, phase):
    transport = email_to(sink, timeout=0.5)
    sink.script(phase, HANG, times=1)
    outcome = transport.send(mail("slow@example.org"))
    assert outcome.kind is TEMPORARY
    assert "no answer in time" in outcome.detail
    assert transport.send(mail()).kind is SENT
    transport.close()


def test_a_hang_on_a_kept_connection_is_not_blamed_on_the_channel(sink):
    transport = email_to(sink, timeout=0.5)
    assert transport.send(mail()).kind is SENT
    sink.script("RCPT", HANG, recipient="slow@example.org")
    assert transport.send(mail("slow@example.org")).kind is TEMPORARY
    assert transport.send(mail()).kind is SENT
    transport.close()


@pytest.mark.parametrize("banner", [b"", b"220-x\r\n"])
def test_a_banner_that_never_comes_is_the_channels_fault(banner):
    def talk(connection: socket.socket) -> None:
        server.drip(connection, banner)

    with RawServer(talk) as server:
        transport = email_to(server, timeout=0.5)
        outcome = transport.send(mail())
        transport.close()
    assert outcome.kind is CHANNEL
    assert "in time" in outcome.detail


def test_an_answer_that_drips_does_not_outlast_the_deadline():
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        connection.recv(1000)
        connection.sendall(b"250 hello\r\n")
        connection.recv(1000)
        server.drip(connection, b"250-still here\r\n")

    with RawServer(talk) as server:
        transport = email_to(server, timeout=0.5)
        assert transport.send(mail()).kind is TEMPORARY
        transport.close()


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host, port = closed.getsockname()
    transport = open_transport(
        ChannelKind.EMAIL, smtp=SmtpSettings(host, port, "none", from_address="board@example.org")
    )
    outcome = transport.send(mail())
    assert outcome.kind is CHANNEL
    assert f"{host}:{port}" in outcome.detail


# ------------------------------------------------------------------ login and TLS, TORTURE N4


@pytest.mark.parametrize(("security", "implicit"), [("starttls", False), ("tls", True)])
def test_mail_over_tls(authority, ca_file, security, implicit):
    with SmtpSink(tls=tls_for(authority, "127.0.0.1"), implicit_tls=implicit) as sink:
        transport = email_to(sink, security=security, ca_file=ca_file)
        assert [transport.send(mail(number=number)).kind for number in range(3)] == [SENT] * 3
        transport.close()
    assert sink.connections == 1


def test_a_refused_login_is_the_channels_fault_and_tells_no_secret(authority, ca_file):
    with SmtpSink(tls=tls_for(authority, "127.0.0.1"), login=("board", "right horse")) as sink:
        wrong = email_to(sink, security="starttls", ca_file=ca_file, username="board", password="wr0ng-h0rse")
        outcome = wrong.send(mail())
        right = email_to(sink, security="starttls", ca_file=ca_file, username="board", password="right horse")
        assert right.send(mail()).kind is SENT
        wrong.close()
        right.close()
    assert (outcome.kind, outcome.code) == (CHANNEL, 535)
    assert "wr0ng-h0rse" not in repr(outcome)


def test_stripped_starttls_never_falls_back_to_the_clear(sink):
    transport = email_to(sink, security="starttls", username="board", password="right horse")
    assert transport.send(mail()).kind is CHANNEL
    assert sink.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_an_unknown_authority(authority, security):
    with SmtpSink(tls=tls_for(authority, "127.0.0.1"), implicit_tls=security == "tls") as sink:
        outcome = email_to(sink, security=security).send(mail())
    assert outcome.kind is CHANNEL
    assert "certificate" in outcome.detail
    assert sink.mails == []


def test_a_certificate_for_another_name(authority, ca_file):
    with SmtpSink(tls=tls_for(authority, "mail.example.net")) as sink:
        outcome = email_to(sink, security="starttls", ca_file=ca_file).send(mail())
    assert outcome.kind is CHANNEL
    assert sink.mails == []


def test_a_password_does_not_travel_in_the_clear():
    with pytest.raises(ValueError, match="in the clear"):
        SmtpSettings("mail.example.org", 25, "none", "board", "right horse")


def test_settings_do_not_show_the_password():
    assert "right horse" not in repr(
        SmtpSettings("mail.example.org", 587, "starttls", "board", "right horse", "b@example.org")
    )


@pytest.mark.parametrize(
    "address", ["", "board", "board@example.org>\r\nRCPT TO:<eve@example.org", "B <b@example.org>"]
)
def test_a_sender_without_an_address_is_refused_at_once(address):
    with pytest.raises(ValueError, match="sender's address"):
        SmtpSettings("mail.example.org", 587, "starttls", from_address=address)


def test_email_without_a_server_says_so():
    with pytest.raises(ValueError, match="no mail server"):
        open_transport(ChannelKind.EMAIL)


# ------------------------------------------------------------------ Slack, TORTURE N8, N9, N10


@pytest.fixture
def slack():
    with SlackSink() as slack:
        yield slack


@pytest.fixture
def hooks(slack):
    transport = open_transport(ChannelKind.SLACK, slack_allowed=(slack.base,))
    yield transport
    transport.close()


def post(slack, secret: str = SECRET) -> Message:
    return Message(
        ChannelKind.SLACK, slack.base + secret, "1@example.org", "s", "t", payload='{"text":"Quotas → Achieved"}'
    )


def test_a_post_arrives_as_it_was_made(slack, hooks):
    assert hooks.send(post(slack)).kind is SENT
    assert hooks.send(post(slack)).kind is SENT
    assert slack.posts[0].json == {"text": "Quotas → Achieved"}
    assert slack.posts[0].path == "/services/" + SECRET
    assert slack.posts[0].headers["Content-Type"] == "application/json; charset=utf-8"
    assert slack.connections == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "no_service", PERMANENT),
        (200, "<!doctype html><title>Sign in to the guest network</title>", TEMPORARY),
        (200, "", TEMPORARY),
        (204, "ok", TEMPORARY),
        (302, "ok", TEMPORARY),
        (400, "invalid_payload", REFUSED),
        (400, "user_not_found", PERMANENT),
        (403, "action_prohibited", PERMANENT),
        (404, "no_service", PERMANENT),
        (410, "channel_is_archived", PERMANENT),
        (429, "rate_limited", TEMPORARY),
        (500, "rollup_error", TEMPORARY),
        (503, "<html>down</html>", TEMPORARY),
    ],
)
def test_what_slack_means(slack, hooks, status, body, kind):
    slack.script(status, body, {"Location": f"{slack.base}T9/B9/elsewhere"} if status == 302 else {})
    outcome = hooks.send(post(slack))
    assert (outcome.kind, outcome.code) == (kind, status)
    assert len(slack.posts) == 1, "no redirect is followed, nothing is repeated"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("30", 30.0),
        ("Tue, 10 Jun 2025 14:02:00 GMT", 120.0),
        ("-5", None),
        ("soon", None),
        ("99999999999", None),
        ("Tue, 10 Jun 2025 13:00:00 GMT", None),
    ],
)
def test_the_pause_slack_asks_for(asked, seconds):
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        head = f"HTTP/1.1 429 Too Many\r\nDate: Tue, 10 Jun 2025 14:00:00 GMT\r\nRetry-After: {asked}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 12\r\n\r\nrate_limited")

    with RawServer(talk) as server:
        base = f"http://{server.host}:{server.port}/"
        transport = open_transport(ChannelKind.SLACK, slack_allowed=(base,))
        outcome = transport.send(Message(ChannelKind.SLACK, base + SECRET, "1@x", "s", "t", payload="{}"))
        transport.close()
    assert (outcome.kind, outcome.retry_after) == (TEMPORARY, seconds)


@pytest.mark.parametrize("headers", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_an_answer_of_slack_that_drips_ends_at_the_deadline(headers):
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(headers or b"HTTP/1.1 200 OK\r\n")
        server.drip(connection, b"x" if headers else b"X-Y: z\r\n")

    with RawServer(talk) as server:
        base = f"http://{server.host}:{server.port}/"
        hooks = Carrier(SlackHooks((base,), timeout=0.5))
        outcome = hooks.send(Message(ChannelKind.SLACK, base + SECRET, "1@x", "s", "t", payload="{}"))
        hooks.close()
    assert outcome.kind is TEMPORARY
    assert "in time" in outcome.detail


def test_slack_over_tls_checks_the_certificate(authority, ca_file):
    with SlackSink(tls=tls_for(authority, "127.0.0.1")) as slack:
        good = Carrier(SlackHooks((slack.base,), ca_file=ca_file))
        bad = Carrier(SlackHooks((slack.base,)))
        assert [good.send(post(slack)).kind, good.send(post(slack)).kind] == [SENT, SENT]
        assert bad.send(post(slack)).kind is TEMPORARY
        good.close()
        bad.close()
    assert (len(slack.posts), slack.connections) == (2, 1)


def test_a_slack_that_hung_up_meanwhile_is_called_again(slack, hooks):
    slack.script(200, "ok", {"Connection": "close"}, times=1)
    assert [hooks.send(post(slack)).kind, hooks.send(post(slack)).kind] == [SENT, SENT]


def test_no_other_address_is_ever_posted_to(slack):
    hooks = open_transport(ChannelKind.SLACK)
    assert hooks.send(post(slack)).kind is PERMANENT
    assert slack.posts == []


# ------------------------------------------------------------------ any other Apprise address


def test_an_apprise_address_through_the_stock_plugin(slack):
    other = open_transport(ChannelKind.APPRISE)
    address = slack.base.replace("http://", "json://") + "hook"
    message = Message(ChannelKind.APPRISE, address, "1@x", "Quotas: now Achieved", "The governor signed it.")
    assert other.send(message).kind is SENT
    assert slack.posts[0].json["title"] == "Quotas: now Achieved"
    assert slack.posts[0].json["message"] == "The governor signed it."
    slack.script(500, "down")
    assert other.send(message).kind is TEMPORARY
    other.close()


def test_nobody_sends_a_message_on_to_another_machine(slack):
    slack.script(307, "elsewhere", {"Location": f"{slack.base}elsewhere"})
    address = slack.base.replace("http://", "json://") + "hook"
    outcome = open_transport(ChannelKind.APPRISE).send(Message(ChannelKind.APPRISE, address, "1@x", "s", "t"))
    assert outcome.kind is TEMPORARY
    assert len(slack.posts) == 1


def test_an_apprise_address_that_is_refused_reaches_nobody(slack):
    other = open_transport(ChannelKind.APPRISE)
    assert other.send(Message(ChannelKind.APPRISE, "dbus://", "1@x", "s", "t")).kind is PERMANENT
    two = f"{slack.base.replace('http://', 'json://')}a,{slack.base.replace('http://', 'json://')}b"
    other.send(Message(ChannelKind.APPRISE, two, "1@x", "s", "t"))
    assert len(slack.posts) <= 1, "one address is one service"


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (ChannelKind.EMAIL, "Lee.Smith+board@Example.ORG", "Lee.Smith+board@example.org"),
        (ChannelKind.EMAIL, " lee@example.org ", "lee@example.org"),
        (ChannelKind.EMAIL, "lee@bücher.example", "lee@xn--bcher-kva.example"),
        (ChannelKind.SLACK, "https://hooks.slack.com/services/T1/B1/abc", "https://hooks.slack.com/services/T1/B1/abc"),
        (ChannelKind.APPRISE, "ntfy://ntfy.example.org/board", "ntfy://ntfy.example.org/board"),
    ],
)
def test_good_addresses(kind, given, kept):
    assert validate_address(kind, given) == kept


@pytest.mark.parametrize(
    "address",
    [
        "",
        "lee",
        "@example.org",
        "lee@",
        "lee@example",
        "lee@127.0.0.1",
        "lee@[127.0.0.1]",
        "Lee <lee@example.org>",
        "lee@example.org, eve@example.org",
        "lee@example.org\nBcc: eve@example.org",
        "lee\r@example.org",
        "lee@exa\u200bmple.org\x00",
        ".lee@example.org",
        "lee..smith@example.org",
        '"lee smith"@example.org',
        "lee@-example.org",
        "lee@straße.example",
        "é@example.org",
        "=?utf-8?q?x?=@example.org",
        "x" * 65 + "@example.org",
        "lee@" + "a." * 130 + "org",
    ],
)
def test_bad_email_addresses(address):
    with pytest.raises(ValueError, match=r"address|domain"):
        validate_address(ChannelKind.EMAIL, address)


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.slack.com/services/T1/B1/x",
        "https://hooks.slack.com.evil.example/services/T1/B1/x",
        "https://hooks.slack.com/services/../api/x",
        "https://hooks.slack.com/services/T1/B1/x?y=z",
        "https://hooks.slack.com/services/T1/B1/x\r\nHost: evil",
        "https://user@hooks.slack.com/services/T1/B1/x",
        "https://hooks.slack.com/services/",
        "https://127.0.0.1/services/T1/B1/x",
    ],
)
def test_bad_slack_addresses(address):
    with pytest.raises(ValueError, match="incoming webhook") as refused:
        validate_address(ChannelKind.SLACK, address)
    assert "T1/B1" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        *(f"{scheme}://localhost" for scheme in sorted(LOCAL_SCHEMES)),
        "file:///etc/passwd",
        "no such thing",
        "ntfy://topic json://127.0.0.1/x",
        "vapid://a@example.org/b@example.org?keyfile=/etc/passwd",
        "workflows://host/a/b/c?template=/etc/passwd",
        "jsons://example.org/hook?verify=no",
        "jsons://example.org/hook?a=b;verify=no",
        "jsons://example.org/hook?%20verify=no&verify=yes",
        "jsons://example.org/hook?redirect=yes",
        "vapid://a@example.org/b@example.org?a=b;keyfile=/etc/passwd",
        "nonsense://example.org",
    ],
)
def test_bad_apprise_addresses(address):
    with pytest.raises(ValueError, match=r"Apprise|machine|whoever answers"):
        validate_address(ChannelKind.APPRISE, address)


def test_masks_tell_addresses_apart_and_nothing_else():
    one, two = f"https://hooks.slack.com/services/{SECRET}", f"https://hooks.slack.com/services/{SECRET}x"
    shown = mask_address(ChannelKind.SLACK, one)
    assert shown != mask_address(ChannelKind.SLACK, two)
    assert "s3cr3tHook" not in shown
    assert "hooks.slack.com" in shown
    assert "t0ken" not in mask_address(ChannelKind.APPRISE, "tgram://t0ken/chat")
    assert mask_address(ChannelKind.EMAIL, "lee@example.org") == "l***@example.org"


# ------------------------------------------------------------------ secrets, TORTURE N30


def test_no_secret_in_outcomes_logs_or_representations(slack, hooks, caplog, capfd):
    for name in ("apprise", "urllib3", "http.client", ""):
        logging.getLogger(name).setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    outcomes = [hooks.send(post(slack))]
    for status, body in ((404, f"no hook at /services/{SECRET}"), (500, slack.base + SECRET), (302, "moved")):
        slack.clear()
        slack.script(status, body)
        outcomes.append(hooks.send(post(slack)))
    slack.__exit__()
    outcomes.append(hooks.send(post(slack)))
    assert outcomes[-1].kind is TEMPORARY
    shown = repr(outcomes) + repr(post(slack)) + caplog.text + "".join(capfd.readouterr())
    assert "s3cr3tHook" not in shown


def test_a_password_the_server_repeats_is_hidden(authority, ca_file):
    with SmtpSink(tls=tls_for(authority, "127.0.0.1"), login=("board", "right horse")) as sink:
        sink.script("RCPT", "550 5.1.1 no such user, right horse")
        transport = email_to(sink, security="starttls", ca_file=ca_file, username="board", password="right horse")
        outcome = transport.send(mail())
        transport.close()
    assert outcome.kind is PERMANENT
    assert "right horse" not in outcome.detail


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
def test_a_reader_whom_the_server_names_is_hidden(sink, transport, phase):
    sink.script(phase, "550 5.1.1 <Lee@Example.ORG>: no such user, lee@example.org")
    outcome = transport.send(mail())
    assert outcome.detail.endswith("5.1.1 <[hidden]>: no such user, [hidden]")
    sink.clear()
    sink.script("RCPT", f"550 5.1.1 {'x' * 180} lee@example.org")
    assert "lee" not in transport.send(mail()).detail, "cut short it is an address still"


# ------------------------------------------------------------------ nothing escapes, nothing stays open


@pytest.mark.parametrize("error", [RuntimeError, ValueError, KeyError, OSError])
def test_no_exception_escapes(monkeypatch, sink, transport, error):
    def fail(*args: object) -> None:
        raise error("right horse")

    monkeypatch.setattr(MailServer, "deliver", fail)
    outcome = transport.send(mail())
    assert outcome.kind is TEMPORARY
    assert "right horse" not in outcome.detail
    monkeypatch.undo()
    assert transport.send(mail()).kind is SENT


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_closing_leaves_no_socket(sink, slack):
    for transport, message in (
        (email_to(sink), mail()),
        (open_transport(ChannelKind.SLACK, slack_allowed=(slack.base,)), post(slack)),
    ):
        transport.send(message)
        transport.close()
        transport.close()
    gc.collect()
