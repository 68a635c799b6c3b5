"""Which addresses may be asked: the scheme, the host, and where that host really stands."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import quote, urljoin

from monitor.fetch.errors import FetchError
from monitor.fetch.manners import Manners
from monitor.model.tracking import Verdict

DEFAULT_PORTS = {"http": 80, "https": 443, "ftp": 21}

#: The only parser in this room that decides whom to ask, because two can disagree about where the host ends
#: (urllib and urllib3 do: ``http://127.0.0.1\@host/``). requests' connections go to the host it found.
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?(?P<rest>[/?#].*)?"
)
_AUTHORITY = re.compile(r"^[A-Za-z]+://[^/?#]*")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
#: http.client hands a header's bytes over as Latin-1.
_FORBIDDEN_IN_HEADER = re.compile(r"[\x00-\x1f\x7f\\]|[^\x00-\xff]")
#: "50% off": urllib3 would escape every percent sign of a text that holds one such, the good ones too.
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: What quote() leaves alone in a path and query; a blank or a letter beyond ASCII is escaped instead.
_SAFE = "!#$%&'()*+,/:;=?@[]~"

#: Python's is_global has differed between 3.11, 3.12 and 3.13, and calls some of these global.
_NEVER_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier NAT
        "168.63.129.16/32",  # Azure's host agent stands in public space
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "224.0.0.0/3",  # multicast and reserved
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b::/96",  # NAT64: an IPv4 address in disguise
        "64:ff9b:1::/48",
        "2001::/23",  # Teredo and friends
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "ff00::/8",
    )
)
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


@dataclass(frozen=True, slots=True)
class Target:
    """One checked address. ``key`` names the host as config does; ``path`` includes the query."""

    scheme: str
    host: str
    port: int
    path: str
    key: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.key}{self.path}"

    @property
    def bare_path(self) -> str:
        return self.path.partition("?")[0]


def check_url(url: str, manners: Manners, *, schemes: tuple[str, ...] = ("http", "https")) -> Target:
    """The parts of an address we may ask.

    Raises FetchError (blocked) for anything but a plain http(s) address of a host that config names.
    """
    if _FORBIDDEN.search(url):
        raise _refused(url, "it holds a backslash or a control character")
    match = _URL.fullmatch(_lower_authority(url))
    if match is None:
        raise _refused(url, "it is not a plain scheme://host/path address without user name")
    scheme, host = match["scheme"], match["host"]
    if scheme not in schemes:
        raise _refused(url, f"only {' and '.join(schemes)} addresses are read")
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    key = host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
    if key not in manners.hosts:
        raise _refused(url, f"{key} is not among the hosts that config names; add it there if it should be read")
    rest = (match["rest"] or "/").partition("#")[0]
    path = rest if rest.startswith("/") else f"/{rest}"
    return Target(scheme, host.strip("[]"), port, quote(_LONE_PERCENT.sub("%25", path), safe=_SAFE), key)


def _lower_authority(url: str) -> str:
    return _AUTHORITY.sub(lambda match: match[0].lower() if match[0].isascii() else match[0], url, count=1)


def check_redirect(asked: Target, location: str, manners: Manners) -> Target:
    """Where a redirect leads, if it may be followed.

    Raises FetchError: blocked for an address we may not ask or a step from https down to http, soft_error
    where the redirect is how the site says "error" (to its root, or ASP.NET's ``aspxerrorpath``).
    """
    if _FORBIDDEN_IN_HEADER.search(location):
        raise _refused(location, f"{asked.url} redirects there and it holds a backslash or a control character")
    escaped = quote(location.strip(" "), safe=_SAFE, encoding="latin-1")  # classic ASP sends blanks and raw bytes
    target = check_url(urljoin(asked.url, escaped), manners)
    if asked.scheme == "https" and target.scheme == "http":
        raise _refused(target.url, f"{asked.url} redirects there and would give up encryption")
    if "aspxerrorpath=" in target.path.lower() or (_is_root(target) and not _is_root(asked)):
        raise FetchError(
            Verdict.SOFT_ERROR,
            f"{asked.url} redirects to {target.url}, which is how the site shows an error. "
            "It is tried again later; if it stays so, the page has moved: look for its new address.",
        )
    return target


def _is_root(target: Target) -> bool:
    return re.fullmatch(r"/(?:(?:default|index)\.\w+)?", target.bare_path.lower()) is not None


def _refused(url: str, why: str) -> FetchError:
    return FetchError(Verdict.BLOCKED, f"Not asked for {url[:300]!r}: {why}.")


def is_public(address: str) -> bool:
    """Whether an address literal is one anybody on the internet could mean."""
    ip = ipaddress.ip_address(address)
    if any(ip in network for network in _NEVER_PUBLIC):
        return False
    return ip.is_global and (ip.version == 4 or ip in ipaddress.ip_network("2000::/3"))


def is_private(address: str) -> bool:
    """Loopback and private networks: allowed only where config's own base URL is one."""
    ip = ipaddress.ip_address(address)
    return any(ip in network for network in _PRIVATE)


def is_allowed(address: str, *, private: bool) -> bool:
    return is_public(address) or (private and is_private(address))


#: Lookups that hang keep their thread; beyond this many, no more are started.
_lookups = threading.BoundedSemaphore(16)


def addresses(host: str, port: int, *, private: bool, left: Callable[[], float], patience: float) -> list[str]:
    """The addresses of a host that may be connected to, in the resolver's order.

    ``left`` gives the seconds left and raises when stopped; ``patience`` bounds the lookup itself, because
    getaddrinfo has no timeout of its own. Raises FetchError: unreachable if the name does not resolve,
    blocked if it leads only to addresses that are not public.
    """
    found = [host] if _is_literal(host) else _lookup(host, port, left, patience)
    usable = [address for address in found if is_allowed(address, private=private)]
    if not usable:
        raise FetchError(
            Verdict.BLOCKED,
            f"{host} stands at {', '.join(found) or 'no address'}, which is not a public address, and was not asked. "
            "If this is a replica of yours, name it as the base URL in config; if not, its DNS entry is wrong.",
        )
    return usable


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lookup(host: str, port: int, left: Callable[[], float], patience: float) -> list[str]:
    places = _lookups
    if not places.acquire(blocking=False):
        raise _dns_error(host, "too many lookups hang already")
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()
    threading.Thread(target=_resolve, args=(host, port, answers, places), name=f"dns {host}", daemon=True).start()
    waited = 0.0
    while waited < patience:
        step = min(0.1, left())
        try:
            answer = answers.get(timeout=step)
        except Empty:
            waited += step
            continue
        if isinstance(answer, OSError):
            raise _dns_error(host, str(answer)) from answer
        return answer
    raise _dns_error(host, f"no answer within {patience:g} s")


def _resolve(
    host: str, port: int, answers: SimpleQueue[list[str] | OSError], places: threading.BoundedSemaphore
) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except (OSError, UnicodeError) as error:
        answers.put(error if isinstance(error, OSError) else OSError(str(error)))
    finally:
        places.release()


def _dns_error(host: str, why: str) -> FetchError:
    return FetchError(
        Verdict.UNREACHABLE,
        f"The name {host} could not be looked up ({why}). It is tried again later; check this machine's DNS.",
        host_fault=True,
    )
