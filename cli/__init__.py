"""The door for people at a terminal: one file a command group, registered in ``cli.main``."""
