"""What the doctor finds in DNS about our mail, asked of a name server of the test's own."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.notify.signing import Signature
from monitor.workflow.checkup import mail_dns, names
from monitor.workflow.checkup.finding import Finding, Patient
from tests.dns_server import DnsServer, Zone, texts
from tests.pipeline import World, issue
from tests.telling import told_world

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = Signature("m1", "example.org", KEY).public
HOST, ADDRESS, SIX = "mail.example.org", "93.184.216.34", "2606:2800:220:1::1"
POINTER, POINTER_6 = "34.216.184.93.in-addr.arpa", f"1.{'0.' * 15}1.0.0.0.0.2.2.0.0.0.8.2.6.0.6.2.ip6.arpa"

#: Everything as it should be.
SOUND: dict[tuple[str, str], Any] = {
    ("lists.example.org", "TXT"): texts("v=spf1 include:spf.example.org a:mail.example.org -all", "another=thing"),
    ("spf.example.org", "TXT"): texts("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"),
    ("m1._domainkey.example.org", "TXT"): texts(f"v=DKIM1; k=rsa; p={PUBLIC}"),
    ("_dmarc.example.org", "TXT"): texts("v=DMARC1; p=quarantine; rua=mailto:a@example.org"),
    ("lists.example.org", "MX"): ["10 mail.example.org."],
    ("mail.example.org", "A"): [ADDRESS],
    ("mail.example.org", "AAAA"): [SIX],
    (POINTER, "PTR"): ["mail.example.org."],
    (POINTER_6, "PTR"): ["mail.example.org."],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with told_world(tmp_path_factory.mktemp("dns"), None) as world:
        yield world


def patient(world: World, where: str, environ: dict[str, str] | None = None, **changes: Any) -> Patient:
    mail = {"host": HOST, "from": "board@example.org", "bounce_address": "bounces@lists.example.org", **changes}
    mail = {"dkim": {"selector": "m1"}, "nameserver": where, **mail}
    world.configure([issue("stops")], mail={name: value for name, value in mail.items() if value is not None})
    environ = {"MONITOR_DKIM_KEY": PEM} if environ is None else environ
    return Patient(world.config_path, environ, world.now, world.config, world.database)


def found(world: World, zone: Zone, **changes: Any) -> dict[str, Finding]:
    with DnsServer(zone) as server:
        findings = list(mail_dns.records(patient(world, server.where, **changes)))
    assert all("\n" not in one.said + one.advice for one in findings)
    assert all(bool(one.advice) == (one.verdict != "good") for one in findings)
    return {one.what: one for one in findings}


def changed(name: str, kind: str, *records: str) -> Zone:
    """All sound but for this."""
    zone = {key: value for key, value in SOUND.items() if key != (name, kind)}
    return zone | {(name, kind): texts(*records) if kind == "TXT" else list(records)} if records else zone


def pasted(advice: str) -> Zone:
    """The record that a piece of advice gives, as a zone has it."""
    match = re.search(r"([\w.-]+)\. (TXT|MX|A) (.*)$", advice)
    assert match is not None, advice
    return {(match[1], match[2]): [match[3]]}


def test_where_all_is_sound_nothing_needs_doing(world: World) -> None:
    findings = found(world, SOUND)
    assert list(findings) == ["spf", "dkim", "dmarc", "bounce domain", "reverse dns"]
    assert {one.verdict for one in findings.values()} == {"good"}
    assert findings["spf"].said == "lists.example.org says who may send its mail, in 2 look-ups"
    assert findings["dmarc"].said.endswith("is quarantine")


MISSING = [
    ("spf", "lists.example.org", "TXT", "bad"),
    ("dkim", "m1._domainkey.example.org", "TXT", "bad"),
    ("dmarc", "_dmarc.example.org", "TXT", "warn"),
    ("bounce domain", "lists.example.org", "MX", "bad"),
]


@pytest.mark.parametrize(("what", "name", "kind", "verdict"), MISSING, ids=[one[0] for one in MISSING])
def test_the_record_to_add_mends_what_is_missing(world: World, what: str, name: str, kind: str, verdict: str) -> None:
    without = changed(name, kind)
    finding = found(world, without)[what]
    assert finding.verdict == verdict
    assert found(world, {**without, **pasted(finding.advice)})[what].verdict == "good"


def test_an_address_that_spf_does_not_name_is_given_with_the_whole_record(world: World) -> None:
    zone = changed("lists.example.org", "TXT", "v=spf1 include:spf.example.org -all")
    finding = found(world, zone)["spf"]
    assert finding.verdict == "warn"
    assert f"does not name {ADDRESS}, {SIX}" in finding.said
    record = f'lists.example.org. TXT "v=spf1 ip4:{ADDRESS} ip6:{SIX} include:spf.example.org -all"'
    assert finding.advice.endswith(record)
    assert found(world, {**zone, **pasted(finding.advice)})["spf"].verdict == "good"


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (["v=spf1 +all"], "lets everybody send"),
        (["v=spf1 all"], "lets everybody send"),
        (["v=spf1 redirect=open.example.org"], "lets everybody send"),
        (["v=spf1 -all", "v=spf1 mx -all"], "2 SPF records"),
        ([f"v=spf1 {' '.join(f'a:h{n}.example.org' for n in range(11))} -all"], "more than 10"),
        (["v=spf1 include:loop.example.org -all"], "more than 10"),
    ],
)
def test_an_spf_record_that_counts_as_broken_is_bad(world: World, records: list[str], words: str) -> None:
    others = {
        ("loop.example.org", "TXT"): texts("v=spf1 include:loop.example.org -all"),
        ("open.example.org", "TXT"): texts("v=spf1 ?ip4:192.0.2.1 +all"),
    }
    finding = found(world, {**changed("lists.example.org", "TXT", *records), **others})["spf"]
    assert finding.verdict == "bad"
    assert words in finding.said


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 mx -all",
        "v=spf1 a:mail.example.org/32//128 -all",
        "v=spf1 ip4:93.184.0.0/16 ip6:2606:2800::/32 ~all",
        "V=SPF1 redirect=spf2.example.org",
        "v=spf1 exists:%{i}.example.org include:"
        + "x" * 70
        + ".example.org ip4:93.184.216.34 ip6:2606::/16 ip4:no -all",
    ],
)
def test_every_way_to_name_an_address_is_known(world: World, record: str) -> None:
    more = {("spf2.example.org", "TXT"): texts("v=spf1 a:mail.example.org -all")}
    assert found(world, {**changed("lists.example.org", "TXT", record), **more})["spf"].verdict == "good"


def test_an_include_that_lets_everybody_send_does_not_do_so_for_us(world: World) -> None:
    zone = {**SOUND, ("spf.example.org", "TXT"): texts("v=spf1 +all")}
    assert found(world, zone)["spf"].verdict == "good"


def test_another_key_in_dns_is_bad(world: World) -> None:
    other = Signature("m1", "example.org", rsa.generate_private_key(65537, 1024)).public
    finding = found(world, changed("m1._domainkey.example.org", "TXT", f"v=DKIM1; p={other}"))["dkim"]
    assert (finding.verdict, "not the one we sign with" in finding.said) == ("bad", True)
    assert found(world, {**SOUND, **pasted(finding.advice)})["dkim"].verdict == "good"


def test_a_missing_key_is_said_and_no_key_is_ever_shown(world: World) -> None:
    findings = found(world, SOUND, environ={})
    assert "MONITOR_DKIM_KEY is not set" in findings["dkim"].said
    assert PEM.split("\n")[2] not in repr(found(world, changed("m1._domainkey.example.org", "TXT")))


def test_without_dkim_of_ours_the_relay_is_named(world: World) -> None:
    finding = found(world, SOUND, dkim=None)["dkim"]
    assert (finding.verdict, "see that mail.example.org does it" in finding.said) == ("good", True)


@pytest.mark.parametrize(
    ("policy", "verdict", "words"),
    [
        ("v=DMARC1; p=none", "good", "is none"),
        ("v=DMARC1; p=reject; aspf=s", "bad", "aspf=s"),
        ("v=DMARC1; p=reject; adkim=s", "good", "is reject"),
        ("v=DMARC1; rua=mailto:x@example.org", "warn", "says nothing"),
        ("v=spf1 -all", "warn", "has no DMARC policy"),
    ],
)
def test_what_a_dmarc_policy_asks_for(world: World, policy: str, verdict: str, words: str) -> None:
    finding = found(world, changed("_dmarc.example.org", "TXT", policy))["dmarc"]
    assert (finding.verdict, words in finding.said) == (verdict, True), finding


def test_the_policy_of_the_domain_above_counts(world: World) -> None:
    zone = {**SOUND, ("m1._domainkey.news.example.org", "TXT"): SOUND["m1._domainkey.example.org", "TXT"]}
    changes = {"from": "board@news.example.org", "bounce_address": None}
    assert found(world, zone, **changes)["dmarc"].verdict == "good"


@pytest.mark.parametrize("names_of", [[], ["elsewhere.example.net."]])
def test_an_address_whose_name_does_not_lead_back_is_told(world: World, names_of: list[str]) -> None:
    zone = changed(POINTER, "PTR", *names_of)
    zone = {**zone, ("elsewhere.example.net", "A"): ["203.0.113.9"]}
    with DnsServer(zone) as server:
        findings = [one for one in mail_dns.records(patient(world, server.where)) if one.what == "reverse dns"]
    assert [one.verdict for one in findings] == ["warn", "good"]
    assert findings[0].advice.endswith(f"mail.example.org. A {ADDRESS}")


def test_a_domain_that_takes_no_mail_cannot_take_bounces(world: World) -> None:
    assert found(world, changed("lists.example.org", "MX", "0 ."))["bounce domain"].verdict == "bad"


def test_a_relay_on_this_machine_sends_under_this_machines_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    findings = found(world, SOUND, host="127.0.0.1", security="none")
    assert findings["reverse dns"].said.startswith(SIX)
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    assert (
        "no public address of localhost is known"
        in found(world, SOUND, host="127.0.0.1", security="none")["reverse dns"].said
    )


# ------------------------------------------------------------------ nobody answers


def test_nobody_answering_is_said_once_and_asked_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_SECONDS", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        findings = list(mail_dns.records(patient(world, f"127.0.0.1:{silent.getsockname()[1]}")))
    assert [(one.what, one.verdict) for one in findings] == [("mail records", "warn")]
    assert "could not be asked" in findings[0].said


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_will_not_say_is_not_taken_for_an_empty_zone(world: World, rcode: dns.rcode.Rcode) -> None:
    with DnsServer(SOUND, rcode) as server:
        findings = list(mail_dns.records(patient(world, server.where)))
    assert [(one.what, one.verdict) for one in findings] == [("mail records", "warn")]


def test_a_nameserver_that_is_none_is_a_finding(world: World) -> None:
    (finding,) = mail_dns.records(patient(world, "my name server"))
    assert "mail.nameserver is not an address" in finding.said


def test_an_examples_domain_is_not_asked_for(world: World) -> None:
    (finding,) = mail_dns.records(patient(world, "", nameserver=None))
    assert finding.verdict == "good"
    assert "not asked for" in finding.said


def test_records_that_name_ever_more_names_are_not_followed_for_ever(world: World) -> None:
    hosts = [f"h{n}.example.org" for n in range(12)]
    zone = dict(changed("lists.example.org", "TXT", f"v=spf1 {' '.join(f'mx:{name}' for name in hosts[:10])} -all"))
    zone |= {(name, "MX"): [f"{at} {other}." for at, other in enumerate(hosts)] for name in hosts}
    zone |= {(name, "A"): [f"198.51.100.{at}"] for at, name in enumerate(hosts)}
    with DnsServer(zone) as server:
        findings = list(mail_dns.records(patient(world, server.where)))
        assert len(server.asked) < 100
    assert "more names than a doctor asks about" in findings[-1].said


# ------------------------------------------------------------------ who reads it


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"bounce_address": None}, "warn", "comes back to board@example.org"),
        ({}, "warn", "nothing here reads it"),
        ({"inbox": {"maildir": "inbox"}}, "good", "read every ten minutes"),
    ],
)
def test_whether_anybody_reads_what_comes_back(world: World, changes: Any, verdict: str, words: str) -> None:
    (finding,) = mail_dns.bounces(patient(world, "127.0.0.1", **changes))
    assert (finding.verdict, words in finding.said) == (verdict, True)


def test_without_mail_there_is_nothing_to_look_up(tmp_path: Path, world: World) -> None:
    nobody = patient(world, "127.0.0.1")
    nobody = replace(nobody, config=world.config.model_copy(update={"mail": None}))
    assert list(mail_dns.records(nobody)) == list(mail_dns.bounces(nobody)) == []
