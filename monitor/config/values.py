"""The kinds of value config.yaml holds, each read from text with a sentence for whoever wrote it wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from monitor.config.cron import Cron, parse_cron
from monitor.config.secrets import NAME as SECRET_NAME
from monitor.model.legislature import BillKey, why_impossible

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,5})\s*([smhdw])")
SIZES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*([kMG]?B|[KMG]iB)?")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_BILL = re.compile(r"(\d{4})\s+([HS][BJR])[\s-]*0*([1-9]\d{0,4})", re.IGNORECASE)
_BILL_PIECES = re.compile(r"(?P<letters>[HS]\.?[BJR])\D{0,8}?0*(?P<number>[1-9]\d{0,4})\b", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?!\d)")
_PORTS = {"https": 443, "http": 80, "ftp": 21}
_OWN_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def wrong(message: str, hint: str = "", at: Sequence[str | int] = ()) -> PydanticCustomError:
    """A mistake in a value. ``at`` leads from the validated value to the part at fault."""
    return PydanticCustomError("config", "{message}", {"message": message, "hint": hint, "at": tuple(at)})


def nearest(word: str, words: Iterable[str]) -> str:
    """ "did you mean …?", or an empty text if nothing is near."""
    known = {one.lower(): one for one in words}
    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {known[close[0]]}?" if close else ""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong("this must be text")
    return value.strip()


def _line(value: object) -> str:
    text = _text(value)
    if any(not character.isprintable() for character in text):
        raise wrong("this must be one line of text", "write it on one line, or fold it with `>-`")
    return text


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        raise wrong(f"{value!r} is not a length of time", "write a number and a unit: 30s, 15m, 6h, 1d or 2w")
    length = timedelta(**{UNITS[match[2]]: int(match[1])})
    if not length:
        raise wrong("a length of time must be more than nothing", "write 30s, 15m, 6h, 1d or 2w")
    return length


def _kept(value: object) -> timedelta | None:
    return None if value is None or str(value).strip() == "forever" else _duration(value)


def _size(value: object) -> int:
    match = _SIZE.fullmatch(str(value).strip())
    size = int(float(match[1]) * SIZES[match[2] or "B"]) if match else 0
    if not 1000 <= size <= 1_000_000_000:
        raise wrong(f"{value!r} is not a size between 1 kB and 1 GB", "write a number and a unit: 500 kB or 5 MB")
    return size


def _slug(value: object) -> str:
    text = _text(value)
    if not _SLUG.fullmatch(text) or len(text) > 60:
        proposal = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-")
        raise wrong(
            f"{text[:80]!r} is not an id: small letters, digits and single hyphens, 60 at most",
            f"did you mean {proposal}?" if proposal else "",
        )
    return text


def is_email(text: str) -> bool:
    """A bare ASCII address, without a name or comment."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def _email(value: object) -> str:
    text = _text(value)
    if not is_email(text):
        raise wrong("this is not an email address", "write it plainly, without a name: someone@example.org")
    return text


def _bill(value: object) -> BillKey:
    if isinstance(value, BillKey):
        return value
    text = _text(value)
    match = _BILL.fullmatch(text)
    if match is None:
        raise wrong(f"{text[:80]!r} is not a bill: session, letters, number", _bill_hint(text))
    letters = match[2].upper()
    if reason := why_impossible(letters, int(match[3])):
        raise wrong(f"{text!r} cannot be: {reason}", f"did you mean {_other_chamber(match)}?")
    return BillKey(match[1], f"{letters}{match[3]}")


def _other_chamber(match: re.Match[str]) -> str:
    return f"{match[1]} {'H' if match[2].upper() == 'SB' else 'S'}B {match[3]}"


def _bill_hint(text: str) -> str:
    """The same bill as config wants it, if both its number and its session can be made out."""
    pieces, year = _BILL_PIECES.search(text), _YEAR.search(text)
    if pieces is None or year is None:
        return "write it like 2020 HB 6004"
    letters = pieces["letters"].replace(".", "").upper()
    if why_impossible(letters, int(pieces["number"])):
        letters = {"SB": "HB", "HB": "SB"}[letters]
    return f"did you mean {year[1]} {letters} {pieces['number']}?"


def _zone(value: object) -> str:
    text = _text(value)
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        hint = nearest(text.replace(" ", "_"), sorted(available_timezones()))
        raise wrong(f"{text[:80]!r} is not a time zone", hint or "write it like America/New_York") from None
    return text


def _cron(value: object) -> Cron:
    if isinstance(value, Cron):
        return value
    try:
        return parse_cron(_text(value))
    except ValueError as error:
        hint = "e.g. `0 8 * * *` is every day at 08:00, `0 8 * * mon` is Mondays at 08:00"
        raise wrong(f"this is not a cron line: {error}", hint) from None


