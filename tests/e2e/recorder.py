"""A proxy that saves whatever it can."""

from __future__ import annotations

import signal
from pathlib import Path

from mitmproxy.io import FlowReader

from harness import Answer, Place, Proxy

ME = "https://api.box.com/2.0/users/me"


class Recorder:
    """A proxy that logs everything and saves every flow in both formats."""

    def __init__(self, place: Place, config: Path, *mitmproxy: str) -> None:
        self.place = place
        self.flows = place.root / "saved.flows"
        self.har = place.root / "saved.har"
        self.temporary = place.root / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.proxy = Proxy(
            place,
            config,
            "-vv",
            mitmproxy=(
                *("-w", str(self.flows)),
                *("--set", f"hardump={self.har}"),
                *mitmproxy,
            ),
            TMPDIR=str(self.temporary),
        )

    @property
    def output(self) -> str:
        return self.proxy.process.output

    def ask(self, profile: str, *arguments: str) -> Answer:
        fields = ("-H", f"Everbearer-Profile: {profile}")
        return self.proxy.curl(*fields, *(arguments or (ME,)))

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the proxy; what it had in flight is then saved as well."""
        self.proxy.process.stop(how)
        assert "Traceback" not in self.output, self.output
        assert list(self.temporary.iterdir()) == []

    def saved(self) -> bytes:
        return self.flows.read_bytes() + self.har.read_bytes()

    def exchanges(self) -> int:
        """Return how many token requests of clients were saved."""
        with self.flows.open("rb") as file:
            paths = [
                flow.request.path
                for flow in FlowReader(file).stream()
                if "everbearer.question" not in flow.metadata
            ]
        return paths.count("/oauth2/token")


def post(recorder: Recorder, url: str, form: dict[str, str]) -> Answer:
    """Send a form of a client's own."""
    fields = [word for pair in form.items() for word in ("-d", "=".join(pair))]
    return recorder.proxy.curl(*fields, url)
