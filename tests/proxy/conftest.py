"""Loads mitmproxy with its own deprecation warnings left to it."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.master  # noqa: F401 - for its effect
