"""The benchmarks behind ``keymill bench``: each prints one JSON line; speed is given as a ratio of two things measured in one run."""
