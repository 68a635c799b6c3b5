"""What we say and what we hear in headers: requests' own transport is replaced, nothing goes over a wire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from responses import RequestsMock

from monitor.fetch import Fetcher, FetchError, Manners
from monitor.model.tracking import NotModified, Page, Validators, Verdict

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AGENT = "legislative-monitor/1.0 (Board; a@example.org)"
SITE = "https://www.cga.ct.gov"
BILL = f"{SITE}/asp/cgabillstatus/cgabillstatus.asp?which_year=2025&bill_num=5"


@pytest.fixture
def site() -> Iterator[RequestsMock]:
    with RequestsMock() as mock:
        mock.get(f"{SITE}/robots.txt", status=404)
        yield mock


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    rules = Manners(user_agent=AGENT, hosts=frozenset({"www.cga.ct.gov"}))
    with Fetcher(rules, now=lambda: NOON, sleep=lambda seconds: None) as made:
        yield made


def sent(site: RequestsMock) -> list[dict[str, str]]:
    """The headers of every request, robots.txt included."""
    return [{name.lower(): str(value) for name, value in call.request.headers.items()} for call in site.calls]


def test_a_plain_request_says_who_we_are_and_nothing_else(site, fetcher):
    site.get(BILL, body="x")
    assert isinstance(fetcher.fetch(BILL), Page)
    assert sent(site) == [{"user-agent": AGENT, "accept": "*/*", "accept-encoding": "gzip"}] * 2


def test_the_servers_validators_come_back_to_it_as_they_were(site, fetcher):
    site.get(BILL, body="x", headers={"ETag": 'W/"5,e"', "Last-Modified": "Mon, 02 Mar 2026 10:00:00 GMT"})
    site.get(BILL, status=304)
    first = fetcher.fetch(BILL)
    assert isinstance(first, Page)
    assert isinstance(fetcher.fetch(BILL, validators=first.validators), NotModified)
    again = sent(site)[-1]
    assert again["if-none-match"] == 'W/"5,e"'
    assert again["if-modified-since"] == "Mon, 02 Mar 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    "validators",
    [Validators(), Validators("", ""), Validators('"a"\r\nX: y', "\xa0Mon"), Validators(' "a"', "\u0100")],
    ids=["none", "empty", "smuggling", "not a header's"],
)
def test_no_other_validator_is_sent(site, fetcher, validators):
    site.get(BILL, body="x")
    fetcher.fetch(BILL, validators=validators)
    assert not {"if-none-match", "if-modified-since", "x"} & set(sent(site)[-1])


def test_robots_is_asked_without_conditions(site, fetcher):
    site.get(BILL, status=304)
    fetcher.fetch(BILL, validators=Validators('"v"', None))
    assert ["if-none-match" in headers for headers in sent(site)] == [False, True]


def test_a_cookie_is_neither_kept_nor_sent_back(site, fetcher):
    site.get(BILL, body="x", headers={"Set-Cookie": "ASPSESSIONIDX=abc; path=/"})
    for _ in range(2):
        page = fetcher.fetch(BILL)
        assert isinstance(page, Page)
        assert "set-cookie" not in page.headers
    assert not any("cookie" in headers for headers in sent(site))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_library_follows_no_redirect(site, fetcher, status):
    """Each hop is checked by us before it is asked: this one leads to a host that config does not name."""
    site.get(BILL, status=status, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(FetchError, match="not among the hosts") as caught:
        fetcher.fetch(BILL)
    assert caught.value.verdict is Verdict.BLOCKED
    assert [call.request.url for call in site.calls] == [f"{SITE}/robots.txt", BILL]


def test_conditions_and_name_go_along_with_a_redirect(site, fetcher):
    site.get(f"{SITE}/old", status=302, headers={"Location": "/new", "Set-Cookie": "a=b"})
    site.get(f"{SITE}/new", status=304)
    assert isinstance(fetcher.fetch(f"{SITE}/old", validators=Validators('"v"', None)), NotModified)
    old, new = sent(site)[1:]
    assert old == new
    assert (new["user-agent"], new["if-none-match"]) == (AGENT, '"v"')


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("value", ["300", format_datetime(NOON + timedelta(seconds=300), usegmt=True)])
def test_retry_after_is_obeyed_in_both_forms(site, fetcher, status, value):
    site.get(BILL, status=status, headers={"Retry-After": value})
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(BILL)
    assert caught.value.retry_at == NOON + timedelta(seconds=300)
    assert len(site.calls) == 2, "and the library tries nothing again by itself"


def test_retry_after_with_a_good_page_asks_for_nothing(site, fetcher):
    site.get(BILL, body="x", headers={"Retry-After": "300"})
    assert isinstance(fetcher.fetch(BILL), Page)
    assert isinstance(fetcher.fetch(BILL), Page)
