"""The keys of config.yaml about the pages."""

from __future__ import annotations

from pydantic import Field

from monitor.config.board import Strict
from monitor.config.values import Host, Line, Url


class Web(Strict):
    """The public board and the maintainers' desk, served by `monitor serve`."""

    listen: Line = Field(
        default="127.0.0.1:8080", description="Where it listens. Put a web server with TLS in front of it."
    )
    hosts: tuple[Host, ...] = Field(
        default=(),
        description="Names it answers to, beside the one of `organization.board_url` and this machine's own.",
    )
    proxies: int = Field(
        default=0,
        ge=0,
        le=5,
        description="How many web servers stand in front of it, each setting X-Forwarded-For, -Proto and -Host.",
    )
    title: Line = Field(default="Where police reform stands in Connecticut", description="The board's heading.")
    find_legislators_url: Url = Field(
        default="https://www.cga.ct.gov/asp/menu/cgafindleg.asp",
        description="Where a reader finds who represents them.",
    )
    sign_up: bool = Field(
        default=True,
        description="Whether readers sign up, change what they are told and leave on the pages. It takes "
        "`organization.board_url` too, and mail. With `false` no message holds a link to such a page.",
    )
