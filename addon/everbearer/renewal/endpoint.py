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

import httpx

from everbearer import __version__
from everbearer.errors import ConfigError, Problem, TokenResponseMalformed
from everbearer.oauth.date import parse_http_date
from everbearer.oauth.token_response import TokenAnswer
from everbearer.renewal.exchange import Exchange
from everbearer.renewal.network_errors import timed_out, unavailable
from everbearer.renewal.trust import client_context
from everbearer.secret import Secret

if TYPE_CHECKING:
    from everbearer.errors import GrantError
    from everbearer.oauth.grants.contract import Form
    from everbearer.renewal.clock import Clock
    from everbearer.settings.model import NetworkSettings

CONNECT_TIMEOUT: Final = 10.0
TOTAL_TIMEOUT: Final = 25.0
"""Seconds; less than the 30 for which a request waits for its token."""

ANSWER_LIMIT: Final = 256 * 1024
"""Bytes; token responses have a few hundred."""

_HTTPS_PORT: Final = 443


class TokenEndpoint:
    """Sends token requests; one for a whole configuration, whatever the profile."""

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
        self._context = client_context(network.ca_file)

    async def __call__(self, token_url: str, form: Form) -> Exchange:
        """
        Send *form* and return the answer, whatever its status.

        Raises TokenEndpointUnavailable and TokenResponseMalformed; neither
        holds, or leads to, anything of the form.
        """
        url = httpx.URL(token_url)
        if url.scheme != "https":
            raise ConfigError(
                Problem(
                    "token_url", f"{url.host} is asked over {url.scheme}", "use https"
                )
            )
        sent_at, sent_wall = self._clock.now(), self._clock.wall()
        result = await self._exchange(url, form)
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

    async def _exchange(self, url: httpx.URL, form: Form) -> TokenAnswer | GrantError:
        request, proxy = self._request(url, form)
        try:
            async with (
                asyncio.timeout(self._timeout),
                # No client: it would build the request to which a redirect leads,
                # and fail on a Location that is no URL, though it follows none.
                httpx.AsyncHTTPTransport(
                    trust_env=False, verify=self._context, proxy=proxy
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

    def _request(self, url: httpx.URL, form: Form) -> tuple[httpx.Request, str | None]:
        """Return the request, and the proxy that it goes by."""
        dialled = self._network.dialled(url.host, url.port or _HTTPS_PORT)
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
        # No Accept-Encoding: it would invite a small answer that is huge unpacked.
        request = httpx.Request(
            "POST",
            target,
            headers={
                "Host": url.netloc.decode("ascii"),
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "User-Agent": f"everbearer/{__version__}",
                "Connection": "close",
            },
            content=_encode(form),
            extensions=extensions,
        )
        return request, proxy


def _encode(form: Form) -> bytes:
    return urlencode(
        [(k, v.reveal() if isinstance(v, Secret) else v) for k, v in form]
    ).encode("ascii")


async def _read(response: httpx.Response) -> TokenAnswer | TokenResponseMalformed:
    """Return the answer with its body as it came, bounded."""
    fields = {name.lower(): value for name, value in response.headers.items()}
    if fields.get("content-encoding", "identity").lower() != "identity":
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
    return TokenAnswer(response.status_code, fields, bytes(body))
