"""``monitor subscribers``: who is told. One module for each kind of thing that is done about them."""

from monitor.cli.subscribers import adding, changing, files, looking, stopping
from monitor.cli.subscribers.common import app

__all__ = ["app"]

for module in (adding, looking, changing, stopping, files):
    module.register(app)
