"""Rows to bytes: one format a file. ``results.py`` is the door."""
