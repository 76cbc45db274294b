"""
The token endpoint over the network.

Directly or by the upstream proxy, never by `*_PROXY`, which may be ourselves;
certificates are always verified, redirects never followed; no cookie and no
connection outlives its exchange.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from everbearer import __version__
from everbearer.errors import ConfigError, Problem, TokenResponseMalformed
from everbearer.oauth.content_coding import INFLATED, inflate
from everbearer.oauth.date import parse_http_date
from everbearer.oauth.token_response import TokenAnswer
from everbearer.policy.hosts import HTTPS_PORT
from everbearer.renewal.exchange import Exchange
from everbearer.renewal.network_errors import timed_out, unavailable
from everbearer.renewal.trust import Trust
from everbearer.secret import Secret

if TYPE_CHECKING:
    import httpx

    from everbearer.errors import GrantError
    from everbearer.oauth.grants.contract import Form
    from everbearer.renewal.clock import Clock
    from everbearer.settings.model import NetworkSettings

CONNECT_TIMEOUT: Final = 10.0
TOTAL_TIMEOUT: Final = 25.0
"""Seconds; less than the 30 for which a request waits for its token."""

ANSWER_LIMIT: Final = 256 * 1024
"""Bytes; token responses have a few hundred."""


class TokenEndpoint:
    """
    Sends token requests; one for a whole configuration, whatever the profile.

    What asking takes is loaded with the first question, in a thread: who starts,
    or serves, waits for none of it.
    """

    def __init__(
        self,
        network: NetworkSettings,
        clock: Clock,
        *,
        timeout: float = TOTAL_TIMEOUT,
    ) -> None:
        self._network = network
        self._clock = clock
        self._timeout = timeout
        self._trust = Trust(network.ca_file)

    async def ask(self, url: str, token: Secret, *, as_user: str = "") -> TokenAnswer:
        """
        GET a resource of the provider's with *token* and return the answer.

        *as_user* is whom the token shall act for, "" for its own user. Raises as
        a token request does.
        """
        fields = {"Authorization": f"Bearer {token.reveal()}"}
        if as_user:
            fields["As-User"] = as_user
        result = await self._exchange(await self._ready(url), "GET", fields, b"")
        if not isinstance(result, TokenAnswer):
            raise result
        return result

    async def __call__(self, token_url: str, form: Form) -> Exchange:
        """
        Send *form* and return the answer, whatever its status.

        Raises TokenEndpointUnavailable and TokenResponseMalformed; neither
        holds, or leads to, anything of the form.
        """
        fields = {"Content-Type": "application/x-www-form-urlencoded"}
        url = await self._ready(token_url)
        return await self._timed(url, "POST", fields, _encode(form))

    async def reach(self, token_url: str) -> Exchange:
        """
        Ask the server of *token_url* for nothing, by the way of token requests.

        Whatever it answers, it was reached, and tells its time. Raises as a token
        request does.
        """
        url = await self._ready(token_url)
        return await self._timed(url.copy_with(path="/"), "HEAD", {}, b"")

    async def _ready(self, url: str) -> httpx.URL:
        """Return the URL, when all that asking it takes has been loaded."""
        return await asyncio.to_thread(self._load, url)

    def _load(self, text: str) -> httpx.URL:
        import httpx  # noqa: PLC0415 - see above

        url = httpx.URL(text)
        if url.scheme != "https":
            raise ConfigError(
                Problem("", f"{url.host} would be asked over {url.scheme}", "use https")
            )
        try:
            self._trust.context()
        except OSError as error:
            raise unavailable(url.host, error) from None
        return url

    async def _timed(
        self, url: httpx.URL, method: str, fields: dict[str, str], content: bytes
    ) -> Exchange:
        sent_at, sent_wall = self._clock.now(), self._clock.wall()
        result = await self._exchange(url, method, fields, content)
        # Raised here and not where it was met: httpx's exceptions hold the
        # request, and ours would lead to them.
        if not isinstance(result, TokenAnswer):
            raise result
        received_wall = self._clock.wall()
        return Exchange(
            answer=result,
            sent_at=sent_at,
            sent_wall=sent_wall,
            received_at=self._clock.now(),
            server_date=parse_http_date(
                result.fields.get("date", ""), now=received_wall
            ),
        )

    async def _exchange(
        self, url: httpx.URL, method: str, fields: dict[str, str], content: bytes
    ) -> TokenAnswer | GrantError:
        import httpx  # noqa: PLC0415 - see above

        request, proxy = self._request(url, method, fields, content)
        try:
            async with (
                asyncio.timeout(self._timeout),
                # No client: it would build the request to which a redirect leads,
                # and fail on a Location that is no URL, though it follows none.
                httpx.AsyncHTTPTransport(
                    trust_env=False, verify=self._trust.context(), proxy=proxy
                ) as transport,
            ):
                response = await transport.handle_async_request(request)
                try:
                    return await _read(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return timed_out(url.host)
        except (httpx.RequestError, OSError) as error:
            return unavailable(url.host, error)

    def _request(
        self, url: httpx.URL, method: str, fields: dict[str, str], content: bytes
    ) -> tuple[httpx.Request, str | None]:
        """Return the request, and the proxy that it goes by."""
        import httpx  # noqa: PLC0415 - see above

        dialled = self._network.dialled(url.host, url.port or HTTPS_PORT)
        target, proxy = url, self._network.upstream_proxy or None
        extensions: dict[str, object] = {
            "timeout": httpx.Timeout(self._timeout, connect=CONNECT_TIMEOUT).as_dict()
        }
        if dialled is not None:
            target = url.copy_with(host=dialled.host, port=dialled.port)
            # The name in SNI, which is the one the certificate is checked
            # against. httpcore ignores it in a proxy's tunnel and would check
            # the address, so what connect_to leads elsewhere goes directly.
            extensions["sni_hostname"] = url.host
            proxy = None
        request = httpx.Request(
            method,
            target,
            headers={
                "Host": url.netloc.decode("ascii"),
                "Accept": "application/json",
                # Without it a server may choose any coding (RFC 9110 §12.5.3).
                "Accept-Encoding": "identity",
                "User-Agent": f"everbearer/{__version__}",
                "Connection": "close",
                **fields,
            },
            content=content,
            extensions=extensions,
        )
        return request, proxy


def _encode(form: Form) -> bytes:
    return urlencode(
        [(k, v.reveal() if isinstance(v, Secret) else v) for k, v in form]
    ).encode("ascii")


async def _read(response: httpx.Response) -> TokenAnswer | TokenResponseMalformed:
    """Return the answer with its body, bounded, and its coding undone."""
    fields = {name.lower(): value for name, value in response.headers.items()}
    coding = fields.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity", *INFLATED}:
        return TokenResponseMalformed(
            "the token endpoint answers in a content coding that was not asked for"
        )
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            return TokenResponseMalformed(
                f"the token endpoint answers more than {ANSWER_LIMIT // 1024} KiB"
            )
    plain = bytes(body)
    if coding in INFLATED and plain:
        # Not asked for; but what is in it may be the next refresh token.
        try:
            plain = inflate(plain, ANSWER_LIMIT)
        except ValueError:
            return TokenResponseMalformed(
                f"the token endpoint answers in {coding}, which was not asked for and"
                f" cannot be undone within {ANSWER_LIMIT // 1024} KiB"
            )
    return TokenAnswer(response.status_code, fields, plain)
