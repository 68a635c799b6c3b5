"""Fetching, over real HTTP on loopback: manners, limits, faults. Numbers like S10 are the torture list's."""

from __future__ import annotations

import gzip
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from fault_server import (
    FaultServer,
    bomb,
    drip_body,
    drip_headers,
    gzipped,
    raw,
    redirect,
    reply,
    stream,
)

from monitor.fetch import Fetcher, FetchError, FetchStopped, HostPaused, HostState, Manners, identity
from monitor.fetch.hosts import after_fault, after_success, paused_until
from monitor.fetch.manners import backoff, retry_after
from monitor.fetch.robots import override
from monitor.model.tracking import NotModified, Page, Validators, Verdict

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AGENT = "legislative-monitor/1.0 (Board; a@example.org)"


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = NOON
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def manners(*servers: FaultServer, **changes: Any) -> Manners:
    keys = frozenset(server.key for server in servers)
    return Manners(**{"user_agent": AGENT, "hosts": keys, "private_hosts": keys, "interval_seconds": 0, **changes})


@pytest.fixture
def make(server: FaultServer, clock: Clock) -> Iterator[Callable[..., Fetcher]]:
    made: list[Fetcher] = []

    def build(states: dict[str, HostState] | None = None, **changes: Any) -> Fetcher:
        rules = manners(server, **changes)
        made.append(Fetcher(rules, states, now=clock, sleep=clock.sleep, rng=random.Random(7)))
        return made[-1]

    yield build
    for fetcher in made:
        fetcher.close()


