"""The command line: one module a noun. Rooms are imported inside the commands, so that ``--help`` is quick."""
