"""A local mail server in a process of its own: takes everything, each after so many seconds (its argument). Told
anything, it says what it has. With --slack it takes posts too, and hands out what has come since it was last asked.
With --slow it lets one address wait for seconds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from contextlib import ExitStack
from typing import Any

from measuring import ROOT

sys.path.insert(0, str(ROOT / "tests"))
from slack_sink import SlackSink
from smtp_sink import SmtpSink

#: Who waits, and for how many seconds.
SLOW, SLOWNESS = "person100@example.org", 5.0


class LateSink(SmtpSink):
    def __init__(self, seconds: float, slowness: float) -> None:
        super().__init__()
        self._seconds, self._slowness = seconds, slowness
        self.arrived: list[float] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if address == SLOW:
            await asyncio.sleep(self._slowness)
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self._seconds:
            await asyncio.sleep(self._seconds)
        self.arrived.append(time.monotonic())
        return await super().handle_DATA(server, session, envelope)

    def waits(self) -> list[float]:
        """For how many seconds each mail since the last time came after the first of them."""
        arrived, self.arrived = self.arrived, []
        return [moment - min(arrived) for moment in arrived]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    with ExitStack() as stack:
        mail = stack.enter_context(LateSink(seconds, SLOWNESS if "--slow" in sys.argv else 0.0))
        slack = stack.enter_context(SlackSink()) if "--slack" in sys.argv else None
        _say({"host": mail.host, "port": mail.port, "slack": slack.base if slack else ""})
        for _ in sys.stdin:
            if slack is not None:
                _say({"mails_new": _taken(mail.mails, "data"), "posts_new": _taken(slack.posts, "body")})
            else:
                last = mail.mails[-1].data.decode("latin-1")
                _say({"mails": len(mail.mails), "waits": mail.waits(), "last": last})


def _taken(kept: list[Any], name: str) -> list[str]:
    """What was kept, which is forgotten then."""
    found = [base64.b64encode(getattr(one, name)).decode("ascii") for one in kept]
    kept.clear()
    return found


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
