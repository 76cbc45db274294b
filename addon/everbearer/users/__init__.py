"""Proxy users: their passwords, and whether somebody is who he says."""
