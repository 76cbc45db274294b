"""
What nobody could tell of Box without an account: asked with the user's own.

Each question says before what it will do, changes nothing of the account, and is
answered by shapes: no token, id, name or address.
"""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from everbearer.doctor.api import may_have_token
from everbearer.doctor.masking import told
from everbearer.errors import EverbearerError
from everbearer.policy.hosts import normalise_host
from everbearer.renewal.endpoint import TokenEndpoint
from everbearer.renewal.rotation import try_rotation
from everbearer.renewal.wire import Body
from everbearer.secret import Secret
from everbearer.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from everbearer.broker import Broker
    from everbearer.oauth.tokens import AccessToken
    from everbearer.renewal.wire import Heard, Wire
    from everbearer.settings.model import Profile

_ME: Final = "https://api.box.com/2.0/users/me"
_UPLOAD: Final = "https://upload.box.com/api/2.0/files/content"
_PREFLIGHT: Final = "https://api.box.com/2.0/files/content"
_NO_SESSION: Final = "/api/2.0/files/upload_sessions/0"
_MIB: Final = 1024 * 1024
_LARGE: Final = Body(announced=64 * _MIB, sent=8 * _MIB)
_TOKEN_LENGTH: Final = 32  # as those from Box's developer console
_PREFLIGHT_BYTES: Final = 1024

type Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Live:
    """Whom the questions are asked of, and as whom."""

    profile: Profile
    broker: Broker
    wire: Wire

    async def ask(
        self,
        method: str,
        url: str,
        token: Secret | None,
        *,
        fields: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
    ) -> Heard | None:
        """Ask; raises GrantError for a server that cannot be reached."""
        sent: dict[str, Secret | str] = dict(fields or {})
        if token is not None:
            sent["Authorization"] = Secret(f"Bearer {token.reveal()}")
        return await self.wire.ask(method, url, sent, body)

    async def own(self) -> Secret:
        """Return the profile's token; raises GrantError, StoreError."""
        return (await self.broker.credential(self.profile.name)).token.value


@dataclass(frozen=True, slots=True)
class Question:
    """
    One of them; `does` is told to the user before.

    `risk` is why a word of its own is needed for it; `rotates` that it is none to
    ask of a grant without a refresh token.
    """

    name: str
    does: str
    ask: Callable[[Live], Awaitable[Answer]]
    risk: str = ""
    rotates: bool = False


def _wrong() -> Secret:
    """Return what looks like a token of Box's, and is nobody's."""
    letters = string.ascii_letters + string.digits
    return Secret("".join(secrets.choice(letters) for _ in range(_TOKEN_LENGTH)))


async def _shape_of_401(live: Live) -> Answer:
    return {
        "wrong token": told(await live.ask("GET", _ME, _wrong())),
        "no token": told(await live.ask("GET", _ME, None)),
        "good token": told(await live.ask("GET", _ME, await live.own())),
    }


async def _pkce(live: Live) -> Answer:
    key = live.profile.key
    # RFC 7636 §4.5, by a public client: what is refused first, it or its code?
    form = {
        "grant_type": "authorization_code",
        "client_id": key.client_id,
        "code": _wrong().reveal(),
        "code_verifier": _wrong().reveal() * 2,
    }
    fields = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(form).encode()
    heard = await live.ask("POST", key.token_url, None, fields=fields, body=body)
    return {
        "an invented code without the secret": told(heard),
        "not asked": "whether a code is refused for a wrong verifier: it takes a code"
        " that a person granted, and what it brought would be a login of its own."
        " Who wants to know grants one to a program that sends a wrong verifier",
    }


async def _early_401(live: Live) -> Answer:
    fields = {"Content-Type": "multipart/form-data; boundary=everbearer"}
    heard = await live.ask("POST", _UPLOAD, _wrong(), fields=fields, body=_LARGE)
    return told(heard) | {
        "announced": _LARGE.announced,
        "sent before the answer": heard.sent if heard else _LARGE.sent,
        "before the body was read": heard is not None,
    }


async def _upload_hosts(live: Live) -> Answer:
    attributes = {
        "name": f"everbearer-{secrets.token_hex(8)}",
        "parent": {"id": "0"},
        "size": _PREFLIGHT_BYTES,
    }
    heard = await live.ask(
        "OPTIONS",
        _PREFLIGHT,
        await live.own(),
        fields={"Content-Type": "application/json"},
        body=json.dumps(attributes).encode(),
    )
    found: Answer = {"preflight": told(heard)}
    host = _upload_host(heard)
    if not may_have_token(live.broker.settings, live.profile.name, host):
        return found | {"not asked": "no upload_url at a host that gets a token"}
    url = f"https://{host}{_NO_SESSION}"
    return found | {
        "host": host,
        "good token": told(await live.ask("GET", url, await live.own())),
        "wrong token": told(await live.ask("GET", url, _wrong())),
    }


def _upload_host(heard: Heard | None) -> str:
    """Return the host of `upload_url`, "" unless it is read as https without a port."""
    try:
        parts = urlsplit(str(json.loads(heard.body)["upload_url"]) if heard else "")
        host = normalise_host(parts.hostname or "")
        usual = parts.scheme == "https" and not parts.port
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return host if usual else ""


async def _rotation(live: Live) -> Answer:
    settings = live.broker.settings
    clock = live.broker.clock

    async def use(token: AccessToken) -> int:
        heard = await live.ask("GET", _ME, token.value)
        return heard.status if heard else 0

    store = open_store(settings.store)
    try:
        found = await try_rotation(
            live.profile,
            store=store,
            endpoint=TokenEndpoint(settings.network, clock),
            clock=clock,
            use=use,
        )
    except TimeoutError:
        return {"not asked": "another process keeps the grant: stop the proxy"}
    finally:
        await store.close()
    return asdict(found)


QUESTIONS: Final = (
    Question(
        "what a 401 looks like",
        "asks GET /2.0/users/me with an invented token, with none, and with yours",
        _shape_of_401,
    ),
    Question(
        "whether PKCE does without a secret",
        "asks the token endpoint, as your client and without its secret, for the tokens"
        " of an invented authorization code: no token can come of it",
        _pkce,
        rotates=True,
    ),
    Question(
        "whether a 401 comes before a large body was read",
        f"begins an upload of {_LARGE.announced // _MIB} MiB with an invented token,"
        f" sends at most {_LARGE.sent // _MIB} MiB of zeros and cuts it off:"
        " no file can come of it",
        _early_401,
    ),
    Question(
        "whether upload-*.app.box.com takes the token",
        "asks where a file of 1 KiB could be uploaded (none is), and there for an"
        " upload session that does not exist, with your token and an invented one",
        _upload_hosts,
    ),
    Question(
        "when an old refresh token is retired",
        "redeems your refresh token, saves what comes, and redeems the old one twice"
        " again, before and after the new access token is used",
        _rotation,
        risk="a strict server ends the grant for it, and you would have to log in again"
        " (Box is said not to); stop every proxy that uses the profile before",
        rotates=True,
    ),
)


async def asked(live: Live, question: Question) -> Answer:
    """Ask, and tell a failure as an answer by its code alone."""
    try:
        return await question.ask(live)
    except EverbearerError as error:
        return {"failed": error.code}
