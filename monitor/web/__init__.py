"""Pages: the public board and the maintainers' desk, over one database with the worker."""
