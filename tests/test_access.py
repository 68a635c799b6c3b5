"""Who may do what: every address of the app, whoever asks, however it is asked. New pages are held to it unasked."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from pipeline import ORGANIZATION, World, issue, watch
from sqlalchemy import select
from web import PASSWORD, app, csrf, desk, public, sign_in
from werkzeug.routing import Rule

from monitor.model.messaging import Choice
from monitor.store.schema import Base, Evidence, Snapshot, Source, Subscription, Transition
from monitor.store.schema_desk import Deed, SignIn, SignInFailure
from monitor.store.schema_subscribers import SignUp
from monitor.web.access import Access, declared
from monitor.web.app import create_app
from monitor.web.context import monitor
from monitor.web.tracked_forms import EDITS
from monitor.workflow import accounts
from monitor.workflow.audit import verify
from monitor.workflow.links import Purpose
from monitor.workflow.links import links as links_of
from monitor.workflow.sign_up import sign_up

WHO = ("nobody", "viewer", "maintainer")

#: Below /desk these alone may be asked by whoever is signed out.
OPEN_AT_THE_DESK = {"signin.form", "signin.sign_in", "signin.sign_out"}

#: POSTs that change nothing, or only what is the visitor's own: a viewer may send them.
VIEWERS_MAY_SEND = {
    *("signin.sign_in", "signin.sign_out"),
    # A reader's own, with the signed link that was mailed to them.
    *("subscribe.send", "subscribe.short", "subscribe.confirmed"),
    *("manage.change", "manage.pause", "manage.leave", "manage.back", "manage.delete"),
}

#: Sent without a form of ours before them.
WITHOUT_TOKEN = {"subscribe.short", "manage.leave"}


def cited(world: World) -> set[str]:
    """The saved pages that published moves rest on."""
    published = [move.proposal_id for move in world.rows(Transition)]
    rows = world.rows(Evidence, Evidence.proposal_id.in_(published))
    return {row.snapshot_sha256 for row in rows if row.snapshot_sha256}


def uncited(world: World) -> set[str]:
    return {row.sha256 for row in world.rows(Snapshot)} - cited(world)


#: What stands for a part of an address, by its name. New names are added here.
PARTS: dict[str, Any] = {
    "filename": lambda world: ["site.css", "desk.css"],
    "proposal_id": lambda world: [one.id for one in world.proposals(None)],
    "move_id": lambda world: [one.id for one in world.rows(Transition)],
    "issue_id": lambda world: ["stops"],
    "what": lambda world: list(EDITS),
    "tab": lambda world: ["board", "email", "slack"],
    "source_id": lambda world: [one.id for one in world.rows(Source)],
    "number": lambda world: [one.id for one in world.rows(Subscription)],
    "token": lambda world: list(tokens(world)),
    "sha256": lambda world: [*sorted(cited(world)), *sorted(uncited(world))[:1]],
}


def tokens(world: World) -> Iterator[str]:
    """Of every subscription and of every sign-up."""
    with world.database.reading() as session:
        made = links_of(session)
        for purpose, table in ((Purpose.MANAGE, Subscription), (Purpose.CONFIRM, SignUp)):
            yield from (made.token(purpose, one.id) for one in session.scalars(select(table)))


def filled(folder: Path, database_url: str | None = None) -> World:
    """A world with something to see: pending, approved and rejected proposals, saved pages, a log."""
    stops = issue("stops", watch("2025 HB 7132", effect="achieved"), watch("2025 HB 6663", effect="some_progress"))
    organization = {**ORGANIZATION, "board_url": "https://board.example.org"}
    board = [stops, issue("records", "2025 SB 1")]
    return World(folder, board, database_url=database_url, settings={"organization": organization})


def fill(world: World) -> None:
    for day in (date(2025, 1, 7), date(2025, 4, 10), date(2025, 6, 10)):
        world.at(day)
        world.check()
    waiting = world.proposals()
    assert len(waiting) >= 2, "the walk needs something to walk over"
    world.approve(waiting[0].id, by="Dana")
    world.subscribe("ann@example.org")
    create_app(world.context)  # makes the keys that sign
    sign_up(world.context, "new@example.org", Choice(), "192.0.2.1")
    for name, role in (("Dana", "maintainer"), ("Vera", "viewer")):
        accounts.add(world.context, name, PASSWORD, role, "the test")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all tests that change nothing."""
    with filled(tmp_path_factory.mktemp("access")) as world:
        fill(world)
        yield world


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """One for a test that changes something."""
    with filled(tmp_path) as world:
        fill(world)
        yield world


