"""
What PostgreSQL and libpq say went wrong, in our words.

Their own texts quote the connection's parameters at times, or what others have
written on the server: none of it is passed on.
"""

from __future__ import annotations

import logging
from typing import Final

import psycopg

from everbearer.errors import StoreBrokeOff, StoreError

MIGRATE: Final = "run: everbearer store migrate"

# psycopg logs libpq's texts; what failed is told by the errors here.
logging.getLogger("psycopg").disabled = True

_LOOK: Final = "look into PostgreSQL's log"
_GRANT: Final = (
    "as the owner: GRANT USAGE ON SCHEMA everbearer TO the role, and GRANT SELECT, "
    "INSERT, UPDATE ON ALL TABLES IN SCHEMA everbearer"
)
_WAIT: Final = "it is tried again; if it stays so, look at the server"
_REACH: Final = "check host and port in store.url, and what stands between"
_ADMIT: Final = "check user and password in store.url, and pg_hba.conf"
_VERIFY: Final = (
    "check sslmode and sslrootcert in store.url, and the server's certificate"
)

# SQLSTATE (appendix A of PostgreSQL's manual), or its class.
_STATES: Final = {
    "25006": ("takes no writes: it is a standby", "name the primary in store.url"),
    "3F000": ("has no store: it was never migrated", MIGRATE),
    "42501": ("does not let its role use the store", _GRANT),
    "42703": ("has a store that this everbearer does not know", MIGRATE),
    "42P01": ("has no store: it was never migrated", MIGRATE),
    "53100": ("cannot grow: the disk is full", "free some space"),
    "53300": ("has no connection left", "raise max_connections"),
    "57014": ("took too long", _LOOK),
    "57P01": ("was stopped", _WAIT),
    "57P02": ("crashed", _WAIT),
    "57P03": ("is starting or stopping", _WAIT),
    "57P05": ("has ended the session", _WAIT),
    "08": ("cannot be reached: the connection broke off", _WAIT),
}

_BROKE_OFF: Final = ("08", "57P0")

# What libpq says where no session came about has no SQLSTATE; the first phrase
# that occurs counts. The last column: it may pass by itself.
_PHRASES: Final = (
    ("password authentication failed", "refuses the password", _ADMIT, False),
    ("no password supplied", "wants a password", _ADMIT, False),
    ("no pg_hba.conf entry", "does not admit this user from here", _ADMIT, False),
    ("authentication failed", "refuses the user", _ADMIT, False),
    ("certificate verify failed", "has a certificate not trusted", _VERIFY, False),
    ("does not match host name", "has a certificate of another name", _VERIFY, False),
    ("root certificate file", "cannot be verified: no authority", _VERIFY, False),
    ("does not support SSL", "has no TLS, and sslmode wants it", _VERIFY, False),
    ("starting up", *_STATES["57P03"], True),
    ("shutting down", *_STATES["57P03"], True),
    ("too many clients", *_STATES["53300"], True),
    ("remaining connection slots", *_STATES["53300"], True),
    ("does not exist", "has no such database or user", _ADMIT, False),
    ("onnection refused", "cannot be reached: no connection", _REACH, True),
    ("resolve host", "cannot be reached: no such host name", _REACH, True),
    ("translate host name", "cannot be reached: no such host name", _REACH, True),
    ("No such file", "cannot be reached: no socket there", _REACH, True),
    ("SSL error", "cannot be reached: TLS failed", _VERIFY, True),
)


def failed(name: str, error: psycopg.Error) -> StoreError:
    """Return what a statement's failure is, for the database *name*."""
    state = error.sqlstate or "08"  # libpq's own: the connection broke
    reason, hint = (
        _STATES.get(state)
        or _STATES.get(state[:2])
        or (f"failed (SQLSTATE {state})", _LOOK)
    )
    kind = StoreBrokeOff if state.startswith(_BROKE_OFF) else StoreError
    return kind(f"{name} {reason}", hint=hint)


def unreachable(name: str, error: psycopg.Error) -> tuple[StoreError, bool]:
    """Return why no session came about, and whether that may pass by itself."""
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return too_late(name), True
    text = str(error)
    for phrase, reason, hint, passes in _PHRASES:
        if phrase in text:
            return StoreError(f"{name} {reason}", hint=hint), passes
    return StoreError(f"{name} cannot be reached", hint=_REACH), True


def too_late(name: str) -> StoreError:
    """Return what it is when nothing came back in time."""
    return StoreError(f"{name} cannot be reached: no answer in time", hint=_REACH)
