"""A mitmproxy script that tells, with each answer, which modules there are."""

import sys


class Imports:
    """Prints one line for each answer."""

    def response(self, flow) -> None:
        names = sorted({name.partition(".")[0] for name in sys.modules})
        sys.stdout.write(f"imported: {' '.join(names)}\n")
        sys.stdout.flush()


addons = [Imports()]
