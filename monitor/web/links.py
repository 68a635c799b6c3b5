"""Every bill, act and task force a text names, linked to its official record. Found by the citation parser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy.orm import Session

from monitor.config import Config
from monitor.interpret.citations import ActCitation, BillCitation, find_acts, find_bills
from monitor.interpret.sessions import session_of
from monitor.model.legislature import BillKey
from monitor.model.tracking import SourceKind
from monitor.store import watched
from monitor.workflow.sync import ACTS_PAGE, bill_page_url

#: An act named at most so far behind a bill of its year is that bill's: "HB 7146 of 2017 (Public Act 17-193)".
_NEAR = 90
_TASK_FORCE = re.compile(r"\btask force\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, with the address it links to ("" for none)."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class _Link:
    start: int
    end: int
    href: str


@lru_cache(maxsize=4096)
def _cited(text: str) -> tuple[tuple[BillCitation, ...], tuple[ActCitation, ...]]:
    return tuple(find_bills(text)), tuple(find_acts(text))


def safe(url: str) -> str:
    """The address, if a reader may follow it; "" for any scheme but http, https and mailto."""
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        return ""
    return url.strip() if scheme in ("http", "https", "mailto") else ""


def anchor(key: BillKey) -> str:
    """Where a bill stands on its issue's page."""
    return f"bill-{key.session}-{key.identifier}".lower()


def task_force_name(url: str) -> str:
    """The name in a task force's address: ``TF=20200116_Police%20…%20Task%20Force``; "" if it names none."""
    value = dict(parse_qsl(urlsplit(url).query)).get("TF", "")
    return re.sub(r"^\d{8}_", "", value).strip()


@dataclass(frozen=True)
class Linker:
    """Finds the official record of what texts name. ``watched``: each issue's bills; ``acts``: bills by act number."""

    base_url: str
    watched: Mapping[str, Sequence[BillKey]]
    acts: Mapping[tuple[str, str], Sequence[BillKey]]
    task_forces: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, session: Session, config: Config) -> Linker:
        """With the bills and acts that are known, and the task forces that config's issues watch."""
        pages: dict[str, list[str]] = {}
        for watch in config.watches():
            if watch.kind is SourceKind.DOCUMENT_LIST and task_force_name(watch.url):
                pages.setdefault(watch.issue, []).append(watch.url)
        return cls(config.sources.cga.base_url, watched.bill_keys(session), watched.acts(session), pages)

    @cached_property
    def _of_board(self) -> Mapping[str, set[BillKey]]:
        """Every watched bill by its number."""
        found: dict[str, set[BillKey]] = {}
        for key in (key for keys in self.watched.values() for key in keys):
            found.setdefault(key.identifier, set()).add(key)
        return found

    def official(self, key: BillKey) -> str:
        """The bill's page at the legislature."""
        return bill_page_url(self.base_url, key)

    def pieces(self, text: str, issue_id: str, here: Iterable[BillKey] = ()) -> tuple[Piece, ...]:
        """The text with its links. Bills in ``here`` link to their place on this page."""
        return tuple(_cut(text, self._links(text, issue_id, frozenset(here))))

    def _links(self, text: str, issue_id: str, here: frozenset[BillKey]) -> list[_Link]:
        bills, acts = _cited(text)
        known = [(one, key) for one in bills if (key := self._key(one, issue_id)) is not None]
        links = [_link(one, self._address(key, here)) for one, key in known]
        links += [_link(one, self._act_address(one, known, here)) for one in acts]
        links += self._task_force_links(text, issue_id)
        return sorted(links, key=lambda link: (link.start, -link.end))

    def _address(self, key: BillKey, here: frozenset[BillKey]) -> str:
        return f"#{anchor(key)}" if key in here else self.official(key)

    def _key(self, one: BillCitation, issue_id: str) -> BillKey | None:
        """The bill; one without a year is the issue's own of that number, else the only one of the board."""
        if one.session is not None or one.problem:
            return one.key
        identifier = f"{one.letters}{one.number:05d}"
        own = [key for key in self.watched.get(issue_id, ()) if key.identifier == identifier]
        found = own or sorted(self._of_board.get(identifier, ()))
        return found[0] if len(found) == 1 else None

    def _act_address(
        self, act: ActCitation, bills: Sequence[tuple[BillCitation, BillKey]], here: frozenset[BillKey]
    ) -> str:
        """The page of the bill that became the act; of an act no bill is known for, the list of all acts."""
        became = [key for key in self.acts.get((str(act.year), act.listed), ()) if _is_of(key, act)]
        before = [
            key
            for one, key in bills
            if 0 <= act.start - one.start <= _NEAR and key.session == str(act.year) and not self._is_other(key, act)
        ]
        found = [*became, *reversed(before)]
        return self._address(found[0], here) if found else self.base_url + ACTS_PAGE

    def _is_other(self, key: BillKey, act: ActCitation) -> bool:
        """Whether a bill is known to have become another act."""
        others = (keys for (year, other), keys in self.acts.items() if year == key.session and other != act.listed)
        return any(key in keys for keys in others)

    def _task_force_links(self, text: str, issue_id: str) -> Iterator[_Link]:
        own = set(self.task_forces.get(issue_id, ()))
        taken = []
        for url in dict.fromkeys(url for urls in self.task_forces.values() for url in urls):
            for match in re.finditer(re.escape(task_force_name(url)), text, re.IGNORECASE):
                taken.append(match.span())
                yield _Link(match.start(), match.end(), url)
        if len(own) == 1:
            for match in _TASK_FORCE.finditer(text):
                if not any(start <= match.start() < end for start, end in taken):
                    yield _Link(match.start(), match.end(), next(iter(own)))


def _link(one: BillCitation | ActCitation, href: str) -> _Link:
    text = one.text.rstrip()
    lead = len(text) - len(text.lstrip())
    return _Link(one.start + lead, one.start + len(text), href)


def _is_of(key: BillKey, act: ActCitation) -> bool:
    """Numbers repeat: the act of a special session is that of a special session's bill."""
    session = session_of(key)
    is_special = session is None or session.classification == "special"
    return is_special == bool(act.special) or not act.special


def _cut(text: str, links: Iterable[_Link]) -> Iterator[Piece]:
    at = 0
    for link in links:
        if link.start < at:
            continue  # inside the one before
        if link.start > at:
            yield Piece(text[at : link.start])
        yield Piece(text[link.start : link.end], link.href if link.href.startswith("#") else safe(link.href))
        at = link.end
    if at < len(text):
        yield Piece(text[at:])
