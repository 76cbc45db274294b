"""
A person's consent, by authorization code (RFC 6749 §4.1, RFC 7636).

The browser goes to an authorization URL and comes back to the redirect URI with
a code, which lives seconds (at Box 30) and is exchanged for the first pair of
tokens. `state` ties the way back to the way there, the verifier the exchange to
both: whoever saw the code alone cannot use it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from everbearer.oauth.server_text import shown
from everbearer.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from everbearer.oauth.grants.contract import Form

LOOPBACK_REDIRECT: Final = "http://127.0.0.1/callback"
"""What an application registers for a login: any port of it (RFC 8252 §7.3)."""


@dataclass(frozen=True, slots=True)
class Code:
    """The authorization code of a consent; good for one exchange."""

    value: Secret


@dataclass(frozen=True, slots=True)
class Denied:
    """There is no consent; `error` and `description` are fit to be shown."""

    error: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Stray:
    """A request that is not the answer to this login; `why` is for people."""

    why: str


type Redirect = Code | Denied | Stray


@dataclass(frozen=True, slots=True)
class Login:
    """
    One attempt to log in.

    `state` and `verifier` are fresh random text, 43 characters or more (RFC 7636
    §4.1), and never used twice.
    """

    client_id: str
    authorize_url: str
    redirect_uri: str
    state: Secret = field(repr=False)
    verifier: Secret = field(repr=False)

    def url(self) -> str:
        """Return where the browser goes; what the endpoint's URL holds stays."""
        # RFC 7636 §4.2, S256. A server that does not know PKCE ignores both
        # parameters (RFC 6749 §3.1).
        digest = sha256(self.verifier.reveal().encode()).digest()
        added = urlencode(
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": self.redirect_uri,
                "state": self.state.reveal(),
                "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            }
        )
        parts = urlsplit(self.authorize_url)
        query = f"{parts.query}&{added}" if parts.query else added
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    def returned(self, url: str) -> Redirect:
        """
        Read the address at which the browser ended, whole or its query alone.

        Never raises: whoever can reach the redirect URI writes it.
        """
        fields = _fields(url)
        if isinstance(fields, Stray):
            return fields
        if not fields.keys() & {"code", "error"}:
            return Stray("it holds no code and no error")
        # Before anything else is believed, the refusal not excepted (RFC 6749
        # §10.12): any page can send the browser here.
        if Secret(fields.get("state", "")) != self.state:
            return Stray("its state is not the one of this login")
        if "error" in fields:
            description = fields.get("error_description", "")
            return Denied(shown(fields["error"]), shown(description))
        if not fields["code"]:
            return Stray("its code is empty")
        return Code(Secret(fields["code"]))

    def token_request(self, code: Code, client_secret: Secret) -> Form:
        """Build the exchange of the code (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
        return (
            ("grant_type", "authorization_code"),
            ("client_id", self.client_id),
            ("client_secret", client_secret),
            ("code", code.value),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", self.verifier),
        )


def _fields(url: str) -> Mapping[str, str] | Stray:
    """Return the query's parameters; one that is there twice proves nothing."""
    try:
        query = urlsplit(url.strip()).query if "?" in url else url.strip()
        found = parse_qs(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return Stray("it is no address")
    # RFC 6749 §3.1: parameters must not be included more than once.
    if any(len(values) > 1 for values in found.values()):
        return Stray("a parameter stands in it twice")
    return {name: values[0] for name, values in found.items()}
