"""The sandbox as a whole: TLS, its files, restarts, the control API, the process."""

import asyncio
import datetime as dt
import json
import signal
import socket
import ssl
import stat
import sys
import tomllib

import httpx
import pytest
from cryptography import x509

from everbearer.sandbox.folder import SandboxError, StateFolder
from everbearer.sandbox.server import Sandbox, SandboxOptions
from everbearer.sandbox.tls import load_authority

FILES = ("refresh_token", "jwt_bearer", "client_credentials", "developer_token", "all")


async def test_files_are_private(bench):
    """Design section 8: everything 0600 in a folder 0700."""
    assert stat.S_IMODE(bench.state.stat().st_mode) == 0o700
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in bench.state.iterdir()
        if path.is_file()
    }
    assert {"ca.pem", "ca_key.pem", "jwt_config.json", "control.json"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_authority_is_narrow_and_short_lived(bench):
    """Design section 8: name-constrained, 7 days, loopback only."""
    pem = (bench.state / "ca.pem").read_bytes()
    authority = x509.load_pem_x509_certificate(pem)
    life = authority.not_valid_after_utc - authority.not_valid_before_utc
    assert life <= dt.timedelta(days=7, hours=1)
    names = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical
    assert [str(each.value) for each in names.value.permitted_subtrees] == [
        "box.com",
        "boxcloud.com",
        "services.box.net",
        "localhost",
        "127.0.0.1/32",
    ]
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.path_length == 0


@pytest.mark.parametrize(
    "name",
    [
        "api.box.com",
        "upload.box.com",
        "upload.app.box.com",
        "upload-las.app.box.com",
        "dl.boxcloud.com",
        "account.box.com",
        "2.realtime.services.box.net",
        "localhost",
        "127.0.0.1",
    ],
)
async def test_every_host_has_a_certificate_that_strict_clients_take(bench, name):
    """Python 3.13's strict verification, for each name that the sandbox plays."""
    context = ssl.create_default_context(cafile=bench.state / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    _, writer = await asyncio.open_connection(
        "127.0.0.1", bench.sandbox.port, ssl=context, server_hostname=name
    )
    writer.close()


async def test_configurations_name_every_key_of_the_design(bench):
    """Design section 1: one configuration per grant, and one with all of them."""
    read = {
        name: tomllib.loads((bench.state / f"{name}.toml").read_text())
        for name in FILES
    }
    assert [list(read[name]["profiles"]) for name in FILES] == [
        ["dev"],
        ["jwt"],
        ["ccg"],
        ["devtoken"],
        ["dev", "jwt", "ccg", "devtoken"],
    ]
    assert read["all"]["default_profile"] == "dev"
    for configuration in read.values():
        assert configuration["store"] == {
            "url": f"sqlite:{bench.state / 'tokens.db'}",
            "key": {"file": "store.key"},
        }
        assert configuration["network"]["ca_file"] == "ca.pem"
        assert set(configuration["network"]["connect_to"].values()) == {
            f"127.0.0.1:{bench.sandbox.port}"
        }


async def test_jwt_file_has_the_shape_of_boxs_download(bench):
    """box-facts section 2, downloaded config file."""
    config = json.loads((bench.state / "jwt_config.json").read_text())
    assert isinstance(config["enterpriseID"], str)
    app = config["boxAppSettings"]
    assert app["appAuth"]["privateKey"].startswith("-----BEGIN ENCRYPTED PRIVATE KEY")
    assert len(app["clientID"]) == len(app["clientSecret"]) == 32


async def test_restart_keeps_credentials_authority_and_refresh_tokens(start):
    """A profile that was in use goes on after a restart on another port."""
    first = await start()
    authority = (first.state / "ca.pem").read_bytes()
    config = (first.state / "jwt_config.json").read_bytes()
    pair = (await first.redeem(first.seed)).json()
    await first.api("GET", "/users/me", pair["access_token"])
    await first.sandbox.stop()
    second = await start()
    assert (second.state / "ca.pem").read_bytes() == authority
    assert (second.state / "jwt_config.json").read_bytes() == config
    assert (await second.redeem(pair["refresh_token"])).status_code == 200


async def test_seed_of_a_restarted_sandbox_can_be_redeemed(start):
    """An unused seed stays; a spent one is replaced by a new consent's."""
    first = await start()
    seed = first.seed
    await first.sandbox.stop()
    second = await start()
    assert second.seed == seed
    pair = (await second.redeem(seed)).json()
    await second.api("GET", "/users/me", pair["access_token"])
    await second.sandbox.stop()
    third = await start()
    assert third.seed != seed
    assert (await third.redeem(third.seed)).status_code == 200


async def test_dead_authority_is_replaced(tmp_path):
    """A state folder of last week starts, with a certificate of today."""
    folder = StateFolder(tmp_path)
    then = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    first = load_authority(folder, then).certificate
    assert load_authority(folder, then + dt.timedelta(days=5)).certificate == first
    later = load_authority(folder, then + dt.timedelta(days=6, hours=1)).certificate
    assert later != first
    folder.close()


async def test_folder_is_used_by_one_sandbox(bench):
    """Two would spend each other's refresh tokens."""
    with pytest.raises(SandboxError, match="another sandbox uses"):
        await Sandbox(SandboxOptions(state=bench.state)).start()


async def test_folder_with_other_files_is_left_alone(tmp_path):
    """`--state .` in a project must not touch what lies there."""
    (tmp_path / "content").mkdir()
    mode = tmp_path.stat().st_mode
    with pytest.raises(SandboxError, match="holds other files"):
        await Sandbox(SandboxOptions(state=tmp_path)).start()
    assert [path.name for path in tmp_path.iterdir()] == ["content"]
    assert tmp_path.stat().st_mode == mode


async def test_port_in_use_leaves_the_folder_free(start):
    """A failed start can be repeated."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        await start(port=taken.getsockname()[1])
    assert (await start()).sandbox.port


async def test_control_is_for_who_can_read_the_state_folder(bench):
    """Neither Box's port nor the control port tells anything without the key."""
    origin, _, key = bench.sandbox.control_url.rpartition("/")
    assert len(key) >= 22
    for path in ("/_sandbox/secrets", "//_sandbox/secrets", f"/{key}x/_sandbox/"):
        assert (await bench.client.get(f"{origin}{path}")).status_code == 501
    for host in ("localhost", "127.0.0.1", "api.box.com"):
        for path in ("_sandbox/secrets", f"{key}/_sandbox/secrets"):
            answer = await bench.ask("GET", f"https://{host}/{path}")
            assert answer.status_code == 501
    assert (await bench.client.get(f"{origin}/{key}/_sandbox/")).status_code == 200


async def test_control_is_on_loopback_names_and_not_for_web_pages(bench):
    """A page could otherwise read all secrets by a simple request."""
    url = f"{bench.sandbox.control_url}/_sandbox/secrets"
    for headers in (
        {"Origin": "https://evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert (await bench.client.get(url, headers=headers)).status_code == 403
    rebound = await bench.client.get(url, headers={"Host": "evil.test"})
    assert rebound.status_code == 501


async def test_plain_port_serves_control_only(bench):
    """No token ever travels in the clear because of the sandbox."""
    url = f"{bench.sandbox.control_url}/2.0/users/me"
    answer = await bench.client.get(url, headers={"Host": "api.box.com"})
    assert answer.status_code == 501


async def test_tokens_can_be_revoked_expired_and_shortened(bench):
    """Control: all of them, or one profile's; refresh tokens stay."""
    pair = (await bench.redeem(bench.seed)).json()
    service = await bench.service_token()

    async def statuses():
        return [
            (await bench.api("GET", "/users/me", token)).status_code
            for token in (pair["access_token"], service)
        ]

    assert await statuses() == [200, 200]
    await bench.control("POST", "tokens/revoke", profile="dev")
    assert await statuses() == [401, 200]
    await bench.control("POST", "tokens/expire", access_token=service)
    assert await statuses() == [401, 401]
    await bench.control("POST", "token_life", seconds=3)
    renewed = (await bench.redeem(pair["refresh_token"])).json()
    assert renewed["expires_in"] == 3
    bench.clock.now += 3
    answer = await bench.api("GET", "/users/me", renewed["access_token"])
    assert answer.status_code == 401


async def test_revoked_pending_pair_is_not_repeated(bench):
    """A redeem never gives an access token that is known to be dead."""
    first = (await bench.redeem(bench.seed)).json()
    await bench.control("POST", "tokens/revoke")
    second = (await bench.redeem(bench.seed)).json()
    assert second["access_token"] != first["access_token"]
    answer = await bench.api("GET", "/users/me", second["access_token"])
    assert answer.status_code == 200


async def test_secrets_are_all_that_must_not_leak(bench):
    """For canary tests: every token ever issued, and what the files hold."""
    pair = (await bench.redeem(bench.seed)).json()
    secrets = await bench.control("GET", "secrets")
    assert {pair["access_token"], pair["refresh_token"], bench.seed} <= set(
        secrets["tokens"]
    )
    assert bench.credentials("dev")[1] in secrets["client_secrets"]


async def test_new_consent_has_a_refresh_token_of_its_own(bench):
    """For tests with several grants of one app."""
    other = (await bench.control("POST", "refresh_tokens"))["refresh_token"]
    pairs = [(await bench.redeem(token)).json() for token in (bench.seed, other)]
    for pair in pairs:
        answer = await bench.api("GET", "/users/me", pair["access_token"])
        assert answer.status_code == 200


async def test_first_page_lists_every_call(bench):
    """What the sandbox answers, and what tests can do to it."""
    page = await bench.control("GET", "")
    assert "API GET /2.0/users/me" in page["box"]
    assert "UPLOAD PUT /api/2.0/files/upload_sessions/*" in page["box"]
    assert all(page["control"])


async def test_authorize_page_gives_a_code_that_buys_tokens_once(bench):
    """box-facts section 1: state comes back, any loopback port, code once."""
    client_id, _ = bench.credentials("dev")
    page = "https://account.box.com/api/oauth2/authorize"
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": "http://127.0.0.1:7777/cb",
        "state": '"><x>',
    }
    shown = await bench.ask("GET", page, params=asked)
    assert "&quot;&gt;&lt;x&gt;" in shown.text
    granted = await bench.ask("POST", page, data={**asked, "decision": "grant"})
    back = httpx.URL(granted.headers["location"])
    assert (back.host, back.port, back.params["state"]) == (
        "127.0.0.1",
        7777,
        '"><x>',
    )
    form = {"grant_type": "authorization_code", "code": back.params["code"]}
    assert (await bench.token(**form)).json()["refresh_token"]
    assert (await bench.token(**form)).json()["error_description"] == (
        "Auth code doesn't exist or is invalid for the client"
    )
    denied = await bench.ask("POST", page, data={**asked, "decision": "deny"})
    assert "error=access_denied" in denied.headers["location"]
    for wrong in ({"redirect_uri": "https://evil.test/"}, {"client_id": "x"}):
        answer = await bench.ask("GET", page, params={**asked, **wrong})
        assert answer.status_code == 400


async def _grant_code(bench, **more):
    client_id, _ = bench.credentials("dev")
    granted = await bench.ask(
        "POST",
        "https://account.box.com/api/oauth2/authorize",
        data={
            "client_id": client_id,
            "redirect_uri": "http://localhost:1/",
            "decision": "grant",
            **more,
        },
    )
    return httpx.URL(granted.headers["location"]).params["code"]


async def test_code_lives_thirty_seconds(bench):
    """box-facts section 1: `The authorization code has expired`."""
    code = await _grant_code(bench)
    bench.clock.now += 30
    response = await bench.token(grant_type="authorization_code", code=code)
    assert response.json()["error_description"] == "The authorization code has expired"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}, 200),
        ({"code_verifier": "other"}, 400),
        ({}, 400),
    ],
)
async def test_pkce_is_checked_when_it_was_asked_for(bench, form, status):
    """RFC 7636, appendix B's verifier and S256 challenge."""
    code = await _grant_code(
        bench, code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )
    response = await bench.token(grant_type="authorization_code", code=code, **form)
    assert response.status_code == status


async def test_code_is_bound_to_its_redirect_uri(bench):
    """RFC 6749 §4.1.3."""
    code = await _grant_code(bench)
    response = await bench.token(
        grant_type="authorization_code", code=code, redirect_uri="http://localhost:2/"
    )
    assert response.json()["error"] == "redirect_uri_mismatch"


async def test_process_that_cannot_start_says_why(bench):
    """Exit code 1 and one line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "everbearer.sandbox",
        "--state",
        str(bench.state),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().startswith("the sandbox cannot start: another sandbox uses")
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.real
async def test_process_says_when_it_is_ready_and_stops_cleanly(tmp_path, stop):
    """`python -m everbearer.sandbox` prints one line, and exits 0 on a signal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "everbearer.sandbox",
        "--state",
        str(tmp_path / "s"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    port = json.loads((tmp_path / "s" / "control.json").read_text())["port"]
    assert line == f"sandbox ready on 127.0.0.1:{port}, state in {tmp_path / 's'}\n"
    process.send_signal(stop)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
