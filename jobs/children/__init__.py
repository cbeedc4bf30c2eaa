"""What runs in child processes with limits, because a hostile file may kill it. See ``config/children.py``."""
