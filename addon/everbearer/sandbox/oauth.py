"""
The authorization server: `/oauth2/token` and `/oauth2/revoke` with Box's answers.

A request is judged in Box's order, and refused with the pairs of `error` and
`error_description` that box-facts section 1 lists.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from everbearer.sandbox import assertion, shapes
from everbearer.sandbox.accounts import (
    CLIENT_CREDENTIALS,
    CODE,
    ENTERPRISE_ID,
    JWT_BEARER,
    REFRESH,
    TOKEN_EXCHANGE,
    USERS,
    Accounts,
    App,
    User,
    opaque,
)
from everbearer.sandbox.clock import Clock
from everbearer.sandbox.downscope import restrict
from everbearer.sandbox.message import Answer, Refused
from everbearer.sandbox.rotation import Pair, Rejection
from everbearer.sandbox.tokens import AccessToken, Tokens

Form = Mapping[str, str]
Body = dict[str, Any]

GRANT_TYPES = frozenset({CODE, REFRESH, JWT_BEARER, CLIENT_CREDENTIALS, TOKEN_EXCHANGE})


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code; *challenge* is PKCE's (RFC 7636 §4.2)."""

    client_id: str
    user: User
    redirect_uri: str
    challenge: str
    expires_at: float


class AuthorizationServer:
    """
    Issues tokens to the sandbox's apps.

    *code_life* is in seconds (DOC `expiration.md`: 30). *assertions* holds what
    clients sent, so that a test can look for it elsewhere.
    """

    def __init__(
        self, accounts: Accounts, tokens: Tokens, clock: Clock, code_life: float
    ) -> None:
        self.accounts = accounts
        self.tokens = tokens
        self.assertions: list[str] = []
        self._clock = clock
        self._code_life = code_life
        self._codes: dict[str, Code] = {}
        self._used_jtis: set[str] = set()
        self._key = accounts.jwt_key.public_key()
        self._last: dict[str, Body] = {}

    def token(self, form: Form) -> Body:
        """Return the token response to *form*; raises Refused."""
        grant_type = form.get("grant_type", "")
        if grant_type not in GRANT_TYPES:
            raise _error(
                "invalid_request", "Invalid grant_type parameter or parameter missing"
            )
        body = self._grant(grant_type, form)
        self._last[form.get("client_id", "")] = body
        return body

    def last(self, form: Form) -> Body | None:
        """Return what this client was last answered, for a server that is stuck."""
        return self._last.get(form.get("client_id", ""))

    def spend_assertion(self, form: Form) -> None:
        """Note the request's `jti` as used: a 429 or 5xx does that too (java#519)."""
        try:
            self._used_jtis.add(self._read_assertion(form).jti)
        except assertion.AssertionRejected:
            return

    def revoke(self, form: Form) -> Answer:
        """Revoke what *form* names: 200 without a body."""
        app = self._authenticated(form)
        if not self.tokens.revoke(form.get("token", ""), app):
            raise _error("invalid_token", "The supplied token is invalid")
        return Answer(200)

    def issue_code(self, app: App, user: User, redirect_uri: str, pkce: str) -> str:
        """Return an authorization code for a consent."""
        code = opaque(32)
        self._codes[code] = Code(
            app.client_id,
            user,
            redirect_uri,
            pkce,
            self._clock.now() + self._code_life,
        )
        return code

    def _grant(self, grant_type: str, form: Form) -> Body:
        if grant_type == TOKEN_EXCHANGE:
            return self._exchange(form)
        if grant_type == CLIENT_CREDENTIALS:
            return self._client_credentials(form)
        app = self._authenticated(form)
        if grant_type not in app.grant_types:
            raise _error(
                "unauthorized_client",
                "The grant type is unauthorized for this client_id",
            )
        if grant_type == CODE:
            return self._code(app, form)
        if grant_type == REFRESH:
            return self._refresh(app, form)
        return self._jwt_bearer(app, form)

    def _authenticated(self, form: Form) -> App:
        app = self.accounts.app(form.get("client_id", ""))
        if app is None or app.client_secret != form.get("client_secret"):
            raise _error("invalid_client", "The client credentials are not valid")
        return app

    def _code(self, app: App, form: Form) -> Body:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != app.client_id:
            raise _error(
                "invalid_grant",
                "Auth code doesn't exist or is invalid for the client",
            )
        if code.expires_at <= self._clock.now():
            raise _error("invalid_grant", "The authorization code has expired")
        if form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            raise _error(
                "redirect_uri_mismatch",
                "The redirect_uri is not the one that the code was issued for",
            )
        if code.challenge and _challenge(form.get("code_verifier", "")) != (
            code.challenge
        ):
            raise _error("invalid_grant", "The code_verifier is invalid")
        return self._pair_body(self.tokens.grant(app, code.user))

    def _refresh(self, app: App, form: Form) -> Body:
        refresh_token = form.get("refresh_token")
        if not refresh_token:
            raise _error("invalid_request", 'No "refresh_token" parameter found')
        result = self.tokens.redeem(refresh_token, app)
        if isinstance(result, Rejection):
            raise _error("invalid_grant", result.value)
        return self._pair_body(result)

    def _jwt_bearer(self, app: App, form: Form) -> Body:
        try:
            read = self._read_assertion(form)
            try:
                assertion.judge(read, app.client_id, self._used_jtis, self._clock.now())
            finally:
                self._used_jtis.add(read.jti)
            user = _subject(
                app, read.claims.get("box_sub_type"), read.claims.get("sub")
            )
        except assertion.AssertionRejected as error:
            raise _error("invalid_grant", str(error)) from None
        if user is None:
            raise _error("invalid_grant", "Please check the 'sub' claim.")
        return self._service_body(self.tokens.issue(app, user))

    def _read_assertion(self, form: Form) -> assertion.Assertion:
        compact = form.get("assertion", "")
        self.assertions.append(compact)
        return assertion.read(compact, self.accounts.jwt_key.key_id, self._key)

    def _client_credentials(self, form: Form) -> Body:
        app = self.accounts.app(form.get("client_id", ""))
        # DOC `client-credentials/index.md`: one answer for every wrong credential.
        refusal = _error("invalid_grant", "Grant credentials are invalid")
        if app is None or app.client_secret != form.get("client_secret"):
            raise refusal
        if CLIENT_CREDENTIALS not in app.grant_types:
            raise _error(
                "unauthorized_client",
                "The grant type is unauthorized for this client_id",
            )
        kind = form.get("box_subject_type")
        if kind not in ("enterprise", "user"):
            raise _error(
                "unauthorized_client",
                'The "box_subject_type" value is unauthorized for this client_id',
            )
        user = _subject(app, kind, form.get("box_subject_id"))
        if user is None:
            raise refusal
        return self._service_body(self.tokens.issue(app, user))

    def _exchange(self, form: Form) -> Body:
        subject = self.tokens.look(form.get("subject_token", ""))
        if subject is None:
            raise _error("invalid_grant", "The subject_token is invalid")
        app = self.accounts.app(subject.client_id)
        assert app is not None
        restriction, restricted_to = restrict(form, subject)
        token = self.tokens.issue(
            app,
            subject.user,
            life=subject.expires_at - self._clock.now(),
            restriction=restriction,
        )
        return {
            "access_token": token.value,
            "expires_in": self._expires_in(token),
            "token_type": "bearer",
            "restricted_to": restricted_to,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }

    def _pair_body(self, pair: Pair) -> Body:
        return {
            "access_token": pair.access_token,
            "expires_in": self.tokens.remaining(pair),
            "restricted_to": [],
            "refresh_token": pair.refresh_token,
            "token_type": "bearer",
        }

    def _service_body(self, token: AccessToken) -> Body:
        # DOC's sample for these two grants has no token_type.
        return {
            "access_token": token.value,
            "expires_in": self._expires_in(token),
            "restricted_to": [],
            "issued_token_type": "bearer",
        }

    def _expires_in(self, token: AccessToken) -> int:
        return max(1, round(token.expires_at - self._clock.now()))


def _subject(app: App, kind: object, subject_id: object) -> User | None:
    if kind == "enterprise" and subject_id == ENTERPRISE_ID:
        return app.service_account
    if kind == "user" and isinstance(subject_id, str):
        user = USERS.get(subject_id)
        return user if user and not user.service_account else None
    return None


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _error(error: str, description: str) -> Refused:
    return Refused(shapes.oauth_error(error, description))
