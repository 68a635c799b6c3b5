"""The channels there are: how each is called, what an address of it looks like and how it may be shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from monitor.model.messaging import ChannelKind
from monitor.notify.mime import ADDRESS

SLACK_HOOKS = "https://hooks.slack.com/services/"
_MASKED = re.compile(r"[a-z0-9]*://[^\s…]*… \(#[0-9a-f]{16}\)")
_SECRET_PATH = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
#: Apprise schemes that act on this machine (desktop, log, devices, local programs) instead of telling anyone.
LOCAL_SCHEMES = frozenset(
    {"blink1", "dbus", "deltachat", "deltachats", "gio", "glib", "gnome", "growl", "kde", "macosx", "qt", "syslog"}
    | {"windows"}
)
#: Apprise options that name a file of this machine to be read, or switch off the check of certificates.
_LOCAL_OPTIONS = frozenset({"keyfile", "subfile", "pgpkey", "attach"})
_UNVERIFIED = "verify=no would send to whoever answers; leave it out"


@dataclass(frozen=True, slots=True)
class Channel:
    """``validate(address, allowed)`` gives the address as it is stored or raises ValueError with words for a person;
    ``allowed`` are the webhook bases config adds. ``mask(address)`` may stand in listings and logs."""

    label: str
    validate: Callable[[str, Collection[str]], str]
    mask: Callable[[str], str]


def validate_address(kind: ChannelKind, address: str, allowed: Collection[str] = ()) -> str:
    """``address`` as it is stored. Raises ValueError saying what is wrong, without quoting a secret."""
    return CHANNELS[kind].validate(address.strip(), allowed)


def mask_address(kind: ChannelKind, address: str) -> str:
    """``address`` as it may stand in a listing or a log."""
    return CHANNELS[kind].mask(address)


def is_masked(text: str) -> bool:
    """Whether this is how a secret address is shown, and no address."""
    return _MASKED.fullmatch(text) is not None


def webhook(address: str, allowed: Collection[str] = ()) -> str:
    """``address`` if it is a webhook of Slack's, or one under a base in ``allowed`` (each ending in "/").

    Raises ValueError, without quoting the address, if it is not.
    """
    for base in (SLACK_HOOKS, *allowed):
        if address.startswith(base) and _SECRET_PATH.fullmatch(address[len(base) :]):
            return address
    raise ValueError(f"a Slack address is an incoming webhook; it starts with {SLACK_HOOKS}")


def _email(address: str, allowed: Collection[str]) -> str:
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        raise ValueError(f"{address!r} is not an email address; write it like name@example.org, without a name before")
    try:
        ascii_domain = domain.lower().encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{domain!r} is not a domain name") from None
    # IDNA 2003 turns some letters into others (ß into ss), which is somebody else's domain.
    if not domain.isascii() and ascii_domain.encode().decode("idna") != domain.lower():
        raise ValueError(f"write the domain {domain!r} in its xn-- form")
    whole = f"{local}@{ascii_domain}"
    if not _DOMAIN.fullmatch(ascii_domain) or not _LOCAL.fullmatch(local) or not ADDRESS.fullmatch(whole):
        raise ValueError(f"{address!r} is not an email address we can write to; it should look like name@example.org")
    if len(whole) > 254 or "=?" in whole:
        raise ValueError(f"{address[:80]!r} is not an email address we can write to")
    return whole


_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+(?!\d+$){_LABEL}")
_LOCAL = re.compile(r"[^.@\s]+(\.[^.@\s]+)*")


def _mask_email(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _mask_secret(address: str) -> str:
    """Enough to tell any two addresses apart, nothing to post with."""
    scheme, _, _ = address.partition("://")
    host = urlsplit(address).hostname if scheme in ("http", "https") else ""
    return f"{scheme}://{host or ''}… (#{sha256(address.encode()).hexdigest()[:16]})"


def _apprise(address: str, allowed: Collection[str]) -> str:
    scheme = address.partition("://")[0].lower()
    if not re.fullmatch(r"[\x21-\x7e]{1,2000}", address) or not re.fullmatch("[a-z0-9]+", scheme):
        raise ValueError("an Apprise address is one URL such as ntfy://topic, without blanks")
    if scheme in LOCAL_SCHEMES:
        raise ValueError(f"{scheme}:// acts on the machine the monitor runs on; choose a service that reaches people")
    _refuse_options(address)
    # Importing apprise takes a quarter of a second, which a command that only lists things need not wait for.
    from apprise import Apprise

    service = Apprise.instantiate(address)
    if service is None:
        raise ValueError(f"Apprise does not understand this {scheme}:// address; see its page for the form it wants")
    if not service.verify_certificate:
        raise ValueError(_UNVERIFIED)
    return address


def _refuse_options(address: str) -> None:
    # As Apprise reads them: parted by ; too, blanks around a name left out, and any of several that are alike.
    options = parse_qsl(address.partition("?")[2].replace(";", "&"), keep_blank_values=True)
    for name, value in ((name.strip().lower(), value.strip()) for name, value in options):
        local_file = name in _LOCAL_OPTIONS or (name == "template" and not value.isalnum())
        if local_file:
            raise ValueError(f"the option {name}= would read a file of the machine the monitor runs on; leave it out")
        if name == "verify" and value.lower() not in ("yes", "true", "1", "on"):
            raise ValueError(_UNVERIFIED)
        if name == "redirect" and value.lower() not in ("no", "false", "0", "off"):
            raise ValueError("redirect=yes would let whoever answers send it elsewhere; leave it out")


CHANNELS: Mapping[ChannelKind, Channel] = {
    ChannelKind.EMAIL: Channel("email", _email, _mask_email),
    ChannelKind.SLACK: Channel("Slack", webhook, _mask_secret),
    ChannelKind.APPRISE: Channel("other (Apprise)", _apprise, _mask_secret),
}
