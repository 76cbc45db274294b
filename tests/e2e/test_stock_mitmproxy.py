"""Inside mitmproxy's own commands, by our script."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

from canary import Canaries, written
from harness import START, Place, Proxy, Sandbox, Stock, curl
from listening import listeners

API = "https://api.box.com"
ME = f"{API}/2.0/users/me"
OPTIONS = Path(__file__).with_name("options_script.py")
INJECT = Path(__file__).parents[2] / "addon" / "inject.py"


@pytest.mark.parametrize("grant", ["refresh_token", "jwt_bearer", "client_credentials"])
def test_mitmdump_answers_and_heals(place: Place, sandbox: Sandbox, grant: str):
    """Without a credential: 200. After the token was revoked: 200, one renewal."""
    stock = Stock(place, sandbox.state / f"{grant}.toml").ready()

    assert stock.curl(ME).status == 200
    sandbox.revoke()
    assert stock.curl("-d", "x=1", "-X", "PUT", ME).status != 401

    assert len(sandbox.token_requests()) == 2
    assert sandbox.statuses("/2.0/users/me")[1] == 401
    assert stock.process.stop() == 0
    assert "Traceback" not in stock.process.output


def test_mitmdump_listens_on_loopback_only(place: Place, sandbox: Sandbox):
    """Its own default is every interface; with everbearer it is 127.0.0.1."""
    stock = Stock(place, sandbox.state / "client_credentials.toml").ready()
    assert stock.curl(ME).status == 200
    assert listeners(stock.process.child.pid) == {"127.0.0.1"}


def test_listeners_of_the_configuration_serve(
    place: Place, sandbox: Sandbox, free_port: int
):
    """Without listeners among the arguments those of the configuration are taken."""
    config = sandbox.config(
        "reverse",
        f'[[listeners]]\naddress = "127.0.0.1:{free_port}"\n'
        'reverse = "https://api.box.com"\nprofile = "ccg"\n',
        source="client_credentials",
    )
    process = place.run(
        str(Path(sys.executable).with_name("mitmdump")),
        *("-s", str(INJECT), "--set", f"everbearer_config={config}"),
        *("--set", f"confdir={place.root / 'mitmproxy'}"),
    )
    process.wait_for(rf"listening at 127\.0\.0\.1:{free_port}\b")
    assert curl(f"http://127.0.0.1:{free_port}/2.0/users/me").status == 200
    assert listeners(process.child.pid) == {"127.0.0.1"}


REFUSED = {
    "map_remote": ("--map-remote", "|api.box.com|example.com"),
    "map_local": ("--map-local", "|api.box.com|/tmp"),
    "modify_headers": ("--modify-headers", "/~q/X-A/b"),
    "modify_body": ("--modify-body", "/~q/a/b"),
    "ssl_insecure": ("--ssl-insecure",),
    "proxyauth": ("--proxyauth", "user:hunter22"),
    "stickyauth": ("--stickyauth", "~all"),
    "upstream_auth": ("--set", "upstream_auth=user:hunter22"),
    "store_streamed_bodies": ("--set", "store_streamed_bodies=true"),
    "proxy_debug": ("--set", "proxy_debug=true"),
    "allow_hosts": ("--allow-hosts", "api.box.com"),
    "tcp_hosts": ("--tcp-hosts", "api.box.com"),
    "ignore_hosts": ("--ignore-hosts", "api.box.com"),
    "listens on 0.0.0.0": ("--listen-host", "0.0.0.0"),
    "listens on [::]": ("--mode", "regular@[::]:0"),
    "mode socks5": ("--mode", "socks5"),
    "mode transparent": ("--mode", "transparent"),
    "a reverse target is https": ("--mode", "reverse:http://api.box.com"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_made_safe_stops_the_start(
    place: Place, sandbox: Sandbox, what: str
):
    """Exit 1 and one line that names the option and the fix; no traceback."""
    stock = Stock(place, sandbox.state / "client_credentials.toml", *REFUSED[what])

    assert stock.process.child.wait(START) == 1
    output = stock.process.stop() and stock.process.output
    lines = re.findall(r"everbearer: .*", output)
    assert len(lines) == 1, output
    assert what in lines[0]
    assert "hunter22" not in output
    assert "Traceback" not in output
    assert not sandbox.requests()


def test_a_bad_configuration_stops_the_start(place: Place, sandbox: Sandbox):
    """One line for each mistake, with the corrected form; exit 1, no traceback."""
    text = (sandbox.state / "all.toml").read_text()
    config = sandbox.state / "bad.toml"
    config.write_text(text.replace("client_id", "client_idd", 1) + "\nx = 1\n")
    config.chmod(0o600)
    stock = Stock(place, config)

    assert stock.process.child.wait(START) == 1
    output = stock.process.stop() and stock.process.output
    lines = re.findall(r"everbearer: .*", output)
    assert len(lines) == 2, output
    assert any("profiles.dev.client_idd" in line for line in lines)
    assert "Traceback" not in output


def test_a_bad_configuration_stops_mitmdump_although_it_is_not_named(place: Place):
    """No configuration anywhere: exit 1 and the path that was looked for."""
    command = str(Path(sys.executable).with_name("mitmdump"))
    process = place.run(command, "-s", str(INJECT), "--listen-host", "127.0.0.1")
    assert process.child.wait(START) == 1
    process.stop()
    assert "config.toml does not exist" in process.output
    assert "Traceback" not in process.output


SET = {
    "ssl_insecure": "true",
    "map_remote": "|api.box.com|example.com",
    "modify_headers": "|~q|X-A|b",
    "upstream_auth": "a:b",
    "store_streamed_bodies": "true",
    "proxy_debug": "true",
    "ignore_hosts": "box",
    "allow_hosts": "box",
    "keep_host_header": "false",
    "validate_inbound_headers": "false",
    "mode": "regular@0.0.0.0:0",
}


@pytest.mark.parametrize("by", ["stock", "serve"])
def test_a_forbidden_option_is_put_back_while_it_runs(
    place: Place, sandbox: Sandbox, by: str
):
    """A script and the `set` command are refused, and requests go on as before."""
    config = sandbox.state / "client_credentials.toml"
    script = ("-s", str(OPTIONS))
    proxy = (
        Stock(place, config, *script).ready()
        if by == "stock"
        else Proxy(place, config, mitmproxy=script)
    )
    assert proxy.curl(ME).status == 200

    for name, value in SET.items():
        for how in ("script", "command"):
            told = proxy.curl(f"{API}/2.0/set/{how}/{name}/{value}")
            assert told.body.startswith(b"kept: "), (name, told)
            assert b"everbearer" in told.body, (name, told)
    harmless = proxy.curl(f"{API}/2.0/set/script/showhost/true")

    assert harmless.body == b"changed: taken"
    assert proxy.curl(ME).status == 200
    assert listeners(proxy.process.child.pid) == {"127.0.0.1"}
    assert "Traceback" not in proxy.process.output


def test_another_configuration_is_not_taken_for_granted(place: Place, sandbox: Sandbox):
    """Whoever names another file while it runs is told, and the old name stays."""
    config = sandbox.state / "client_credentials.toml"
    stock = Stock(place, config, "-s", str(OPTIONS)).ready()

    for how in ("script", "command"):
        told = stock.curl(f"{API}/2.0/set/{how}/everbearer_config/all.toml").body
        assert told.startswith(b"kept: everbearer: everbearer_config is read"), told
        assert b"restart mitmproxy" in told
    same = stock.curl(f"{API}/2.0/set/script/everbearer_config/{config}")

    assert same.body == b"kept: taken"
    assert stock.curl(ME).status == 200
    assert "Traceback" not in stock.process.output


def test_an_option_that_nobody_knows_is_told(place: Place, sandbox: Sandbox):
    """Mitmproxy keeps it for scripts; where none has it, it was a slip."""
    config = sandbox.state / "client_credentials.toml"
    proxy = Proxy(place, config, mitmproxy=("--set", "bogus=1"))

    proxy.process.wait_for("warning: mitmproxy has no option bogus: it does nothing")


def test_trouble_and_reloads_are_in_mitmproxys_log(place: Place, sandbox: Sandbox):
    """Who runs mitmdump is told what everbearer's own command would tell."""
    config = sandbox.state / "client_credentials.toml"
    text = config.read_text()
    stock = Stock(place, config).ready()
    error = {"status": 400, "body": {"error": "invalid_client"}}
    sandbox.fault(error, path="/oauth2/token")
    assert stock.curl(ME).status == 502
    stock.process.wait_for("everbearer: ccg: not renewed .*token_request_rejected")
    config.write_text(text + "\n[")
    stock.process.wait_for("cannot be used, the old configuration stays in force: ")
    config.write_text(text.replace("tokens.db", "others.db"))
    stock.process.wait_for("is in force, but for: store; restart mitmproxy")


