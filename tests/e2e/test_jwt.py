"""JWT assertions: what Box checks, with every form of key and every wrong clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from canary import Canaries
from harness import Place, Proxy, Sandbox

ME = "https://api.box.com/2.0/users/me"
TOKEN = "/oauth2/token"
ENTERPRISE = "100001"
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL


@pytest.fixture
def box_file(sandbox: Sandbox) -> dict[str, Any]:
    """Return what Box's developer console offered for download."""
    return json.loads((sandbox.state / "jwt_config.json").read_text())


def attempts(sandbox: Sandbox) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return head and claims of each assertion that was sent, in order."""
    sent = dict.fromkeys(sandbox.call("GET", "secrets")["assertions"])
    unverified = {"verify_signature": False}
    return [
        (jwt.get_unverified_header(text), jwt.decode(text, options=unverified))
        for text in sent
    ]


def key_of(box_file: dict[str, Any]) -> Any:
    """Return the private key of the sandbox's app."""
    auth = box_file["boxAppSettings"]["appAuth"]
    return serialization.load_pem_private_key(
        auth["privateKey"].encode(), auth["passphrase"].encode()
    )


def private(path: Path, content: str) -> Path:
    """Write a file that nobody else can read."""
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("effect", [{"status": 429}, {"status": 500}, {"status": 503}])
def test_each_attempt_has_a_jti_of_its_own(
    place: Place, sandbox: Sandbox, effect: dict[str, object]
):
    """
    Two attempts fail, the third is good: three different `jti`, none refused.

    Box takes a `jti` as used whatever it answers.
    """
    sandbox.fault(effect, path=TOKEN, times=2)
    proxy = Proxy(place, sandbox.state / "jwt_bearer.toml")

    assert proxy.curl(ME).status == 200

    statuses = sandbox.statuses(TOKEN)
    assert statuses == [effect["status"], effect["status"], 200]
    jtis = [claims["jti"] for _, claims in attempts(sandbox)]
    assert len(set(jtis)) == len(jtis) == 3
    assert all(16 <= len(jti) <= 128 for jti in jtis)


def test_claims_and_head_are_those_that_box_documents(place: Place, sandbox: Sandbox):
    """No `iat` and no `nbf`, an integer `exp`, the constant `aud`, the key's `kid`."""
    proxy = Proxy(place, sandbox.state / "jwt_bearer.toml")
    assert proxy.curl(ME).status == 200

    ((head, claims),) = attempts(sandbox)
    box_file = json.loads((sandbox.state / "jwt_config.json").read_text())
    assert set(claims) == {"iss", "sub", "box_sub_type", "aud", "jti", "exp"}
    assert claims["iss"] == box_file["boxAppSettings"]["clientID"]
    assert (claims["sub"], claims["box_sub_type"]) == (ENTERPRISE, "enterprise")
    assert claims["aud"] == "https://api.box.com/oauth2/token"
    assert type(claims["exp"]) is int
    key_id = box_file["boxAppSettings"]["appAuth"]["publicKeyID"]
    assert head == {"alg": "RS256", "kid": key_id, "typ": "JWT"}


@pytest.mark.parametrize("shift", [3600, -3600])
def test_a_clock_that_is_an_hour_off_is_learnt(
    place: Place, sandbox: Sandbox, shift: int
):
    """
    The first assertion is refused for its `exp`, the second is by the server's clock.

    What was learnt holds: the next renewal takes one request. `exp` stays an
    integer, and the tool sees none of it.
    """
    sandbox.call("POST", "clock", {"shift": shift})
    proxy = Proxy(place, sandbox.state / "jwt_bearer.toml")

    assert proxy.curl(ME).status == 200
    assert sandbox.statuses(TOKEN) == [400, 200]
    sandbox.revoke()
    assert proxy.curl(ME).status == 200

    assert sandbox.statuses(TOKEN) == [400, 200, 200]
    _, *good = [claims["exp"] for _, claims in attempts(sandbox)]
    server_time = time.time() + shift
    assert len(good) == 2
    for expiry in good:
        assert type(expiry) is int
        assert server_time - 60 < expiry <= server_time + 60
    assert "reauthorization_required" not in proxy.process.output


def test_a_clock_that_changes_is_learnt_anew(place: Place, sandbox: Sandbox):
    """The server's clock jumps while the proxy runs: one more attempt, and on."""
    proxy = Proxy(place, sandbox.state / "jwt_bearer.toml")
    assert proxy.curl(ME).status == 200
    sandbox.call("POST", "clock", {"shift": -3600})
    sandbox.revoke()

    assert proxy.curl(ME).status == 200
    assert sandbox.statuses(TOKEN) == [200, 400, 200]


