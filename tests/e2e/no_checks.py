"""
A mitmproxy script that takes everbearer's checks of the destination out.

What is left is what a simple script does: it looks for a name of Box anywhere
in the request, and adds the token. With it every row of the table of hostile
requests must fail; one that does not proves nothing.
"""

from mitmproxy.proxy.layers import modes

from everbearer.policy import browser, credential, decide, framing, names
from everbearer.policy.hosts import possible_names
from everbearer.policy.verdict import Pass
from everbearer.proxy import connections, guard, servers

_next_layer = connections.EverbearerConnections._next_layer


def _destination(view, rules):
    found = (name for text in names._named(view) for name in possible_names(text))
    if any("api.box.com" in name for name in found):
        return "api.box.com"
    return Pass("unmatched", "no name of Box in sight")


def _only_reverse(self, nextlayer):
    # mitmproxy decides what is decrypted: everything.
    if isinstance(nextlayer.context.layers[-1], modes.ReverseProxy):
        _next_layer(self, nextlayer)


def _unseen(self, flow):
    return self._notes.get(flow)


names.destination = _destination
decide.readings = lambda raw: (raw,)
browser.verdict = lambda *_: None
credential._unfit = lambda *_: None
framing.refusal = lambda *_: None
connections.EverbearerConnections._next_layer = _only_reverse
servers.EverbearerServers._is_ours = lambda *_: False
guard.EverbearerGuard._inspect = _unseen
print("no_checks.py is in force", flush=True)  # noqa: T201 - tests wait for it