@pytest.fixture(scope="module")
def clients(world: World) -> dict[str, FlaskClient]:
    return {"nobody": public(world), "viewer": desk(world, "viewer"), "maintainer": desk(world)}


def rules(world: World, method: str | None = None) -> list[Rule]:
    found = sorted(app(world).url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))
    return [rule for rule in found if method is None or method in (rule.methods or ())]


def parts(rule: Rule) -> list[str]:
    """The names of what is filled in."""
    return re.findall(r"<(?:[^:<>]+:)?(\w+)>", rule.rule)


def addresses(world: World, rule: Rule) -> list[str]:
    """The rule with every part filled in, with all that is known for it."""
    paths = [rule.rule]
    for name in parts(rule):
        assert name in PARTS, f"say in PARTS what stands for <{name}> of {rule.rule}"
        values = PARTS[name](world)
        assert values, f"there is no {name} in this world"
        paths = [re.sub(rf"<(?:[^:<>]+:)?{name}>", str(value), path) for path in paths for value in values]
    return paths


def access_of(world: World, rule: Rule) -> Access | None:
    return declared(app(world).view_functions[rule.endpoint])


def dump(world: World) -> dict[str, list[Any]]:
    """Every row of every table."""
    with world.database.reading() as session:
        tables = Base.metadata.sorted_tables
        return {table.name: sorted(map(repr, session.execute(select(table)))) for table in tables}


def may(who: str, needed: Access | None) -> bool:
    allowed = {"nobody": [Access.PUBLIC], "viewer": [Access.PUBLIC, Access.VIEWER], "maintainer": list(Access)}
    return needed in allowed[who]


# ------------------------------------------------------------------ what is declared


def test_every_view_says_who_may_call_it(world):
    undeclared = [rule.endpoint for rule in rules(world) if access_of(world, rule) is None]
    assert not undeclared


def test_a_view_that_says_nothing_is_closed_to_everybody(own):
    app(own).add_url_rule("/desk/forgotten", "forgotten", lambda: "secret")
    for who in ("viewer", "maintainer"):
        answer = desk(own, who).get("/desk/forgotten")
        assert answer.status_code == 403
        assert "secret" not in answer.text
    assert public(own).get("/desk/forgotten").status_code == 403


def test_only_signing_in_and_out_is_open_at_the_desk(world):
    at_the_desk = [rule for rule in rules(world) if rule.rule == "/desk" or rule.rule.startswith("/desk/")]
    is_open = {rule.endpoint for rule in at_the_desk if access_of(world, rule) is Access.PUBLIC}
    assert is_open == OPEN_AT_THE_DESK


def test_what_changes_anything_is_for_maintainers(world):
    sent = {rule.endpoint: access_of(world, rule) for rule in rules(world, "POST")}
    assert {name for name, needed in sent.items() if needed is not Access.MAINTAINER} <= VIEWERS_MAY_SEND


def test_no_address_answers_to_more_than_reading_and_post(world):
    methods = {method for rule in rules(world) for method in rule.methods or ()}
    assert methods <= {"GET", "HEAD", "OPTIONS", "POST"}


# ------------------------------------------------------------------ the matrix


