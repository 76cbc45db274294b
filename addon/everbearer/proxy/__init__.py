"""The shell inside mitmproxy: the only place that imports it."""
