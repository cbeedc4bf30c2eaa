"""What runs in a child process with limits of its own, because a hostile file may kill it. See ``config/children.py``."""
