"""A test message to a webhook, before anybody relies on it. Nothing is queued: who asks waits for the answer."""

from __future__ import annotations

import ipaddress
import json
import socket
import uuid
from urllib.parse import urlsplit

from monitor.config import Config
from monitor.model.messaging import ChannelKind, Message, Outcome
from monitor.notify.channels import CHANNELS
from monitor.notify.clean import mrkdwn
from monitor.workflow.channels import open_channel
from monitor.workflow.context import Context
from monitor.workflow.review import Refusal
from monitor.workflow.subscribe import Unsuitable

#: How long somebody looks at a page that does not come.
PATIENCE = 10.0


def try_out(context: Context, kind: ChannelKind, address: str) -> Outcome:
    """Send a test message and say what the provider answered. Raises Unsuitable for where nobody may be asked."""
    if kind is ChannelKind.EMAIL:
        raise Refusal("an email address needs no test message: its reader confirms it. Nothing was sent.")
    if kind is ChannelKind.APPRISE:
        _refuse_private(context.config, address)
    transport = open_channel(context, kind, patience=PATIENCE)
    try:
        return transport.send(_message(context, kind, address))
    finally:
        transport.close()


def words(kind: ChannelKind, outcome: Outcome) -> str:
    """What came of it, for a person."""
    return f"{CHANNELS[kind].label} did not take the test message: {outcome.detail}"


def _message(context: Context, kind: ChannelKind, address: str) -> Message:
    name = context.config.organization.name
    subject = f"Test message from {name}"
    text = f"{subject}. From now on this channel can be told what changes on the board. Nothing needs doing."
    post = {"text": mrkdwn(text, 1_000), "parse": "none", "link_names": False}
    payload = json.dumps(post, ensure_ascii=False) if kind is ChannelKind.SLACK else ""
    return Message(kind, address, f"test-{uuid.uuid4().hex}@localhost", subject, text, payload=payload)


def _refuse_private(config: Config, address: str) -> None:
    """Whoever may add a subscriber must not thereby post to machines of our own network."""
    for host in _hosts(address) - set(config.apprise_hosts):
        if any(not ipaddress.ip_address(one).is_global for one in _addresses(host)):
            raise Unsuitable(
                f"{host} is in a private network; if it is meant, name it under apprise_hosts in config.yaml", "address"
            )


def _hosts(address: str) -> set[str]:
    """The machines that are told, as we read the address and as Apprise does, which differ where it is an odd one.

    Empty for a service that is not told where to post: in its address that place holds a token.
    """
    from apprise import Apprise

    service = Apprise.instantiate(address)
    forms: tuple[str, ...] = service.templates if service is not None else ()
    if not any("{host}" in form for form in forms):
        return set()
    # Mail and XMPP may go by another machine than the one their address names.
    named = [getattr(service, name, None) for name in ("host", "smtp_host", "xmpp_host")]
    hosts = {one.strip("[]").lower() for one in named if isinstance(one, str)}
    return {*hosts, urlsplit(address).hostname or ""} - {""}


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return set()  # then nobody is reached there
