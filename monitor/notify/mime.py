"""A message as the bytes that go over the wire. Pure, standard library only.

Whatever a stranger typed goes through EmailMessage once per announcement; the two headers that differ from mail to
mail hold only characters checked here, and are put in front.
"""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from hashlib import sha256

from monitor.model.messaging import Message

#: Seven bits: not every server on the way offers 8BITMIME.
_POLICY = SMTP.clone(cte_type="7bit")
_MESSAGE_ID = re.compile(r"<?([A-Za-z0-9._+-]{1,120}@[A-Za-z0-9.-]{1,120})>?")
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


class AddressError(ValueError):
    """No mail can be sent to this address."""


def wire(message: Message) -> bytes:
    """The whole mail, CRLF line ends, the same bytes every time.

    Raises AddressError if the address could not stand in a header as it is, ValueError if the message id could not.
    """
    identity = _MESSAGE_ID.fullmatch(message.message_id)
    if identity is None:
        raise ValueError("the message id is not of the form delivery@domain")
    if not ADDRESS.fullmatch(message.address) or "=?" in message.address:
        raise AddressError("not an email address that a mail can be sent to")
    head = f"To: {message.address}\r\nMessage-ID: <{identity[1]}>\r\n"
    return head.encode("ascii") + _rest(message.subject, message.text, message.html, message.headers)


@lru_cache(maxsize=64)
def _rest(subject: str, text: str, html: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    mail = EmailMessage(_POLICY)
    mail["Subject"] = subject
    for name, value in headers:
        mail[name] = value
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
        mail.set_boundary(f"={sha256((text + html).encode()).hexdigest()[:32]}=")
    return mail.as_bytes()
