"""A server that keeps the toy scheme's rules, with a token endpoint of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from schemes.toy import sign
from wrong_server import certificates

HOST = "api.toy.test"
CHUNK = 64 * 1024

UNSIGNED, STALE, REVOKED, WRONG, GOOD = "unsigned", "stale", "revoked", "wrong", "good"


@dataclass(frozen=True)
class Seen:
    """A request that came, with what was made of it."""

    method: str
    path: str
    signature: str
    judged: str
    digest: str
    size: int


class ToyServer:
    """
    HTTPS on a loopback port; each token that it issues is a signing key.

    A nonce is good until `turn`, a key until `revoke`. `always` is what every
    signed request is told, whatever it is, in turns.
    """

    def __init__(self, folder: Path) -> None:
        authority, chain = certificates((HOST,))
        self.ca = folder / "toy_ca.pem"
        self.ca.write_text(authority)
        self.ca.chmod(0o600)
        pem = folder / "toy_server.pem"
        pem.write_bytes(chain)
        self.always: tuple[str, ...] = ()
        self.padding = 0
        self.seen: list[Seen] = []
        self.keys: list[str] = []
        self._revoked: set[str] = set()
        self._nonce = 1
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"toy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forget(self) -> None:
        """Forget what was seen."""
        self.seen.clear()

    def judged(self) -> list[str]:
        """Return what was made of the requests since, in their order; forget them."""
        judged = [one.judged for one in self.seen]
        self.forget()
        return judged

    def revoke(self) -> None:
        """Make every key that was issued worthless."""
        self._revoked |= set(self.keys)

    def turn(self) -> None:
        """Make the nonce stale."""
        self._nonce += 1

    def issue(self) -> str:
        """Return a new key."""
        with self._lock:
            self.keys.append(f"canary-key-{len(self.keys) + 1}")
            return self.keys[-1]

    def judge(
        self, method: str, path: str, fields: dict[str, str], digest: str, size: int
    ) -> dict[str, str] | None:
        """Return what the challenge says to a request, None for a good one."""
        signature, nonce = fields.get("toy-signature", ""), fields.get("toy-nonce", "")
        with self._lock:
            judged = self._judge(method, path, digest, signature, nonce)
            if self.always and judged != UNSIGNED:
                judged = self.always[0]
                self.always = (*self.always[1:], judged)
            if judged == STALE:
                self._nonce += bool(self.always)
            self.seen.append(Seen(method, path, signature, judged, digest, size))
            current = f"nonce-{self._nonce}"
        match judged:
            case "good":
                return None
            case "unsigned":
                return {"nonce": current}
            case "stale":
                return {"nonce": current, "error": "stale"}
        return {"error": judged}

    def _judge(
        self, method: str, path: str, digest: str, signature: str, nonce: str
    ) -> str:
        if not signature:
            return UNSIGNED
        for key in self.keys:
            if hmac.compare_digest(signature, sign(key, method, path, digest, nonce)):
                if key in self._revoked:
                    return REVOKED
                return GOOD if nonce == f"nonce-{self._nonce}" else STALE
        return WRONG


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Say nothing: clients that leave are a part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    toy: ToyServer

    def _do(self) -> None:
        whole, size = hashlib.sha256(), 0
        for piece in self._body():
            whole.update(piece)
            size += len(piece)
        if self.path == "/token":
            issued = {"access_token": self.toy.issue(), "expires_in": 3600}
            self._answer(200, {}, issued | {"token_type": "bearer"})
            return
        fields = {name.lower(): value for name, value in self.headers.items()}
        digest = whole.hexdigest()
        told = self.toy.judge(self.command, self.path, fields, digest, size)
        if told is None:
            body = {"digest": digest, "padding": "x" * self.toy.padding}
            self._answer(200, {}, body)
        else:
            params = ", ".join(f'{name}="{value}"' for name, value in told.items())
            self._answer(401, {"WWW-Authenticate": f"Toy {params}"}, {})

    do_GET = do_POST = _do  # noqa: N815 - what the base class calls

    def _body(self):
        if self.headers.get("transfer-encoding", "") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("content-length", "0"))
        while left:
            piece = self.rfile.read(min(left, CHUNK))
            if not piece:
                raise ConnectionError
            left -= len(piece)
            yield piece

    def _answer(self, status: int, fields: dict[str, str], body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
