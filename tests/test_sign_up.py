"""Signing up on the board: nothing is told before the reader confirms, and the form answers everybody alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from email import message_from_bytes, message_from_string
from email.policy import default
from html import unescape
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from pipeline import ORGANIZATION, World, issue, watch
from smtp_sink import SmtpSink
from sqlalchemy import event, select
from web import app, csrf, public

from monitor.model.messaging import Cadence, Choice, Interest
from monitor.store import suppressions
from monitor.store.schema import Base, Delivery, Subscription
from monitor.store.schema_subscribers import SignUp, Suppression
from monitor.workflow import foretell, managing, sign_up
from monitor.workflow.links import Links, Purpose, links
from monitor.workflow.prune import prune

BOARD_URL = "https://board.example.org"
ISSUES = [
    issue("stops", watch("2025 HB 7132", effect="achieved")),
    issue("cash", watch("2025 HB 6990", effect="some_progress")),
]
OPEN = {"organization": {**ORGANIZATION, "board_url": BOARD_URL}}
FORM = {"interests": ["status", "hearings"], "about": "all", "cadence": "immediate"}
SENT = "Look for a message from us"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ISSUES, settings=OPEN, day=date(2025, 6, 3)) as world:
        yield world


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For what must change nothing."""
    with World(tmp_path_factory.mktemp("still"), ISSUES, settings=OPEN) as world:
        yield world


def send(client: FlaskClient, email: str, **more: Any) -> Any:
    """Fill in the form as a browser does."""
    return client.post("/alerts", data={"csrf_token": csrf(client, "/alerts"), "email": email, **FORM, **more})


def paths(text: str) -> list[str]:
    """Every link to our own pages, as the pages' server sees it."""
    found = re.findall(rf"{re.escape(BOARD_URL)}(/[^\s\"'<>)]*)", unescape(text))
    return list(dict.fromkeys(found))


def text_of(message: str) -> str:
    body = message_from_string(message, policy=default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def mailed(world: World) -> str:
    """The newest mail's text, once everything due is sent."""
    before = set(world.outbox.glob("*"))
    world.deliver()
    [new] = set(world.outbox.glob("*")) - before
    return text_of(new.read_text(encoding="utf-8"))


def confirm_path(text: str) -> str:
    [path] = [one for one in paths(text) if one.startswith("/alerts/confirm/")]
    return path


def press(client: FlaskClient, path: str, **more: str) -> Any:
    """The one button of a page."""
    return client.post(path, data={"csrf_token": csrf(client, path), **more})


def subscribed(world: World, email: str = "ann@example.org") -> Subscription:
    client = public(world)
    send(client, email)
    press(client, confirm_path(mailed(world)))
    [row] = world.rows(Subscription, Subscription.address == email)
    return row


def dump(world: World) -> dict[str, list[str]]:
    with world.database.reading() as session:
        tables = Base.metadata.sorted_tables
        return {table.name: sorted(map(repr, session.execute(select(table)))) for table in tables}


def token(world: World, purpose: Purpose, number: int) -> str:
    return str(world.ask(lambda session: links(session).token(purpose, number)))


# ------------------------------------------------------------------ the story


def test_from_the_form_to_the_first_alert_by_mail(tmp_path: Path) -> None:
    """Nothing is told to an address before its reader has pressed the button; then what was asked for."""
    with SmtpSink() as sink:
        mail = {"host": sink.host, "port": sink.port, "security": "none", "from": "board@example.org"}
        with World(tmp_path, ISSUES, settings={**OPEN, "mail": mail}, day=date(2025, 6, 3)) as world:
            world.check()
            world.at(date(2025, 6, 24)).check()
            stops, cash = sorted(world.proposals(kind="status"), key=lambda one: one.issue_id, reverse=True)
            client = public(world)
            answer = send(client, "ann@example.org", interests=["status"])
            assert (answer.status_code, answer.location) == (303, "/alerts/sent")
            assert SENT in client.get("/alerts/sent").text
            world.deliver()
            world.approve(stops.id)
            world.later(minutes=2).deliver()
            [link] = sink.mails
            told = message_from_bytes(link.data, policy=default)
            assert (link.recipient, told["Subject"]) == ("ann@example.org", "Confirm your sign-up")
            text = str(told.get_body(("plain",)).get_content())
            assert "status changes on every issue of the board, as they come" in " ".join(text.split())
            answer = press(client, confirm_path(text))
            assert answer.status_code == 303
            assert "You are subscribed." in client.get(answer.location).text
            [row] = world.rows(Subscription)
            assert (row.address, row.consent, row.consented_on) == ("ann@example.org", sign_up.CONSENT, world.today)
            world.approve(cash.id)
            world.later(minutes=2).deliver()
            assert [one.recipient for one in sink.mails] == ["ann@example.org"] * 2
            assert b"Subject: Cash" in sink.mails[1].data


# ------------------------------------------------------------------ the same for everybody


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)


