"""A proxy that knows the toy scheme."""

from __future__ import annotations

from pathlib import Path

from harness import Place, Proxy
from toy_server import HOST, ToyServer

HERE = Path(__file__).parent
CONFIG = """
[profiles.toy]
provider = "toy"
grant = "client_credentials"
client_id = "id"
client_secret = "canary-secret"
subject = {{ type = "enterprise", id = "1" }}

[store]
url = "memory:"

[network]
ca_file = "{ca}"
connect_to = {{ "{host}:443" = "127.0.0.1:{port}" }}
{more}
"""


def start(
    place: Place, server: ToyServer, *scripts: str, more: str = "", save: str = ""
) -> Proxy:
    """Start a proxy that knows the toy scheme."""
    config = place.root / "toy.toml"
    config.write_text(
        CONFIG.format(ca=server.ca, host=HOST, port=server.port, more=more)
    )
    config.chmod(0o600)
    return Proxy(
        place,
        config,
        mitmproxy=(
            *(word for each in scripts for word in ("-s", str(HERE / each))),
            *(("-w", save) if save else ()),
        ),
        program=(str(HERE / "toy_everbearer.py"),),
        PYTHONPATH=str(HERE.parent),
    )
