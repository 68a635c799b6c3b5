"""What DNS says, for the doctor."""

from __future__ import annotations

from typing import Any

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

_SECONDS = 3.0
#: Ten look-ups of SPF with the addresses of what they name come to fewer.
_MOST = 80
#: What a record of somebody else's may name and cannot exist.
_NO_NAME = (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, dns.name.BadEscape, UnicodeError)


class Unasked(Exception):
    """Nobody answered; says so."""


class Names:
    """Asks ``nameserver`` ("127.0.0.1:5353"; empty: this machine's), each question for three seconds at most.

    Every answer is empty if there is no such name. Raises Unasked.
    """

    def __init__(self, nameserver: str = "") -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=not nameserver)
        except (dns.exception.DNSException, OSError) as error:
            raise Unasked("this machine has no name server set up") from error
        self._left = _MOST
        self._resolver.lifetime = self._resolver.timeout = _SECONDS
        if nameserver:
            host, colon, port = nameserver.partition(":")
            try:
                self._resolver.nameservers = [host]
                self._resolver.port = int(port) if colon else 53
            except ValueError:
                raise Unasked("mail.nameserver is not an address such as 9.9.9.9 or 127.0.0.1:5353") from None

    def texts(self, name: str) -> list[str]:
        return [b"".join(one.strings).decode("utf-8", "replace") for one in self._ask(name, "TXT")]

    def addresses(self, name: str) -> list[str]:
        return [str(one.address) for kind in ("A", "AAAA") for one in self._ask(name, kind)]

    def mail_hosts(self, name: str) -> list[str]:
        """The best first; a full stop alone says that no mail is taken."""
        found = sorted(self._ask(name, "MX"), key=lambda one: int(one.preference))
        return [one.exchange.to_text(omit_final_dot=True).lower() for one in found]

    def names_of(self, address: str) -> list[str]:
        pointer = dns.reversename.from_address(address).to_text()
        return [one.target.to_text(omit_final_dot=True).lower() for one in self._ask(pointer, "PTR")]

    def _ask(self, name: str, kind: str) -> list[Any]:
        self._left -= 1
        if self._left < 0:
            raise Unasked("the records name more names than a doctor asks about")
        try:
            return list(self._resolver.resolve(name, kind, search=False, raise_on_no_answer=False))
        except (dns.resolver.NXDOMAIN, *_NO_NAME):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Unasked(f"no answer about {name} ({type(error).__name__})") from error