def known(world: World) -> dict[str, str]:
    """An address in every state there is."""
    for name in ("live", "left", "gone", "broken"):
        world.subscribe(f"{name}@example.org")
    numbers = {row.address.partition("@")[0]: row.id for row in world.rows(Subscription)}
    managing.leave(world.context, numbers["left"])
    managing.delete(world.context, numbers["gone"])
    with world.database.transaction() as session:
        broken = session.get_one(Subscription, numbers["broken"])
        broken.broken_at = world.now
        suppressions.suppress(session, links(session), broken.address, "b***", "bounced", "no such user", world.now)
    return {name: f"{name}@example.org" for name in ("live", "left", "gone", "broken", "new")}


def test_everybody_gets_the_same_answer_and_costs_the_same(world: World) -> None:
    """Bytes, headers and work. What differs is only in the mail, which the address's own reader sees."""
    answers, works = {}, {}
    for name, address in known(world).items():
        client = public(world)
        form = {"csrf_token": csrf(client, "/alerts"), "email": address, **FORM}
        with statements(world) as work:
            answer = client.post("/alerts", data=form)
            after = client.get(answer.location)
        answers[name] = (answer.status_code, answer.data, list(answer.headers), after.data, list(after.headers))
        works[name] = work
    assert all(answer == answers["new"] for answer in answers.values())
    assert all(work == works["new"] for work in works.values())
    world.deliver()
    subjects = {}
    for message in world.messages():
        parsed = message_from_string(message, policy=default)
        subjects[parsed["To"].partition("@")[0]] = parsed["Subject"]
    asks = dict.fromkeys(("left", "gone", "broken", "new"), "Confirm your sign-up")
    assert subjects == {**asks, "live": "You are already subscribed"}


def test_whoever_is_subscribed_is_led_to_their_own_page(world: World) -> None:
    row = subscribed(world)
    client = public(world)
    send(client, row.address, cadence="weekly")
    [path] = [one for one in paths(mailed(world)) if one.startswith("/alerts/")]
    assert path == f"/alerts/{token(world, Purpose.MANAGE, row.id)}"
    assert client.get(path).status_code == 200
    [same] = world.rows(Subscription)
    assert same.cadence == "immediate", "somebody else may have typed it"


def test_an_address_in_other_capitals_is_the_same_reader(world: World) -> None:
    row = subscribed(world)
    client = public(world)
    send(client, "Ann@Example.org")
    assert f"/alerts/{token(world, Purpose.MANAGE, row.id)}" in mailed(world)
    assert all("To: ann@example.org" in one for one in world.messages()), "it goes where their messages go"
    managing.leave(world.context, row.id)
    send(client, "ANN@example.org")
    press(client, confirm_path(mailed(world)))
    [same] = world.rows(Subscription)
    assert (same.id, same.live) == (row.id, True), "or they would be told everything twice"