@pytest.mark.parametrize("who", WHO)
def test_reading_is_answered_as_declared(world, clients, who):
    client = clients[who]
    for rule in rules(world, "GET"):
        needed = access_of(world, rule)
        answers = {path: client.get(path) for path in addresses(world, rule)}
        for path, answer in answers.items():
            if may(who, needed):
                assert answer.status_code not in (401, 403, 500), (path, answer.text)
            elif who == "nobody":
                assert answer.status_code == 303, path
                assert answer.location.startswith("/desk/sign-in?next="), path
            else:
                assert answer.status_code == 403, path
                assert "signed in as a viewer" in answer.text
        if may(who, needed):
            assert any(answer.status_code < 400 for answer in answers.values()), f"nothing of {rule.rule} was found"


@pytest.mark.parametrize("who", WHO)
def test_sending_is_answered_as_declared(own, who):
    asked = [(rule, addresses(own, rule)[:2]) for rule in rules(own, "POST")]  # before one of them forgets a reader
    for rule, paths in asked:
        needed = access_of(own, rule)
        for path in paths:
            client = public(own) if who == "nobody" else desk(own, who)
            before = dump(own)
            answer = client.post(path, data={"csrf_token": csrf(client)})
            if may(who, needed):
                assert answer.status_code not in (401, 403, 500), (path, answer.text)
            else:
                assert answer.status_code == (401 if who == "nobody" else 403), path
                assert dump(own) == before, path


# ------------------------------------------------------------------ reading changes nothing


def links(text: str) -> set[str]:
    found = re.findall(r'(?:href|src|action)="(/(?!/)[^"#]*)', text)
    return {html.unescape(link) for link in found}


def kind_of(link: str) -> str:
    """Links that differ only in what they ask for are of one kind."""
    return re.sub(r"=[^&]*", "", link)


@pytest.mark.parametrize("who", WHO)
def test_no_get_changes_anything(world, clients, who):
    """Every address with everything known, and every link of every page, asked in all ways that must not change."""
    client, before = clients[who], dump(world)
    waiting = {path for rule in rules(world, "GET") for path in addresses(world, rule)} | {"/", "/desk"}
    seen: set[str] = set()
    kinds: Counter[str] = Counter()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code != 500, path
        client.head(path)
        client.options(path)
        for link in links(answer.text) - seen if answer.mimetype == "text/html" else ():
            kinds[kind_of(link)] += 1
            if kinds[kind_of(link)] <= 5:  # a day leads to the day before, and so on for ever
                waiting.add(link)
    assert len(seen) >= len(rules(world, "GET"))
    after = dump(world)
    assert {name for name in after if after[name] != before[name]} == set()


# ------------------------------------------------------------------ forms


@pytest.mark.parametrize("token", ["none", "empty", "wrong", "of another browser", "of before the sign-in"])
def test_a_form_without_its_own_token_is_refused_everywhere(world, clients, token):
    early = public(world)
    stale = csrf(early)
    sign_in(early, "Dana")
    tokens = {"none": None, "empty": "", "wrong": "IjEi.x.y", "of another browser": csrf(clients["viewer"])}
    client = early if token == "of before the sign-in" else clients["maintainer"]
    data = {"narrative": "x", "csrf_token": {**tokens, "of before the sign-in": stale}[token]}
    before = dump(world)
    for rule in (one for one in rules(world, "POST") if one.endpoint not in WITHOUT_TOKEN):
        for path in addresses(world, rule):
            answer = client.post(path, data={name: value for name, value in data.items() if value is not None})
            assert answer.status_code == 400, path
    assert dump(world) == before


def test_typed_text_comes_back_when_a_form_was_open_too_long(world, clients):
    text = 'HB 6004 "made" a start. <script>alert(1)</script>\nAnd then: </textarea><b>'
    data = {"narrative": text, "do": "approve", "csrf_token": "old"}
    answer = clients["maintainer"].post("/desk/sign-out", data=data, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 400
    assert "Your form was open too long" in answer.text
    assert "<script>" not in answer.text
    assert answer.text.count("</textarea>") == 1
    kept = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.S)
    assert kept is not None
    assert html.unescape(kept[1]) == text
    assert '<input type="hidden" name="do" value="approve">' in answer.text
    token = re.search(r'class="stacked kept">\s*<input type="hidden" name="csrf_token" value="([^"]+)"', answer.text)
    assert token is not None
    assert token[1] != "old"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_another_site_gets_no_text_into_a_form_of_ours(world, clients, headers):
    data = {"narrative": "written by somebody else", "do": "approve"}
    answer = clients["maintainer"].post("/desk/sign-out", data=data, headers=headers)
    assert answer.status_code == 400
    assert "did not come from this site" in answer.text
    assert "somebody else" not in answer.text


