"""The explicit proxy, taken for a server: an answer of ours, and never a token."""

from __future__ import annotations

import pytest

from harness import Place, Proxy, Sandbox, Stock, curl

API = "https://api.box.com"
ME = f"{API}/2.0/users/me"
EVERYWHERE = "/2.0/users/me"


@pytest.fixture(params=["serve", "stock", "upstream"])
def proxy(
    request: pytest.FixtureRequest, place: Place, sandbox: Sandbox, free_port: int
) -> Proxy | Stock:
    """Start one that has a token."""
    config = sandbox.state / "client_credentials.toml"
    if request.param == "stock":
        return Stock(place, config).ready()
    if request.param == "upstream":
        text = config.read_text().split("[network.connect_to]")[0]
        upstream = f'[network]\nupstream_proxy = "http://127.0.0.1:{free_port}"'
        config.write_text(text.replace("[network]", upstream))
    return Proxy(place, config)


def test_the_proxy_asked_as_a_server_says_what_it_is(
    proxy: Proxy | Stock, sandbox: Sandbox
):
    """Whatever host and scheme is named: 421, problem+json, both ways out, no token."""
    plain, tls = (f"{scheme}://127.0.0.1:{proxy.port}" for scheme in ("http", "https"))
    to_proxy = ("--connect-to", f"::127.0.0.1:{proxy.port}")
    answers = [
        curl(plain + EVERYWHERE),
        curl(f"http://localhost:{proxy.port}{EVERYWHERE}"),
        curl("-X", "POST", "-d", "{}", plain + EVERYWHERE),
        curl("-H", "Host: api.box.com", plain + EVERYWHERE),
        curl("-H", "Host: elsewhere.test", plain + EVERYWHERE),
        curl("-H", f"Host: 0.0.0.0:{proxy.port}", plain + EVERYWHERE),
        curl("-k", tls + EVERYWHERE),
        curl("-k", *to_proxy, ME),
        curl("-k", "-H", "Host: api.box.com", tls + EVERYWHERE),
        curl("-x", plain, plain + EVERYWHERE),
    ]

    for answer in answers:
        assert answer.status == 421, (answer, proxy.process.output)
        assert answer.fields["content-type"] == "application/problem+json"
        assert answer.fields["proxy-status"].startswith("everbearer;")
        assert answer.json["code"] == "proxy_is_no_server"
        assert f"curl -x http://127.0.0.1:{proxy.port} " in answer.json["hint"]
        assert "[[listeners]]" in answer.json["hint"]
    assert not sandbox.requests()
    assert "Traceback" not in proxy.process.output


@pytest.mark.parametrize("name", ["0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])
@pytest.mark.parametrize("how", ["absolute form", "tunnel"])
def test_a_request_does_not_go_round_and_round(
    place: Place, sandbox: Sandbox, name: str, how: str
):
    """Called by another of its names the proxy finds itself behind the connection."""
    proxy = Proxy(place, sandbox.state / "client_credentials.toml")
    tunnel = ("-p",) if how == "tunnel" else ()

    answer = proxy.curl(*tunnel, f"http://{name}:{proxy.port}/", timeout=20)

    assert answer.status in {0, 500, 502}, answer
    assert answer.exit_code != 28  # no timeout
    proxy.process.wait_for(r" own_port .*a port of everbearer's own was asked for")
    assert proxy.process.output.count("own_port") == 1
    assert proxy.curl(ME).status == 200
