"""A view as Slack's Block Kit. Pure.

Slack reads ``<!channel>``, ``<@U…>`` and ``<url|words>`` in text, so every word is escaped, and nothing is parsed
beyond what stands here: ``verbatim``, ``parse: none``, no unfurling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from monitor.notify import wording
from monitor.notify.clean import clip, mrkdwn
from monitor.notify.view import Card, View

BLOCK_LIMIT = 50
TOTAL_LIMIT = 12_000
HEADER_LIMIT = 150
SECTION_LIMIT = 3_000
_PART_LIMIT = 2_900
_LINK_LIMIT = 600
#: Five rows and their links stay within one section.
_ROW_LIMIT = 300
_ROW_LINK_LIMIT = 250

_DOT = " · "
_LOOKALIKES = str.maketrans("<>", "‹›")

Block = dict[str, object]


def payload(view: View) -> str | None:
    """The JSON to post, or None if Slack would refuse it for its size."""
    made = list(_blocks(view))
    post = {
        "text": mrkdwn(view.summary, _PART_LIMIT),
        "blocks": made,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    text = json.dumps(post, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= TOTAL_LIMIT and len(made) <= BLOCK_LIMIT else None


def _blocks(view: View) -> Iterator[Block]:
    # Plain text is not parsed; whether Slack undoes escapes in it is not documented, so none are needed.
    title = clip(view.title.translate(_LOOKALIKES), HEADER_LIMIT)
    header = {"type": "plain_text", "text": title, "emoji": False}
    yield {"type": "header", "text": header}
    if view.contents:
        yield from _sections(f"• {mrkdwn(entry, 400)}" for entry in view.contents)
    for card in view.cards:
        yield from _sections(_parts(card, view.link_label), gap="\n\n")
    told = [f"• {mrkdwn(card.brief, 400)}" for card in view.briefs]
    if told or view.left_out:
        more = _packed((_link(url, mrkdwn(name, 120)) for name, url in view.more), _DOT)
        yield from _sections([*told, wording.left_out(view.left_out), *more])
    yield _context(view)


def _parts(card: Card, link_label: str) -> Iterator[str]:
    yield "\n".join(f"*{mrkdwn(part, 500)}*" for part in (card.name, card.title) if part)
    if card.now:
        yield f"*{wording.before_now(card)}*" if card.before else f"Status: *{card.now.label}*"
    yield mrkdwn(card.sentence, _PART_LIMIT)
    yield "\n".join(_quoted(card))
    yield from (_labelled(label, mrkdwn(text, _PART_LIMIT - 100)) for label, text in card.notes)
    if card.command:
        yield f"To decide: `{mrkdwn(card.command, 300)}`"
    named = [(card.action_url, "Email your lawmaker"), *((url, mrkdwn(label, 120)) for label, url in card.links)]
    yield from _packed((_link(url, label) for url, label in [*named, (card.url, link_label)]), _DOT)
    yield f"_{mrkdwn(card.because, 500)}_" if card.because else ""


def _labelled(label: str, text: str) -> str:
    return f"*{mrkdwn(label, 100)}* {text}" if label else text


def _quoted(card: Card) -> Iterator[str]:
    for row in card.rows:
        source = _link(row.url, "Official page", _ROW_LINK_LIMIT)
        yield f"> {mrkdwn(row.text, _ROW_LIMIT)}" + (f" · {source}" if source else "")
    if card.rows_left:
        yield f"> {wording.left_out(card.rows_left)}"


def _context(view: View) -> Block:
    board = _link(view.board_url, "See the whole board")
    words = [mrkdwn(part, 600) for part in (view.kind, view.approved, view.why) if part]
    return {"type": "context", "elements": [_text(_DOT.join([*words, board] if board else words))]}


def _link(url: str, label: str, limit: int = _LINK_LIMIT) -> str:
    """A link in our own words. An address cut short would lead elsewhere: too long, and there is none."""
    address = mrkdwn(url, len(url) * 5)
    return f"<{address}|{label}>" if url and len(address) <= limit else ""


def _sections(parts: Iterable[str], gap: str = "\n") -> Iterator[Block]:
    return map(_section, _packed(parts, gap))


def _packed(parts: Iterable[str], gap: str) -> Iterator[str]:
    """Parts put together as far as a section has room; a part is never cut in two."""
    packed = ""
    for part in filter(None, parts):
        joined = f"{packed}{gap}{part}" if packed else part
        if len(joined) > SECTION_LIMIT:
            yield packed
            joined = part
        packed = joined
    if packed:
        yield packed


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