def test_whoever_was_signed_out_meanwhile_keeps_the_text(world):
    client = public(world)
    own = {"Origin": "http://localhost"}
    paths = [path for rule in rules(world, "POST") for path in addresses(world, rule)[:1]]
    closed = [path for path in paths if client.post(path, headers=own).status_code == 401]
    for path in closed:
        answer = client.post(path, data={"narrative": "A long text that must not be lost."}, headers=own)
        assert answer.status_code == 401
        assert "A long text that must not be lost." in answer.text
        assert 'href="/desk/sign-in"' in answer.text


def test_a_password_never_comes_back(world):
    client = public(world)
    data = {"name": "Dana", "password": "a secret of hers", "csrf_token": "old"}
    answer = client.post("/desk/sign-in", data=data, headers={"Origin": "http://localhost"})
    assert answer.status_code == 400
    assert "a secret of hers" not in answer.text
    assert 'name="password" type="password"' in answer.text


@pytest.mark.parametrize("where", ["path", "query", "form"])
def test_text_with_a_nul_is_refused(world, clients, where):
    client = clients["maintainer"]
    answer = {
        "path": lambda: client.get("/desk/audit%00"),
        "query": lambda: client.get("/desk/audit?before=%00"),
        "form": lambda: client.post("/desk/sign-in", data={"name": "a\0b", "csrf_token": csrf(client)}),
    }[where]()
    assert answer.status_code == 400


# ------------------------------------------------------------------ sign-ins


def test_a_sign_in_gets_a_token_of_its_own(own):
    """Whoever put a token into the browser before knows nothing after."""
    attacker, victim = desk(own, "viewer"), public(own)
    planted = attacker.get_cookie("desk", path="/desk").value
    victim.set_cookie("desk", planted, path="/desk")
    sign_in(victim, "Dana")
    mine = victim.get_cookie("desk", path="/desk").value
    assert mine != planted
    assert "Dana, maintainer" in victim.get("/desk/audit").text
    assert attacker.get("/desk/audit").status_code == 303, "the planted sign-in has ended"
    sign_in(victim, "Dana")
    assert victim.get_cookie("desk", path="/desk").value != mine


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "' OR 1=1 --", "a" * 4000])
def test_a_made_up_token_is_nobody(world, token):
    client = public(world)
    client.set_cookie("desk", token, path="/desk")
    assert client.get("/desk/audit").status_code == 303


def test_the_hash_that_is_stored_is_no_token(own):
    desk(own)
    client = public(own)
    client.set_cookie("desk", own.rows(SignIn)[0].id, path="/desk")
    assert client.get("/desk/audit").status_code == 303


def cookies(answer: Any) -> dict[str, set[str]]:
    """The flags of each cookie that an answer sets."""
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        first, *flags = line.split("; ")
        found[first.partition("=")[0]] = {flag for flag in flags if not flag.startswith(("Expires", "Max-Age"))}
    return found


@pytest.mark.parametrize("board_url", [None, "http://127.0.0.1:8080", "https://board.example"])
def test_cookies_are_out_of_reach(tmp_path, board_url):
    with filled(tmp_path) as world:
        organization = {"name": "Example", "contact": "monitor@example.org", "postal_address": "1 Example Street"}
        world.configure([issue("stops", "2025 HB 7132")], organization={**organization, "board_url": board_url})
        accounts.add(world.context, "Dana", PASSWORD, "maintainer", "the test")
        client = public(world)
        form = client.get("/desk/sign-in")
        done = sign_in(client, "Dana")
        flags = {"HttpOnly", "SameSite=Lax"} | ({"Secure"} if board_url and "https" in board_url else set())
        assert cookies(form) == {"form": {*flags, "Path=/"}}
        set_ = cookies(done)
        assert set_["desk"] == {*flags, "Path=/desk"}
        assert set_["device"] == {*flags, "Path=/desk/sign-in"}
        assert "Domain" not in str(done.headers)


