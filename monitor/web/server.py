"""The pages' own server, behind a web server with TLS."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import waitress

from monitor.web.app import create_app
from monitor.workflow.context import Context

_THREADS = 8


def serve(context: Context, listen: str, on_ready: Callable[[str], None]) -> None:
    """Answer readers on ``listen`` ("127.0.0.1:8080") until SIGTERM or SIGINT. Raises OSError if it is taken.

    ``on_ready`` is called once readers are answered, with the address.
    """
    server = waitress.create_server(
        create_app(context),
        listen=listen,
        threads=_THREADS,
        ident=None,
        # Otherwise waitress takes away what the web server in front said, before ProxyFix sees it.
        clear_untrusted_proxy_headers=not context.config.web.proxies,
    )
    signal.signal(signal.SIGTERM, _leave)
    on_ready(f"http://{listen}/")
    server.run()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Waitress finishes what it answers and returns."""
    raise SystemExit(0)
