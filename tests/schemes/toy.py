"""
A second scheme, to prove that the contract is not just bearer in disguise.

A request is signed by HMAC over method, path, body digest and a nonce of the
server, which it tells in a challenge the first time, and again where the one that
was used is stale. It says as well when the key is good no longer.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar

from everbearer.oauth.challenge import parse
from everbearer.schemes.contract import (
    Accept,
    Again,
    Changes,
    GiveBack,
    Need,
    Renew,
)
from everbearer.secret import Secret

if TYPE_CHECKING:
    from everbearer.policy.view import RequestView
    from everbearer.schemes.contract import Answer, Credential, Outcome


class Toy:
    """Signs with the access token as the key; the server's nonce makes it fresh."""

    name: ClassVar[str] = "toy"
    needs: ClassVar[Need] = Need.HEAD | Need.BODY_DIGEST
    fields: ClassVar[frozenset[str]] = frozenset({"toy-signature", "toy-nonce"})
    query: ClassVar[frozenset[str]] = frozenset()

    def prepare(
        self,
        view: RequestView,
        credential: Credential,
        body_digest: str | None,
        learned: str | None,
        now: float,
        nonce: str,
    ) -> Changes:
        """Sign, once there is a nonce of the server to sign with."""
        del now, nonce
        if learned is None:
            return Changes()
        assert body_digest is not None
        key = credential.token.value.reveal()
        signature = sign(key, view.method, view.path, body_digest, learned)
        return Changes((("toy-signature", Secret(signature)), ("toy-nonce", learned)))

    def answered(self, view: RequestView, answer: Answer, changes: Changes) -> Outcome:
        """Take the nonce of a 401, unless another one would be refused as well."""
        del view
        if answer.status != 401:
            return Accept()
        told = {}
        for challenge in parse(answer.fields.get("www-authenticate", ())):
            if challenge.scheme == self.name:
                told = challenge.params
        if told.get("error") == "revoked":
            return Renew("revoked")
        if dict(changes.fields).get("toy-nonce") and told.get("error") != "stale":
            return GiveBack("the signature was refused")
        if "nonce" in told:
            return Again(told["nonce"])
        return GiveBack("no nonce was told")


def sign(key: str, method: str, path: str, body_digest: str, nonce: str) -> str:
    """Return the signature that both sides compute."""
    text = f"{method}\n{path}\n{body_digest}\n{nonce}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
