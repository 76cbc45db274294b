"""Behind a proxy of the company: everything goes by it, tokens end to end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Place, Proxy, Sandbox, curl
from upstream_proxy import UpstreamProxy

ME = "https://api.box.com/2.0/users/me"


@pytest.fixture
def upstream(sandbox: Sandbox) -> Iterator[UpstreamProxy]:
    """Start a proxy that leads Box's names to the sandbox."""
    here = ("127.0.0.1", sandbox.port)
    proxy = UpstreamProxy({"api.box.com:443": here, "upload.box.com:443": here})
    yield proxy
    proxy.close()


@pytest.fixture
def config(sandbox: Sandbox, upstream: UpstreamProxy) -> Path:
    """Write a configuration that knows the upstream proxy and no connect_to."""
    text = (sandbox.state / "client_credentials.toml").read_text()
    head = text.split("[network.connect_to]")[0]
    path = sandbox.state / "upstream.toml"
    path.write_text(
        head.replace(
            "[network]",
            f'[network]\nupstream_proxy = "http://127.0.0.1:{upstream.port}"',
        )
        + '[[listeners]]\naddress = "127.0.0.1:8080"\n'
        + '[[listeners]]\naddress = "127.0.0.1:PORT"\n'
        + 'reverse = "https://api.box.com"\n'
    )
    path.chmod(0o600)
    return path


def test_everything_goes_by_the_upstream_proxy(
    place: Place,
    sandbox: Sandbox,
    upstream: UpstreamProxy,
    config: Path,
    free_port: int,
):
    """Requests, token requests and replays go by the upstream proxy, healed as ever."""
    config.write_text(config.read_text().replace("PORT", str(free_port)))
    proxy = Proxy(place, config)

    first = proxy.curl(ME)
    sandbox.call("POST", "tokens/revoke", {})
    healed = proxy.curl(
        "-X", "POST", "-d", '{"name":"f","parent":{"id":"0"}}', ME[:-8] + "folders"
    )
    reverse = curl(f"http://127.0.0.1:{proxy.reverse_port()}/2.0/users/me")

    assert first.status == 200, (first, proxy.process.output)
    assert healed.status == 201, (healed, proxy.process.output)
    assert reverse.status == 200, (reverse, proxy.process.output)
    assert set(upstream.connected) == {"api.box.com:443"}
    assert len(upstream.connected) >= 5


def test_unmatched_tunnel_goes_by_the_upstream_proxy(
    place: Place, upstream: UpstreamProxy, config: Path, free_port: int
):
    """A host that no rule names is tunnelled by the upstream proxy as well."""
    config.write_text(config.read_text().replace("PORT", str(free_port)))
    proxy = Proxy(place, config)

    answer = curl("-x", proxy.url, "https://elsewhere.test/")

    assert answer.status == 0
    assert upstream.connected == ["elsewhere.test:443"]
    assert not re.search("Traceback", proxy.process.output)
