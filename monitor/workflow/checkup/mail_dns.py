"""What the world can look up about our mail: who may send it, whose signature it bears, and where it comes back to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from monitor.config.mailing import signing_key
from monitor.config.people import Mail
from monitor.config.values import is_private_host
from monitor.notify.signing import Signature
from monitor.workflow.checkup import spf
from monitor.workflow.checkup.finding import Finding, Patient, bad, good, warn
from monitor.workflow.checkup.names import Names, Unasked

#: RFC 2606: nobody's, so nobody's records.
_NOBODYS = ("example.org", "example.com", "example.net", "example", "test", "invalid", "localhost")


@dataclass(frozen=True, slots=True)
class _Post:
    """How mail leaves. ``host`` is who hands it to the world as far as we know, with its public ``addresses``."""

    mail: Mail
    contact: str
    host: str
    addresses: tuple[str, ...]

    @property
    def domain(self) -> str:
        return self.mail.sender.rpartition("@")[2].lower()

    @property
    def envelope_domain(self) -> str:
        return (self.mail.bounce_address or self.mail.sender).rpartition("@")[2].lower()


def bounces(patient: Patient) -> Iterator[Finding]:
    """Whether what comes back is read."""
    mail = patient.config.mail
    if mail is None:
        return
    if mail.bounce_address is None:
        advice = "Set mail.bounce_address and mail.inbox; docs/how-to/send-mail.md says how."
        said = f"what cannot be delivered comes back to {mail.sender}, where a person has to read it"
        yield warn("bounces", said, advice)
    elif mail.inbox is None:
        said = f"mail comes back to {mail.bounce_address} and nothing here reads it"
        yield warn("bounces", said, "Set mail.inbox, or see that `monitor bounces --mbox FILE` runs by itself.")
    else:
        yield good("bounces", f"mail that comes back to {mail.bounce_address} is read every ten minutes")


def records(patient: Patient) -> Iterator[Finding]:
    """The records of our domains, asked for one after the other; nobody answering is said once."""
    mail = patient.config.mail
    if mail is None or patient.config.outbox is not None:
        return
    domain = mail.sender.rpartition("@")[2].lower()
    if not mail.nameserver and any(f".{domain}".endswith(f".{name}") for name in _NOBODYS):
        yield good("mail records", f"not asked for: {domain} is an example's domain")
        return
    try:
        names = Names(mail.nameserver or "")
        post = _post(names, mail, str(patient.config.organization.contact))
        yield from _spf(names, post)
        yield from _dkim(names, post, patient)
        yield from _dmarc(names, post)
        yield from _comes_back(names, post)
        yield from _reverse(names, post)
    except Unasked as error:
        advice = "Look at this machine's name service, or name another server in mail.nameserver."
        yield warn("mail records", f"DNS could not be asked: {error}", advice)


def _post(names: Names, mail: Mail, contact: str) -> _Post:
    # A relay on this machine sends under this machine's own name.
    host = socket.gethostname() if is_private_host(mail.host) else mail.host
    try:
        found = [str(ip_address(host))]
    except ValueError:
        found = names.addresses(host) if "." in host else []
    return _Post(mail, contact, host, tuple(one for one in found if ip_address(one).is_global))


def _text_record(name: str, text: str) -> str:
    """A line for a zone file; a text is cut at 255 characters there."""
    pieces = [text[at : at + 255] for at in range(0, len(text), 255)]
    return f"{name}. TXT " + " ".join(f'"{piece}"' for piece in pieces)


def _spf(names: Names, post: _Post) -> Iterator[Finding]:
    domain = post.envelope_domain
    mechanism = " ".join(f"ip{ip_address(one).version}:{one}" for one in post.addresses) or f"a:{post.host}"
    found = spf.records(names, domain)
    if not found:
        record = _text_record(domain, f"v=spf1 {mechanism} -all")
        yield bad("spf", f"{domain} does not say who may send its mail", f"Add the record: {record}")
        return
    if len(found) > 1:
        yield bad("spf", f"{domain} has {len(found)} SPF records, which counts as broken", "Join them into one.")
        return
    policy = spf.policy(names, domain, found[0])
    if policy.for_all == "+":
        yield bad("spf", f"the SPF record of {domain} lets everybody send", "End it with -all instead of +all.")
    elif policy.lookups > spf.MOST_LOOKUPS:
        said = f"the SPF record of {domain} makes whoever checks it look up more than {spf.MOST_LOOKUPS} names"
        yield bad("spf", said, "Take out `include`s that are not needed: it counts as broken.")
    elif missing := [one for one in post.addresses if not policy.names(one)]:
        said = f"the SPF record of {domain} does not name {', '.join(missing)} ({post.host})"
        record = _text_record(domain, f"v=spf1 {mechanism} {found[0].partition(' ')[2]}".strip())
        yield warn("spf", said, f"If mail leaves from there, change it to: {record}")
    else:
        yield good("spf", f"{domain} says who may send its mail, in {policy.lookups} look-ups")


def _dkim(names: Names, post: _Post, patient: Patient) -> Iterator[Finding]:
    dkim = post.mail.dkim
    if dkim is None:
        yield good("dkim", f"mail is not signed here: see that {post.mail.host} does it")
        return
    name = f"{dkim.selector}._domainkey.{post.mail.dkim_domain}"
    key = dkim.key(patient.environ)
    if key is None:
        advice = "Make a key (openssl genrsa -traditional 2048) and give it as that secret."
        yield bad("dkim", "MONITOR_DKIM_KEY is not set, so nothing can be sent", advice)
        return
    public = Signature(dkim.selector, post.mail.dkim_domain, signing_key(key)).public
    published = [_tags(text) for text in names.texts(name)]
    record = _text_record(name, f"v=DKIM1; k=rsa; p={public}")
    if any("".join(tags.get("p", "").split()) == public for tags in published):
        yield good("dkim", f"the key at {name} is ours")
    elif published:
        yield bad("dkim", f"the key at {name} is not the one we sign with", f"Change it to: {record}")
    else:
        yield bad("dkim", f"there is no key at {name}, so our signature is worth nothing", f"Add the record: {record}")


def _tags(text: str) -> dict[str, str]:
    """ "v=DMARC1; p=none" as names and values."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _dmarc(names: Names, post: _Post) -> Iterator[Finding]:
    labels = post.domain.split(".")
    asked = [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
    found = next((tags for name in asked for tags in _policies(names, name)), None)
    if found is None:
        record = _text_record(f"_dmarc.{post.domain}", f"v=DMARC1; p=none; rua=mailto:{post.contact}")
        said = f"{post.domain} has no DMARC policy, which large mail services ask for"
        yield warn("dmarc", said, f"Add the record: {record}")
        return
    strict = [
        f"{key}=s, and {what} is {domain}"
        for key, what, domain in (
            ("aspf", "the envelope's domain", post.envelope_domain),
            ("adkim", "the signature's domain", post.mail.dkim_domain),
        )
        if found.get(key, "").lower() == "s" and domain != post.domain
    ]
    if strict:
        said = f"the DMARC policy of {post.domain} says {'; '.join(strict)}"
        yield bad("dmarc", said, "Take that out of the record, or use one domain for all of it.")
    elif found.get("p", "").lower() not in ("none", "quarantine", "reject"):
        yield warn("dmarc", f"the DMARC policy of {post.domain} says nothing", "Put p=none, quarantine or reject in.")
    else:
        yield good("dmarc", f"the DMARC policy of {post.domain} is {found['p'].lower()}")


def _policies(names: Names, domain: str) -> Iterator[dict[str, str]]:
    tags = (_tags(text) for text in names.texts(f"_dmarc.{domain}"))
    return (one for one in tags if one.get("v", "").upper() == "DMARC1")


def _comes_back(names: Names, post: _Post) -> Iterator[Finding]:
    if post.mail.bounce_address is None:
        return
    domain = post.envelope_domain
    hosts = names.mail_hosts(domain)
    if any(names.addresses(host) for host in hosts if host.strip(".")):
        yield good("bounce domain", f"mail for {domain} goes to {hosts[0]}")
    else:
        said = f"there is no mail server for {domain}, so nothing can come back"
        yield bad("bounce domain", said, f"Add the record: {domain}. MX 10 {post.host}.")


def _reverse(names: Names, post: _Post) -> Iterator[Finding]:
    """Forward-confirmed reverse DNS: many refuse mail from an address whose name does not lead back to it."""
    for address in post.addresses:
        if any(address in names.addresses(name) for name in names.names_of(address)[:3]):
            yield good("reverse dns", f"{address} has a name that leads back to it")
        else:
            kind = "AAAA" if ":" in address else "A"
            advice = (
                f"Have whoever gives you the address set its reverse name to {post.host}, "
                f"and see that this record is there: {post.host}. {kind} {address}"
            )
            yield warn("reverse dns", f"{address} has no name that leads back to it", advice)
    if not post.addresses:
        said = f"not looked at: no public address of {post.host} is known"
        yield good("reverse dns", said)