@pytest.mark.parametrize("name", ["left", "gone", "broken"])
def test_confirming_brings_back_who_was_not_written_to(world: World, name: str) -> None:
    address = known(world)[name]
    client = public(world)
    send(client, address, cadence="weekly")
    assert press(client, confirm_path(mailed(world))).status_code == 303
    [row] = world.rows(Subscription, Subscription.address == address)
    assert (row.live, row.cadence, row.consent) == (True, "weekly", sign_up.CONSENT)
    keyed = world.ask(lambda session: links(session).fingerprint(address))
    assert keyed not in {one.fingerprint for one in all_suppressions(world)}


def all_suppressions(world: World) -> list[Suppression]:
    return list(world.ask(lambda session: list(session.scalars(select(Suppression)))))


# ------------------------------------------------------------------ the form


@pytest.mark.parametrize(
    ("more", "field", "says"),
    [
        ({"email": ""}, "email", "Write your email address, like name@example.org."),
        ({"email": "ann at example.org"}, "email", "is not an email address"),
        ({"email": "ann@example.org\nBcc: eve@example.org"}, "email", "is not an email address"),
        ({"interests": []}, "interests", "Choose at least one thing to be told of."),
        ({"about": "some"}, "about", "Choose at least one topic or issue, or everything."),
        ({"about": "some", "issues": ["stop"]}, "about", "did you mean stops?"),
        ({"cadence": "hourly"}, "cadence", "There is no cadence"),
        ({"hour": "24"}, "hour", "There is no hour 24"),
        ({"zone": "America/New_Yerk"}, "zone", "did you mean America/New_York?"),
    ],
)
def test_a_mistake_is_said_on_top_and_at_its_field_and_nothing_typed_is_lost(
    still: World, more: dict[str, Any], field: str, says: str
) -> None:
    answer = send(public(still), **{"email": "ann@example.org", **more})
    assert answer.status_code == 422
    text = unescape(answer.text)
    assert "<title>Error: Get alerts" in text
    assert re.search(rf'role="alert".*?<a href="#{field}">[^<]*{re.escape(says)}', text, re.S)
    assert f'id="{field}"' in text
    assert re.search(rf'id="wrong-{field}">[^<]*{re.escape(says)}', text)
    assert 'value="hearings" checked' in text or more == {"interests": []}
    if "email" not in more:
        assert 'value="ann@example.org"' in text
    assert not still.rows(SignUp)


def test_the_forms_text_stays_text(still: World) -> None:
    typed = '"><script>alert(1)</script>@example.org'
    answer = send(public(still), typed, cadence='"><b>')
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text
    assert typed in unescape(answer.text)


def test_a_choice_arrives_whole(world: World) -> None:
    client = public(world)
    chosen = {"about": "some", "issues": ["cash"], "interests": ["activity", "heartbeat"], "cadence": "weekly"}
    send(client, "ann@example.org", **chosen, hour="17", weekday="thursday", zone="America/Los_Angeles")
    text = mailed(world)
    assert "new actions in the record and a word when nothing changed on Cash" in " ".join(text.split())
    answer = press(client, confirm_path(text))
    [row] = world.rows(Subscription)
    assert (row.issues, row.topics, row.interests) == (["cash"], [], ["activity", "heartbeat"])
    assert (row.cadence, row.hour, row.weekday, row.zone) == ("weekly", 17, 3, "America/Los_Angeles")
    page = client.get(answer.location).text
    for value in ("cash", "activity", "heartbeat", "weekly"):
        assert f'value="{value}" checked' in page
    assert 'value="stops" checked' not in page
    for value in ("17", "thursday", "America/Los_Angeles"):
        assert f'value="{value}" selected' in page