def failure(fetcher: Fetcher, url: str, **options: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(url, **options)
    assert str(caught.value)[-1] == ".", "a message is a sentence"
    return caught.value


def page(fetcher: Fetcher, url: str, **options: Any) -> Page:
    result = fetcher.fetch(url, **options)
    assert isinstance(result, Page)
    return result


# ------------------------------------------------------------------ the good case


def test_a_page_comes_with_its_headers_and_our_time(server, make, clock):
    url = server.on(
        "/bill?n=1", reply(200, b"<html>", {"ETag": '"v1"', "Set-Cookie": "id=1", "Content-Type": "text/html"})
    )
    got = page(make(), url)
    assert (got.url, got.final_url, got.status, got.body, got.fetched_at) == (url, url, 200, b"<html>", NOON)
    assert got.validators == Validators('"v1"', None)
    assert got.content_type == "text/html"
    assert "set-cookie" not in got.headers


def test_we_say_who_we_are_and_keep_no_cookies(server, make):
    url = server.on("/a", reply(200, b"x", {"Set-Cookie": "session=1"}))
    fetcher = make()
    fetcher.fetch(url)
    fetcher.fetch(url)
    sent = server.requests[-1].headers
    assert sent["user-agent"] == AGENT
    assert sent["accept-encoding"] == "gzip"
    assert "cookie" not in sent
    assert "authorization" not in sent


def test_identity_cannot_break_a_header():
    assert identity("monitor", "1.0", "Board\r\nX: y (CT)", "a@b.org") == "monitor/1.0 (Board??X: y CT; a@b.org)"


def test_the_environment_sets_no_proxy(server, make, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert page(make(), server.on("/a", reply(200, b"x"))).body == b"x"


def test_the_environment_logs_us_in_nowhere(server, make, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    make().fetch(server.on("/a", reply(200, b"x")))
    assert "authorization" not in server.requests[-1].headers


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a/../b", "/a/../b"),  # robots.txt was asked about this one
        ("/%7Euser/./c", "/%7Euser/./c"),
        ("/x?u=http://127.0.0.1/&v=a%20b", "/x?u=http://127.0.0.1/&v=a%20b"),
        ("/x?off=50%&v=a%20b", "/x?off=50%25&v=a%20b"),
    ],
)
def test_the_path_that_was_checked_is_the_path_that_is_asked(server, make, path, sent):
    server.on(sent, reply(200, b"x"))
    assert page(make(), server.url + path).final_url == server.url + sent
    assert server.paths() == [sent]


def test_a_connection_is_kept_for_the_next_request(server, make):
    fetcher = make()
    url = server.on("/a", reply(200, b"x"))
    for _ in range(3):
        fetcher.fetch(url)
    assert len({request.connection for request in server.requests}) == 1


def test_a_connection_is_kept_over_answers_without_a_body(server, make):
    server.on("/old", redirect("/a"))
    server.on("/a", reply(304))
    fetcher = make()
    for _ in range(3):
        fetcher.fetch(server.url + "/old", validators=Validators('"x"', None))
    assert len({request.connection for request in server.requests}) == 1


def test_a_kept_connection_that_the_server_closed_is_opened_anew(server, make):
    fetcher = make()
    url = server.on("/a", reply(200, b"one"), raw(end="reset"), reply(200, b"two"))
    assert page(fetcher, url).body == b"one"
    assert page(fetcher, url).body == b"two"
    assert fetcher.hosts[server.key].failures == 0


def test_requests_are_counted_with_and_without_robots(server, make):
    server.on("/old", redirect("/new"))
    server.on("/new", reply(200, b"x"))
    fetcher = make()
    fetcher.fetch(server.url + "/old")
    assert (fetcher.requests, fetcher.page_requests) == (3, 2)
    assert len(server.requests) == 3


# ------------------------------------------------------------- conditional requests


def test_only_the_servers_own_validators_are_echoed(server, make):
    url = server.on("/a", reply(304))
    validators = Validators('W/"x"', "Mon, 02 Mar 2026 10:00:00 GMT")
    assert make().fetch(url, validators=validators) == NotModified(url, NOON)
    sent = server.requests[-1].headers
    assert sent["if-none-match"] == 'W/"x"'
    assert sent["if-modified-since"] == "Mon, 02 Mar 2026 10:00:00 GMT"


def test_without_validators_nothing_is_made_up(server, make):
    fetcher = make()
    fetcher.fetch(server.on("/a", reply(200, b"x")), validators=Validators())
    assert not {"if-none-match", "if-modified-since"} & set(server.requests[-1].headers)


def test_a_stored_validator_cannot_smuggle_a_header(server, make):
    fetcher = make()
    fetcher.fetch(server.on("/a", reply(200, b"x")), validators=Validators('"a"\r\nX-Evil: 1', None))
    assert not {"if-none-match", "x-evil"} & set(server.requests[-1].headers)


def test_s36_a_304_nobody_asked_for_is_an_error(server, make):
    error = failure(make(), server.on("/a", reply(304)))
    assert (error.verdict, error.status, error.host_fault) == (Verdict.SOFT_ERROR, 304, False)


# ---------------------------------------------------------------- refusals and pauses


@pytest.mark.parametrize(
    ("status", "verdict", "host_fault"),
    [
        (401, Verdict.BLOCKED, True),
        (403, Verdict.BLOCKED, True),
        (404, Verdict.ABSENT, False),
        (410, Verdict.ABSENT, False),
        (429, Verdict.BLOCKED, True),
        (451, Verdict.BLOCKED, False),
        (500, Verdict.UNREACHABLE, True),
        (503, Verdict.UNREACHABLE, True),
        (204, Verdict.SOFT_ERROR, False),
        (400, Verdict.SOFT_ERROR, False),
    ],
)
def test_statuses(server, make, status, verdict, host_fault):
    error = failure(make(), server.on("/a", reply(status, b"" if status == 204 else b"why")))
    assert (error.status, error.verdict, error.host_fault) == (status, verdict, host_fault)
    assert server.key in str(error)
    assert error.page is not None
    assert error.page.body == (b"" if status == 204 else b"why"), "kept as evidence"


def test_s1_retry_after_in_seconds_keeps_us_away(server, make, clock):
    url = server.on("/a", reply(429, b"slow down", {"Retry-After": "120"}), reply(200, b"x"))
    fetcher = make()
    assert failure(fetcher, url).retry_at == NOON + timedelta(seconds=120)
    asked = len(server.requests)
    clock.time += timedelta(seconds=119)
    paused = failure(fetcher, server.on("/other", reply(200, b"y")))
    assert isinstance(paused, HostPaused)
    assert paused.retry_at == NOON + timedelta(seconds=120)
    assert len(server.requests) == asked, "the whole host is left in peace"
    clock.time += timedelta(seconds=1)
    assert page(fetcher, url).body == b"x"
    assert fetcher.hosts[server.key].not_before is None


def test_a_pause_survives_a_restart(server, make, clock):
    url = server.on("/a", reply(503, b"", {"Retry-After": "600"}))
    first = make()
    failure(first, url)
    error = failure(make(first.hosts), url)
    assert isinstance(error, HostPaused)
    assert error.retry_at == NOON + timedelta(seconds=600)
    assert server.paths() == ["/a"]


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        (format_datetime(NOON + timedelta(hours=1), usegmt=True), timedelta(hours=1)),
        (format_datetime(NOON - timedelta(hours=1), usegmt=True), None),
        ("-5", None),
        ("0", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 32 Feb 2026 25:00:00 GMT", None),
        ("315360000", timedelta(days=3650)),
        ("9" * 5000, timedelta(seconds=10**10)),
    ],
)
def test_s2_every_form_of_retry_after(value, pause):
    assert retry_after(value, NOON) == pause


