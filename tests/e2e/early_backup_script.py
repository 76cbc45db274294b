"""A mitmproxy script that keeps the state of every flow from its very beginning."""


class EarlyBackup:
    """Keeps what the client sent before any addon of ours saw it."""

    def http_connect(self, flow):
        flow.backup()
        flow.comment = "seen"

    def requestheaders(self, flow):
        flow.backup()
        flow.request.headers["x-edited"] = "early"


addons = [EarlyBackup()]
