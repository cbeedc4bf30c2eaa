"""Signed license keys: making them, checking them, and the only place that ever sees a private key."""
