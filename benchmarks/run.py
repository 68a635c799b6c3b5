"""Speed and size, printed: ``python benchmarks/run.py [feed|pages|size|mail|fan_out|people|start|web …] [--small]``.

Ratios are of two things measured in the same run; absolute figures depend on the machine and its neighbours.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import replace

import fan_out
import feed
import mail
import measuring
import pages
import people
import size
import start
import web

MODULES = {
    "feed": feed,
    "pages": pages,
    "size": size,
    "mail": mail,
    "fan_out": fan_out,
    "people": people,
    "start": start,
    "web": web,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(MODULES)} (all)")
    parser.add_argument("--small", action="store_true", help="tiny sizes: shows that the benchmarks run, no more")
    parser.add_argument("--no-rivals", action="store_true", help="do not install and run urlwatch")
    options = parser.parse_args()
    scale = measuring.SMALL if options.small else measuring.Scale()
    if options.no_rivals:
        scale = replace(scale, rivals=False)
    unknown = set(options.names) - set(MODULES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    print(f"Python {platform.python_version()}, {platform.machine()}, {scale}")
    for name in options.names or MODULES:
        MODULES[name].run(scale)


if __name__ == "__main__":
    sys.exit(main())