@pytest.mark.parametrize("value", ["315360000", "9" * 5000, format_datetime(NOON + timedelta(days=3650), usegmt=True)])
def test_s2_a_pause_of_ten_years_is_cut_and_counts_as_an_outage(server, make, value):
    fetcher = make()
    error = failure(fetcher, server.on("/a", reply(503, b"", {"Retry-After": value})))
    assert error.retry_at == NOON + timedelta(hours=6)
    assert fetcher.hosts[server.key].outage_since == NOON


@pytest.mark.parametrize("value", ["junk", "-1"])
def test_s2_junk_means_the_usual_back_off(server, make, value):
    error = failure(make(), server.on("/a", reply(429, b"", {"Retry-After": value})))
    assert error.retry_at is not None
    assert NOON + timedelta(seconds=60) <= error.retry_at <= NOON + timedelta(seconds=120)


def test_a_429_without_a_word_pauses_the_host_at_once(server, make):
    fetcher = make()
    failure(fetcher, server.on("/a", reply(429)))
    assert isinstance(failure(fetcher, server.on("/b", reply(200, b"x"))), HostPaused)
    assert server.paths() == ["/a"]


def test_s3_the_breaker_opens_once_and_a_trial_closes_it(server, make, clock):
    url = server.on("/a", *[reply(503)] * 4, reply(200, b"well again"))
    fetcher = make()
    for _ in range(3):
        assert not isinstance(failure(fetcher, url), HostPaused)
    opened = fetcher.hosts[server.key]
    assert (opened.failures, opened.outage_since) == (3, NOON)
    assert opened.not_before is not None
    for _ in range(50):
        assert isinstance(failure(fetcher, url), HostPaused)
    assert len(server.paths()) == 3
    clock.time = opened.not_before
    assert not isinstance(failure(fetcher, url), HostPaused), "one trial"
    again = fetcher.hosts[server.key]
    assert again.outage_since == NOON, "still the same outage: one notice"
    assert again.not_before is not None
    assert isinstance(failure(fetcher, url), HostPaused)
    clock.time = again.not_before
    assert page(fetcher, url).body == b"well again"
    assert fetcher.hosts[server.key] == HostState(
        server.key, robots="", robots_status=404, robots_at=opened.robots_at
    ), "recovered: nothing is held against it"


def test_one_broken_page_does_not_pause_the_others(server, make):
    bad, good = server.on("/bad", reply(500)), server.on("/good", reply(200, b"x"))
    fetcher = make()
    for _ in range(5):
        assert failure(fetcher, bad).retry_at is not None
        assert page(fetcher, good).body == b"x"
    assert fetcher.hosts[server.key].outage_since is None


def test_s4_a_bot_wall_stops_the_host_after_three(server, make):
    urls = [server.on(f"/{n}", reply(403, b"Access Denied")) for n in range(20)]
    fetcher = make()
    errors = [failure(fetcher, url) for url in urls]
    assert [error.verdict for error in errors[:3]] == [Verdict.BLOCKED] * 3
    assert all(isinstance(error, HostPaused) for error in errors[3:])
    assert len(server.paths()) == 3


def test_a_missing_page_shows_that_the_host_is_well(server, make):
    fetcher = make({server.key: HostState(server.key, failures=2, last_error="x")})
    assert failure(fetcher, server.on("/a", reply(404))).verdict is Verdict.ABSENT
    assert fetcher.hosts[server.key].failures == 0


def test_back_off_grows_with_jitter_up_to_its_cap():
    rules = Manners(user_agent=AGENT, hosts=frozenset())
    rng = random.Random(1)
    for failures in range(1, 2000):
        longest = min(timedelta(hours=6), timedelta(seconds=60 * 2.0 ** min(failures, 30)))
        assert timedelta(seconds=60) <= backoff(rules, failures, rng) <= longest
    assert len({backoff(rules, 5, rng) for _ in range(20)}) == 20


def test_a_pause_set_by_a_wrong_clock_is_not_honoured():
    rules = Manners(user_agent=AGENT, hosts=frozenset())
    assert paused_until(HostState("h", not_before=NOON + timedelta(days=400)), rules, NOON) is None
    assert paused_until(HostState("h", not_before=NOON + timedelta(hours=6)), rules, NOON) is not None


