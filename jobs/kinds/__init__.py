"""The batch kinds, one file each. A new kind is one file here and one line in ``registry.py``."""
