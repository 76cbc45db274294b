"""mitmproxy's addons that do nothing with a flow unless an option is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mitmproxy import ctx
from mitmproxy.addons.anticache import AntiCache
from mitmproxy.addons.anticomp import AntiComp
from mitmproxy.addons.blocklist import BlockList
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.addons.save import Save
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.addons.script import ScriptLoader
from mitmproxy.addons.serverplayback import ServerPlayback
from mitmproxy.addons.stickycookie import StickyCookie

from everbearer.proxy.speed.own import is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LIFE: Final = {"add_log", "configure", "done", "load", "running"}
"""Events that are not of flows: whoever idles hears them."""

_HAS_WORK: Final[Mapping[type, Callable[[Any], object]]] = {
    AntiCache: lambda _: ctx.options.anticache,
    AntiComp: lambda _: ctx.options.anticomp,
    BlockList: lambda addon: addon.items,
    ProxyAuth: lambda addon: addon.validator,
    Save: lambda addon: addon.stream,
    SaveHar: lambda _: ctx.options.hardump,
    ScriptLoader: lambda addon: addon.addons,
    ServerPlayback: lambda addon: addon.flowmap,
    StickyCookie: lambda addon: addon.flt,
}
"""What each of them asks first in all of its hooks."""


class Work(NamedTuple):
    """What tells whether an addon has anything to do in one of its hooks."""

    asked: Callable[[Any], object]
    hook: object
    """What its class has for it: another's does not ask this."""


def work_of(addon: object, name: str) -> Work | None:
    """Return what tells whether the hook *name* of *addon* has anything to do."""
    kind = type(addon)
    asked = None if name in _LIFE else _HAS_WORK.get(kind)
    hook = getattr(kind, name, None)
    if asked is None or not (hook is None or is_own(hook)):
        return None
    return Work(asked, hook)


def idles(addon: object, name: str) -> bool:
    """Tell whether the hook *name* of *addon* would do nothing now."""
    work = work_of(addon, name)
    return work is not None and name not in vars(addon) and not work.asked(addon)
