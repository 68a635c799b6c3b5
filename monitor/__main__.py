"""``monitor`` and ``python -m monitor``."""

from __future__ import annotations


def main() -> None:
    """Run the command line; its exit code is the process's."""
    from monitor.cli.app import app

    app()


if __name__ == "__main__":
    main()
