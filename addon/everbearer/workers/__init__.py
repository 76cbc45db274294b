"""
Several processes that serve as one.

A parent holds the listening sockets and serves nothing itself; its workers accept
from them, each a proxy of its own. They share the store, and so each renewal.
"""