def test_the_board_and_each_issue_have_a_short_form(world: World) -> None:
    """These pages are one for all readers, so no token is in them: the browser says where the form stood."""
    client = public(world)
    for path, issues in (("/", []), ("/issues/cash", ["cash"])):
        page = client.get(path).text
        assert 'action="/alerts/short"' in page
        assert "csrf_token" not in page
        hidden = re.findall(r'<input type="hidden" name="issues" value="(\w+)">', page)
        assert hidden == issues
        ours = {"Sec-Fetch-Site": "same-origin"}
        answer = client.post("/alerts/short", data={"email": "ann@example.org", "issues": hidden}, headers=ours)
        assert (answer.status_code, answer.location) == (303, "/alerts/sent")
        [row] = world.rows(SignUp)[-1:]
        assert row.choice["issues"] == issues
        assert row.choice["interests"] == ["status", "hearings"]


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_short_form_of_another_site_only_fills_in_the_whole_one(still: World, headers: dict[str, str]) -> None:
    answer = public(still).post("/alerts/short", data={"email": "ann@example.org"}, headers=headers)
    assert answer.status_code == 200
    assert 'value="ann@example.org"' in answer.text
    assert 'name="csrf_token"' in answer.text
    assert not still.rows(SignUp)


def test_a_link_of_the_board_preselects(still: World) -> None:
    page = public(still).get("/alerts?issues=cash&topics=nonsense").text
    assert 'value="some" checked' in page
    assert 'value="cash" checked' in page


def test_a_program_that_fills_in_everything_is_told_the_same(still: World) -> None:
    answer = send(public(still), "ann@example.org", website="https://spam.example")
    assert (answer.status_code, answer.location) == (303, "/alerts/sent")
    assert not still.rows(SignUp)


# ------------------------------------------------------------------ how often


def test_an_address_gets_three_mails_a_day_and_whoever_types_it_hears_the_same(world: World) -> None:
    client = public(world)
    spellings = ("ann@example.org", "Ann@example.org", "ANN@example.org", "ann+1@example.org", "ann+2@example.org")
    answers = [send(client, one) for one in spellings]
    assert {(one.status_code, one.location, one.data) for one in answers} == {(303, "/alerts/sent", answers[0].data)}
    assert world.deliver().sent == 3
    world.later(hours=25)
    send(client, "ann@example.org")
    assert world.deliver().sent == 1


def test_one_place_signs_up_twenty_an_hour(world: World) -> None:
    client = public(world)
    codes = [send(client, f"a{number}@example.org").status_code for number in range(21)]
    assert codes == [303] * 20 + [429]
    answer = send(client, "b@example.org")
    assert 3000 < int(answer.headers["Retry-After"]) <= 3600
    assert "too many sign-ups from your network" in answer.text
    assert len(world.rows(SignUp)) == 20
    elsewhere = app(world).test_client()
    form = {"csrf_token": csrf(elsewhere, "/alerts"), "email": "b@example.org", **FORM}
    answer = elsewhere.post("/alerts", data=form, environ_base={"REMOTE_ADDR": "198.51.100.7"})
    assert answer.status_code == 303
    world.later(minutes=61)
    assert send(client, "b@example.org").status_code == 303


def test_behind_a_web_server_the_place_is_the_readers(tmp_path: Path) -> None:
    with World(tmp_path, ISSUES, settings={**OPEN, "web": {"proxies": 1}}) as world:
        client = public(world)
        for address in ("203.0.113.9", "2001:db8:1:2:3::4"):
            form = {"csrf_token": csrf(client, "/alerts"), "email": "ann@example.org", **FORM}
            client.post("/alerts", data=form, headers={"X-Forwarded-For": f"6.6.6.6, {address}"})
        assert [row.ip for row in world.rows(SignUp)] == ["203.0.113.9", "2001:db8:1:2::/64"]


# ------------------------------------------------------------------ the link


def test_a_link_is_good_once(world: World) -> None:
    client = public(world)
    send(client, "ann@example.org")
    path = confirm_path(mailed(world))
    data = {"csrf_token": csrf(client, path)}
    assert client.post(path, data=data).status_code == 303
    for answer in (client.post(path, data=data), client.get(path)):
        assert answer.status_code == 410
        assert "This link was used. Ask for a new one." in answer.text
        assert 'href="/alerts"' in answer.text


