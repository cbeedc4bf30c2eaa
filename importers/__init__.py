"""Bytes to rows: one file format a module, header matching, and the refusals of files that cannot be read."""
