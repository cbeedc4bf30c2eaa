"""Bytes at rest: one protocol, a local folder and any S3-compatible store."""