def test_a_link_is_good_for_seven_days(world: World) -> None:
    client = public(world)
    send(client, "ann@example.org")
    path = confirm_path(mailed(world))
    data = {"csrf_token": csrf(client, path)}
    world.later(days=7, minutes=-1)
    assert client.get(path).status_code == 200
    world.later(minutes=1)
    for answer in (client.post(path, data=data), client.get(path)):
        assert answer.status_code == 410
        assert "This link is too old. Ask for a new one." in answer.text
    assert prune(world.context)["sign_ups"] == 1
    assert not world.rows(SignUp)
    assert "too old" in client.get(path).text
    assert not world.rows(Subscription)


def test_an_old_link_never_confirms_somebody_elses_sign_up(world: World) -> None:
    """Ids are not given twice, even when the last row is gone."""
    client = public(world)
    send(client, "ann@example.org")
    path = confirm_path(mailed(world))
    world.later(days=8)
    prune(world.context)
    send(client, "victim@example.org")
    [row] = world.rows(SignUp)
    assert path != f"/alerts/confirm/{token(world, Purpose.CONFIRM, row.id)}"
    assert client.get(path).status_code == 410


def test_of_two_who_press_at_once_one_wins(database_url: str, tmp_path: Path) -> None:
    with World(tmp_path, ISSUES, settings=OPEN, database_url=database_url) as world:
        first, second = public(world), public(world)
        send(first, "ann@example.org")
        path = confirm_path(mailed(world))
        forms = [(one, {"csrf_token": csrf(one, path)}) for one in (first, second)]
        together = Barrier(2)

        def go(one: tuple[FlaskClient, dict[str, str]]) -> int:
            together.wait()
            return int(one[0].post(path, data=one[1]).status_code)

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(go, forms)) == [303, 410]
        assert len(world.rows(Subscription)) == 1


def test_a_mail_that_waited_too_long_is_not_sent(world: World) -> None:
    """Its link would be good for nothing, nor is it news to our own people."""
    send(public(world), "ann@example.org")
    world.later(days=7)
    assert (world.deliver().sent, world.rows(Delivery)[0].state) == (0, "cancelled")


def test_an_address_that_does_not_exist_bothers_nobody(tmp_path: Path) -> None:
    olga = [{"name": "Olga", "channel": "email", "address_secret": "OLGA"}]
    with SmtpSink() as sink:
        mail = {"host": sink.host, "port": sink.port, "security": "none", "from": "board@example.org"}
        environ = {"MONITOR_OLGA": "olga@example.org"}
        settings = {**OPEN, "operators": olga, "maintainers": olga, "mail": mail}
        with World(tmp_path, ISSUES, settings=settings, environ=environ) as world:
            sink.script("RCPT", "550 5.1.1 no such user", recipient="nobody@example.org")
            send(public(world), "nobody@example.org")
            assert world.deliver().dead == 1
            world.later(minutes=20).deliver()
            assert sink.mails == []


# ------------------------------------------------------------------ signed links

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def mutations(good: str, purposes: list[str], random: Random, count: int) -> Iterator[str]:
    """Flips, cuts, additions, other purposes, other rows, other cases, other scripts."""
    yield from (good[:length] for length in range(len(good)))
    yield from (good + more for more in ("0", "=", " ", "\n", "/", "%00", good))
    yield from (good.upper(), good.title(), f" {good}", f"\t{good}", good[::-1], good.replace("0", "O"))
    yield from (other + good[1:] for other in purposes if other != good[0])
    yield from (good.translate({ord(digit): ord(digit) + 0xFEE0}) for digit in "0123456789")  # full-width digits
    for _ in range(count):
        place = random.randrange(len(good))
        other = random.choice(ALPHABET.replace(good[place], "") + "ABCÀ٣-_.~%\u202e")
        yield good[:place] + other + good[place + 1 :]


