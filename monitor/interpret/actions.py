"""Connecticut's wording, web and bulk, to one canonical action."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from monitor.interpret.phrases import ACTION_WORDS, FRAGMENTS, PHRASES, Effect, Phrase
from monitor.model.committees import COMMITTEES, EARLIER_NAMES
from monitor.model.legislature import ActionRow, CanonicalAction

UNCLASSIFIED = "unclassified"

#: The site's abbreviations, whole words, after punctuation is gone. "" drops the word.
_WORDS: Mapping[str, str] = {
    "&": "and",
    "amend": "amendment",
    "amendments": "amendment",
    "cal": "calendar",
    "chg": "change",
    "comm": "committee",
    "fav": "favorable",
    "gov": "governor",
    "ho": "house",
    "jf": "joint favorable",
    "rej": "rejected",
    "rpt": "report",
    "rptd": "reported",
    "sch": "schedule",
    "schedules": "schedule",
    "sen": "senate",
    "tab": "tabled",
    "the": "",
    "trans": "transmitted",
}

#: What is left after that, where one channel's word order or name differs from the other's.
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\blegislative commissioners'? office\b", "lco"),
        (r"\boffice of legislative research\b", "olr"),
        (r"\boffice of fiscal analysis\b", "ofa"),
        (r"\bolr ofa\b", "olr and ofa"),
        (r"\bchange (?:of )?ref\b", "change of reference"),
        (r"\bref\b", "referred"),
        (r"\bno(?= \d)", "number"),
        (r"^adopted (house|senate)\b", r"\1 adopted"),
        (r"\bcalendar (house|senate)\b", r"\1 calendar"),
    )
)
_COLUMN = re.compile(r"\(([A-Za-z]{2,4})\) *(?=\S)")
#: Marks that only separate. Between digits "/", ":" and "-" belong to dates, times and act numbers.
_SEPARATORS = re.compile(r"[.,;]|(?<!\d)[:/-]|[:/-](?!\d)")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u2013": "-", "\u00ad": None, "(": None, ")": None})


def fold(text: str) -> str:
    """White space, no-break spaces included, to single blanks."""
    return " ".join(text.split())


def normalise(description: str) -> tuple[str, str]:
    """The text both wordings meet in, and the committee column ("" if there was none).

    >>> normalise("FAV. RPT., TAB. FOR CAL., SEN.") == normalise("Favorable Report, Tabled for the Calendar, Senate")
    True
    """
    text = fold(description)
    column = _COLUMN.match(text)
    if column:
        text = text[column.end() :]
    text = _SEPARATORS.sub(" ", text.translate(_APOSTROPHES).casefold())
    text = fold(" ".join(_WORDS.get(word, word) for word in text.split()))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text, column[1].upper() if column else ""


def _plain_name(name: str) -> str:
    return normalise(name)[0].removeprefix("committee on ")


_CODES: Mapping[str, str] = {
    **{code.lower(): code for code in COMMITTEES},
    **{_plain_name(name): code for code, name in COMMITTEES.items()},
    **{_plain_name(name): code for name, code in EARLIER_NAMES.items()},
}


def _committee(text: str) -> str:
    """The code if the committee is known, else the code or name as written. ValueError if it is no name at all."""
    known = _CODES.get(text.removeprefix("committee on "))
    if known:
        return known
    if ACTION_WORDS.intersection(text.split()):
        raise ValueError(f"{text!r} is no committee")
    return text.upper() if len(text) <= 3 else text.title()


def _month_day(text: str) -> str:
    """From "0213" or "2/13" to "02-13". The 29th of February is possible, the 30th is not."""
    month, _, day = text.partition("/") if "/" in text else (text[:2], "", text[2:])
    return f"{date(2000, int(month), int(day)):%m-%d}"


def _due(text: str) -> str:
    month, day, year = (int(part) for part in text.split("/"))
    return date(year if year > 99 else 2000 + year, month, day).isoformat()


def _chamber(text: str) -> str:
    return "upper" if text == "senate" else "lower"


def _letters(text: str) -> str:
    return ",".join(sorted({word.upper() for word in text.split() if word not in ("and", "lco") and word.isalpha()}))


def _act(text: str) -> str:
    year, _, number = text.partition("-")
    return f"{year}-{int(number)}"


def _bill(text: str) -> str:
    letters = "".join(character for character in text.replace("number", "") if character.isalpha()).upper()
    return f"{letters}{int(''.join(filter(str.isdigit, text))):05d}"


_READERS: Mapping[str, Callable[[str], str]] = {
    "act": _act,
    "amendment_chamber": _chamber,
    "amendments": _letters,
    "bill": _bill,
    "chamber": _chamber,
    "committee": _committee,
    "due": _due,
    "filed_day": _month_day,
    "hearing_day": _month_day,
    "number": lambda text: str(int(text)),
    "rule": str,
    "sections": lambda text: ",".join(re.findall(r"\d+", text)),
    "substitute": {"substitute": "yes"}.__getitem__,
    "time": lambda text: re.sub(r" ?([ap]) ?m", r" \1M", text).upper(),
}


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A phrase's pattern with its ``<fragments>`` written out."""
    return re.compile(re.sub(r"(?<!\?P)<(\w+)>", lambda match: FRAGMENTS[match[1]], pattern))