def test_mitmdump_shows_no_secret(place: Place, sandbox: Sandbox):
    """Its log with every detail of every flow, and its flow file, have no token."""
    flows = place.root / "saved.flows"
    canaries = Canaries(sandbox, {"own": "clients-own-token-0123456789"})
    stock = Stock(
        place,
        sandbox.state / "all.toml",
        *("-w", str(flows), "--set", "flow_detail=4"),
        *("--set", "termlog_verbosity=debug"),
    ).ready()
    for profile in ("dev", "jwt", "ccg"):
        assert stock.curl("-H", f"Everbearer-Profile: {profile}", ME).status == 200
    sandbox.revoke()
    assert stock.curl(ME).status == 200
    own = "Authorization: Bearer clients-own-token-0123456789"
    assert stock.curl("-H", own, ME).status == 401
    assert stock.process.stop() == 0

    assert flows.read_bytes().count(b"[everbearer:") >= 5
    assert "[everbearer:" in stock.process.output
    assert not canaries.in_text(stock.process.output)
    assert not canaries.in_files(written(place))


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_listeners_on_ipv6_serve(
    place: Place, sandbox: Sandbox, ports: tuple[int, int]
):
    """An explicit and a reverse listener on [::1] answer, and nobody else is there."""
    listeners_on_ipv6 = (
        f'[[listeners]]\naddress = "[::1]:{ports[0]}"\n'
        f'[[listeners]]\naddress = "[::1]:{ports[1]}"\nreverse = "{API}"\n'
        "[dashboard]\nenabled = false\n"
    )
    config = sandbox.config("ipv6", listeners_on_ipv6, source="client_credentials")
    confdir = place.root / "mitmproxy"
    command = (sys.executable, "-m", "everbearer", "serve", "-c", str(config))
    process = place.run(*command, "--", "--set", f"confdir={confdir}")
    process.wait_for(rf"listening on \[::1\]:{ports[1]}, in place of")

    ca = ("--cacert", str(confdir / "mitmproxy-ca-cert.pem"))
    assert curl("-x", f"http://[::1]:{ports[0]}", *ca, ME).status == 200
    assert curl(f"http://[::1]:{ports[1]}/2.0/users/me").status == 200
    assert listeners(process.child.pid) == {"::1"}