def test_ten_thousand_changed_links_are_refused() -> None:
    made, random = Links(b"k" * 32), Random(7)
    purposes = [one.value for one in Purpose]
    tried = 0
    for purpose in Purpose:
        for number in (0, 1, 35, 36, 12_345, 36**7 - 1):
            good = made.token(purpose, number)
            assert made.read(purpose, good) == number
            assert Links(b"l" * 32).read(purpose, good) is None
            for changed in mutations(good, purposes, random, 700):
                if changed == good:
                    continue
                tried += 1
                assert [one for one in Purpose if made.read(one, changed) is not None] == [], changed
            assert [one for one in Purpose if made.read(one, good) is not None] == [purpose]
    assert tried >= 10_000


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has a token's form is compared whole, wherever it differs."""
    import hmac

    compared: list[tuple[int, int]] = []
    usual = hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return usual(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    made = Links(b"k" * 32)
    good = made.token(Purpose.MANAGE, 5)
    for changed in (good, good[:-1] + "x"[:0] + ("0" if good[-1] != "0" else "1"), "b" + good[1:]):
        made.read(Purpose.MANAGE, changed)
    assert compared == [(40, 40)] * 3


def test_every_bad_link_gets_the_same_page(world: World) -> None:
    """Which row there is cannot be found out; a number in front of a wrong signature is no row."""
    row = subscribed(world)
    client = public(world)
    good = token(world, Purpose.MANAGE, row.id)
    random = Random(3)
    bad = [good[:-1] + ("0" if good[-1] != "0" else "1"), good[:8] + "0" * 32, token(world, Purpose.CONFIRM, row.id)]
    bad += random.sample(list(mutations(good, ["c", "b"], random, 50)), 25)
    answers = {client.get(f"/alerts/{one}/leave").data for one in bad if one and "/" not in one and one.strip() == one}
    assert len(answers) == 1
    for answer in (client.get(f"/alerts/{bad[0]}"), client.post(f"/alerts/{bad[0]}/leave")):
        assert answer.status_code == 404
        assert "This link leads nowhere" in answer.text
        assert 'href="/alerts"' in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    [same] = world.rows(Subscription)
    assert same.live


def test_what_opens_every_link_changes_nothing(world: World) -> None:
    """Mail scanners and previews GET, HEAD and OPTIONS every link of every mail, and every link of those pages."""
    client = public(world)
    row = subscribed(world)
    send(client, "new@example.org")
    send(client, row.address)
    world.deliver()
    found = {path for message in world.messages() for path in paths(text_of(message))}
    own = token(world, Purpose.MANAGE, row.id)
    found |= {f"/alerts/{own}/{page}" for page in ("leave", "delete", "export", "pause", "back")}
    assert len(found) >= 8
    before, seen = dump(world), set[str]()
    while found:
        path = found.pop()
        seen.add(path)
        for ask in (client.get, client.head, client.options):
            answer = ask(path)
            assert answer.status_code < 500, path
        pages = re.findall(r'(?:href|action|hx-get)="(/alerts[^"#]*)"', client.get(path).text)
        found |= {unescape(one) for one in pages} - seen
    assert dump(world) == before


# ------------------------------------------------------------------ without sign-ups


@pytest.mark.parametrize(
    "settings",
    [{**OPEN, "web": {"sign_up": False}}, {}, {**OPEN, "outbox": None}],
    ids=["off", "no address", "no mail"],
)
def test_a_board_that_takes_no_sign_ups_shows_none(tmp_path: Path, settings: dict[str, Any]) -> None:
    with World(tmp_path, ISSUES, settings=settings) as world:
        assert world.config.alerts_url == ""
        world.subscribe("ann@example.org")
        client = public(world)
        [row] = world.rows(Subscription)
        for path in ("/alerts", "/alerts/sent", "/alerts/preview", f"/alerts/{token(world, Purpose.MANAGE, row.id)}"):
            assert client.get(path).status_code == 404, path
        assert client.post(f"/alerts/{token(world, Purpose.MANAGE, row.id)}/leave").status_code == 404
        for path in ("/", "/issues/stops"):
            assert "/alerts" not in client.get(path).text


# ------------------------------------------------------------------ what a choice would have meant


def test_what_a_choice_would_have_meant_is_counted_in_messages(world: World) -> None:
    world.check()
    world.at(date(2026, 1, 5)).check()
    last = foretell.Foretelling().last(world.context)
    assert last is not None
    assert last.session.identifier == "2025"
    days = {key: {row.date for row in world.ledger(key)} for key in ("HB07132", "HB06990")}
    activity = (Interest.ACTIVITY,)

    def messages(**choice: Any) -> int:
        return foretell.messages(last, Choice(**choice))

    assert messages(interests=activity) == len(days["HB07132"] | days["HB06990"])
    assert messages(interests=activity, issues=("stops",)) == len(days["HB07132"])
    assert messages(interests=activity, topics=("topic",)) == messages(interests=activity)
    weeks = {day.isocalendar()[:2] for day in days["HB07132"] | days["HB06990"]}
    assert messages(interests=activity, cadence=Cadence.WEEKLY, weekday=6) == len(weeks)
    assert messages(interests=activity, cadence=Cadence.DAILY) == messages(interests=activity)
    assert messages(interests=(Interest.STATUS,)) == 0
    assert 0 < messages(interests=(Interest.HEARINGS,)) <= messages(interests=activity)
    hearings = messages(interests=(Interest.HEARINGS,))
    assert messages(interests=(Interest.HEARINGS,), cadence=Cadence.WEEKLY) == hearings, "they leave at once"
    quiet = messages(interests=(*activity, Interest.HEARTBEAT), cadence=Cadence.WEEKLY, weekday=1)
    assert quiet > messages(interests=activity, cadence=Cadence.WEEKLY, weekday=1)


def test_the_preview_is_a_line_for_the_page_and_a_page_for_a_link(world: World) -> None:
    world.at(date(2026, 1, 5)).check()
    client = public(world)
    query = "/alerts/preview?interests=activity&about=all&cadence=immediate"
    line = client.get(query, headers={"HX-Request": "true"})
    said = re.fullmatch(r"Last session this would have meant (\d+) messages\.", line.text)
    assert said is not None
    assert "HX-Request" in line.headers["Vary"]
    page = client.get(query).text
    assert line.text in page
    assert 'value="activity" checked' in page
    counted = send(client, "ann@example.org", interests=["activity"], then="count")
    assert (counted.status_code, line.text in counted.text) == (200, True)
    assert 'value="ann@example.org"' in counted.text
    assert not world.rows(SignUp)
    assert client.get("/alerts/preview?cadence=never", headers={"HX-Request": "true"}).text == ""


def test_the_form_reads_the_last_session_anew_only_when_there_is_more_of_it(world: World) -> None:
    world.check()
    world.at(date(2026, 1, 5)).check()
    client, query = public(world), "/alerts/preview?interests=activity&about=all&cadence=immediate"
    said = client.get(query).text
    with statements(world) as asked:
        assert client.get(query).text == said
        assert [one for one in asked if "actions.date" in one] == []
    world.approve(world.proposals(kind="status")[0].id)
    with statements(world) as asked:
        client.get(query)
        assert [one for one in asked if "actions.date" in one]


def test_nothing_is_foretold_without_a_record(still: World) -> None:
    assert foretell.Foretelling().last(still.context) is None
    assert "Last session" not in public(still).get("/alerts").text


def test_what_is_said_of_a_page_is_for_nobody_else(world: World) -> None:
    """No copy is kept, no other site learns the address, no search engine shows it."""
    client = public(world)
    send(client, "ann@example.org")
    path = confirm_path(mailed(world))
    answer = press(client, path)
    own = urlsplit(answer.location).path
    for page in (answer, client.get(path), client.get(own), client.get(f"{own}/leave"), client.get("/alerts/nothing")):
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Robots-Tag"] == "noindex"
    assert "no-store" not in client.get("/").headers["Cache-Control"]
