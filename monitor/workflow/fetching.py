"""Config's manners and the stored host states become a Fetcher, and go back to the tables."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from monitor import __version__
from monitor.config import Config
from monitor.fetch.client import Fetcher
from monitor.fetch.errors import FetchError
from monitor.fetch.hosts import HostState
from monitor.fetch.manners import Manners, identity
from monitor.fetch.tls import CGA_INTERMEDIATE
from monitor.model.tracking import NotModified, Page, SourceKind, Validators
from monitor.store import hosts
from monitor.workflow.context import Context

#: Kinds whose bodies may be large: bulk files and feeds.
_LARGE = frozenset({SourceKind.BILL_FEED, SourceKind.FEED})


def manners(config: Config) -> Manners:
    """How we behave, as config says."""
    organization, asked = config.organization, config.manners
    return Manners(
        user_agent=identity("legislative-monitor", __version__, organization.name, organization.contact),
        contact=organization.contact,
        hosts=frozenset(_with_port(config)) | config.allowed_hosts,
        private_hosts=config.private_hosts,
        interval_seconds=asked.interval_seconds,
        deadline_seconds=asked.deadline_seconds,
        max_bytes=asked.max_bytes,
        max_redirects=asked.max_redirects,
        ignore_robots=config.robots_overrides,
        intermediates=_intermediates(config),
    )


def _with_port(config: Config) -> set[str]:
    cga = config.sources.cga
    return {urlsplit(url).netloc.rpartition("@")[2].lower() for url in (cga.base_url, cga.ftp_url)}


def _intermediates(config: Config) -> dict[str, str]:
    """For the CGA's host alone, which forgets to send its own: the file of config, or the bundled one."""
    host = urlsplit(config.sources.cga.base_url).hostname or ""
    return {host: str(config.sources.cga.intermediates or CGA_INTERMEDIATE)}


def open_fetcher(context: Context) -> Fetcher:
    """A fetcher that remembers what every host asked of us."""
    with context.database.reading() as session:
        known = {
            row.host: HostState(host=row.host, **{name: getattr(row, name) for name in hosts.FIELDS})
            for row in hosts.load(session)
        }
    return Fetcher(manners(context.config), known, now=context.now)


def store_hosts(session: Session, fetcher: Fetcher) -> None:
    """Keep what the hosts asked of us for the next run."""
    for name, state in fetcher.hosts.items():
        row = hosts.row(session, name)
        values = asdict(state)
        for field in hosts.FIELDS:
            setattr(row, field, values[field])


def fetch(
    context: Context, fetcher: Fetcher, kind: SourceKind, url: str, validators: Validators | None
) -> Page | NotModified:
    """One polite request. Raises FetchError."""
    large = kind in _LARGE
    most = context.config.manners.max_bytes_large if large else context.config.manners.max_bytes
    return fetcher.fetch(url, validators=validators, max_bytes=most)


def fetch_bulk(context: Context, fetcher: Fetcher, url: str, validators: Validators | None) -> Page | NotModified:
    """A bulk file over HTTP, or over FTP when HTTP fails. Raises the HTTP error when both do."""
    try:
        return fetch(context, fetcher, SourceKind.BILL_FEED, url, validators)
    except FetchError as error:
        fallback = _ftp_url(context.config, url)
        if fallback is None or context.stopping():
            raise
        return _by_ftp(context, fetcher, fallback, validators, error)


def _by_ftp(
    context: Context, fetcher: Fetcher, url: str, validators: Validators | None, first: FetchError
) -> Page | NotModified:
    try:
        return fetch(context, fetcher, SourceKind.BILL_FEED, url, validators)
    except FetchError as second:
        first.args = (f"{first} By FTP: {second}",)
        raise first from second


def _ftp_url(config: Config, url: str) -> str | None:
    base = config.sources.cga.ftp_url
    return f"{str(base).rstrip('/')}/{url.rsplit('/', 1)[-1]}" if base else None