def is_private_host(host: str) -> bool:
    """Whether a host is this machine or inside a private network, by its name or literal address alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """A literal address or a plain ASCII host name. ``0x7f.1`` and ``2130706433`` are neither."""
    try:
        ip_address(host)
        return True
    except ValueError:
        labels = host.split(".")
        return (
            len(host) <= 253
            and all(_LABEL.fullmatch(label) for label in labels)
            and labels[-1].isalnum()
            and not labels[-1][0].isdigit()
        )


def host_key(url: str) -> str:
    """The host of a URL as the service names hosts: small letters, with the port if it is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _host(value: object) -> str:
    text = _text(value).lower()
    if not is_host(text):
        raise wrong(f"{text[:80]!r} is not a host name", _host_hint(text))
    if is_private_host(text):
        raise wrong("a private address cannot be allowed here", "only sources.cga.base_url and ftp_url may be private")
    return text


def _own_host(value: object) -> str:
    """A machine of one's own network, as the addresses of messages are read; its name may be any that DNS takes."""
    text = _text(value).lower()
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not is_host(host) and not _OWN_HOST.fullmatch(host):
        raise wrong(f"{text[:80]!r} is not a host name", _host_hint(text))
    return host


def _host_hint(text: str) -> str:
    try:
        name = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
    return f"did you mean {name}?" if is_host(name) else "write it without scheme, port and path: ntfy.example.lan"


def _split(text: str) -> SplitResult:
    """One reading of a URL for everybody: what two parsers could read differently is refused."""
    if any(ord(character) <= 32 or ord(character) > 126 or character in '\\"<>^`{|}' for character in text):
        raise wrong("a URL has no blanks, backslashes or letters beyond ASCII", "write a blank as %20")
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong("this is not a URL", "write it like https://www.cga.ct.gov/jud/") from None
    if "@" in parts.netloc:
        raise wrong("a URL here may not carry a user name or password", "remove everything before the @")
    if not is_host(host):
        raise wrong("this URL names no proper host", "write it like https://www.cga.ct.gov/jud/")
    return parts


def _url(value: object, schemes: tuple[str, ...] = ("https", "http")) -> str:
    text = _text(value)
    parts = _split(text)
    if parts.scheme not in schemes:
        raise wrong(f"this URL must begin with {schemes[0]}://")
    if parts.scheme == "http" and not is_private_host(parts.hostname or ""):
        raise wrong("plain http is only for a replica on this machine", f"write https://{parts.netloc}")
    return text


def _base(value: object) -> str:
    text = _url(value).rstrip("/")
    if urlsplit(text).query or urlsplit(text).fragment:
        raise wrong("a base URL has no query and no fragment")
    return text


def _folder(value: object) -> str:
    return f"{_base(value)}/"


def _ftp(value: object) -> str:
    return _url(value, ("ftp",)).rstrip("/")


def _path(value: object) -> str:
    text = _text(value)
    if not text.startswith("/") or text.startswith("//"):
        raise wrong("this must be a path on the site that begins with one slash", "write it like /ftp/pub/data")
    _split(f"https://host{text}")
    return text.rstrip("/") or "/"


def _source_url(value: object) -> str:
    return _path(value) if isinstance(value, str) and value.startswith("/") else _url(value)


def _home_path(value: object, info: ValidationInfo) -> Path:
    """A path of this machine; a relative one starts at the folder of config.yaml."""
    home: Path = (info.context or {}).get("home", Path())
    return home / Path(_line(str(value)) if value is not None else _text(value)).expanduser()


def _secret_name(value: object) -> str:
    text = _text(value)
    if not SECRET_NAME.fullmatch(text):
        raise wrong(
            "this must be the name of a secret, not the secret itself",
            "write a name such as SLACK_WEBHOOK and set MONITOR_SLACK_WEBHOOK in the environment",
        )
    return text


def _before(function: Callable[[object], object]) -> BeforeValidator:
    return BeforeValidator(function)


Text = Annotated[str, _before(_text)]
Line = Annotated[str, _before(_line)]
Duration = Annotated[timedelta, _before(_duration)]
Kept = Annotated[timedelta | None, _before(_kept)]
Size = Annotated[int, _before(_size)]
Slug = Annotated[str, _before(_slug)]
Email = Annotated[str, _before(_email)]
BillNumber = Annotated[BillKey, _before(_bill)]
TimeZone = Annotated[str, _before(_zone)]
CronLine = Annotated[Cron, _before(_cron)]
Host = Annotated[str, _before(_host)]
OwnHost = Annotated[str, _before(_own_host)]
Url = Annotated[str, _before(_url)]
BaseUrl = Annotated[str, _before(_base)]
FolderUrl = Annotated[str, _before(_folder)]
FtpUrl = Annotated[str, _before(_ftp)]
SitePath = Annotated[str, _before(_path)]
SourceUrl = Annotated[str, _before(_source_url)]
HomePath = Annotated[Path, BeforeValidator(_home_path)]
SecretName = Annotated[str, _before(_secret_name)]
