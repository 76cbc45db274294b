"""`everbearer serve` as a process, with the sandbox and real curl."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from everbearer.cli.stage import Child
from needs import need
from ports import unused_port

ME = "https://api.box.com/2.0/users/me"
LINE = r"GET api\.box\.com/2\.0/users/me \d+"
TRUST = "mitmproxy/mitmproxy-ca-cert.pem"


@pytest.fixture(scope="module")
def proxy(box) -> Iterator[Child]:
    """Run a proxy for the tests that only ask, or read what it says."""
    confdir = ("--", "--set", "confdir=mitmproxy")
    words = ("serve", "-c", "box/all.toml", "--listen", "127.0.0.1:0", *confdir)
    child = box.stage.everbearer(*words)
    child.wait_for("NOT THE REAL BOX")
    yield child
    box.stage.stop(child)


@pytest.fixture
def serve(box) -> Iterator[Callable[..., Child]]:
    """Start proxies in the sandbox's folder; they end with the test."""
    started: list[Child] = []

    def serve(*arguments: str, config: str = "box/all.toml", ready: str = "") -> Child:
        confdir = ("--", "--set", "confdir=mitmproxy")
        words = ("-c", config, "--listen", "127.0.0.1:0", *arguments, *confdir)
        child = box.stage.everbearer("serve", *words)
        started.append(child)
        child.wait_for(ready or "NOT THE REAL BOX")
        return child

    yield serve
    for child in started:
        if child in box.stage._children:
            box.stage.stop(child)


def port_of(child: Child) -> int:
    """Return the port of the explicit proxy, as the banner tells it."""
    return int(child.wait_for(r"listening on 127\.0\.0\.1:(\d+), as a proxy")[1])


def status_of(box, *arguments: str) -> int:
    """Return the status that curl gets; 0 for none."""
    need("curl")
    printed = box.stage.curl("-s", "-o", "/dev/null", "-w", "%{http_code}", *arguments)
    return int(printed)


def ask(box, port: int, *arguments: str) -> int:
    """Ask for the user by the proxy."""
    proxy = ("-x", f"http://127.0.0.1:{port}", "--cacert", TRUST)
    return status_of(box, *proxy, *arguments, *([] if arguments else [ME]))


