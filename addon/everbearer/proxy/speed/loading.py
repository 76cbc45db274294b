"""
mitmproxy without what it imports for features that hardly anybody uses.

A third of the time that mitmproxy takes to load goes into an LDAP client, a web
framework for the page at mitm.it, QUIC's own check of certificates, and parsers of
images. While it is loaded, these are stood in for; what is stood in for is imported
when it is first used, and nothing of this is left in `sys.modules`: who imports such
a library gets it.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from everbearer.collector import resting
from everbearer.proxy.speed import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _StandIn(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, attribute: str) -> Any:
        # The import system asks for some of these, and must not get the real ones.
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(_real(self.__name__), attribute)


class _App:
    """The WSGI application at mitm.it; what is configured before reaches it."""

    def __init__(self) -> None:
        self.config: dict[str, object] = {}

    def __call__(self, *request: Any) -> Any:
        app = _real("mitmproxy.addons.onboardingapp").app
        app.config.update(self.config)
        return app(*request)


def _safe_join(*parts: str) -> Any:
    return _real("werkzeug.security").safe_join(*parts)


def _real(name: str) -> Any:
    if isinstance(sys.modules.get(name), _StandIn):
        del sys.modules[name]
    return importlib.import_module(name)


_HARDLY_USED: Final[dict[str, dict[str, Callable[..., object]]]] = {
    "ldap3": {},
    "mitmproxy.addons.onboardingapp": {"app": _App},
    "mitmproxy.contentviews._view_image.image_parser": {},
    "pyperclip": {},
    "service_identity": {},
    "werkzeug.security": {"safe_join": lambda: _safe_join},
}
"""What to leave out, and what makes those parts of it that are imported by name."""


@contextmanager
def lightly() -> Iterator[None]:
    """
    Import mitmproxy meanwhile, without what it hardly ever uses.

    Where its version is none that was read for this, all of it is loaded.
    """
    stand_ins = {
        name: _StandIn(name)
        for name in (_HARDLY_USED if known() else ())
        if name not in sys.modules
    }
    for name, stand_in in stand_ins.items():
        made = {each: make() for each, make in _HARDLY_USED[name].items()}
        vars(stand_in).update(made)
    sys.modules.update(stand_ins)
    try:
        with resting():
            yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
