"""Proxies of a team on one PostgreSQL store, whose server crashes under load."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from everbearer.sandbox.tls import issue_server, make_authority
from harness import Place, Proxy, Sandbox
from soak.fleet import Fleet
from soak.places import PostgresStore

ME = "https://api.box.com/2.0/users/me"
PROXIES = 3


def ask(proxy: Proxy) -> int:
    """Ask once and return the status."""
    return proxy.curl("-H", "Everbearer-Profile: dev", ME).status


def test_a_crash_of_the_store_under_load(place: Place):
    """
    The token in memory goes on being served; a renewal waits until it can lock.

    No token request is sent while nothing can be locked, and then only one is,
    for all proxies.
    """
    sandbox = Sandbox(place, "--strict")
    store = PostgresStore()
    fleet = Fleet(place, store.config(sandbox), PROXIES)
    fleet.start()
    proxies = [member.proxy for member in fleet.members]
    with ThreadPoolExecutor(2 * PROXIES) as pool:
        assert set(pool.map(ask, proxies)) == {200}
        assert len(sandbox.token_requests()) == 1

        store.cluster.stop("immediate")
        assert set(pool.map(ask, proxies * 4)) == {200}

        sandbox.revoke()
        sandbox.forget()
        healed = [pool.submit(ask, proxy) for proxy in proxies * 2]
        # Each has had its 401 and needs another token.
        sandbox.wait(PROXIES, phase="answered", status=401)
        assert sandbox.token_requests() == []
        store.cluster.start()
        assert {each.result() for each in healed} == {200}

    (redeem,) = sandbox.token_requests()
    assert redeem["overlapping_redeems"] == 1


def test_a_store_over_tls(place: Place):
    """It is used where its certificate is right; else the fix is told, and exit 3."""
    now = datetime.now(UTC)
    authority = make_authority(now)
    sandbox = Sandbox(place)
    store = PostgresStore(
        issue_server(authority, now).pem(),
        "?sslmode=verify-full&sslrootcert=store-ca.pem",
    )
    trusted = sandbox.state / "store-ca.pem"
    trusted.write_text(authority.certificate_pem())
    config = store.config(sandbox)
    assert ask(Proxy(place, config)) == 200

    trusted.write_text(make_authority(now).certificate_pem())
    done = place.everbearer("serve", "-c", str(config), "--listen", "127.0.0.1:0")
    assert done.returncode == 3
    assert "error: postgresql:" in done.stderr
    assert "has a certificate not trusted" in done.stderr
    assert "hint: check sslmode and sslrootcert in store.url" in done.stderr


def test_proxies_that_start_without_their_store(place: Place):
    """A proxy does not start on a store that is away or was never made, and says so."""
    sandbox = Sandbox(place)
    store = PostgresStore()
    config = store.config(sandbox)
    store.cluster.stop()
    done = place.everbearer("serve", "-c", str(config), "--listen", "127.0.0.1:0")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr

    store.cluster.start()
    verified = place.everbearer("store", "verify", "-c", str(config))
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.endswith(": 0 records\n")
    again = place.everbearer("store", "migrate", "-c", str(config))
    assert again.stdout.startswith("nothing to do")
