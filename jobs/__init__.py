"""The flow: what happens to a file from the door to its results."""
