"""
Every reach into mitmproxy that only makes it faster.

Each replaces a part by one of the same behaviour. Where a part is not as it was
when that was written, mitmproxy stays as it is, and the log says so: nothing here
is needed for safety, unlike `internals`.
"""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING, Final

from mitmproxy import version

if TYPE_CHECKING:
    from mitmproxy.master import Master

logger = logging.getLogger(__name__)

KNOWN: Final = ("12.0", "12.1", "12.2", "12.3")
"""The mitmproxy versions whose code was read for this."""


def known() -> bool:
    """Tell whether this mitmproxy is one whose code was read for this."""
    return ".".join(version.VERSION.split(".")[:2]) in KNOWN


def hasten(master: Master) -> bool:
    """
    Make *master* faster; return whether it was.

    To be called once, before it serves anybody.
    """
    if not known():
        logger.warning(
            "mitmproxy %s: everbearer knows how to make %s faster; this one runs as "
            "it is",
            version.VERSION,
            ", ".join(KNOWN),
        )
        return False
    # Imported here: an unknown version may lack what they are made of.
    from everbearer.proxy.speed.places import others  # noqa: PLC0415

    replaced = others(master)
    if replaced:
        logger.warning(
            "a script has replaced mitmproxy's %s: everbearer does not make mitmproxy "
            "faster",
            ", ".join(replaced),
        )
        return False
    # These remember what they stand for.
    from everbearer.proxy.speed import layers, parts, pieces, streams, turns  # noqa: PLC0415
    from everbearer.proxy.speed.hooks import HookIndex  # noqa: PLC0415

    HookIndex.of(master.addons)
    layers.replace()
    parts.replace_all()
    pieces.replace()
    streams.replace()
    turns.replace()
    return True


def settle() -> None:
    """
    Let the collector look only at what is made from now on.

    To be called once, when all that stays is there. Its thresholds stay: each
    request leaves some thirty objects in circles, and rarer looks save less than
    they keep in memory.
    """
    gc.freeze()