def test_a_request_over_tls_gets_secure_cookies_whatever_config_says(own):
    client = public(own)
    page = client.get("/desk/sign-in", base_url="https://localhost").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    data = {"name": "Dana", "password": PASSWORD, "csrf_token": token[1]}
    done = client.post("/desk/sign-in", data=data, base_url="https://localhost")
    assert "Secure" in cookies(done)["desk"]


# ------------------------------------------------------------------ what every answer carries

HEADERS = {
    "X-Content-Type-Options": {"nosniff"},
    "Referrer-Policy": {"same-origin", "no-referrer"},
    "Cross-Origin-Opener-Policy": {"same-origin"},
}


def hardened(answer: Any) -> bool:
    policy = answer.headers.get("Content-Security-Policy", "")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    strict = directives.get("default-src") == "'none'" and "unsafe" not in policy and "frame-ancestors" in policy
    return strict and all(answer.headers.get(name) in values for name, values in HEADERS.items())


def test_every_answer_is_hardened(world, clients):
    client = clients["maintainer"]
    for rule in rules(world, "GET"):
        for path in addresses(world, rule):
            assert hardened(client.get(path)), path
    answers = {
        404: client.get("/nothing"),
        405: client.delete("/desk/audit"),
        303: public(world).get("/desk/audit"),
        401: None,
        403: None,
        413: client.post("/desk/sign-in", data={"name": "x" * 1_100_000}),
        400: client.get("/", headers={"Host": "evil.example"}),
        422: sign_in(public(world), "Dana", "wrong horse battery"),
    }
    for code, answer in answers.items():
        if answer is not None:
            assert answer.status_code == code
            assert hardened(answer), code


def test_what_breaks_is_a_page_without_details(own):
    def broken() -> str:
        raise RuntimeError(f"the password of {monitor().database.url} is sesame")

    app(own).view_functions["audit.listing"] = _with(Access.VIEWER, broken)
    answer = desk(own).get("/desk/audit")
    assert answer.status_code == 500
    assert hardened(answer)
    assert "Something broke on our side" in answer.text
    assert "sesame" not in answer.text
    assert "Traceback" not in answer.text


def _with(needed: Access, view: Any) -> Any:
    view.access = needed
    return view


def test_a_database_that_does_not_answer_is_a_page_too(own):
    client = desk(own)
    own.database.close()
    Path(str(own.database.url.database)).write_bytes(b"this is no database at all, but long enough to be read as one")
    answer = client.get("/desk/audit")
    assert answer.status_code == 500
    assert hardened(answer)
    assert "Something broke on our side" in answer.text


def test_the_desk_is_kept_in_no_shared_cache(world, clients):
    for who in WHO:
        assert clients[who].get("/desk/audit").headers["Cache-Control"].startswith("private")


# ------------------------------------------------------------------ names and paths that are not ours


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:80", "localhost@evil.example", ""]
)
def test_a_made_up_host_gets_nothing_and_into_nothing(world, clients, host):
    for path in ("/", "/desk/sign-in", "/desk/audit", "/static/site.css"):
        answer = clients["maintainer"].get(path, headers={"Host": host})
        assert answer.status_code == 400, path
        assert not host or "evil" not in answer.text
        assert "evil" not in str(answer.headers)


def test_forwarded_names_count_for_nothing_unless_config_says_so(world, clients):
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    answer = clients["nobody"].get("/desk/audit", headers=forged)
    assert answer.status_code == 303
    assert answer.location.startswith("/desk/sign-in")
    page = clients["nobody"].get("/desk/sign-in", headers=forged)
    assert "evil" not in page.text + str(page.headers)


