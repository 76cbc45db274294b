"""A mitmproxy script that makes the proxy impatient with the answers of replays."""

from mitmproxy import ctx

from everbearer.proxy.replay_connection import Limits
from everbearer.proxy.tokens import EverbearerTokens

LIMITS = Limits(answer=1024 * 1024, patience=1.0, deadline=2.0)


class Impatient:
    """Sets other limits once everything is in its place."""

    def running(self) -> None:
        front = ctx.master.addons.get("everbearerfront")
        [tokens] = [each for each in front.parts if isinstance(each, EverbearerTokens)]
        tokens._recovery._replays._limits = LIMITS


addons = [Impatient()]
