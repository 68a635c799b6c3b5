"""A name server that knows what a test tells it. UDP only.

with DnsServer({("example.org", "TXT"): ['"v=spf1 -all"']}) as server:
    Names(server.where).texts("example.org")
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]


class DnsServer:
    """A context manager. Names that are not in ``zone`` do not exist; ``rcode`` answers everything alike."""

    def __init__(self, zone: Zone, rcode: dns.rcode.Rcode | None = None) -> None:
        self.zone = dict(zone)
        self.asked: list[tuple[str, str]] = []
        self._rcode = rcode
        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), _handler(self))
        self.where = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> DnsServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if found := self.zone.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, list(found)))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self._rcode is not None:
            response.set_rcode(self._rcode)
        response.flags |= dns.flags.RA
        return response.to_wire()


def _handler(server: DnsServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(server.answer(data), self.client_address)

    return Handler


def texts(*records: str) -> Any:
    """TXT records as a zone file has them, cut at 255 characters."""
    pieces = [[one[at : at + 255] for at in range(0, len(one), 255)] for one in records]
    return [" ".join(f'"{piece}"' for piece in cut) for cut in pieces]
