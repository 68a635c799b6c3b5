"""The bulk files over anonymous FTP, as ftp.cga.ct.gov has them. Needs pyftpdlib, a development dependency."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from monitor.demo.site import Site

NAMES = ("bill_info.csv", "bill_history.csv", "subject.csv", "committee.csv")


class FtpCopy:
    """An FTP server over a folder that ``refresh`` fills from the site."""

    def __init__(self, site: Site, host: str) -> None:
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import FTPHandler
        from pyftpdlib.servers import FTPServer

        self._site = site
        self._folder = tempfile.TemporaryDirectory(prefix="replica-ftp-")
        self._data = Path(self._folder.name) / "pub" / "data"
        self._data.mkdir(parents=True)
        authorizer = DummyAuthorizer()
        authorizer.add_anonymous(self._folder.name)
        # pyftpdlib keeps its settings on the handler's class: a class of our own keeps replicas apart.
        handler: Any = type("Handler", (FTPHandler,), {"authorizer": authorizer, "banner": "CGA replica ready."})
        self._server: Any = FTPServer((host, 0), handler)
        self.url = f"ftp://{host}:{self._server.address[1]}/pub/data/"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.refresh()
        self._thread.start()

    def _serve(self) -> None:
        """The loop itself: ``serve_forever`` would configure the whole process's logging."""
        while not self._stopping.is_set():
            self._server.ioloop.loop(timeout=0.05, blocking=False)

    def refresh(self) -> None:
        """Write today's files."""
        for name in NAMES:
            content = self._site.bulk_file(name)
            if content is not None:
                (self._data / name).write_bytes(content.body)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)
        self._server.close_all()
        self._folder.cleanup()