def test_an_outage_has_one_beginning_and_one_end():
    rules, rng, state = Manners(user_agent=AGENT, hosts=frozenset()), random.Random(1), HostState("h")
    seen = []
    for minute in range(10):
        state, _ = after_fault(state, rules, NOON + timedelta(minutes=minute), rng, "down")
        seen.append(state.outage_since)
    assert seen == [None, None] + [NOON + timedelta(minutes=2)] * 8
    assert after_success(state) == HostState("h")


# --------------------------------------------------------------------- bodies


@pytest.mark.parametrize("body", [b"", b"   \r\n\t"])
def test_s6_an_empty_200_is_no_page_and_no_host_fault(server, make, body):
    fetcher = make()
    error = failure(fetcher, server.on("/a", reply(200, body)))
    assert (error.verdict, error.host_fault) == (Verdict.SOFT_ERROR, False)
    assert fetcher.hosts[server.key].failures == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    ],
)
def test_s7_a_body_cut_short_is_no_page(server, make, answer):
    error = failure(make(), server.on("/a", raw(answer)))
    assert (error.verdict, error.host_fault) == (Verdict.UNREACHABLE, True)
    assert "cut off" in str(error)


def test_gzip_is_decoded(server, make):
    body = b"<html>" + bytes(range(256)) * 1000
    assert page(make(), server.on("/a", gzipped(body))).body == body


def test_gzip_of_several_members_is_read_whole_and_padding_is_not(server, make):
    data = b"".join(gzip.compress(part) for part in (b"one ", b"two ", b"three")) + b"\0" * 40
    parts = [data[i : i + 1] for i in range(len(data))]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nConnection: close\r\n\r\n"
    assert page(make(), server.on("/a", stream(head, lambda: iter(parts)))).body == b"one two three"


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"x" * 5000)[:-9], b"not gzip at all", gzip.compress(b"a")[:-8] + b"\0" * 8],
    ids=["cut", "plain", "checksum"],
)
def test_damaged_gzip_is_no_page(server, make, data):
    error = failure(make(), server.on("/a", reply(200, data, {"Content-Encoding": "gzip"})))
    assert error.verdict is Verdict.UNREACHABLE
    assert "damaged" in str(error)


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip," * 100 + "br", "br", "zstd", "deflate", "gzip, identity"])
def test_s12_more_than_one_coding_or_another_one_is_refused(server, make, coding):
    error = failure(make(), server.on("/a", reply(200, gzip.compress(b"x"), {"Content-Encoding": coding})))
    assert error.verdict is Verdict.UNREACHABLE
    assert "encoded" in str(error)


def test_two_encoding_headers_count_as_two(server, make):
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"
    assert "encoded" in str(failure(make(), server.on("/a", raw(answer))))