def test_forwarded_addresses_are_not_believed_when_guesses_are_counted(own):
    client = public(own)
    client.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.9"
    sign_in(client, "Dana", "wrong horse battery")
    assert [row.address for row in own.rows(SignInFailure)] == ["127.0.0.1"]


def test_one_web_server_in_front_is_believed_once_config_names_it(tmp_path):
    with filled(tmp_path) as world:
        world.configure([issue("stops", "2025 HB 7132")], web={"proxies": 1})
        client = create_app(world.context).test_client()
        client.environ_base["HTTP_X_FORWARDED_FOR"] = "198.51.100.1, 203.0.113.9"
        sign_in(client, "Dana", "wrong horse battery")
        assert [row.address for row in world.rows(SignInFailure)] == ["203.0.113.9"]


TRAVERSALS = [
    "../app.py",
    "../../config.yaml",
    "..%2fapp.py",
    "%2e%2e/app.py",
    "%2e%2e%2fapp.py",
    "..%5capp.py",
    "..\\app.py",
    "....//app.py",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "site.css/../../app.py",
    "site.css%00.py",
    "./../app.py",
    "..%c0%afapp.py",
    "%252e%252e%252fapp.py",
    "file:///etc/passwd",
    "C:\\boot.ini",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_nothing_but_our_own_files_is_served(world, clients, path):
    for answer in (clients["nobody"].get(f"/static/{path}"), clients["maintainer"].get(f"/desk/{path}")):
        assert answer.status_code in (400, 403, 404, 308), answer.text[:200]
        assert "import" not in answer.text
        assert "root:" not in answer.text
        assert "evil" not in answer.headers.get("Location", "")


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_part_of_an_address_leads_out_of_it(world, clients, path):
    for rule in rules(world, "GET"):
        if parts(rule) and rule.endpoint != "static":
            address = re.sub(r"<[^<>]+>", lambda _: path, rule.rule)
            answer = clients["maintainer"].get(address)
            assert answer.status_code in (303, 308, 400, 404), (address, answer.text[:200])


def test_only_pages_that_published_moves_rest_on_are_public(world, clients):
    assert cited(world)
    for who in WHO:
        assert {clients[who].get(f"/archive/{sha256}").status_code for sha256 in cited(world)} == {200}
        assert {clients[who].get(f"/archive/{sha256}").status_code for sha256 in uncited(world)} == {404}


def test_the_app_has_no_secret_in_its_addresses(world):
    """A token in an address would be in logs, histories and Referer headers. A reader's link in mail has to be one:
    tests/test_manage.py holds these pages to what keeps it out of there."""
    assert isinstance(app(world), Flask)
    named = {name for rule in rules(world) if not rule.rule.startswith("/alerts/") for name in rule.arguments}
    assert not {name for name in named if re.search("token|password|secret", name)}


# ------------------------------------------------------------------ values that make no sense

ODD = [
    "",
    "x",
    "-1",
    "0",
    "1e400",
    "99999999999999999999999",
    "1.5",
    "２０２５",
    "2025-13-45",
    "9999-12-31",
    "0000-00-00",
    "2025-06-10T25:00:00+99:00",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00",
    "' OR 1=1 --",
    "%",
    "*:*",
    '"',
    "NEAR(",
    "a AND",
    "\\",
    "{{7*7}}",
    "${7*7}",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "🐎\u202e\u0301\ufeff",
    "x" * 5000,
    "1|2|3",
    "achieved|achieved|achieved",
]


class Forms(HTMLParser):
    """The forms of a page: where each is sent, how, and its fields with the values it offers."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, set[str]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("method", "get").lower(), given.get("action", ""), {}))
        elif self.found and given.get("name"):
            self.found[-1][2].setdefault(given["name"], set()).add(given.get("value", ""))


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:30]))
def test_what_makes_no_sense_in_an_address_breaks_nothing(world, clients, odd):
    client = clients["maintainer"]
    asked = questions(world, client)
    assert len(asked) > 5
    for path, names in asked.items():
        for name in names:
            answer = client.get(path, query_string={name: odd})
            assert answer.status_code < 500, (path, name, odd)


def questions(world: World, client: FlaskClient) -> dict[str, set[str]]:
    """What can be asked of each page, by its links and forms: path to names of a query string."""
    asked: dict[str, set[str]] = {path: set() for rule in rules(world, "GET") for path in addresses(world, rule)[:2]}
    for path in list(asked):
        answer = client.get(path)
        if answer.mimetype == "text/html":
            for link in links(answer.text):
                target = urlsplit(link)
                asked.setdefault(target.path, set()).update(parse_qs(target.query, keep_blank_values=True))
            for method, action, fields in Forms(answer.text).found:
                if method == "get":
                    asked.setdefault(urlsplit(action).path or path, set()).update(fields)
    return {path: names for path, names in asked.items() if names and path != "/desk/sign-out"}


def test_what_makes_no_sense_in_a_form_breaks_nothing(own):
    """Every form of every page, every field of it with every odd value, every button pressed."""
    client = desk(own)
    forms: dict[tuple[str, str], dict[str, set[str]]] = {}
    for rule in rules(own, "GET"):
        for path in addresses(own, rule):
            answer = client.get(path)
            for method, action, fields in Forms(answer.text).found if answer.mimetype == "text/html" else ():
                if method == "post" and "sign-" not in action:
                    forms[action or path, str(sorted(fields))] = fields
    assert len(forms) > 3
    token = csrf(client)
    for (path, _), fields in forms.items():
        for button in sorted(fields.get("do", set()) | fields.get("then", set())) or [""]:
            for typed in filled_oddly(fields):
                answer = client.post(path, data={**typed, "do": button, "then": button, "csrf_token": token})
                assert answer.status_code not in (400, 401, 403, 500), (path, button, typed)


def filled_oddly(fields: dict[str, set[str]]) -> Iterator[dict[str, str]]:
    """Every field odd at once, and each alone beside what the page offers for the others."""
    for odd in ODD:
        yield dict.fromkeys(fields, odd)
    offered = {name: max(values) for name, values in fields.items()}
    for name in fields:
        for odd in ODD[:12:2]:
            yield {**offered, name: odd}


# ------------------------------------------------------------------ a hundred at once


def test_a_hundred_approvals_at_once_have_one_winner(tmp_path, database_url, monkeypatch):
    """A hundred maintainers, each with a text of their own; all but one hear who was faster and lose no word."""
    monkeypatch.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    with filled(tmp_path, database_url) as world:
        world.check()
        world.at(date(2025, 6, 10)).check()
        world.subscribe("ann@example.org")
        number = world.proposals(kind="status")[0].id
        before = (len(world.rows(Transition)), len(world.deliveries()))
        path = f"/desk/proposals/{number}"
        browsers = [desk(world, name=f"Maintainer {one}") for one in range(100)]
        forms = [fields(browser.get(path).text) for browser in browsers]
        together = Barrier(100)

        def approve(one: int) -> Any:
            together.wait()
            data = {**forms[one], "do": "approve", "status": "achieved", "narrative": f"The text of number {one}."}
            return browsers[one].post(path, data=data)

        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(approve, range(100)))
        won = [one for one, answer in enumerate(answers) if answer.status_code == 303]
        assert len(won) == 1
        for one, answer in enumerate(answers):
            if one not in won:
                assert answer.status_code == 409
                assert f"Maintainer {won[0]} " in answer.text, "they hear who"
                assert f"The text of number {one}." in answer.text, "and lose no word"
        assert world.issue("stops").narrative == f"The text of number {won[0]}."
        assert (len(world.rows(Transition)), len(world.deliveries())) == (before[0] + 1, before[1] + 1)
        decided = [row for row in world.rows(Deed) if row.about == f"proposal {number}"]
        assert [row.who for row in decided] == [f"Maintainer {won[0]}"]
        assert verify(world.context).is_whole


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that decides."""
    form = page[page.index('<input type="hidden" name="version"') - 400 :]
    found = re.findall(r'<input type="hidden" name="(csrf_token|version|seen)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in found}
