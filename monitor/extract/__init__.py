"""Bytes to records: one module for each kind of source, all of them pure."""