_CHILD = r"""
import re, sys
from datetime import UTC, datetime
from pathlib import Path
from monitor.fetch import Fetcher, FetchError, Manners
key, url = sys.argv[1:]
rules = Manners(user_agent="m/1 (x)", hosts=frozenset({key}), private_hosts=frozenset({key}), interval_seconds=0)
with Fetcher(rules, now=lambda: datetime.now(UTC)) as fetcher:
    try:
        fetcher.fetch(url)
    except FetchError as error:
        print(error.verdict.value)
# getrusage would tell the peak of the process that started this one, if that was higher.
print(int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.parametrize("status", [200, 302, 503], ids=["S10 page", "S11 redirect", "error page"])
def test_a_gzip_bomb_costs_no_memory(server, status):
    server.on("/end", reply(200, b""))
    url = server.on("/a", bomb(1024, status, b"Location: /end\r\n" if status == 302 else b""))
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, server.key, url], capture_output=True, text=True, check=True, timeout=100
    )
    verdict, peak = done.stdout.split()
    assert verdict == {200: "too_large", 302: "soft_error", 503: "unreachable"}[status]
    assert int(peak) < 150, "MB of resident memory at the peak"


def test_a_gzip_header_without_end_is_given_up(server, make):
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"

    def parts() -> Iterator[bytes]:
        yield b"\x1f\x8b\x08\x10" + b"\0" * 6  # a comment follows, and never ends
        while True:
            yield b"c" * 65536

    error = failure(make(max_bytes=2**20), server.on("/a", stream(head, parts)))
    assert error.verdict is Verdict.TOO_LARGE


def test_s13_a_big_plain_page_stops_at_the_cap_which_a_source_may_raise(server, make):
    body = b"x" * (6 * 2**20)
    fetcher = make()
    url = server.on("/a", reply(200, body))
    error = failure(fetcher, url)
    assert (error.verdict, error.host_fault) == (Verdict.TOO_LARGE, False)
    assert "5 MB" in str(error)
    assert len(page(fetcher, url, max_bytes=25 * 2**20).body) == len(body)
    assert len(page(fetcher, url, max_bytes=len(body)).body) == len(body), "the cap itself is allowed"


def test_s13_without_a_length_it_stops_at_the_cap_too(server, make):
    def parts() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    url = server.on("/a", stream(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", parts))
    assert failure(make(), url).verdict is Verdict.TOO_LARGE


# ------------------------------------------------------------------- deadlines


@pytest.mark.parametrize("drip", [drip_body(), drip_headers()], ids=["S14 body", "S15 headers"])
def test_a_drip_ends_at_the_deadline(server, make, drip):
    error = failure(make(deadline_seconds=0.6), server.on("/a", drip))
    assert (error.verdict, error.host_fault) == (Verdict.UNREACHABLE, True)
    assert "deadline" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        raw(end="hang"),
        raw(b"HTTP/1.1 200 OK\r\n", end="hang"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", end="hang"),
        raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 200, delay=0.02),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 200, delay=0.02),
    ],
    ids=["silence", "half a head", "half a body", "100 forever", "tiny chunks"],
)
def test_no_answer_outlives_the_deadline(server, make, answer):
    error = failure(make(deadline_seconds=0.6), server.on("/a", answer))
    assert "deadline" in str(error)


def test_the_deadline_is_one_for_all_redirects(server, make):
    def slow(location: str) -> Callable[[Any], None]:
        def behave(handler: Any) -> None:
            handler.pause(0.3)
            redirect(location)(handler)

        return behave

    for hop in range(5):
        server.on(f"/{hop}", slow(f"/{hop + 1}"))
    server.on("/5", reply(200, b"x"))
    assert "deadline" in str(failure(make(deadline_seconds=0.8), server.url + "/0"))


def test_s22_connection_faults(server, make):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{unused.getsockname()[1]}"
    keys = frozenset({server.key, closed})
    for url in (
        f"http://{closed}/a",
        server.on("/headers", raw(b"HTTP/1.1 200 OK\r\nX-", end="reset")),
        server.on("/body", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", end="reset")),
        server.on("/nothing", raw()),
        server.on("/junk", raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
        server.on("/long", raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")),
        server.on("/many", raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n")),
    ):
        error = failure(make(hosts=keys, private_hosts=keys), url)
        assert (error.verdict, error.host_fault) == (Verdict.UNREACHABLE, True), url


# --------------------------------------------------------------------- redirects


def test_redirects_are_followed_and_both_ends_are_told(server, make):
    server.on("/a", redirect("/b?x=1", 301))
    server.on("/b?x=1", redirect(f"{server.url}/c%20d", 308))
    server.on("/c%20d", reply(200, b"x"))
    got = page(make(), server.url + "/a")
    assert (got.url, got.final_url) == (server.url + "/a", server.url + "/c%20d")


def test_a_redirect_with_blanks_as_classic_asp_sends_it(server, make):
    server.on("/a", redirect("/taskforce.asp?TF=20200116_Police Transparency"))
    server.on("/taskforce.asp?TF=20200116_Police%20Transparency", reply(200, b"x"))
    assert page(make(), server.url + "/a").body == b"x"


def test_s16_five_redirects_are_followed_and_no_more(server, make):
    for hop in range(20):
        server.on(f"/{hop}", redirect(f"/{hop + 1}"))
    server.on("/20", reply(200, b"x"))
    fetcher = make()
    assert page(fetcher, server.url + "/15").body == b"x"
    before = len(server.requests)
    error = failure(fetcher, server.url + "/0")
    assert (error.verdict, error.host_fault) == (Verdict.SOFT_ERROR, False)
    assert len(server.requests) - before == 6


@pytest.mark.parametrize("location", ["/a", "", "/b"], ids=["to itself", "nowhere", "in a circle"])
def test_s16_loops_end(server, make, location):
    server.on("/b", redirect("/a"))
    error = failure(make(), server.on("/a", redirect(location)))
    assert error.verdict is Verdict.SOFT_ERROR
    assert len(server.paths()) <= 2


@pytest.mark.parametrize(
    "location", ["/", "/default.asp", "/Default.aspx?x=1", "/error.aspx?aspxerrorpath=/bill", "/x?A=1&AspxErrorPath=/b"]
)
def test_the_sites_way_of_saying_error_is_not_a_page(server, make, location):
    server.on(location, reply(200, b"Welcome"))
    error = failure(make(), server.on("/bill", redirect(location)))
    assert (error.verdict, error.host_fault) == (Verdict.SOFT_ERROR, False)
    assert server.paths() == ["/bill"]


def test_a_redirect_to_another_host_is_followed_only_if_config_names_it(server, make, clock):
    with FaultServer() as other:
        other.on("/b", reply(200, b"x"))
        url = server.on("/a", redirect(f"{other.url}/b"))
        error = failure(make(), url)
        assert error.verdict is Verdict.BLOCKED
        assert other.requests == []
        keys = frozenset({server.key, other.key})
        assert page(make(hosts=keys, private_hosts=keys), url).body == b"x"
        assert [r.path for r in other.requests] == ["/robots.txt", "/b"], "each hop asks its own robots.txt"


# ------------------------------------------------------------------------ robots


def test_s43_robots_is_obeyed_wildcards_and_all(server, make):
    server.on("/robots.txt", reply(200, b"User-agent: *\nDisallow: /asp/cgabillstatus/\nDisallow: /*.pdf$\n"))
    fetcher = make()
    for path in ("/asp/cgabillstatus/x.asp?bill_num=1", "/a/b.pdf"):
        error = failure(fetcher, server.on(path, reply(200, b"x")))
        assert (error.verdict, error.host_fault, error.status) == (Verdict.BLOCKED, False, None)
        assert "robots.txt" in str(error)
    assert page(fetcher, server.on("/a/b.pdfx", reply(200, b"x"))).body == b"x"
    assert server.paths() == ["/a/b.pdfx"]


def test_robots_names_us_by_product(server, make):
    server.on("/robots.txt", reply(200, b"User-agent: legislative-monitor\nDisallow: /\n\nUser-agent: *\nAllow: /\n"))
    assert failure(make(), server.on("/a", reply(200, b"x"))).verdict is Verdict.BLOCKED


def test_robots_is_checked_at_every_redirect(server, make):
    server.on("/robots.txt", reply(200, b"User-agent: *\nDisallow: /private/\n"))
    server.on("/private/b", reply(200, b"x"))
    assert failure(make(), server.on("/a", redirect("/private/b"))).verdict is Verdict.BLOCKED
    assert server.paths() == ["/a"]


def test_robots_is_read_once_a_day_and_kept_over_restarts(server, make, clock):
    server.on("/robots.txt", reply(200, b"User-agent: *\nDisallow: /x\n"), reply(200, b""))
    url = server.on("/x", reply(200, b"x"))
    first = make()
    failure(first, url)
    second = make(first.hosts)
    clock.time += timedelta(hours=23)
    failure(second, url)
    assert len(server.requests) == 1
    clock.time += timedelta(hours=1)
    assert page(second, url).body == b"x", "the rules were lifted, and read again after a day"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_rfc_9309_a_4xx_means_no_rules(server, make, status):
    server.on("/robots.txt", reply(status, b"User-agent: *\nDisallow: /"))
    fetcher = make()
    assert page(fetcher, server.on("/a", reply(200, b"x"))).body == b"x"
    state = fetcher.hosts[server.key]
    assert (state.robots, state.robots_status, state.failures) == ("", status, 0)


@pytest.mark.parametrize(
    "answer",
    [reply(500), reply(503), reply(429), raw(end="reset"), drip_body(), reply(302, b"", {"Location": "http://e.org/"})],
)
def test_s43_robots_that_cannot_be_read_means_not_now(server, make, clock, answer):
    server.on("/robots.txt", answer, reply(404))
    url = server.on("/a", reply(200, b"x"))
    fetcher = make(deadline_seconds=0.6)
    error = failure(fetcher, url)
    assert error.retry_at is not None
    assert fetcher.hosts[server.key].failures == 1
    for n in range(20):
        assert isinstance(failure(fetcher, server.on(f"/{n}", reply(200, b"x"))), HostPaused)
    assert server.paths(robots=True) == ["/robots.txt"], "asked once, not once a page"
    clock.time = error.retry_at
    assert page(fetcher, url).body == b"x"


def test_robots_behind_a_redirect_is_found(server, make):
    server.on("/robots.txt", redirect("/files/robots"))
    server.on("/files/robots", reply(200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /a\n"))
    fetcher = make()
    assert failure(fetcher, server.on("/a", reply(200, b"x"))).verdict is Verdict.BLOCKED
    assert fetcher.page_requests == 0


@pytest.mark.parametrize("location", ["/", "/e.aspx?aspxerrorpath=/robots.txt", "/robots.txt"])
def test_robots_redirected_to_an_error_page_means_no_rules(server, make, location):
    server.on("/robots.txt", redirect(location))
    assert page(make(), server.on("/a", reply(200, b"x"))).body == b"x"


def test_a_huge_robots_is_read_as_far_as_the_rfc_asks(server, make):
    text = b"User-agent: *\nDisallow: /a\n" + b"#" * (600 * 1024) + b"\nDisallow: /b\n"
    server.on("/robots.txt", reply(200, text))
    fetcher = make()
    assert failure(fetcher, server.on("/a", reply(200, b"x"))).verdict is Verdict.BLOCKED
    assert page(fetcher, server.on("/b", reply(200, b"x"))).body == b"x"
    assert len(fetcher.hosts[server.key].robots or "") == 500 * 1024


@pytest.mark.parametrize("entry", ["{host}", "/asp/", "{host}/asp/cga", "/ASP/CGABillStatus/"])
def test_an_operator_may_override_robots_and_it_is_logged(server, make, capsys, entry):
    server.on("/robots.txt", reply(200, b"User-agent: *\nDisallow: /\n"))
    url = server.on("/asp/cgabillstatus/x.asp", reply(200, b"x"))
    fetcher = make(ignore_robots=frozenset({entry.format(host=server.key)}))
    assert page(fetcher, url).body == b"x"
    assert page(fetcher, url).body == b"x"
    assert capsys.readouterr().out.count("overridden") == 1


def test_an_override_covers_nothing_else(server, make):
    server.on("/robots.txt", reply(200, b"User-agent: *\nDisallow: /\n"))
    fetcher = make(ignore_robots=frozenset({"/asp/", "other.example", "other.example/x"}))
    assert failure(fetcher, server.on("/x/asp/", reply(200, b"x"))).verdict is Verdict.BLOCKED


def test_robots_can_be_left_out_for_a_look_by_hand(server, make):
    server.on("/robots.txt", reply(200, b"User-agent: *\nDisallow: /\n"))
    assert page(make(), server.on("/a", reply(200, b"x")), check_robots=False).body == b"x"


# ------------------------------------------------------------------------ pace


def test_one_request_a_second_to_one_host_robots_and_redirects_included(server, make, clock):
    server.on("/a", redirect("/b"))
    url = server.on("/b", reply(200, b"x"))
    fetcher = make(interval_seconds=1.0)
    fetcher.fetch(server.url + "/a")
    fetcher.fetch(url)
    assert len(server.requests) == 4
    assert len(clock.slept) == 3
    assert all(seconds >= 1 for seconds in clock.slept)


@pytest.mark.parametrize(
    ("delay", "rest"), [("7", 7.0), ("0.5", 1.0), ("600", 30.0), ("-3", 1.0), ("nan", 1.0), ("x", 1.0)]
)
def test_s43_crawl_delay_is_honoured_up_to_thirty_seconds(server, make, clock, delay, rest):
    server.on("/robots.txt", reply(200, f"User-agent: *\nCrawl-delay: {delay}\n".encode()))
    url = server.on("/a", reply(200, b"x"))
    fetcher = make(interval_seconds=1.0)
    fetcher.fetch(url)
    fetcher.fetch(url)
    assert clock.slept[-1] == rest


def test_s43_a_slow_answer_earns_a_longer_rest(server, make, clock):
    def slow(handler: Any) -> None:
        handler.pause(0.7)
        reply(200, b"x")(handler)

    url = server.on("/a", slow, reply(200, b"x"))
    fetcher = make(interval_seconds=1.0)
    fetcher.fetch(url)
    fetcher.fetch(url)
    assert clock.slept[-1] >= 3.5


def test_a_clock_set_back_does_not_make_us_wait_for_it(server, make, clock):
    url = server.on("/a", reply(200, b"x"))
    fetcher = make(interval_seconds=1.0)
    fetcher.fetch(url)
    clock.time -= timedelta(days=1)
    fetcher.fetch(url)
    assert clock.slept[-1] <= 30


def test_never_two_requests_to_one_host_at_once(server, make):
    inside, most, lock = 0, 0, threading.Lock()

    def watch(handler: Any) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        handler.pause(0.02)
        with lock:
            inside -= 1
        reply(200, b"x")(handler)

    fetcher = make()
    urls = [server.on(f"/{n}", watch) for n in range(16)]
    threads = [threading.Thread(target=fetcher.fetch, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert fetcher.page_requests == 16
    assert server.paths(robots=True).count("/robots.txt") == 1


def test_different_hosts_are_asked_side_by_side(server, clock):
    meeting = threading.Barrier(2, timeout=20)

    def meet(handler: Any) -> None:
        meeting.wait()  # broken unless both requests are under way at once
        reply(200, b"met")(handler)

    with FaultServer() as other, Fetcher(manners(server, other), now=clock) as fetcher:
        urls = [server.on("/a", meet), other.on("/a", meet)]
        got: list[bytes] = []
        threads = [threading.Thread(target=lambda u=url: got.append(page(fetcher, u).body)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == [b"met", b"met"]


# ------------------------------------------------------------------------ stopping


@pytest.mark.parametrize(
    "answer", [raw(end="hang"), drip_body(0.2), drip_headers(0.2)], ids=["silence", "body", "headers"]
)
def test_stop_ends_a_request_in_flight(server, make, answer):
    reached = threading.Event()

    def behave(handler: Any) -> None:
        reached.set()
        answer(handler)

    fetcher = make(deadline_seconds=100.0)
    url = server.on("/a", behave)
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            fetcher.fetch(url)
        except FetchError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert reached.wait(20)
    fetcher.stop()
    thread.join(20)
    assert [type(error) for error in outcome] == [FetchStopped]
    assert fetcher.hosts[server.key].failures == 0, "our stopping is not held against the host"
    with pytest.raises(FetchStopped):
        fetcher.fetch(url)


def test_stop_ends_the_sleep_between_two_requests(server):
    first = threading.Event()

    def behave(handler: Any) -> None:
        reply(200, b"x")(handler)
        first.set()

    url = server.on("/a", behave)
    with Fetcher(manners(server, interval_seconds=100.0), now=lambda: datetime.now(UTC)) as fetcher:
        fetcher.fetch(url, check_robots=False)
        outcome: list[FetchError] = []

        def again() -> None:
            try:
                fetcher.fetch(url, check_robots=False)
            except FetchError as error:
                outcome.append(error)

        thread = threading.Thread(target=again)
        thread.start()
        fetcher.stop()
        thread.join(20)
    assert [type(error) for error in outcome] == [FetchStopped]
    assert len(server.requests) == 1


def test_stop_may_be_called_from_a_signal_handler(server, make):
    """SIGTERM in the middle of a request: the handler runs in the thread that waits for the answer."""
    fetcher = make(deadline_seconds=100.0)

    def behave(handler: Any) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        handler.pause(60)

    before = signal.signal(signal.SIGUSR1, lambda *_: fetcher.stop())
    try:
        with pytest.raises(FetchStopped):
            fetcher.fetch(server.on("/a", behave))
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_closed_fetcher_keeps_no_connection_and_fetches_no_more(server, make):
    fetcher = make()
    url = server.on("/a", reply(200, b"x"))
    fetcher.fetch(url)
    fetcher.close()
    with pytest.raises(FetchStopped):
        fetcher.fetch(url)


def test_the_override_entries():
    from monitor.fetch.guard import check_url

    rules = Manners(user_agent=AGENT, hosts=frozenset({"www.cga.ct.gov"}))
    target = check_url("https://www.cga.ct.gov/asp/CGABillStatus/x.asp?y", rules)
    assert override(target, frozenset({"www.cga.ct.gov"})) == "www.cga.ct.gov"
    assert override(target, frozenset({"/asp/cgabillstatus/"})) == "/asp/cgabillstatus/"
    assert override(target, frozenset({"cga.ct.gov", "/jud/", "www.cga.ct.gov/jud"})) is None


def test_zlib_module_is_the_reference_for_our_decoder():
    from monitor.fetch.body import Gzip

    data, rng = bytes(random.Random(3).randbytes(200_000)), random.Random(4)
    packed, out, decode = zlib.compress(data, wbits=31), bytearray(), Gzip()
    while packed:
        step = rng.randrange(1, 5000)
        out += decode.feed(packed[:step], 10**6)
        packed = packed[step:]
    decode.finish()
    assert bytes(out) == data