def test_the_banners_curl_line_works_as_it_is(box, proxy):
    """Copied from the banner and given to a shell, the line is answered 200."""
    need("curl")
    line = proxy.wait_for(r"try: (curl .*)")[1]
    done = subprocess.run(
        ["sh", "-c", f"{line} -s -w '%{{http_code}}'"],
        env=box.stage.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("200")


def test_the_banner_says_where_who_whom_to_trust_and_that_it_is_not_box(serve):
    """Addresses, profiles with their grants, the CA's path, where connect_to leads."""
    child = serve()
    said = "\n".join(child.said())
    assert re.search(r"listening on 127\.0\.0\.1:\d+, as a proxy", said)
    assert "dev (refresh_token, default), jwt (jwt_bearer), ccg" in said
    (trust,) = re.findall(r"trust the proxy's CA: (\S+)", said)
    assert Path(trust).is_absolute()
    assert Path(trust).exists()
    assert re.search(r"NOT THE REAL BOX: .* to 127\.0\.0\.1:\d+", said)
    assert all(line.startswith("everbearer: ") for line in child.said())


def test_every_matched_request_is_one_line_and_no_other_is_told(box, serve):
    """Requests to ruled hosts are told without their query; tunnels are not."""
    child = serve()
    port = port_of(child)
    before = len(child.said())
    assert ask(box, port, f"{ME}?fields=canary") == 200
    assert ask(box, port, "-H", "Everbearer-Profile: frob", ME) == 400
    child.wait_for("profile_unknown", before)
    lines = [line for line in child.said(before) if "renewed" not in line]
    assert len(lines) == 2
    assert re.fullmatch(
        r"everbearer: \d\d:\d\d:\d\d GET api\.box\.com/2\.0/users/me"
        r" 200 dev missing \d+ ms",
        lines[0],
    )
    assert " 400 - profile_unknown " in lines[1]
    assert lines[1].endswith(" (Everbearer-Profile: 'frob' names no profile)")
    assert "canary" not in "\n".join(child.said())


@pytest.mark.parametrize(
    "arguments",
    [
        [ME],
        ["-H", "Everbearer-Profile: jwt", ME],
        ["-H", "Authorization: Bearer {{access_token}}", ME],
        ["-H", "Authorization: Bearer of-mine", ME],
        ["-H", "Origin: https://evil.test", ME],
        ["-H", "Host: upload.box.com", ME],
        ["http://api.box.com/2.0/users/me"],
    ],
)
def test_explain_foretells_what_the_proxy_does(arguments, box, proxy):
    """What explain says of a request is the reason in the proxy's line for it."""
    told = box.stage.output(
        "explain", "--json", "-c", "box/all.toml", "GET", arguments[-1], *arguments[:-1]
    )
    before = len(proxy.said())
    ask(box, port_of(proxy), *arguments)
    line = proxy.wait_for(rf"GET \S+ \d+ \S+ {json.loads(told)['code']} ", before)
    assert line


def test_quiet_tells_only_what_is_wrong(box, serve):
    """With -q neither banner nor requests; warnings all the same."""
    port = unused_port()
    child = serve("-q", "--listen", f"127.0.0.1:{port}")
    assert ask(box, port) == 200
    assert ask(box, port, "-H", "Everbearer-Profile: frob", ME) == 400
    child.wait_for("profile_unknown")
    said = child.said()
    assert len(said) == 2
    assert "NOT THE REAL BOX" in said[0]


def test_everything_that_vv_tells_is_free_of_secrets(box, serve):
    """At debug level, too: tokens, client secrets, assertions are nowhere."""
    child = serve("-vv")
    for profile in ("dev", "jwt", "ccg"):
        field = f"Everbearer-Profile: {profile}"
        assert ask(box, port_of(child), "-H", field, ME) == 200
    box.call("POST", "tokens/revoke", {"profile": "dev"})
    assert ask(box, port_of(child)) == 200
    child.wait_for(f"{LINE} .* replayed")
    box.stage.stop(child)
    said = "\n".join(child.said())
    for secret in box.secrets():
        assert secret not in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_order(how, box, serve):
    """Ctrl-C and SIGTERM end the proxy with exit code 0, without a traceback."""
    child = serve()
    assert ask(box, port_of(child)) == 200
    assert box.stage.stop(child, how) == 0
    assert "Traceback" not in "\n".join(child.said())


def test_a_taken_address_is_named_with_what_to_do(box):
    """Exit 2, the address, and a way out; no traceback, no mitmproxy."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = box.stage.run("serve", "-c", "box/all.toml", "--listen", address)
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error == (
        f"everbearer: error: cannot listen on {address}: something else listens there"
    )
    config = box.folder / "box/all.toml"
    assert f"everbearer serve -c {config} --listen 127.0.0.1:0" in hint


def test_listen_moves_the_explicit_proxy_and_leaves_other_listeners(box, serve):
    """The reverse listener keeps its address, its profile and its own curl line."""
    port = unused_port()
    path = box.folder / "box" / "reverse_too.toml"
    path.touch(mode=0o600)
    path.write_text(
        (box.folder / "box" / "all.toml").read_text()
        + '[[listeners]]\naddress = "127.0.0.1:8080"\n'
        + f'[[listeners]]\naddress = "127.0.0.1:{port}"\n'
        + 'reverse = "https://api.box.com"\nprofile = "ccg"\n'
    )
    child = serve(config="box/reverse_too.toml")
    assert port_of(child) != 8080
    child.wait_for(
        rf"listening on 127\.0\.0\.1:{port}, in place of api\.box\.com, .*ccg"
    )
    line = child.wait_for(r"try: (curl http://.*)")[1]
    assert status_of(box, *shlex.split(line)[1:]) == 200
    child.wait_for(f"{LINE} ccg")


def test_a_change_of_the_configuration_is_told(box, serve):
    """A bad one is told and leaves the old in force; a good one takes over."""
    path = box.folder / "box" / "changing.toml"
    path.touch(mode=0o600)
    good = (box.folder / "box" / "all.toml").read_text()
    path.write_text(good)
    child = serve(config="box/changing.toml")
    path.write_text(good.replace('provider = "box"', 'provider = "bax"'))
    child.wait_for("cannot be used, the old configuration stays in force: .*provider")
    assert ask(box, port_of(child)) == 200
    path.write_text(good.replace('default_profile = "dev"', 'default_profile = "ccg"'))
    child.wait_for("changing.toml is in force")
    assert ask(box, port_of(child)) == 200
    child.wait_for(f"{LINE} ccg")


def test_the_bundle_of_authorities_is_private_and_gone_afterwards(box, serve):
    """What ca_file adds lies in a folder of mode 0700 while the proxy runs."""
    folder = box.folder / "home" / ".cache" / "everbearer" / "authorities"
    before = set(folder.glob("*.pem"))
    child = serve()
    [bundle] = set(folder.glob("*.pem")) - before
    assert bundle.stat().st_mode & 0o777 == 0o600
    assert bundle.parent.stat().st_mode & 0o777 == 0o700
    assert (box.folder / "box" / "ca.pem").read_text().strip() in bundle.read_text()
    box.stage.stop(child)
    assert not bundle.exists()


def test_what_mitmproxy_must_not_do_is_refused(box):
    """Options that move requests are refused by name, with exit 2."""
    words = ("-c", "box/all.toml", "--listen", "127.0.0.1:0", "--")
    done = box.stage.run(
        "serve", *words, "--set", "confdir=mitmproxy", "--set", "map_remote=|a|b"
    )
    assert done.returncode == 2
    assert "error: mitmproxy: option map_remote is set" in done.stderr


def test_the_web_interface_is_told_once_and_without_its_chatter(box):
    """With --ui web the address is told, requests are, connections are not."""
    web = f"web_port={unused_port()}"
    words = ("-c", "box/all.toml", "--listen", "127.0.0.1:0", "--ui", "web", "--")
    options = ("confdir=mitmproxy", "web_open_browser=false", web)
    sets = [word for option in options for word in ("--set", option)]
    child = box.stage.everbearer("serve", *words, *sets)
    try:
        child.wait_for(r"web server listening at http://127\.0\.0\.1:\d+/\?token=")
        child.wait_for("NOT THE REAL BOX")
        assert ask(box, port_of(child)) == 200
        child.wait_for(LINE)
    finally:
        code = box.stage.stop(child)
    said = "\n".join(child.said())
    assert code == 0
    assert said.count("/?token=") == 1
    assert "client connect" not in said


def test_a_tool_that_does_not_trust_the_proxy_is_told_how(box, serve):
    """Below mitmproxy's own words: where the CA is, and the argument of curl."""
    need("curl")
    child = serve()
    url = f"http://127.0.0.1:{port_of(child)}"
    before = len(child.said())
    assert status_of(box, "-x", url, ME) == 0
    child.wait_for("does not trust the proxy's certificate for api.box.com", before)
    told = child.wait_for(r"the tool has to trust .*: curl --cacert (\S+);", before)
    ca = Path(told[1])
    assert status_of(box, "-x", url, "--cacert", str(ca), ME) == 200


@pytest.mark.parametrize(
    ("arguments", "what", "then"),
    [
        ("--bogus", "unrecognized arguments: --bogus", "everbearer serve -- --help"),
        ("--listen-port x", "invalid int value: 'x'", "everbearer serve -- --help"),
        ("--set", "expected one argument", "everbearer serve -- --help"),
        ("--options", "--options runs no proxy", "mitmdump --options"),
        ("--commands", "--commands runs no proxy", "mitmdump --commands"),
    ],
)
def test_wrong_arguments_for_mitmproxy_are_told_in_our_voice(
    box, arguments, what, then
):
    """One error, what to do, exit code 2; no usage of another program."""
    command = (sys.executable, "-m", "everbearer", "serve", "-c", "box/all.toml")
    done = subprocess.run(
        [*command, "--listen", "127.0.0.1:0", "--", *arguments.split()],
        cwd=box.folder,
        env=box.stage.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("everbearer: error: ")]
    assert done.returncode == 2
    assert len(errors) == 1
    assert what in errors[0]
    assert then in lines[-1]
    assert all(line.startswith("everbearer: ") for line in lines)
    assert done.stdout == ""


@pytest.mark.parametrize("words", ["box/all.toml", "-c box/all.toml extra -- -q"])
def test_what_is_neither_ours_nor_behind_the_dashes_is_refused(typed, words):
    """A configuration without -c is no filter for mitmproxy."""
    told = typed(f"serve {words}")
    assert told.code == 2
    assert "error: unexpected argument '" in told.err
    assert "named by -c" in told.err


def test_a_server_that_cannot_be_reached_is_told(box, serve):
    """Which, and where connect_to led it; the tool has mitmproxy's 502."""
    good = (box.folder / "box" / "all.toml").read_text()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        there = f"127.0.0.1:{probe.getsockname()[1]}"
        down = box.folder / "box" / "down.toml"
        down.write_text(re.sub(r'= "127\.0\.0\.1:\d+"', f'= "{there}"', good))
        down.chmod(0o600)
        child = serve(config="box/down.toml")
        before = len(child.said())
        proxy = ("-x", f"http://127.0.0.1:{port_of(child)}", "--cacert", TRUST)
        need("curl")
        words = ("-s", "-o", "/dev/null", "-w", "%{http_connect}", ME)
        done = subprocess.run(
            ["curl", *proxy, *words],
            cwd=box.folder,
            env=box.stage.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "502"
        child.wait_for(
            rf"cannot reach api\.box\.com:443 where connect_to leads it, {there}: ",
            before,
        )
