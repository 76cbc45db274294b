"""What the sandbox writes into its state folder: ready everbearer configurations."""

import json

from everbearer.sandbox.accounts import ENTERPRISE_ID
from everbearer.sandbox.folder import StateFolder
from everbearer.sandbox.world import World

HOSTS = (
    "api.box.com",
    "account.box.com",
    "upload.box.com",
    "upload.app.box.com",
    "upload-*.app.box.com",
    "dl.boxcloud.com",
    "*.realtime.services.box.net",
)


def write_profiles(world: World, port: int, control_url: str) -> None:
    """Write credentials, configurations and addresses for a sandbox on *port*."""
    folder, accounts = world.folder, world.accounts
    folder.write("jwt_config.json", accounts.jwt_config())
    folder.write("refresh_token.txt", world.seed)
    folder.write("developer_token.txt", accounts.developer_token)
    for name in ("dev", "ccg"):
        folder.write(f"{name}_client_secret.txt", accounts.apps[name].client_secret)
    profiles = _profiles(world, port)
    tail = _store(folder) + _network(port)
    for file, name in (
        ("refresh_token", "dev"),
        ("jwt_bearer", "jwt"),
        ("client_credentials", "ccg"),
        ("developer_token", "devtoken"),
    ):
        folder.write(f"{file}.toml", _HEAD + profiles[name] + tail)
    default = 'default_profile = "dev"\n\n'
    login = profiles["dev"].replace(_SEED, "") + tail
    folder.write("login.toml", _HEAD + login)
    folder.write("all.toml", _HEAD + default + "".join(profiles.values()) + tail)
    folder.write(
        "control.json", json.dumps({"control": control_url, "port": port}) + "\n"
    )


_HEAD = "# Written by the everbearer sandbox at each start. NOT THE REAL BOX.\n\n"


_SEED = 'refresh_token = { file = "refresh_token.txt" }\n'


def _profiles(world: World, port: int) -> dict[str, str]:
    apps = world.accounts.apps
    return {
        "dev": (
            "[profiles.dev]\n"
            'provider = "box"\n'
            'grant = "refresh_token"\n'
            f"client_id = {_quoted(apps['dev'].client_id)}\n"
            'client_secret = { file = "dev_client_secret.txt" }\n'
            f"{_SEED}"
            f'authorize_url = "https://localhost:{port}/api/oauth2/authorize"\n\n'
        ),
        "jwt": (
            "[profiles.jwt]\n"
            'provider = "box"\n'
            'grant = "jwt_bearer"\n'
            'jwt = { file = "jwt_config.json" }\n\n'
        ),
        "ccg": (
            "[profiles.ccg]\n"
            'provider = "box"\n'
            'grant = "client_credentials"\n'
            f"client_id = {_quoted(apps['ccg'].client_id)}\n"
            'client_secret = { file = "ccg_client_secret.txt" }\n'
            f'subject = {{ type = "enterprise", id = "{ENTERPRISE_ID}" }}\n\n'
        ),
        "devtoken": (
            "[profiles.devtoken]\n"
            'provider = "box"\n'
            'access_token = { file = "developer_token.txt" }\n\n'
        ),
    }


def _store(folder: StateFolder) -> str:
    url = _quoted(f"sqlite:{folder.path / 'tokens.db'}")
    return f'[store]\nurl = {url}\nkey = {{ file = "store.key" }}\n\n'


def _network(port: int) -> str:
    lines = [
        "[network]",
        'ca_file = "ca.pem"',
        "",
        "[network.connect_to]",
        *(f'"{host}:443" = "127.0.0.1:{port}"' for host in HOSTS),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, as long as no surrogate is escaped.
    return json.dumps(text, ensure_ascii=False)
