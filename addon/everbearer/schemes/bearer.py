"""The access token goes into the field Authorization (RFC 6750 §2.1)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from everbearer.oauth.challenge import bearer_error
from everbearer.schemes.contract import Accept, Changes, GiveBack, Need, Renew
from everbearer.secret import Secret

if TYPE_CHECKING:
    from everbearer.policy.view import RequestView
    from everbearer.schemes.contract import Answer, Credential, Outcome


_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Bearer:
    """Bearer tokens: whoever holds one may use it, nothing else is to be known."""

    name: ClassVar[str] = "bearer"
    needs: ClassVar[Need] = Need.HEAD
    fields: ClassVar[frozenset[str]] = frozenset({"authorization"})
    query: ClassVar[frozenset[str]] = frozenset({"access_token"})  # RFC 6750 §2.3

    def prepare(
        self,
        view: RequestView,
        credential: Credential,
        body_digest: str | None,
        learned: str | None,
        now: float,
        nonce: str,
    ) -> Changes:
        """Set Authorization, and As-User where the credential has one."""
        del view, body_digest, learned, now, nonce
        token = Secret(f"Bearer {credential.token.value.reveal()}")
        fields: list[tuple[str, Secret | str]] = [("authorization", token)]
        if credential.as_user:
            fields.append(("as-user", credential.as_user))
        return Changes(tuple(fields))

    def answered(self, view: RequestView, answer: Answer, changes: Changes) -> Outcome:
        """
        Renew on 401, unless it says that a new token would be refused alike.

        Only the status decides, and `insufficient_scope` (RFC 6750 §3.1): what
        else a 401 says differs between Box's own answers.
        """
        del view, changes
        if answer.status not in _REFUSED:
            return Accept()
        error = bearer_error(answer.fields.get("www-authenticate", ()))
        if error == "insufficient_scope":
            return GiveBack(error)
        if answer.status == HTTPStatus.FORBIDDEN:
            return Accept()
        return Renew("invalid_token" if error == "invalid_token" else "unauthorized")
