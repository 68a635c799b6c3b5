"""Reading a body: decoded by ourselves, because a cap on what comes in says nothing about what comes out.

1 MB of gzip became 2.1 GB in the memory of the usual libraries. Here no more than the cap is ever decoded.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from monitor.fetch.errors import FetchError
from monitor.model.tracking import Verdict

CHUNK = 65536
_GZIP = 16 + zlib.MAX_WBITS
#: A gzip header may hold a comment of any length that decodes to nothing: what comes in is capped as well.
_SLACK = 65536


class Decoder(Protocol):
    """Turns what came over the wire into the body, at most ``room`` bytes at a time."""

    def feed(self, data: bytes, room: int) -> bytes: ...

    def finish(self) -> None: ...


class Identity:
    def feed(self, data: bytes, room: int) -> bytes:
        return data[:room]

    def finish(self) -> None:
        return


class Gzip:
    """Incremental, one member after the other; what follows the last one is ignored, as browsers do."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._started = False

    def feed(self, data: bytes, room: int) -> bytes:
        out = bytearray()
        while data and len(out) < room:
            if self._member.eof:
                if not data.startswith(b"\x1f"):
                    break
                self._member = zlib.decompressobj(_GZIP)
            self._started = True
            out += self._member.decompress(data, room - len(out))
            data = self._member.unconsumed_tail or self._member.unused_data
        return bytes(out)

    def finish(self) -> None:
        """Raises zlib.error if the stream stopped in the middle."""
        if self._started and not self._member.eof:
            raise zlib.error("the compressed body stops in the middle")


def decoder(content_encoding: str | None) -> Decoder:
    """The decoder for a Content-Encoding header. Raises FetchError unless it is gzip, once, or nothing."""
    codings = [coding for part in (content_encoding or "").split(",") if (coding := part.strip().lower())]
    match codings:
        case [] | ["identity"]:
            return Identity()
        case ["gzip"] | ["x-gzip"]:
            return Gzip()
    raise FetchError(
        Verdict.UNREACHABLE,
        f"The body is encoded as {content_encoding!r:.100}; we asked for gzip, once, or nothing, and decode no more.",
    )


class Wire(Protocol):
    """What is read from: the ``raw`` of a requests response, undecoded."""

    def read(self, amt: int) -> bytes: ...


def read_body(response: Wire, decode: Decoder, limit: int, *, truncate: bool = False) -> bytes:
    """The decoded body, at most ``limit`` bytes.

    With ``truncate`` the rest is left unread, without it a longer body raises FetchError (too_large).
    Raises zlib.error for a damaged body and whatever the wire raises for one that is cut short.
    """
    body, came = bytearray(), 0
    while data := response.read(CHUNK):
        came += len(data)
        body += decode.feed(data, limit + 1 - len(body))
        if len(body) > limit or came > limit + _SLACK:
            if truncate:
                return bytes(body[:limit])
            raise too_large(limit)
    decode.finish()
    return bytes(body)


def too_large(limit: int) -> FetchError:
    return FetchError(
        Verdict.TOO_LARGE,
        f"The body is larger than {limit / 2**20:.3g} MB and was not read further. If this source is "
        "really that big, raise its limit in config.",
    )
