"""Queries by noun. Every function takes a Session; none commits."""
