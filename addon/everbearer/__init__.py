"""
Every request to the Box API carries a valid access token, whatever tool sent it.

Nothing in this package is promised to importers: the surface is the command
`everbearer`, `addon/inject.py` and the configuration file.
"""

__version__ = "0.1.0"
