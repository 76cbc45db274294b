"""mitmproxy's options: what is refused, what is set, and that no name is stale."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mitmproxy.exceptions import OptionsError
from mitmproxy.options import Options
from mitmproxy.test import taddons
from mitmproxy.tools.dump import DumpMaster

from everbearer.broker import Broker
from everbearer.policy.hosts import HostPattern
from everbearer.policy.rules import Rule, RuleSet
from everbearer.proxy import options as ours
from everbearer.settings.load import load
from everbearer.settings.model import (
    Address,
    Listener,
    NetworkSettings,
    ProxySettings,
    Settings,
    StoreSettings,
)
from everbearer.stores.memory import MemoryStore

HARMLESS = """
    add_upstream_certs_to_client_chain anticache anticomp block_global block_list
    block_private body_size_limit cert_passphrase certs ciphers_client client_certs
    client_replay client_replay_concurrency command_history confdir
    connect_addr content_view_lines_cutoff dns_name_servers dns_use_hosts_file
    dumper_default_contentview dumper_filter export_preserve_original_ip flow_detail
    hardump http2_ping_keepalive http_connect_send_host_header intercept
    intercept_active keep_alt_svc_header keepserving key_size listen_host listen_port
    normalize_outbound_headers onboarding onboarding_host onboarding_port
    protobuf_definitions rawtcp readfile_filter request_client_cert rfile
    save_stream_file save_stream_filter scripts server server_replay_extra
    server_replay_ignore_content server_replay_ignore_host
    server_replay_ignore_params server_replay_ignore_payload_params
    server_replay_ignore_port server_replay_kill_extra server_replay_nopop
    server_replay_refresh server_replay_reuse server_replay_use_headers
    show_ignored_hosts showhost ssl_verify_upstream_trusted_ca
    ssl_verify_upstream_trusted_confdir stickycookie strip_ech tcp_timeout
    termlog_verbosity tls_ecdh_curve_client tls_ecdh_curve_server
    tls_version_client_max tls_version_client_min tls_version_server_max
    tls_version_server_min udp_hosts upstream_cert view_filter view_order
    view_order_reversed websocket
"""
"""
Options that were looked at and found to put no token in danger.

