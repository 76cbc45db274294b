"""
What each client tool needs, and what it cannot do: one entry a tool.

The text is for people and has commands to copy; `{…}` stands for a member of
`Facts`. A new tool is a new entry, and a line in the README's table.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.clients.variables import java_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from everbearer.clients.variables import Endpoint

PLACEHOLDER: Final = "<everbearer>"
"""What a tool sends that insists on a token: it is treated as none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Where the proxy is, its certificate, and the files made of that.

    `users` tells that the proxy serves nobody else.
    """

    endpoint: Endpoint
    ca: Path
    bundle: Path
    trust_store: Path
    users: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    What to do for one tool.

    `briefly` is the README's word on it; `exec` tells that it works under
    `everbearer exec` with nothing else; `limits` are what it cannot do. `asks` is what
    names a proxy user to it and has it ask for the password.
    """

    title: str
    briefly: str
    steps: str
    limits: str = ""
    exec: bool = True
    asks: str = ""

    def text(self, facts: Facts) -> str:
        """Return the recipe, with this machine's paths as a shell takes them."""
        endpoint = facts.endpoint
        filled = self.steps.format(
            proxy=endpoint.url,
            asks=self.asks if facts.users else "",
            host=endpoint.host,
            port=endpoint.port,
            ca=shlex.quote(str(facts.ca)),
            bundle=shlex.quote(str(facts.bundle)),
            java=shlex.quote(_java(facts)),
            placeholder=PLACEHOLDER,
        )
        parts = [f"# {self.title}", filled.strip()]
        if self.limits:
            parts.append("\n".join(f"# {line}" for line in self.limits.splitlines()))
        return "\n".join(parts)


def _java(facts: Facts) -> str:
    options = {
        "https.proxyHost": facts.endpoint.host,
        "https.proxyPort": facts.endpoint.port,
        "javax.net.ssl.trustStore": facts.trust_store,
        "javax.net.ssl.trustStoreType": "jks",
    }
    return java_words(options)


