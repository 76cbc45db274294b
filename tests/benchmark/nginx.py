"""nginx: the resource server, and what a proxy written in C takes for the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmark.asked import BODY
from harness import Place, Process
from ports import unused_port


@dataclass(frozen=True)
class Trust:
    """What the resource server is certified with, and what clients trust for it."""

    server_pem: Path
    authority: Path


def program() -> str | None:
    """Return where nginx is; None where it is not."""
    # A user's PATH need not have the folder of servers.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which("nginx", path=path)


def version() -> str | None:
    """Return nginx's version; None where it is not installed."""
    found = program()
    if found is None:
        return None
    told = subprocess.run([found, "-v"], capture_output=True, text=True, check=True)
    return told.stderr.strip().removeprefix("nginx version: nginx/")


def resource_server(
    place: Place, trust: Trust, port: int, sandbox: int, token: str
) -> Process:
    """
    Start a TLS server that answers 200 with the *token* and 401 without.

    Token requests go on to the sandbox, as they would to the same host at Box.
    """
    http = f"""
    map_hash_bucket_size 256;
    map $http_authorization $entitled {{
        default 0;
        "Bearer {token}" 1;
    }}
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {trust.server_pem};
        ssl_certificate_key {trust.server_pem};
        default_type application/json;
        location = /oauth2/token {{
            proxy_pass https://127.0.0.1:{sandbox};
            proxy_set_header Host api.box.com;
            proxy_ssl_name api.box.com;
            proxy_ssl_server_name on;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {trust.authority};
        }}
        location / {{
            if ($entitled = 0) {{
                return 401 '{{"code":"unauthorized"}}';
            }}
            return 200 '{BODY.decode()}';
        }}
    }}
"""
    return _start(place, "resource-server", http)


@dataclass(frozen=True)
class Static:
    """nginx as a proxy that adds one field, on a port in clear and one in TLS."""

    process: Process
    clear: int
    tls: int


def static_header(place: Place, trust: Trust, server: int, token: str) -> Static:
    """Start nginx in front of the *server* on localhost."""
    clear, tls = unused_port(), unused_port()
    http = f"""
    upstream server {{
        server 127.0.0.1:{server};
        keepalive 512;
        keepalive_requests 1000000000;
        keepalive_timeout 700s;
    }}
    server {{
        listen 127.0.0.1:{clear} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate {trust.server_pem};
        ssl_certificate_key {trust.server_pem};
        location / {{
            proxy_pass https://server;
            proxy_http_version 1.1;
            proxy_set_header Host localhost;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {token}";
            proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {trust.authority};
        }}
    }}
"""
    return Static(_start(place, "static-header", http), clear, tls)


def _start(place: Place, name: str, http: str) -> Process:
    """Start nginx with a folder of its own; it needs nothing of the system's."""
    nginx = program()
    assert nginx is not None
    folder = place.root / name
    folder.mkdir(exist_ok=True)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"    {kind}_temp_path {folder / kind};\n" for kind in kinds)
    # The worker has to read below our own folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"""{user}daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder / "pid"};
error_log stderr error;
events {{
    worker_connections 8192;
}}
http {{
    access_log off;
    keepalive_timeout 700s;
    keepalive_requests 1000000000;
{temporary}{http}}}
"""
    )
    config.chmod(0o600)
    return place.run(nginx, "-p", str(folder), "-c", str(config), "-e", "stderr")
