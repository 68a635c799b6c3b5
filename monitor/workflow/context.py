"""What every workflow is handed: config, database, clock, and who is asking."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from monitor.config import Config
from monitor.store.database import Database

#: The legislature's clock. Stored times are UTC; days are Connecticut's.
EASTERN = ZoneInfo("America/New_York")


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Context:
    """``stopping`` is asked between units of work; once it says yes nothing new is begun."""

    config: Config
    database: Database
    now: Callable[[], datetime]
    environ: Mapping[str, str] = field(default_factory=dict)
    stopping: Callable[[], bool] = lambda: False
    owner: str = field(default_factory=_owner)
    #: Where the config was read, if it was read from a file.
    config_path: Path | None = None

    def today(self) -> date:
        """Today in Connecticut."""
        return self.now().astimezone(EASTERN).date()
