"""Measures proxies against each other in one run; `scripts/bench`."""
