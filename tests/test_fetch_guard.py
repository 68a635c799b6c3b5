"""Which addresses may be asked: the table of ways around it, and where a name really leads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fault_server import FaultServer, redirect, reply

from monitor.fetch import Fetcher, FetchError, Manners, guard
from monitor.fetch.guard import check_redirect, check_url, is_allowed, is_public
from monitor.model.tracking import Page, Verdict

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOSTS = frozenset({"www.cga.ct.gov", "cga.ct.gov", "replica.example:8080"})
RULES = Manners(user_agent="m/1 (x)", hosts=HOSTS)

#: S17 and S19: forty ways to ask for something else. None may get past the guard.
VECTORS = (
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254.nip.io/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://localhost/",
    "http://localhost.localdomain/",
    "http://www.cga.ct.gov./",
    "http://www.cga.ct.gov.evil.example/",
    "http://evil.example/www.cga.ct.gov",
    "http://127.0.0.1\\@www.cga.ct.gov/",
    "http://127.0.0.1/\\@www.cga.ct.gov/",
    "http://www.cga.ct.gov@127.0.0.1/",
    "http://user:secret@www.cga.ct.gov/",
    "http://www.cga.ct.gov:80@127.0.0.1/",
    "http://www.cga.ct.gov:8080/",
    "http://www.cga.ct.gov:0/",
    "http://www.cga.ct.gov:99999/",
    "http://www.cga.ct.gov:/",
    "http://www.cga.ct.gov#@127.0.0.1:81/\t",
    "http://www。cga。ct。gov/",
    "http://ⓦⓦⓦ.cga.ct.gov/",
    "http://www.cga.ct.gov\u2024evil.example/",
    "http://www.cga.ct.gov\n.evil.example/",
    "http://www.cga.ct.gov /",
    " http://www.cga.ct.gov/",
    "http://www.cga.ct.gov/\r\nX: y",
    "http://www.cga.ct.gov/\x00",
    "http:///www.cga.ct.gov/",
    "http:/www.cga.ct.gov/",
    "http:www.cga.ct.gov",
    "//www.cga.ct.gov/",
    "www.cga.ct.gov/",
    "file:///etc/passwd",
    "file://www.cga.ct.gov/etc/passwd",
    "ftp://www.cga.ct.gov/pub",
    "gopher://www.cga.ct.gov:70/1",
    "dict://www.cga.ct.gov/",
    "data:text/html,x",
    "javascript:alert(1)",
    "",
)


@pytest.mark.parametrize("url", VECTORS)
def test_s17_s19_no_way_around_the_list_of_hosts(url):
    with pytest.raises(FetchError) as caught:
        check_url(url, RULES)
    assert caught.value.verdict is Verdict.BLOCKED
    assert "Not asked for" in str(caught.value)


#: As the target of a redirect these are read as places on the same host, which is asked for nothing worse.
SAME_HOST = {"http:///www.cga.ct.gov/", "http:/www.cga.ct.gov/", "http:www.cga.ct.gov", "www.cga.ct.gov/", ""}
SAME_HOST |= {"//www.cga.ct.gov/", " http://www.cga.ct.gov/"}


@pytest.mark.parametrize("location", [url for url in VECTORS if url not in SAME_HOST])
def test_s17_nor_by_redirect(location):
    with pytest.raises(FetchError) as caught:
        check_redirect(check_url("http://www.cga.ct.gov/a", RULES), location, RULES)
    assert caught.value.verdict is Verdict.BLOCKED


@pytest.mark.parametrize("location", sorted(SAME_HOST - {""}))
def test_s17_odd_redirects_stay_on_the_host(location):
    try:
        assert check_redirect(check_url("http://www.cga.ct.gov/a/b", RULES), location, RULES).host == "www.cga.ct.gov"
    except FetchError as error:
        assert error.verdict is Verdict.SOFT_ERROR, "the site's root"  # noqa: PT017


@pytest.mark.parametrize(
    ("url", "key", "path"),
    [
        ("https://www.cga.ct.gov/a?b=c&d", "www.cga.ct.gov", "/a?b=c&d"),
        ("HTTPS://WWW.CGA.CT.GOV/A", "www.cga.ct.gov", "/A"),
        ("https://www.cga.ct.gov:443/a", "www.cga.ct.gov", "/a"),
        ("http://cga.ct.gov", "cga.ct.gov", "/"),
        ("http://cga.ct.gov?x=1#frag", "cga.ct.gov", "/?x=1"),
        ("http://replica.example:8080/a#b", "replica.example:8080", "/a"),
        ("https://cga.ct.gov/tf.asp?TF=Police Task Force", "cga.ct.gov", "/tf.asp?TF=Police%20Task%20Force"),
        ("https://cga.ct.gov/caf\u00e9/%C3%A9", "cga.ct.gov", "/caf%C3%A9/%C3%A9"),
        ("https://cga.ct.gov/@127.0.0.1/", "cga.ct.gov", "/@127.0.0.1/"),
    ],
)
def test_what_may_be_asked(url, key, path):
    target = check_url(url, RULES)
    assert (target.key, target.path) == (key, path)
    assert check_url(target.url, RULES) == target


def test_https_is_never_given_up():
    asked = check_url("https://www.cga.ct.gov/a", RULES)
    with pytest.raises(FetchError, match="give up encryption"):
        check_redirect(asked, "http://www.cga.ct.gov/a", RULES)
    assert check_redirect(check_url("http://cga.ct.gov/a", RULES), "https://cga.ct.gov/a", RULES).scheme == "https"


ADDRESSES = {
    "127.0.0.1": "private",
    "127.255.255.254": "private",
    "10.1.2.3": "private",
    "172.31.255.255": "private",
    "192.168.0.1": "private",
    "::1": "private",
    "fc00::1": "private",
    "fdff::1": "private",
    "0.0.0.0": "never",
    "0.1.2.3": "never",
    "100.64.0.1": "never",
    "100.127.255.255": "never",
    "168.63.129.16": "never",
    "169.254.169.254": "never",
    "192.0.0.8": "never",
    "192.0.2.1": "never",
    "192.88.99.1": "never",
    "198.18.0.1": "never",
    "203.0.113.9": "never",
    "224.0.0.1": "never",
    "240.0.0.1": "never",
    "255.255.255.255": "never",
    "::": "never",
    "::127.0.0.1": "never",
    "::ffff:127.0.0.1": "never",
    "::ffff:8.8.8.8": "never",
    "64:ff9b::7f00:1": "never",
    "64:ff9b:1::1": "never",
    "100::1": "never",
    "2001::1": "never",
    "2001:db8::1": "never",
    "2002:7f00:1::": "never",
    "3fff::1": "never",
    "fe80::1": "never",
    "fe80::1%lo": "never",
    "fec0::1": "never",
    "ff02::1": "never",
    "4000::1": "never",
    "8.8.8.8": "public",
    "64.252.0.10": "public",
    "172.32.0.1": "public",
    "2600:1f18::1": "public",
    "2a00:1450:4001::1": "public",
}


@pytest.mark.parametrize(("address", "kind"), ADDRESSES.items())
def test_s17_addresses(address, kind):
    assert is_public(address) is (kind == "public")
    assert is_allowed(address, private=True) is (kind != "never")


# --------------------------------------------------------------- names that lie


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def fetcher_for(server: FaultServer, *, private: bool = False, **changes: Any) -> Fetcher:
    """A fetcher that knows the server as www.example.org."""
    key = f"www.example.org:{server.port}"
    hosts = frozenset({key})
    rules = {"user_agent": "m/1 (x)", "hosts": hosts, "private_hosts": hosts if private else frozenset(), **changes}
    return Fetcher(Manners(interval_seconds=0, **rules), now=lambda: NOON)


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The machine's resolver: one list of addresses a lookup, the last one again and again."""
    asked: list[str] = []
    queue = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        found = queue.pop(0) if len(queue) > 1 else queue[0]
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("address", [address for address, kind in ADDRESSES.items() if kind != "public"])
def test_a_name_that_leads_inside_is_not_connected_to(server, monkeypatch, address):
    resolver(monkeypatch, [address])
    connected: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: connected.append(to))
    with fetcher_for(server) as fetcher, pytest.raises(FetchError, match="not a public address") as caught:
        fetcher.fetch(f"http://www.example.org:{server.port}/")
    assert caught.value.verdict is Verdict.BLOCKED
    assert connected == []


