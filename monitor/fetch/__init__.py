"""Polite conditional requests: an address in, a Page or NotModified out.

The way in is :class:`Fetcher`; the rest are the values it takes and gives. HTTP is spoken by requests, one
session per host, over connections of our own (session.py, wire.py) that check the address and keep a deadline.
"""

from monitor.fetch.client import Fetcher
from monitor.fetch.errors import FetchError, FetchStopped, HostPaused, IntermediateRefused
from monitor.fetch.hosts import HostState
from monitor.fetch.manners import Manners, identity
from monitor.fetch.tls import CGA_INTERMEDIATE, host_context

__all__ = [
    "CGA_INTERMEDIATE",
    "FetchError",
    "FetchStopped",
    "Fetcher",
    "HostPaused",
    "HostState",
    "IntermediateRefused",
    "Manners",
    "host_context",
    "identity",
]
