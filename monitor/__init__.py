"""Keeps an advocacy board true to the Connecticut General Assembly's record."""

__version__ = "0.1.0"