def test_a_second_load_of_the_script_lets_nothing_out(place: Place, sandbox: Sandbox):
    """A changed script is loaded anew: it says "restart", and nothing leaves."""
    copy = place.root / "inject.py"
    copy.write_text(INJECT.read_text())
    stock = Stock(
        place,
        sandbox.state / "client_credentials.toml",
        script=copy,
        PYTHONPATH=str(INJECT.parent),
    ).ready()
    assert stock.curl(ME).status == 200
    sandbox.forget()

    copy.write_text(INJECT.read_text() + "# changed\n")
    os.utime(copy, (time.time() + 5, time.time() + 5))
    stock.process.wait_for("loaded again: restart mitmproxy")
    answer = stock.curl(ME)

    assert answer.status in {0, 500, 503}
    assert not sandbox.requests(path="/2.0/users/me")


@pytest.mark.parametrize("by", ["stock", "serve"])
def test_a_killed_proxy_leaves_nothing_for_long(
    place: Place, sandbox: Sandbox, by: str
):
    """Its file of authorities is removed by the next start, which then serves."""
    config = sandbox.state / "client_credentials.toml"

    def start() -> Stock | Proxy:
        return Stock(place, config).ready() if by == "stock" else Proxy(place, config)

    temporary = set(Path(tempfile.gettempdir()).glob("everbearer-*.pem"))
    first = start()
    home = place.root / "home"
    [left] = home.rglob("authorities-*.pem")
    first.process.stop(signal.SIGKILL)
    assert left.exists()
    second = start()
    assert second.curl(ME).status == 200
    [new] = home.rglob("authorities-*.pem")
    assert new != left
    assert second.process.stop() == 0
    assert not list(home.rglob("authorities-*.pem"))
    assert set(Path(tempfile.gettempdir()).glob("everbearer-*.pem")) <= temporary
