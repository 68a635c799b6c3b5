"""Two saved pages, and only what differs between them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from monitor.store.schema import Snapshot
from monitor.web import words
from monitor.web.evidence_view import Pages
from monitor.web.pagetext import MOST_BYTES, paragraphs
from monitor.web.textdiff import Block, TooMuchError
from monitor.web.textdiff import paragraphs as diff
from monitor.workflow.reading import stored

#: So many differing paragraphs are shown; the saved pages have the rest.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """``trouble`` says why there is nothing to show, if there is not."""

    blocks: tuple[Block, ...] = ()
    before: str = ""
    after: str = ""
    more: int = 0
    trouble: str = ""


def read_changes(session: Session, pages: Pages) -> Changes:
    """What became different between the saved page before and the one after."""
    old, new = (session.get(Snapshot, one) if one else None for one in (pages.before_id, pages.after_id))
    if old is None or new is None:
        return Changes(trouble="There is no earlier good page of this source to compare with.")
    if max(old.size, new.size) > MOST_BYTES:
        return Changes(trouble="These pages are too large to be compared here. Open the saved pages.")
    texts = [_lines(session, one) for one in (old, new)]
    if texts[0] is None or texts[1] is None:
        return Changes(trouble="A saved page is damaged: its bytes are not those that were received. See monitor db.")
    try:
        blocks = diff(texts[0], texts[1])
    except TooMuchError as error:
        return Changes(trouble=f"The pages have little in common ({error}). Open the saved pages.")
    moments = [words.plain_moment(one.fetched_at) for one in (old, new)]
    return Changes(tuple(blocks[:_SHOWN]), moments[0], moments[1], len(blocks[_SHOWN:]))


def _lines(session: Session, snapshot: Snapshot) -> list[str] | None:
    body = stored(session, snapshot.id)
    return paragraphs(body, snapshot.content_type) if body is not None else None