def test_every_algorithm_and_every_form_of_key_signs(
    place: Place, sandbox: Sandbox, box_file: dict[str, Any]
):
    """RS256, RS384, RS512; PKCS#8 and traditional PEM, encrypted and plain."""
    settings = box_file["boxAppSettings"]
    key, key_id = key_of(box_file), settings["appAuth"]["publicKeyID"]
    secret = private(sandbox.state / "secret.txt", settings["clientSecret"])
    passphrase = private(sandbox.state / "passphrase.txt", "corréct horse\n")
    lock = serialization.BestAvailableEncryption("corréct horse".encode())
    forms = {
        "pkcs8": (PKCS8, serialization.NoEncryption()),
        "pkcs8-locked": (PKCS8, lock),
        "traditional": (TRADITIONAL, serialization.NoEncryption()),
        "traditional-locked": (TRADITIONAL, lock),
    }
    tables = {
        f"file-{algorithm}": f'file = "jwt_config.json", algorithm = "{algorithm}"'
        for algorithm in ("RS256", "RS384", "RS512")
    }
    for name, (form, encryption) in forms.items():
        pem = key.private_bytes(serialization.Encoding.PEM, form, encryption)
        private(sandbox.state / f"{name}.pem", pem.decode())
        table = f'private_key = {{ file = "{name}.pem" }}, algorithm = "RS512"'
        if "locked" in name:
            table += f', passphrase = {{ file = "{passphrase.name}" }}'
        tables[name] = f'{table}, key_id = "{key_id}"'
        tables[f"{name}-only-key"] = table
    profiles = "".join(
        f'[profiles.{name}]\nprovider = "box"\ngrant = "jwt_bearer"\n'
        f'client_id = "{settings["clientID"]}"\n'
        f'client_secret = {{ file = "{secret.name}" }}\n'
        f'subject = {{ type = "enterprise", id = "{ENTERPRISE}" }}\n'
        f"jwt = {{ {table} }}\n"
        for name, table in tables.items()
    )
    toml = (sandbox.state / "jwt_bearer.toml").read_text()
    tail = toml[toml.index("[store]") :]
    config = private(sandbox.state / "keys.toml", profiles + tail)

    done = place.everbearer("renew", "-c", str(config), *tables)

    assert done.returncode == 0, done.stderr
    assert set(sandbox.statuses(TOKEN)) == {200}
    heads = dict(zip(tables, (head for head, _ in attempts(sandbox)), strict=True))
    for name, head in heads.items():
        expected = name.partition("-")[2] if name.startswith("file") else "RS512"
        assert head["alg"] == expected
        assert head.get("kid") == (None if name.endswith("only-key") else key_id)
    assert not Canaries(sandbox).in_text(done.stdout + done.stderr)


def test_the_downloaded_file_works_as_it_is(place: Place, sandbox: Sandbox):
    """Also behind a byte order mark and with Windows' line ends."""
    path = sandbox.state / "jwt_config.json"
    text = path.read_text()
    private(path, "\ufeff" + text.replace("\n", "\r\n"))
    proxy = Proxy(place, sandbox.state / "jwt_bearer.toml")

    answer = proxy.curl(ME)

    assert answer.status == 200
    assert answer.json["login"].startswith("AutomationUser")


def elliptic() -> str:
    """Return a private key that Box does not take."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, PKCS8, serialization.NoEncryption())
        .decode()
    )


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "wrong passphrase": lambda auth: auth.update(passphrase="not-this-one"),
    "no passphrase": lambda auth: auth.update(passphrase=None),
    "half a key": lambda auth: auth.update(privateKey=auth["privateKey"][:900]),
    "one letter": lambda auth: auth.update(
        privateKey=auth["privateKey"].replace("\nMII", "\nMIJ", 1)
    ),
    "no key": lambda auth: auth.update(privateKey="not a key"),
    "another kind of key": lambda auth: auth.update(
        privateKey=elliptic(), passphrase=None
    ),
    "no key id": lambda auth: auth.pop("publicKeyID"),
}


@pytest.fixture(scope="module")
def unasked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, str]]:
    """Start a sandbox that nobody may ask; give the text of its JSON file as well."""
    place = Place(tmp_path_factory.mktemp("unasked"))
    try:
        sandbox = Sandbox(place)
        yield sandbox, (sandbox.state / "jwt_config.json").read_text()
    finally:
        place.close()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_damaged_key_is_a_configuration_error_that_names_its_file(
    place: Place, unasked: tuple[Sandbox, str], command: str, damage: str
):
    """Exit 2 and one line with the file; no traceback, no part of the key."""
    sandbox, text = unasked
    box_file = json.loads(text)
    auth = box_file["boxAppSettings"]["appAuth"]
    DAMAGES[damage](auth)
    path = private(sandbox.state / "jwt_config.json", json.dumps(box_file))

    done = place.everbearer(command, "-c", str(sandbox.state / "jwt_bearer.toml"))

    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1, done.stderr
    assert f"profiles.jwt.jwt.file: {path}: " in errors[0]
    assert "Traceback" not in done.stderr
    found = Canaries(sandbox, {"passphrase": "not-this-one"}).in_text(done.stderr)
    assert not found
    assert not sandbox.token_requests()
