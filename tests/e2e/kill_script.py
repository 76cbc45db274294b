"""A mitmproxy script that kills a flow in the hook that its X-Kill field names."""


class Kill:
    """Its hooks come before those of everbearer."""

    def request(self, flow):
        flow.metadata["kill"] = flow.request.headers.pop("x-kill", "")
        self._kill(flow, "request")

    def responseheaders(self, flow):
        self._kill(flow, "responseheaders")

    def response(self, flow):
        self._kill(flow, "response")

    def _kill(self, flow, hook):
        if flow.metadata["kill"] == hook:
            flow.kill()


addons = [Kill()]