def test_s18_the_checked_address_is_the_one_connected_to(server, monkeypatch):
    """DNS rebinding: harmless at the check, loopback at the connect. There is only one lookup."""
    asked = resolver(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    server.on("/a", reply(200, b"x"))
    with fetcher_for(server, private=True) as fetcher:
        result = fetcher.fetch(f"http://www.example.org:{server.port}/a", check_robots=False)
    assert isinstance(result, Page)
    assert asked == ["www.example.org"]
    assert server.requests[0].headers["host"] == f"www.example.org:{server.port}"


def test_s18_a_new_connection_is_checked_anew(server, monkeypatch):
    resolver(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    server.on("/a", reply(200, b"x", {"Connection": "close"}))
    with fetcher_for(server, private=True) as fetcher:
        fetcher.fetch(f"http://www.example.org:{server.port}/a", check_robots=False)
        with pytest.raises(FetchError, match="not a public address"):
            fetcher.fetch(f"http://www.example.org:{server.port}/a", check_robots=False)


def test_the_peer_is_looked_at_after_connecting(server, monkeypatch):
    resolver(monkeypatch, ["127.0.0.1"])
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("10.0.0.1", 80))
    with fetcher_for(server, private=True) as fetcher, pytest.raises(FetchError, match=r"instead of 127\.0\.0\.1"):
        fetcher.fetch(f"http://www.example.org:{server.port}/a")
    assert server.requests == []


def test_a_public_address_among_bad_ones_is_used_alone(monkeypatch):
    resolver(monkeypatch, ["127.0.0.1", "64:ff9b::1", "93.184.216.34"])
    assert guard.addresses("h", 80, private=False, left=lambda: 9.0, patience=5) == ["93.184.216.34"]


def test_the_next_address_is_tried_when_one_does_not_answer(server, monkeypatch):
    resolver(monkeypatch, ["127.0.0.2", "127.0.0.1"])  # the server listens at 127.0.0.1 alone
    server.on("/a", reply(200, b"x"))
    with fetcher_for(server, private=True) as fetcher:
        assert isinstance(fetcher.fetch(f"http://www.example.org:{server.port}/a"), Page)


def test_s21_a_name_that_does_not_exist(server, monkeypatch):
    def nxdomain(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nxdomain)
    with fetcher_for(server) as fetcher, pytest.raises(FetchError, match="could not be looked up") as caught:
        fetcher.fetch(f"http://www.example.org:{server.port}/a")
    assert (caught.value.verdict, caught.value.host_fault) == (Verdict.UNREACHABLE, True)


@pytest.mark.parametrize("limits", [{"connect_timeout": 0.4}, {"deadline_seconds": 0.4}])
def test_s21_a_lookup_that_hangs_is_left_behind(server, monkeypatch, limits):
    release = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        release.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with fetcher_for(server, **limits) as fetcher, pytest.raises(FetchError) as caught:
            fetcher.fetch(f"http://www.example.org:{server.port}/a")
        assert (caught.value.verdict, caught.value.host_fault) == (Verdict.UNREACHABLE, True)
    finally:
        release.set()


def test_lookups_that_hang_do_not_pile_up(monkeypatch):
    release, started = threading.Event(), []

    def hang(*_: Any, **__: Any) -> Any:
        started.append(1)
        release.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(guard, "_lookups", threading.BoundedSemaphore(3))
    try:
        for _ in range(8):
            with pytest.raises(FetchError, match="could not be looked up"):
                guard.addresses("h", 80, private=False, left=lambda: 9.0, patience=0.05)
        assert len(started) == 3
    finally:
        release.set()


def test_s17_a_redirect_inside_is_refused_before_anything_is_sent(server):
    with FaultServer() as inside:
        url = server.on("/a", redirect(f"http://localhost:{inside.port}/secret"))
        keys = frozenset({server.key})
        rules = Manners(user_agent="m/1 (x)", hosts=keys, private_hosts=keys, interval_seconds=0)
        with Fetcher(rules, now=lambda: NOON) as fetcher, pytest.raises(FetchError) as caught:
            fetcher.fetch(url)
    assert caught.value.verdict is Verdict.BLOCKED
    assert inside.requests == []


def test_a_private_base_url_opens_that_host_alone(server):
    with FaultServer() as other:
        keys = frozenset({server.key, other.key})
        rules = Manners(user_agent="m/1 (x)", hosts=keys, private_hosts=frozenset({server.key}), interval_seconds=0)
        with Fetcher(rules, now=lambda: NOON) as fetcher:
            assert isinstance(fetcher.fetch(server.on("/a", reply(200, b"x"))), Page)
            with pytest.raises(FetchError, match="not a public address"):
                fetcher.fetch(other.on("/a", reply(200, b"x")))
    assert other.requests == []
