"""Where the board's own pages are."""

from __future__ import annotations

from urllib.parse import urljoin

from monitor.config import Config
from monitor.store.schema import Issue


def issue_url(config: Config, issue: Issue) -> str:
    """An issue's page on the public board, "" while there is none."""
    return page_url(config, f"issues/{issue.id}")


def page_url(config: Config, path: str) -> str:
    """A page of the public board, "" while there is none."""
    board = str(config.organization.board_url or "")
    return urljoin(f"{board.rstrip('/')}/", path) if board else ""
