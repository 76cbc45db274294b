"""What the proxy has imported by the time it serves."""

from __future__ import annotations

import sys
from pathlib import Path

from harness import Place, Proxy, Sandbox

ME = "https://api.box.com/2.0/users/me"
SCRIPT = Path(__file__).with_name("imports_script.py")

UNUSED = {"argon2", "jwt", "keyring", "psycopg", "rich", "tomlkit", "tornado"}
MITMPROXYS = {"flask", "jinja2", "ldap3", "pyperclip", "service_identity", "werkzeug"}


def test_serve_imports_nothing_that_it_does_not_use(place: Place, sandbox: Sandbox):
    """A request is served with a token from the store: nothing else was loaded."""
    config = sandbox.state / "client_credentials.toml"
    assert place.everbearer("token", "-c", str(config)).returncode == 0
    proxy = Proxy(
        place, config, mitmproxy=("-s", str(SCRIPT)), EVERBEARER_FULL_START="1"
    )

    assert proxy.curl(ME).status == 200

    names = set(proxy.process.wait_for(r"^imported: (.+)$")[1].split())
    assert "mitmproxy" in names
    assert names & UNUSED == set()
    assert names & MITMPROXYS == set()
    assert "httpx" not in names  # no token was asked for

    sandbox.revoke()

    assert proxy.curl(ME).status == 200  # what asks for one is loaded now


def test_what_is_shown_in_interfaces_is_not_loaded_with_the_proxy(place: Place):
    """Who runs a plain one pays nothing for what nobody looks at."""
    found = "[name for name in sys.modules if 'proxy.shown' in name]"
    code = f"import everbearer.proxy.launcher, sys; print({found})"

    process = place.run(sys.executable, "-c", code)

    process.wait_for(r"^\[\]$")


def test_the_page_with_the_certificate_is_still_there(place: Place, sandbox: Sandbox):
    """http://mitm.it/cert/pem by the proxy gives its CA, as with mitmproxy."""
    proxy = Proxy(
        place, sandbox.state / "client_credentials.toml", EVERBEARER_FULL_START="1"
    )

    answer = proxy.curl("http://mitm.it/cert/pem")

    assert answer.status == 200
    assert answer.body == proxy.ca.read_bytes()
