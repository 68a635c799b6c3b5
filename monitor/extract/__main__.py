"""The child process of ``sandbox.extract_in_child``: ``python -m monitor.extract``."""

from __future__ import annotations

import sys

from monitor.extract.registry import READERS
from monitor.extract.sandbox import serve

if __name__ == "__main__":
    serve(READERS, sys.stdin.buffer, sys.stdout.buffer)
