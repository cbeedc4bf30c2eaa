"""The rules of licensing: pure functions and values. No I/O, no clock, no randomness; standard library only."""
