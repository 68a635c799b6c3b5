"""What config says of manners reaches the fetcher."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Config, load
from monitor.fetch import CGA_INTERMEDIATE
from monitor.workflow.fetching import manners

ORGANIZATION = "organization: {name: Example, contact: monitor@example.org}\n"
BOARD = """
topics:
- id: t
  name: T
  issues:
  - {id: i, name: I, initial_status: no_progress, initial_narrative: None yet., watches: []}
"""


@pytest.fixture
def config(tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(f"{ORGANIZATION}{getattr(request, 'param', '')}{BOARD}")
    return load(path, {})


def test_the_bundled_intermediate_serves_the_legislatures_host_and_no_other(config):
    assert dict(manners(config).intermediates) == {"www.cga.ct.gov": CGA_INTERMEDIATE}


@pytest.mark.parametrize(
    ("config", "lifted"),
    [
        ("sources: {ignore_robots: [bill_feed]}", "www.cga.ct.gov/ftp/pub/data/"),
        ("sources: {ignore_robots: [bill_page]}", "www.cga.ct.gov/asp/cgabillstatus/"),
        ("sources: {ignore_robots: [acts_page]}", "www.cga.ct.gov/asp/CGATodayFileCopies/"),
        ("sources: {hosts: [www.acluct.org], ignore_robots: [www.acluct.org]}", "www.acluct.org"),
    ],
    indirect=["config"],
)
def test_an_override_of_robots_lifts_just_what_it_names(config, lifted):
    assert manners(config).ignore_robots == {lifted}


def test_who_we_are_can_be_written_to(config):
    assert "monitor@example.org" in manners(config).user_agent
