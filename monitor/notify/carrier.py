"""Our own Apprise plugin: one prebuilt message a call, and the outcome, which Apprise itself does not tell."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from apprise import NotifyFormat
from apprise.plugins.base import NotifyBase

from monitor.model.messaging import Message, Outcome, OutcomeKind


def nothing() -> None:
    """There is nothing to be done before the message is taken."""


class Transport(Protocol):
    """A channel that is open for sending. One conversation at a time; ``send`` never raises.

    ``before_taken`` is called before the provider can have taken the message, as late as the protocol allows and
    not at all if it comes to nothing before; if it raises, the provider does not get the message.
    """

    def send(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome: ...

    def close(self) -> None: ...


class Provider(Protocol):
    """Speaks one provider's protocol over a connection it keeps."""

    def deliver(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome: ...

    def close(self) -> None: ...


class _Plugin(NotifyBase):  # type: ignore[no-untyped-call]  # apprise types only in part
    service_name = "monitor"  # type: ignore[assignment]  # declared as None
    #: Apprise's default waits 5.5 s between two sends; our pace is the provider's own answer.
    request_rate_per_sec = 0
    #: No cache directory on disk.
    persistent_storage = False

    def __init__(self, act: Callable[[], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._act = act

    def url(self, privacy: bool = False, *args: Any, **kwargs: Any) -> str:
        """Apprise logs this; it holds no secret."""
        return "monitor://"

    def send(self, body: str, title: str = "", *args: Any, **kwargs: Any) -> bool:
        """What Apprise passes on is what the prebuilt message holds already."""
        return self._act()


class Carrier:
    """Sends prebuilt messages to one provider through Apprise, one target a call."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._plugin = _Plugin(self._deliver)
        self._lock = Lock()
        self._message: Message | None = None
        self._outcome: Outcome | None = None
        self._before_taken: Callable[[], None] = nothing

    def send(self, message: Message, before_taken: Callable[[], None] = nothing) -> Outcome:
        """Send ``message`` and say what became of it. Never raises."""
        if not message.text.strip():
            return Outcome(OutcomeKind.REFUSED, "the message has no text")
        with self._lock:
            self._message, self._outcome, self._before_taken = message, None, before_taken
            try:
                self._plugin.notify(body=message.text, title=message.subject, body_format=NotifyFormat.TEXT)
            except Exception as error:  # noqa: BLE001  # one bad message must not stop the others
                # The error's words may quote an address or a password: only its kind is told.
                self._provider.close()
                return Outcome(OutcomeKind.TEMPORARY, f"unexpected {type(error).__name__} while sending")
            return self._outcome or Outcome(
                OutcomeKind.CHANNEL, "Apprise did not run its plugin; is it denied by setting?"
            )

    def close(self) -> None:
        with self._lock:
            self._provider.close()

    def _deliver(self) -> bool:
        assert self._message is not None
        self._outcome = self._provider.deliver(self._message, self._before_taken)
        return self._outcome.kind is OutcomeKind.SENT
