"""The demonstration in a browser: its database, made if it is not there, and a maintainer who can sign in."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

import structlog

from monitor.config import load
from monitor.demo import board
from monitor.demo.run import LAST, moment, run
from monitor.store import accounts as people
from monitor.store import audit, migrations
from monitor.store.database import Database
from monitor.workflow import accounts
from monitor.workflow.context import Context
from monitor.workflow.deliver import deliver

log = structlog.get_logger()

NAME = "Demo"

#: Seconds between two looks at what is due.
_PAUSE = 1.0


def prepare(folder: Path) -> Path:
    """The demonstration's config.yaml in ``folder``, replayed first when there is none yet, or one that broke off.

    Ends the program when the folder holds something else.
    """
    path = folder / board.NAME
    if not (folder / board.MADE).exists() or not path.is_file():
        run(folder)
    database = Database(load(path, {}).database_url)
    migrations.upgrade(database)
    database.close()
    return path


@dataclass(frozen=True, slots=True)
class Ready:
    """A context whose clock goes on from the end of the replay, and who may sign in."""

    context: Context
    name: str
    password: str

    @property
    def outbox(self) -> Path:
        """Where the demonstration's messages are written."""
        outbox = self.context.config.outbox
        assert outbox is not None, "the demonstration sends nothing"
        return Path(outbox.dir)

    def deliver_meanwhile(self) -> None:
        """Do the service's part beside the pages: a message that is due is written within seconds."""
        threading.Thread(target=self._deliver_on, name="deliver", daemon=True).start()

    def _deliver_on(self) -> None:
        while True:
            sleep(_PAUSE)
            try:
                deliver(self.context)
            except Exception:  # the next time it may be better, and the pages do not need it
                log.exception("demonstration_not_delivered")

    def welcome(self, address: str) -> str:
        """What to open, and how to sign in. The password is shown here and nowhere else."""
        return (
            f"The board is at {address}\n"
            f"The desk is at {address}desk: sign in as {self.name} with the password {self.password}\n"
            f"What is sent, such as the answer to a sign-up, is written to {self.outbox}\n"
            "The password is made anew at every start. Ctrl-C ends it."
        )


def ready(context: Context) -> Ready:
    """Let the clock go on from where the replay, or the last look at it, ended, and give the maintainer a password."""
    on = replace(context, now=_clock(context))
    password = secrets.token_urlsafe(12)
    with on.database.reading() as session:
        known = people.find(session, NAME)
    if known is None:
        accounts.add(on, NAME, password, "maintainer", "monitor serve --demo")
    else:
        accounts.reset(on, NAME, password, "monitor serve --demo")
    return Ready(on, NAME, password)


def _clock(context: Context) -> Callable[[], datetime]:
    """No moment comes twice: what was decided when it was last looked at stays in the past."""
    with context.database.reading() as session:
        last = audit.newest(session)
    begin = moment(LAST) + timedelta(minutes=5)
    base = max(begin, last.at + timedelta(seconds=1)) if last is not None else begin
    started = context.now()
    return lambda: base + (context.now() - started)