They neither move nor change a request that has its token, nor show it, nor make
a listener; the connections that a client may use are judged one by one. Those of
interfaces begin with `console_` and `web_`; `web_host` is judged.
"""

JUDGED = {
    "allow_hosts",
    "ciphers_server",
    "ignore_hosts",
    "mode",
    "tcp_hosts",
    "web_host",
}
"""Options whose value is looked at."""

RULES = RuleSet(
    rules=(
        Rule("api", (HostPattern.parse("api.box.com"),), profiles=("dev",)),
        Rule("uploads", (HostPattern.parse("upload-*.box.com"),), profiles=("dev",)),
    ),
    profiles=("dev",),
)

NOTHING = Settings(Path("x.toml"), {}, (), StoreSettings(None, None))

SAMPLES = {
    "ssl_insecure": True,
    "map_remote": ["|a|b"],
    "map_local": ["|a|/tmp"],
    "modify_headers": ["|~q|a|b"],
    "modify_body": ["|~q|a|b"],
    "stickyauth": "~all",
    "upstream_auth": "a:b",
    "proxyauth": "a:b",
    "store_streamed_bodies": True,
    "server_replay": ["x.flows"],
    "proxy_debug": True,
}
"""A value for each forbidden option."""


@pytest.fixture
async def options() -> Options:
    """Give the options of mitmdump as everbearer sets them."""
    master = DumpMaster(Options(), with_termlog=False, with_dumper=False)
    # What does harm is not to be done: nothing reads the values here.
    for name in ("serverplayback", "proxyauth", "proxyserver"):
        master.addons.remove(master.addons.get(name))
    master.options.update(mode=["regular@127.0.0.1:0"], **ours.wanted(NOTHING))
    return master.options


def test_what_everbearer_sets_is_sound(options: Options):
    """With its own options and a loopback listener there is nothing to complain of."""
    assert ours.problems(options, RULES) == []


def test_there_is_a_sample_of_each():
    """No forbidden option goes untested."""
    assert set(SAMPLES) == set(ours.FORBIDDEN)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_forbidden_option_is_named_with_its_reason(options: Options, name: str):
    """One problem, which says why and what to do; never the value."""
    options.update(**{name: SAMPLES[name]})
    (problem,) = ours.problems(options, RULES)
    assert problem == f"option {name} is set: {ours.FORBIDDEN[name]}; unset it"


@pytest.mark.parametrize(
    "ciphers", ["ALL", "aNULL", "ALL:@SECLEVEL=0", "ECDHE+AESGCM:ADH"]
)
def test_ciphers_without_a_certificate_are_refused(options: Options, ciphers: str):
    """With such a cipher nothing is verified; the corrected form has none."""
    options.update(ciphers_server=ciphers)
    (problem,) = ours.problems(options, RULES)
    assert "shows no certificate" in problem
    options.update(ciphers_server=problem.rpartition("use ")[2].strip("'"))
    assert ours.problems(options, RULES) == []


@pytest.mark.parametrize("ciphers", ["DEFAULT:@SECLEVEL=0", "ECDHE+AESGCM", "no-such"])
def test_other_ciphers_are_the_users(options: Options, ciphers: str):
    """Weak ones too: the server is verified all the same."""
    options.update(ciphers_server=ciphers)
    assert ours.problems(options, RULES) == []


@pytest.mark.parametrize("name", ours.REQUIRED)
def test_a_required_option_is_named_with_its_reason(options: Options, name: str):
    """One problem, as for a forbidden one."""
    options.update(**{name: False})
    (problem,) = ours.problems(options, RULES)
    assert problem == f"option {name} is unset: {ours.REQUIRED[name]}; set it"


@pytest.mark.parametrize(
    "mode",
    [
        "regular@127.0.0.1:8080",
        "regular@127.9.9.9:8080",
        "regular@localhost:8080",
        "regular@::1:8080",
        "reverse:https://api.box.com@127.0.0.1:8082",
        "upstream:http://proxy:3128@127.0.0.1:8080",
    ],
)
def test_listeners_of_this_machine_are_sound(options: Options, mode: str):
    """IPv4, IPv6, by name; explicit, reverse, and by way of another proxy."""
    options.update(mode=[mode])
    assert ours.problems(options, RULES) == []


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("regular", "every interface"),
        ("regular@8080", "every interface"),
        ("regular@0.0.0.0:8080", "listens on 0.0.0.0"),
        ("regular@:::8080", "listens on ::"),
        ("regular@192.0.2.1:8080", "192.0.2.1"),
        ("regular@127.0.0.1.evil.test:8080", "evil.test"),
        ("reverse:https://api.box.com@0.0.0.0:8082", "0.0.0.0"),
        ("reverse:http://api.box.com@127.0.0.1:8082", "write https://"),
        ("reverse:tcp://api.box.com:1@127.0.0.1:8082", "write https://"),
        ("socks5@127.0.0.1:8080", "only regular"),
        ("transparent@127.0.0.1:8080", "only regular"),
        ("dns@127.0.0.1:53", "only regular"),
    ],
)
def test_other_listeners_are_not(options: Options, mode: str, words: str):
    """One problem for each: beyond loopback, or of a kind that cannot be judged."""
    options.update(mode=["regular@127.0.0.1:1", mode])
    (problem,) = ours.problems(options, RULES)
    assert words in problem
    assert mode in problem


def test_listen_host_counts_where_a_mode_has_none(options: Options):
    """`--listen-host 127.0.0.1` makes the plain mode sound, 0.0.0.0 does not."""
    options.update(mode=["regular"], listen_host="127.0.0.1")
    assert ours.problems(options, RULES) == []
    options.update(listen_host="0.0.0.0")
    assert len(ours.problems(options, RULES)) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "example.test"])
def test_the_web_interface_is_for_this_machine(options: Options, host: str):
    """Where there is such an option it must be a loopback address."""
    options.add_option("web_host", str, "127.0.0.1", "as in mitmweb")
    assert ours.problems(options, RULES) == []
    options.update(web_host=host)
    (problem,) = ours.problems(options, RULES)
    assert "web_host" in problem


@pytest.mark.parametrize(
    "pattern",
    ["api", "API.BOX", ".*", r"^api\.box\.com:443$", "upload-", r"^(?!example\.com)"],
)
def test_a_ruled_host_is_not_ignored(options: Options, pattern: str):
    """Whatever lets one through undecrypted is named, in any case of letters."""
    options.update(ignore_hosts=["example", pattern])
    found = ours.problems(options, RULES)
    assert found
    assert all(repr(pattern) in problem for problem in found)


@pytest.mark.parametrize("pattern", ["example", r"^box\.com:443$", r"\.test:"])
def test_other_hosts_may_be_ignored(options: Options, pattern: str):
    """They are none of everbearer's."""
    options.update(ignore_hosts=[pattern])
    assert ours.problems(options, RULES) == []


