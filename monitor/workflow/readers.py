"""What a mail holds for its reader alone: the token of their page, the ways to leave, and where it comes back to."""

from __future__ import annotations

from monitor.config import Config
from monitor.model.messaging import Reader
from monitor.workflow.links import Links, Purpose


class Readers:
    """Made once a pass: of each reader only the tokens differ."""

    def __init__(self, config: Config, links: Links) -> None:
        self._links = links
        self._alerts_url = config.alerts_url
        self._contact = str(config.organization.contact)
        bounce_address = (config.mail and config.mail.bounce_address) or ""
        self._mailbox, _, self._domain = bounce_address.rpartition("@")

    def reader(self, subscription_id: int) -> Reader:
        """Of one subscriber. Without a mailbox of ours to leave by, a person reads who wants to."""
        token = self._links.token(Purpose.MANAGE, subscription_id)
        return Reader(
            token,
            leave_url=f"{self._alerts_url}/{token}/leave" if self._alerts_url else "",
            leave_address=self._tagged(token) or self._contact,
            bounce_address=self._tagged(self._links.token(Purpose.BOUNCE, subscription_id)),
        )

    def _tagged(self, token: str) -> str:
        return f"{self._mailbox}+{token}@{self._domain}" if self._domain else ""
