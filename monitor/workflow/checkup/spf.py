"""A sender policy (SPF, RFC 7208) as far as it says who may send: no message is judged here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from monitor.workflow.checkup.names import Names

#: RFC 7208 4.6.4: with more the policy counts as broken.
MOST_LOOKUPS = 10
_TERM = re.compile(r"([+?~-]?)([a-z0-9]+)(?:[:=]([^/]+))?((?:/\d{1,3})?(?://\d{1,3})?)", re.IGNORECASE)


@dataclass(slots=True)
class Policy:
    """Who may send; ``for_all`` is the sign before ``all``, empty without one."""

    lookups: int = 0
    for_all: str = ""
    networks: list[IPv4Network | IPv6Network] = field(default_factory=list)

    def names(self, address: str) -> bool:
        return any(ip_address(address) in network for network in self.networks)


def records(names: Names, domain: str) -> list[str]:
    """The policies of a domain; more than one is as bad as none."""
    return [text for text in names.texts(domain) if re.match(r"v=spf1( |$)", text, re.IGNORECASE)]


def policy(names: Names, domain: str, record: str) -> Policy:
    """What ``record`` says with all it includes. Stops where there are too many look-ups."""
    found = Policy()
    _read(names, domain, record, found, top=True)
    return found


def _read(names: Names, domain: str, record: str, found: Policy, *, top: bool) -> None:
    for term in record.split()[1:]:
        match = _TERM.fullmatch(term)
        if match is None or found.lookups > MOST_LOOKUPS:
            continue
        sign, name, value, width = match[1] or "+", match[2].lower(), match[3] or domain, match[4]
        if name == "all":
            found.for_all = sign if top else found.for_all
        elif name in ("include", "redirect"):
            found.lookups += 1
            for inner in records(names, value)[:1]:
                _read(names, value, inner, found, top=top and name == "redirect")
        elif name in ("a", "mx", "ptr", "exists"):
            found.lookups += 1
            hosts = _HOSTS.get(name, _nobody)(names, value)
            _allow(found, sign, [address for host in hosts[:10] for address in names.addresses(host)], width)
        elif name in ("ip4", "ip6"):
            _allow(found, sign, [match[3] or ""], width)


def _nobody(names: Names, name: str) -> list[str]:
    """What depends on the message in hand is only counted."""
    return []


_HOSTS: Mapping[str, Callable[[Names, str], list[str]]] = {
    "a": lambda names, name: [name],
    "mx": lambda names, name: names.mail_hosts(name),
}


def _allow(found: Policy, sign: str, addresses: list[str], width: str) -> None:
    if sign != "+":
        return
    for address in addresses:
        four, _, six = width.partition("//")
        own = f"/{six}" if ":" in address and six else four
        try:
            found.networks.append(ip_network(f"{address}{own}", strict=False))
        except ValueError:
            continue
