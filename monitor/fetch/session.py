"""One host's requests session, over our own connections.

Out of the box requests follows redirects, keeps cookies, heeds proxies, .netrc and CA bundles of the environment,
rewrites paths, and verifies against a store of its own. Every one of these is decided elsewhere in this room.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from monitor.fetch.guard import Target
from monitor.fetch.wire import PlainConnection, TLSConnection


class PlainPool(HTTPConnectionPool):
    ConnectionCls = PlainConnection


class TLSPool(HTTPSConnectionPool):
    ConnectionCls = TLSConnection


class HostAdapter(HTTPAdapter):
    """requests' transport to one host: whatever a URL says, it leads to that host's pool and through no proxy."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    def get_connection_with_tls_context(self, *_: object, **__: object) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: object) -> None:
        """The pool's context verifies. requests would add certifi's roots to it, or take verification off."""

    def close(self) -> None:
        self._pool.close()
        super().close()


class HostSession(requests.Session):
    """A session that decides nothing by itself. It speaks no scheme until an adapter is mounted for it."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.adapters.clear()

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, always: of a redirect that it is told not to follow, requests still decodes the whole body."""


def prepared(target: Target, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """A GET for exactly the checked address.

    Not Session.prepare_request: it resolves "/a/../b", and robots.txt was asked about the path as it stands.
    """
    request = requests.PreparedRequest()
    request.prepare_method("GET")
    request.prepare_headers(headers)
    request.url = target.url
    return request
