"""A mitmproxy script that edits every flow as a person does: keeps the old state."""


class Backup:
    """Keeps the state that has the token, and changes the flow afterwards."""

    def request(self, flow):
        flow.backup()

    def response(self, flow):
        flow.request.headers["x-edited"] = "yes"


addons = [Backup()]
