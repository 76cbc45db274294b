"""Tools that know nothing of tokens, proxies or authorities are answered 200."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Place, Sandbox
from needs import need, need_module, need_proc
from programs import COLLECTION, JAVA, NODE, PYTHON, node_with_proxies
from running import ME, Exec


@pytest.fixture
def execute(place: Place, sandbox: Sandbox) -> Exec:
    """Give `exec` with a configuration of the sandbox's."""
    return Exec(place, sandbox.state / "client_credentials.toml")


def answered(done: subprocess.CompletedProcess[str]) -> None:
    """Check that the tool printed 200, and ended well."""
    assert (done.returncode, done.stdout.strip()) == (0, "200"), done


def test_curl(execute: Exec):
    """Curl is answered."""
    need("curl")
    answered(execute.run("curl", "-sS", "-o", "answer", "-w", "%{http_code}", ME))


def test_wget(execute: Exec):
    """Wget is answered, one built with GnuTLS too, and reads its own file as ever."""
    need("wget")
    (execute.place.root / "home" / ".wgetrc").write_text("header = X-Mine: kept\n")
    done = execute.run("wget", "-S", "-O", "answer", ME)
    assert done.returncode == 0, done.stderr
    assert "200 OK" in done.stderr


@pytest.mark.parametrize("library", PYTHON)
def test_python(execute: Exec, library: str):
    """Python's libraries are answered (aiohttp where it is to trust variables)."""
    answered(execute.run(sys.executable, "-W", "ignore", "-c", PYTHON[library]))


def test_axios(execute: Exec):
    """Axios is answered on any Node."""
    need("node")
    modules = need_module("axios")
    answered(execute.run("node", "-e", NODE["axios"], NODE_PATH=str(modules)))


def test_fetch(execute: Exec):
    """Node's own fetch is answered where Node goes by proxies at all: 22.21 and on."""
    need("node")
    answered(execute.run(node_with_proxies(), "-e", NODE["fetch"]))


def test_newman(execute: Exec):
    """Newman runs a collection that has no authorization."""
    newman = need("newman")
    need("node")
    collection = execute.place.root / "collection.json"
    collection.write_text(json.dumps(COLLECTION))
    done = execute.run(newman, "run", str(collection))
    assert done.returncode == 0, done


def test_java(execute: Exec):
    """Java's HttpClient is answered, although it has no option for passwords."""
    need("java")
    need_proc(Path("/proc/self"))
    source = execute.place.root / "Get.java"
    source.write_text(JAVA)
    done = execute.run("java", str(source))
    answered(done)
    assert "everbearer:" not in done.stderr


def test_git_reaches_the_proxy(execute: Exec):
    """Git goes by the proxy and trusts it: what it is told is the server's answer."""
    need("git")
    done = execute.run("git", "ls-remote", "https://api.box.com/2.0/nothing")
    assert done.returncode == 128
    assert "not found" in done.stderr or "501" in done.stderr, done.stderr
    assert "certificate" not in done.stderr
