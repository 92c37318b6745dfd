"""Soom's phone app: the diary that works offline and warns at once."""

__version__ = "0.1.0"
