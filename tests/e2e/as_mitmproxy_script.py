"""A mitmproxy script that has everbearer leave mitmproxy as slow as it is."""

from everbearer.proxy import speed

speed.KNOWN = ()  # type: ignore[misc] - no version at all