@pytest.mark.parametrize("name", ["allow_hosts", "tcp_hosts"])
def test_lists_that_make_tunnels_are_refused(options: Options, name: str):
    """They compare raw text: a trailing dot would lead a ruled host past us."""
    options.update(**{name: ["x"]})
    (problem,) = ours.problems(options, RULES)
    assert name in problem


def test_every_problem_is_told_at_once(options: Options):
    """Four mistakes are four problems."""
    options.update(
        mode=["regular", "socks5@127.0.0.1:1"], ssl_insecure=True, tcp_hosts=["x"]
    )
    assert len(ours.problems(options, RULES)) == 4


async def test_a_wrong_value_is_put_back_while_running(tmp_path: Path):
    """The addon refuses it, mitmproxy keeps the old one; sound changes are taken."""
    path = tmp_path / "config.toml"
    path.write_text(
        '[profiles.ccg]\nprovider = "box"\naccess_token = "token-of-a-developer"\n'
    )
    path.chmod(0o600)
    settings = load(path, {})
    broker = Broker(settings, lambda: settings, store=MemoryStore())
    with taddons.context(ours.EverbearerOptions(broker)) as context:
        context.options.update(mode=["regular@127.0.0.1:0"])
        with pytest.raises(OptionsError, match="everbearer: option ssl_insecure"):
            context.options.update(ssl_insecure=True)
        assert context.options.ssl_insecure is False
        context.options.update(showhost=True)
        assert context.options.showhost is True
    await broker.stop()


@pytest.mark.parametrize(
    ("upstream", "strategy", "mode"),
    [
        ("", "eager", "regular@127.0.0.1:8080"),
        ("http://proxy:3128", "lazy", "upstream:http://proxy:3128@127.0.0.1:8080"),
    ],
)
def test_another_proxy_changes_mode_and_strategy(
    upstream: str, strategy: str, mode: str
):
    """A connection that goes by another proxy is dialled per request."""
    settings = Settings(
        Path("x.toml"),
        {},
        (),
        StoreSettings(None, None),
        listeners=(
            Listener(Address("127.0.0.1", 8080)),
            Listener(Address("::1", 8082), reverse="api.box.com"),
        ),
        proxy=ProxySettings(http2=True),
        network=NetworkSettings(upstream_proxy=upstream),
    )
    wanted = ours.wanted(settings)
    assert wanted["connection_strategy"] == strategy
    assert wanted["http2"] is True
    assert ours.modes(settings) == [mode, "reverse:https://api.box.com@::1:8082"]


INTERFACES = """
import asyncio, json
from mitmproxy.options import Options
from mitmproxy.tools.console.master import ConsoleMaster
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.web.master import WebMaster

async def main():
    masters = [kind(Options()) for kind in (DumpMaster, ConsoleMaster, WebMaster)]
    print(json.dumps([[*m.options.keys()] for m in masters]))
    print(json.dumps([[*m.addons.lookup] for m in masters]))

asyncio.run(main())
"""
"""A program of its own: the console's library would stay loaded in this one."""


@pytest.fixture(scope="module")
def interfaces(real: None) -> tuple[list[list[str]], list[list[str]]]:
    """Return the options and the addons of mitmdump, mitmproxy and mitmweb."""
    command = [sys.executable, "-W", "ignore", "-c", INTERFACES]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    options, addons = map(json.loads, done.stdout.splitlines())
    return options, addons


def test_every_option_of_mitmproxy_has_been_judged(interfaces):
    """
    A new version's new option is unknown until somebody has looked at it.

    And no name of ours is stale: each is an option of one of the interfaces.
    """
    options, _ = interfaces
    known = {
        name
        for names in options
        for name in names
        if name == "web_host" or not name.startswith(("console_", "web_"))
    }
    assert known - set(HARMLESS.split()) == (
        set(ours.FORBIDDEN) | set(ours.REQUIRED) | JUDGED | set(ours.wanted(NOTHING))
    )


def test_every_addon_that_is_left_out_is_there(interfaces):
    """A name that mitmproxy no longer has would leave its addon in."""
    _, addons = interfaces
    for names in addons:
        assert set(ours.FORBIDDEN_ADDONS) <= set(names)
