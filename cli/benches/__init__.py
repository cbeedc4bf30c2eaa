"""The benchmarks behind ``keymill bench``: one JSON line each, with a ratio of two things measured in one run."""
