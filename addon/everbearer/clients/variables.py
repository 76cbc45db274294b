"""The environment in which tools use a proxy and trust its authority."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from everbearer.clients.no_proxy import without_ruled
from everbearer.clients.trust_stores import JAVA_PASSWORD
from everbearer.policy.hosts import join_authority

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from everbearer.policy.hosts import HostPattern
    from everbearer.secret import Secret

PROXY: Final = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
NO_PROXY: Final = ("no_proxy", "NO_PROXY")

REPLACED: Final = {
    "SSL_CERT_FILE": "OpenSSL: httpx, aiohttp, Ruby, PHP, Perl; Go on Linux; Rust",
    "CURL_CA_BUNDLE": "curl",
    "REQUESTS_CA_BUNDLE": "Python requests, and what stands on it",
    "AWS_CA_BUNDLE": "boto3 and the AWS CLI",
    "GIT_SSL_CAINFO": "git",
    "PIP_CERT": "pip",
    "CARGO_HTTP_CAINFO": "cargo",
    "npm_config_cafile": "npm",
}
"""Variables that name all authorities there are, and who reads them."""

ADDED: Final = {
    "NODE_EXTRA_CA_CERTS": "Node: axios, fetch, npm, Newman",
    "DENO_CERT": "Deno",
}
"""Variables that name further authorities beside the tool's own."""

SWITCHES: Final = {
    "NODE_USE_ENV_PROXY": "1",  # Node 22.21 and 24: fetch and http go by the proxy
}

JAVA: Final = "JAVA_TOOL_OPTIONS"
WGET: Final = "WGETRC"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A proxy on this machine, and who may use it: a name that needs no escaping."""

    host: str
    port: int
    user: str = ""
    password: Secret | None = None

    @property
    def url(self) -> str:
        """As tools take it; it has the password."""
        who = f"{self.user}:{self.password.reveal()}@" if self.password else ""
        return f"http://{who}{join_authority(self.host, self.port)}"


def proxy_variables(
    endpoint: Endpoint, ruled: Iterable[HostPattern], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return what leads tools to the proxy; *environ* is what was set before."""
    given = next((environ[name] for name in NO_PROXY if environ.get(name)), "")
    past = without_ruled(given, ruled)
    return dict.fromkeys(PROXY, endpoint.url) | dict.fromkeys(NO_PROXY, past) | SWITCHES


def java_options(
    endpoint: Endpoint, trust_store: Path, past: str, environ: Mapping[str, str]
) -> str:
    """
    Return `JAVA_TOOL_OPTIONS`: proxy, trust store, and what was there before.

    Java has no option for a proxy's password. *past* is a cleaned NO_PROXY.
    """
    options: dict[str, object] = {
        "javax.net.ssl.trustStore": str(trust_store),
        "javax.net.ssl.trustStoreType": "jks",
        "javax.net.ssl.trustStorePassword": JAVA_PASSWORD,
        "http.nonProxyHosts": "|".join(_java_hosts(past)),
    }
    for scheme in ("http", "https"):
        options[f"{scheme}.proxyHost"] = endpoint.host
        options[f"{scheme}.proxyPort"] = str(endpoint.port)
    return " ".join([*filter(None, [environ.get(JAVA, "")]), java_words(options)])


def java_words(options: Mapping[str, object]) -> str:
    """Return system properties as the JVM splits them into words again."""
    return " ".join(_java_word(f"-D{name}={value}") for name, value in options.items())


def wgetrc(before: str, bundle: Path) -> str:
    """
    Return a `.wgetrc` that names the bundle behind what it said *before*.

    GNU wget has no variable for authorities, and one built with GnuTLS does not
    look at OpenSSL's.
    """
    lines = f"{before.rstrip()}\n" if before.strip() else ""
    return f"{lines}ca_certificate = {bundle}\n"


def _java_hosts(past: str) -> Iterable[str]:
    # Java has globs where NO_PROXY has suffixes, and no CIDR.
    for entry in filter(None, past.split(",")):
        if ":" in entry:
            yield f"[{entry.strip('[]')}]"
        elif "/" not in entry:
            name = entry.removeprefix("*").removeprefix(".")
            yield name
            if not name.replace(".", "").isdigit() and name != "localhost":
                yield f"*.{name}"


def _java_word(text: str) -> str:
    # The JVM knows both quotes, and no escapes: as shlex, but for ' in a text.
    if shlex.quote(text) == text:
        return text
    mark = '"' if "'" in text else "'"
    return f"{mark}{text}{mark}"
