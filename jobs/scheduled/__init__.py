"""The jobs that schedules start, one file each. A new job is one file here and one line in ``registry.py``."""
