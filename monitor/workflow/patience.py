"""What is due and yet has to wait: for the end of a pause, or because its reader has had enough messages for a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.store import readers
from monitor.store.schema import Delivery, Subscription
from monitor.workflow import pace

#: A day of messages begins with the hour of a digest; boards that pause at weekends have long days.
_LOOK_BACK = timedelta(days=8)


class Patience:
    """Answers for those who are to be told now, ``leads``, with one question to the database."""

    def __init__(self, config: Config, session: Session, leads: Sequence[Delivery], now: datetime) -> None:
        self._config, self._now = config, now
        asked = {one.subscription_id for one in leads if one.subscription_id is not None}
        self._sent = readers.sent_lately(session, asked, now - _LOOK_BACK)

    def until(self, group: Sequence[Delivery]) -> datetime | None:
        """When this message may leave; None if it may leave now."""
        lead, reader = group[0], group[0].subscription
        if reader is None:
            return None
        resumes = pace.resumes_at(self._config, reader, self._now)
        if resumes is not None or _leaves_whatever_was_sent(lead):
            return resumes
        return pace.next_digest(self._config, reader, self._now) if self._has_had_enough(reader) else None

    def _has_had_enough(self, reader: Subscription) -> bool:
        sent, most = self._sent.get(reader.id, []), self._config.notices.messages_a_day
        if len(sent) < most:
            return False
        since = pace.last_digest(self._config, reader, self._now)
        return sum(moment >= since for moment in sent) >= most


def _leaves_whatever_was_sent(lead: Delivery) -> bool:
    """A correction belongs to what was said; what was tried before may have arrived."""
    is_correction = lead.transition is not None and lead.transition.corrects_id is not None
    return is_correction or lead.attempts > 0
