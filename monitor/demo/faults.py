"""Ways the site can misbehave, by name. ``Replica.misbehave`` puts one on a path."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from monitor.demo import pages
from monitor.demo.site import CSV, HTML, TEXT, Asked, Promises, Reply, Site

Apply = Callable[[Asked, Site], Reply]

#: Where a fault makes sense.
STATUS, FEED, ROBOTS, ANY = pages.STATUS_PATH, "/ftp/pub/data/", "/robots.txt", "/"


@dataclass(frozen=True, slots=True)
class Fault:
    """``apply`` answers instead of the site; ``where`` is the path it is made for; ``about`` says what it does."""

    apply: Apply
    about: str
    where: str = ANY


def status(code: int, *, retry_after: str | None = None, body: str = "") -> Fault:
    """An answer of that code; ``retry_after`` is the header as written, seconds or a date."""
    headers = [("Content-Type", HTML)] + ([("Retry-After", retry_after)] if retry_after is not None else [])
    text = body or f"<html><head><title>{code}</title></head><body><h1>{code}</h1></body></html>"
    return Fault(lambda _asked, _site: Reply(code, tuple(headers), text.encode()), f"status {code}")


def redirect(location: str, *, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Fault:
    """302 to ``location``; "{path}" in it stands for the path asked for."""

    def apply(asked: Asked, _site: Site) -> Reply:
        return Reply(302, (("Location", location.replace("{path}", asked.path)), *headers), body)

    return Fault(apply, f"redirect to {location}")


def slow(seconds: float) -> Fault:
    """The honest answer, late."""
    return Fault(lambda asked, site: replace(site.reply(asked), wait=seconds), f"{seconds} s before the answer")


def drip(seconds: float = 0.5, *, size: int = 1) -> Fault:
    """The honest answer, ``size`` bytes every ``seconds``: no read ever times out."""
    return Fault(lambda asked, site: _paced(site.reply(asked), seconds, size), "body a byte at a time")


def drip_headers(seconds: float = 0.5) -> Fault:
    """The same from the status line on."""
    return Fault(
        lambda asked, site: replace(_paced(site.reply(asked), seconds, 1), slow_head=True), "headers a byte at a time"
    )


def big(megabytes: int = 60) -> Fault:
    """A plain page of that size, which begins like a real one."""
    piece = b"<p>" + b"x" * 65_529 + b"</p>"

    def apply(_asked: Asked, _site: Site) -> Reply:
        pieces = megabytes * 1_000_000 // len(piece) + 1
        return Reply(
            200, (("Content-Type", HTML),), stream=lambda: (piece for _ in range(pieces)), declared=pieces * len(piece)
        )

    return Fault(apply, f"{megabytes} MB of page")


def gzip_bomb(megabytes: int = 200) -> Fault:
    """A small gzip that unpacks to ``megabytes``."""
    headers = (("Content-Type", HTML), ("Content-Encoding", "gzip"))
    return Fault(lambda _asked, _site: Reply(200, headers, bomb(megabytes)), f"gzip of {megabytes} MB of blanks")


@lru_cache(maxsize=2)
def bomb(megabytes: int) -> bytes:
    """gzip of that many megabytes of blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * 1_000_000
    return b"".join([*(packer.compress(blanks) for _ in range(megabytes)), packer.flush()])


def changed(change: Callable[[bytes], bytes], about: str, where: str = STATUS) -> Fault:
    """The honest answer with its body changed."""
    return Fault(lambda asked, site: site.reply(asked, change=change), about, where)


def _paced(reply: Reply, seconds: float, size: int) -> Reply:
    body = reply.body
    pieces = lambda: (body[at : at + size] for at in range(0, len(body), size))  # noqa: E731
    return replace(reply, body=b"", stream=pieces, declared=len(body), pace=seconds)


