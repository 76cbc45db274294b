"""`everbearer exec` behind a proxy that the environment names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate

from everbearer.certificates import permitted_names
from harness import START, Place, Proxy, Sandbox
from needs import need
from running import ME, Exec
from upstream_proxy import UpstreamProxy


@pytest.fixture
def upstream(sandbox: Sandbox) -> Iterator[UpstreamProxy]:
    """Start a proxy that leads Box's names to the sandbox."""
    proxy = UpstreamProxy({"api.box.com:443": ("127.0.0.1", sandbox.port)})
    yield proxy
    proxy.close()


@pytest.fixture
def config(sandbox: Sandbox) -> Path:
    """Write a configuration without connect_to and upstream_proxy."""
    need("curl")
    text = (sandbox.state / "client_credentials.toml").read_text()
    path = sandbox.state / "direct.toml"
    path.write_text(text.split("[network.connect_to]")[0])
    path.chmod(0o600)
    return path


def test_a_proxy_that_was_set_is_gone_by(
    place: Place, config: Path, upstream: UpstreamProxy
):
    """Requests and token requests go by it, whatever NO_PROXY said of ruled hosts."""
    done = Exec(place, config).run(
        "sh",
        "-c",
        f'echo "$NO_PROXY"; curl -sS {ME}; curl -s https://elsewhere.test/',
        HTTPS_PROXY=f"http://127.0.0.1:{upstream.port}",
        NO_PROXY="*.box.com,kept.example",
    )
    assert done.stdout.startswith("kept.example,localhost,127.0.0.1,::1\n")
    assert '"type":"user"' in done.stdout, done
    assert "api.box.com:443" in upstream.connected
    assert upstream.connected[-1] == "elsewhere.test:443"


def test_the_configurations_proxy_wins(
    place: Place, config: Path, upstream: UpstreamProxy
):
    """Where it names one the environment's is not asked, nor judged."""
    text = config.read_text()
    line = f'[network]\nupstream_proxy = "http://127.0.0.1:{upstream.port}"'
    config.write_text(text.replace("[network]", line))
    done = Exec(place, config).run(
        "curl", "-sS", ME, HTTPS_PROXY="socks5://127.0.0.1:1"
    )
    assert '"type":"user"' in done.stdout, done
    assert set(upstream.connected) == {"api.box.com:443"}


def test_a_proxy_that_connect_to_excludes_is_told(place: Place, sandbox: Sandbox):
    """It would not be gone by for hosts that no rule names, either; once, in a line."""
    execute = Exec(place, sandbox.state / "client_credentials.toml")
    done = execute.run("curl", "-sS", ME, HTTPS_PROXY="http://127.0.0.1:1")
    assert '"type":"user"' in done.stdout, done
    (line,) = done.stderr.splitlines()
    assert "HTTPS_PROXY is not gone by: network.connect_to" in line


def test_a_proxy_with_a_password_is_told(place: Place, config: Path):
    """Nothing is run; what to do is said, and the password is not."""
    done = Exec(place, config).run("true", https_proxy="http://me:hunter2@p:1")
    assert done.returncode == 2
    assert re.search("https_proxy.*user name", done.stderr)
    assert "hunter2" not in done.stderr


def sh(place: Place, config: Path, script: str, **env: str) -> tuple[str, str]:
    """Run a script that has `eb` as a person's everbearer; return what it wrote."""
    program = place.root / "eb"
    line = shlex.join([sys.executable, "-m", "everbearer"])
    program.write_text(
        f'#!/bin/sh\nword="$1"; shift\nexec {line} "$word" -c {config} "$@"\n'
    )
    program.chmod(0o700)
    done = subprocess.run(
        ["sh", "-c", script],
        env=place.env | {"PATH": f"{place.root}:{place.env['PATH']}"} | env,
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout, done.stderr


def test_a_shell_that_is_led_to_serve_may_use_exec(
    place: Place, config: Path, upstream: UpstreamProxy, free_port: int
):
    """It goes past it, by what was there before, and says so in one line."""
    corporate = f"http://127.0.0.1:{upstream.port}"
    config.write_text(
        f'{config.read_text()}[proxy]\nca = "own"\n'
        f'[[listeners]]\naddress = "127.0.0.1:{free_port}"\n'
    )
    Proxy(place, config, listen="")
    script = f'eval "$(eb env --shell sh)"; eb exec -- curl -sS {ME}'
    out, err = sh(place, config, script, HTTPS_PROXY=corporate)
    assert '"type":"user"' in out, (out, err)
    (line,) = err.splitlines()
    assert "https_proxy is an everbearer;" in line
    assert corporate in line


def test_exec_inside_exec(place: Place, config: Path, upstream: UpstreamProxy):
    """The inner one goes past the outer, however deep, by what the first went by."""
    corporate = f"http://127.0.0.1:{upstream.port}"
    script = f"eb exec -- eb exec -- eb exec -- curl -sS {ME}"
    out, err = sh(place, config, script, HTTPS_PROXY=corporate)
    assert '"type":"user"' in out, (out, err)
    first, second = err.splitlines()
    assert "is an everbearer" in first
    assert "goes past it" in second


def test_an_everbearer_that_was_set_by_hand_is_known(
    place: Place, config: Path, upstream: UpstreamProxy
):
    """Nothing marks it, as after one of the recipes: it is asked."""
    serve = Proxy(place, config)
    done = Exec(place, config).run(
        *("curl", "-sS", ME),
        HTTPS_PROXY=serve.url,
        ALL_PROXY=f"http://127.0.0.1:{upstream.port}",
    )
    assert '"type":"user"' in done.stdout, done
    assert "is an everbearer" in done.stderr


def test_the_runs_authority_is_constrained_to_ruled_hosts(
    place: Place, sandbox: Sandbox
):
    """What a command trusts for its run can speak for nobody else."""
    execute = Exec(place, sandbox.state / "client_credentials.toml")
    pem = execute.run("sh", "-c", 'cat "$NODE_EXTRA_CA_CERTS"').stdout
    names = permitted_names(load_pem_x509_certificate(pem.encode()))
    assert {"api.box.com", "dl.boxcloud.com"} <= set(names)
    assert all("box" in name for name in names)


def test_hosts_beyond_the_runs_authority_are_told(place: Place, sandbox: Sandbox):
    """A reload may name more than it was made for: the command starts anew."""
    config = sandbox.config("more", source="client_credentials")
    rule = '[[rules]]\nhosts = ["api.example.com"]\nprofiles = ["ccg"]\n'
    script = (
        'printf "%s" "$1" >> "$2"; until grep -q "not made for" err; do sleep 0.2; done'
    )
    with (place.root / "err").open("w") as err:
        child = Exec(place, config).start(
            "sh", "-c", script, "sh", rule, str(config), stderr=err
        )
        assert child.wait(START) == 0
    said = (place.root / "err").read_text()
    assert "api.example.com" in said
    assert "start the command anew" in said