RECIPES: Final[Mapping[str, Recipe]] = {
    "curl": Recipe(
        "curl",
        "`-x`, `--cacert`",
        "curl -x {proxy}{asks} --cacert {ca} https://api.box.com/2.0/users/me",
        asks=" --proxy-user NAME",
    ),
    "wget": Recipe(
        "wget",
        "`https_proxy`, `--ca-certificate`",
        "https_proxy={proxy} wget --ca-certificate={bundle} -qO- "
        "https://api.box.com/2.0/users/me",
        "no variable names authorities to wget: everbearer exec gives it a WGETRC",
    ),
    "httpie": Recipe(
        "HTTPie",
        "`--proxy`, `--verify`",
        "https --ignore-stdin --proxy=https:{proxy} --verify={bundle}"
        " api.box.com/2.0/users/me",
        "where standard input is no terminal, HTTPie without --ignore-stdin"
        " sends it as a body, by POST",
    ),
    "postman": Recipe(
        "Postman",
        "*Settings → Proxy* and *→ Certificates*",
        """
Settings → Proxy: use custom proxy configuration: {host}, port {port}, for HTTPS
Settings → Certificates → CA certificates: on, PEM file {ca}
Authorization of the request or collection: No Auth, or leave {{{{access_token}}}} unset
""",
        "the web app sends by the Desktop Agent only\n"
        "an OAuth 2.0 token that Postman obtains itself is its own, and is respected",
        exec=False,
    ),
    "newman": Recipe(
        "Newman",
        "`HTTPS_PROXY`, `--ssl-extra-ca-certs`",
        "HTTPS_PROXY={proxy} newman run collection.json --ssl-extra-ca-certs {ca}",
    ),
    "insomnia": Recipe(
        "Insomnia",
        "*Preferences → Proxy*, the collection's CA certificate",
        """
Preferences → Proxy: enable, HTTPS proxy {proxy}
the collection's certificates: CA certificate, PEM file {ca}
Auth of the request: none
""",
        "the CA certificate is set for each collection anew",
        exec=False,
    ),
    "bruno": Recipe(
        "Bruno",
        "*Preferences → Proxy*, *Use Custom CA Certificate*",
        """
Preferences → Proxy: on, http, {host}, port {port}
Preferences → General: use custom CA certificate {ca}, keep the default ones
""",
        "it takes no authority from NODE_EXTRA_CA_CERTS",
        exec=False,
    ),
    "bru": Recipe(
        "the Bruno CLI",
        "`HTTPS_PROXY`, `bru --cacert`",
        "HTTPS_PROXY={proxy} bru run --cacert {ca}",
        "a collection whose proxy settings are off goes by none",
    ),
    "rclone": Recipe(
        "rclone",
        "`HTTPS_PROXY`, `--ca-cert`, a placeholder as token",
        "HTTPS_PROXY={proxy} rclone lsd :box: --ca-cert {bundle} "
        "--box-access-token '{placeholder}'",
        "without the placeholder it uses and renews tokens of a login of its own;"
        " RCLONE_BOX_ACCESS_TOKEN may hold it too",
    ),
    "box-cli": Recipe(
        "the Box CLI",
        "`HTTPS_PROXY`, `NODE_EXTRA_CA_CERTS`, `--token`",
        "HTTPS_PROXY={proxy} NODE_EXTRA_CA_CERTS={ca}"
        " box users:get me --token '{placeholder}'",
        "without --token it uses its own environment's credentials, and its own token\n"
        "where its own settings name another proxy, some commands go there:"
        " box configure:settings --no-enable-proxy\n"
        "tried with the two SDKs by which it sends (box-node-sdk 4), not with itself",
    ),
    "box-python-sdk": Recipe(
        "the Box SDK for Python",
        "as Python requests, a placeholder as token",
        """
export HTTPS_PROXY={proxy} REQUESTS_CA_BUNDLE={bundle}
# client = BoxClient(auth=BoxDeveloperTokenAuth(token="{placeholder}"))
""",
    ),
    "box-node-sdk": Recipe(
        "the Box SDK for Node",
        "`HTTPS_PROXY`, `NODE_EXTRA_CA_CERTS`, a placeholder as token",
        """
export HTTPS_PROXY={proxy} NODE_EXTRA_CA_CERTS={ca}
# const auth = new BoxDeveloperTokenAuth({{ token: "{placeholder}" }});
# const client = new BoxClient({{ auth }});
""",
        "a proxy given to withProxy goes before HTTPS_PROXY",
    ),
    "python": Recipe(
        "Python: requests, httpx, aiohttp, boto3",
        "`HTTPS_PROXY`, `REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`",
        """
export HTTPS_PROXY={proxy}
export REQUESTS_CA_BUNDLE={bundle} SSL_CERT_FILE={bundle} AWS_CA_BUNDLE={bundle}
""",
        "aiohttp: only in a ClientSession(trust_env=True)\n"
        "code that says verify= or trust_env=False, or has its own SSL context,"
        " has to be changed",
    ),
    "node": Recipe(
        "Node: fetch, axios, https",
        "`NODE_USE_ENV_PROXY`, `NODE_EXTRA_CA_CERTS`",
        """
export HTTPS_PROXY={proxy} NODE_USE_ENV_PROXY=1 NODE_EXTRA_CA_CERTS={ca}
""",
        "fetch and https: from Node 22.21 and 24.5 on; before, no variable helps:"
        " undici's EnvHttpProxyAgent does\naxios: any Node",
    ),
    "java": Recipe(
        "Java",
        "`JAVA_TOOL_OPTIONS` with a trust store made for it",
        """
export JAVA_TOOL_OPTIONS={java}
""",
        "no option holds a proxy's password: with [[proxy.users]] the program needs"
        " an Authenticator of its own\n"
        "each JVM says on standard error that it picked the variable up",
    ),
    "shell": Recipe(
        "git, and scripts",
        '`eval "$(everbearer env)"`',
        """
eval "$(everbearer env)"     # sh, bash, zsh
everbearer env | source      # fish
""",
        "a program that has its own list of authorities, or none to choose, stays out:"
        " use a reverse listener (config/reverse.toml)",
    ),
    "docker": Recipe(
        "a Docker container",
        "`--network host`, the bundle mounted",
        """
docker run --network host -v {bundle}:/everbearer.pem:ro \\
  -e HTTPS_PROXY={proxy} -e SSL_CERT_FILE=/everbearer.pem \\
  -e REQUESTS_CA_BUNDLE=/everbearer.pem -e NODE_EXTRA_CA_CERTS=/everbearer.pem IMAGE
""",
        "Docker Desktop has no host network unless switched on:"
        " there host.docker.internal stands for {host}".replace("{host}", "this host")
        + "\nwithout it the proxy has to listen beyond this machine:"
        " [[listeners]] and [[proxy.users]]",
        exec=False,
    ),
    "agent": Recipe(
        "an AI agent",
        "`everbearer exec -p PROFILE -- AGENT`",
        """
everbearer exec -p PROFILE -- AGENT
""",
        "a sandbox has to let it reach 127.0.0.1 and read the run's folder"
        " (~/.cache/everbearer)\n"
        "it never sees a token, but as the same user it can read what you can:"
        " keep the configuration out of its sandbox, or run it as another user",
    ),
}