class PhraseTable:
    """A phrase table made ready: every phrase compiled, every answer remembered."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._compiled = tuple((phrase, compile_pattern(phrase.pattern)) for phrase in phrases)
        self._effects = {phrase.id: phrase.effect for phrase in phrases}
        self.classify = lru_cache(maxsize=65536)(self._classify)

    def effect(self, action: CanonicalAction) -> Effect:
        return self._effects.get(action.phrase, Effect.NONE)

    def answers(self, description: str) -> list[CanonicalAction]:
        """Every phrase that answers; the tests hold it to one."""
        text, column = normalise(description)
        found = ((phrase, pattern.fullmatch(text)) for phrase, pattern in self._compiled)
        actions = (_action(phrase, match, column) for phrase, match in found if match)
        return [action for action in actions if action]

    def _classify(self, description: str) -> CanonicalAction:
        answers = self.answers(description)
        if len(answers) == 1:
            return answers[0]
        return CanonicalAction(UNCLASSIFIED, (UNCLASSIFIED,), {}, (UNCLASSIFIED, normalise(description)[0]))


def _action(phrase: Phrase, match: re.Match[str], column: str) -> CanonicalAction | None:
    try:
        arguments = {name: _READERS[name](text) for name, text in match.groupdict().items() if text}
    except ValueError:
        return None
    # The hour of a deadline stands on the status page only.
    identifying = sorted((name, value) for name, value in arguments.items() if name != "time")
    identity = (phrase.id, *(f"{name}={value}" for name, value in identifying))
    return CanonicalAction(phrase.id, phrase.classification, _extras(match, column) | arguments, identity)


def _extras(match: re.Match[str], column: str) -> dict[str, str]:
    """What only the status page carries: the committee's column and the office's numbers of amendments."""
    extras = {"committee": column} if column and column != "LCO" else {}
    numbers = re.findall(r"\d{3,5}", match.groupdict().get("amendments") or "")
    return extras | ({"lco": ",".join(numbers)} if numbers else {})


TABLE = PhraseTable(PHRASES)


def classify(description: str) -> CanonicalAction:
    """What a row says, in either wording; phrase "unclassified" if no row of the table knows it."""
    return TABLE.classify(description)


def hearing_day(action: ActionRow) -> date | None:
    """The day of the hearing a row announces, None for any other row. The row itself is dated by its notice."""
    month_day = classify(action.description).arguments.get("hearing_day")
    return hearing_on(action.date, month_day) if month_day else None


def hearing_on(noticed: date, month_day: str) -> date | None:
    """The full date of a hearing, of which the row gives month and day only ("02-13").

    The notice's own year, or the next if that lies more than six months back; None for a 29th of February
    in a year that has none.
    """
    day = _on(noticed.year, month_day)
    if day and (noticed - day).days > 183:
        return _on(noticed.year + 1, month_day)
    return day


def _on(year: int, month_day: str) -> date | None:
    try:
        return date.fromisoformat(f"{year:04d}-{month_day}")
    except ValueError:
        return None


def as_json(description: str) -> dict[str, Any]:
    """One line of ``monitor classify``. ValueError if the text is not text."""
    if not isinstance(description, str):
        raise ValueError(f"an action's description is a text, not {type(description).__name__}")
    action = classify(description)
    return {
        "description": description,
        "phrase": action.phrase,
        "classification": list(action.classification),
        "arguments": dict(action.arguments),
    }
