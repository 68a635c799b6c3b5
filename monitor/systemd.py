"""The few words systemd understands (sd_notify(3)): text to the socket it names, and to nowhere elsewhere."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Tells systemd how the service is. Never raises: a lost word must not stop the work."""

    def __init__(self, address: str | None) -> None:
        # "@" stands for the NUL byte of an abstract socket.
        self._address = "\0" + address[1:] if address and address.startswith("@") else address

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Notifier:
        return cls(environ.get("NOTIFY_SOCKET"))

    def ready(self) -> None:
        """The service does its work: units that wait for it may start. Also ends a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say ``ready`` when it is done. The time is what Type=notify-reload asks for."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The service was asked to stop and is finishing what it began."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Still making progress; without this for WatchdogSec= the service is killed and started again."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send("STATUS=" + " ".join(text.split()))

    def _send(self, words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(1)  # a full queue must not hang the heartbeat
                line.sendto(words.encode(), self._address)
        except OSError:
            pass  # systemd is gone or never was there; the journal still has everything


def watchdog_seconds(environ: Mapping[str, str], pid: int | None = None) -> float | None:
    """Seconds systemd waits for a sign of life; None without a watchdog, or if it watches another process."""
    usec = environ.get("WATCHDOG_USEC", "")
    meant_for = environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or int(usec) == 0:
        return None
    if meant_for and meant_for != str(os.getpid() if pid is None else pid):
        return None
    return int(usec) / 1_000_000