def _truncated(asked: Asked, site: Site) -> Reply:
    reply = site.reply(asked)
    return replace(reply, body=reply.body[: len(reply.body) // 2], declared=len(reply.body))


def _truncated_silently(asked: Asked, site: Site) -> Reply:
    reply = site.reply(asked)
    return replace(reply, body=reply.body[: len(reply.body) // 2], declared=None)


def _dropped_midway(asked: Asked, site: Site) -> Reply:
    return replace(_truncated(asked, site), reset=True)


def _charset_lies(asked: Asked, site: Site) -> Reply:
    reply = site.reply(asked)
    text = reply.body.decode("utf-8", "replace").replace("Assembly", "Assembly – “à”")
    headers = tuple((n, "text/html; charset=utf-8" if n == "Content-Type" else v) for n, v in reply.headers)
    return replace(reply, headers=headers, body=text.encode("cp1252", "replace"))


def _maintenance(_asked: Asked, _site: Site) -> Reply:
    return Reply(200, (("Content-Type", HTML),), pages.maintenance_page().encode())


def _other_bill(asked: Asked, site: Site) -> Reply:
    """The page of the next bill of the same session that has one."""
    here = asked.query.get("bill_num", "").upper()
    others = site.facts.of_session(asked.query.get("which_year") or site.facts.session)
    seen = [bill.key for bill in others if bill.seen(site.day) and str(bill.key.number) not in here]
    key = seen[0] if seen else next(iter(site.facts.bills))
    return site.reply(asked, path=f"{STATUS}?selBillType=Bill&bill_num={key.identifier}&which_year={key.session}")


def _last_session(asked: Asked, site: Site) -> Reply:
    content = site.bulk_file(asked.route.rpartition("/")[2], back_years=1)
    if content is None:
        return site.reply(asked)
    return site.reply(asked, change=lambda _body: content.body)


_HISTORY = re.compile(rb"<h4>Bill History</h4>\s*<table.*?</TABLE>", re.DOTALL)
_ROWS = re.compile(rb"(<table summary=\"Bill history\".*?<tbody>\n)(.*?)(\n</tbody>)", re.DOTALL)


def _without_history(body: bytes) -> bytes:
    return _HISTORY.sub(b"", body)


def _renamed_history(body: bytes) -> bytes:
    return body.replace(b'summary="Bill history"', b'summary="Actions"').replace(
        b"<h4>Bill History</h4>", b"<h4>Actions</h4>"
    )


def _keep(choose: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Keep some history rows, given oldest first: of the page, or of each bill in the bulk file."""

    def change(body: bytes) -> bytes:
        if body.startswith(b"bill_num,act_date"):
            return b"\r\n".join([*_chosen_lines(body.split(b"\r\n"), choose), b""])
        return _ROWS.sub(lambda m: m[1] + b"\n".join(choose(m[2].split(b"\n")[::-1])[::-1]) + m[3], body)

    return change


def _chosen_lines(lines: list[bytes], choose: Callable[[list[bytes]], list[bytes]]) -> Iterator[bytes]:
    yield lines[0]
    bills: dict[bytes, list[bytes]] = {}
    for line in filter(None, lines[1:]):
        bills.setdefault(line.split(b",", 1)[0], []).append(line)
    for rows in bills.values():
        yield from choose(rows)


def _some_bills_missing(body: bytes) -> bytes:
    lines: Iterable[bytes] = body.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not re.match(rb"[HS]B\d{4}[37],", line))


_FORBID_STATUS = "User-agent: *\nDisallow: /asp/cgabillstatus/\nDisallow: /asp/CGABillStatus/\n"
_BOT_WALL = (
    "<html><head><title>Just a moment...</title></head><body>Checking your browser. Request ID: 8f2b</body></html>"
)


def _robots(text: str, about: str) -> Fault:
    return Fault(lambda _asked, _site: Reply(200, (("Content-Type", TEXT),), text.encode()), about, ROBOTS)


def _plain(reply: Reply, about: str) -> Fault:
    return Fault(lambda _asked, _site: reply, about)


_HTML = (("Content-Type", HTML),)

#: Every fault by name. Some take arguments when called by their function instead.
FAULTS: Mapping[str, Fault] = {
    "too_many_requests": status(429, retry_after="120"),
    "unavailable_retry_after": status(503, retry_after="60"),
    "unavailable": status(503),
    "server_error": status(500),
    "forbidden": status(403),
    "bot_wall": status(403, body=_BOT_WALL),
    "not_found": status(404),
    "maintenance": Fault(_maintenance, "the maintenance page, with 200"),
    "empty": _plain(Reply(200, _HTML), "an empty 200"),
    "blank": _plain(Reply(200, _HTML, b"\r\n  \r\n"), "a 200 of white space"),
    "history_missing": changed(_without_history, "the page without its history table"),
    "history_renamed": changed(_renamed_history, "the history table under another name"),
    "history_empty": changed(_keep(lambda _rows: []), "the history table without rows"),
    "history_shrunk": changed(_keep(lambda rows: rows[:2]), "two rows of each history left"),
    "row_removed": changed(_keep(lambda rows: rows[:-1] or rows), "the newest row of each history gone"),
    "other_bill": Fault(_other_bill, "another bill's page", STATUS),
    "truncated": Fault(_truncated, "half of the promised length, then the end"),
    "truncated_silently": Fault(_truncated_silently, "half of the body, no length, then the end"),
    "dropped_midway": Fault(_dropped_midway, "half of the promised length, then a reset"),
    "reset": _plain(Reply(reset=True), "the connection reset without an answer"),
    "drip": drip(),
    "drip_headers": drip_headers(),
    "slow": slow(3.0),
    "big": big(),
    "gzip_bomb": gzip_bomb(),
    "gzip_broken": _plain(Reply(200, (*_HTML, ("Content-Encoding", "gzip")), b"not gzip at all"), "gzip in name only"),
    "charset_lies": Fault(_charset_lies, "cp1252 bytes called utf-8", STATUS),
    "redirect_private": redirect("http://169.254.169.254/latest/meta-data/"),
    "redirect_private_lan": redirect("http://10.0.0.1/"),
    "redirect_root": redirect("/"),
    "redirect_error_page": redirect("/error.html?aspxerrorpath={path}"),
    "redirect_other_host": redirect("http://www.example.com/"),
    "redirect_loop": redirect("{path}"),
    "redirect_file": redirect("file:///etc/passwd"),
    "robots_forbid_status": _robots(_FORBID_STATUS, "robots.txt that forbids the status page"),
    "robots_forbid_all": _robots("User-agent: *\nDisallow: /\n", "robots.txt that forbids everything"),
    "robots_unavailable": replace(status(503), where=ROBOTS),
    "last_session_feed": Fault(_last_session, "last session's bulk files, complete", FEED),
    "feed_empty": Fault(lambda _asked, _site: Reply(200, (("Content-Type", CSV),)), "bulk files of no bytes", FEED),
    "feed_header_only": changed(lambda body: body.split(b"\r\n")[0] + b"\r\n", "bulk files of one line", FEED),
    "feed_bills_missing": changed(_some_bills_missing, "no history for a fifth of the bills", FEED),
    "feed_shrunk": changed(_keep(lambda rows: rows[:2]), "two rows of each bill left", FEED + "bill_history.csv"),
    "feed_row_removed": changed(
        _keep(lambda rows: rows[:-1] or rows), "each bill's newest row gone", FEED + "bill_history.csv"
    ),
    "etag_flapping": Fault(lambda asked, site: site.reply(asked, promises=Promises.FLAPPING), "another ETag each time"),
    "last_modified_lies": Fault(lambda asked, site: site.reply(asked, promises=Promises.LYING), "304 for ever"),
    "no_validators": Fault(lambda asked, site: site.reply(asked, promises=Promises.NONE), "neither ETag nor date"),
}
