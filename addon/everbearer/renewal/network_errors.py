"""What the network does to a token request, in words and in our errors."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from everbearer.errors import TokenEndpointUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_REASONS: Final = {
    "ConnectTimeout": "no connection in time",
    "TimeoutException": "no answer in time",
    "ProxyError": "the upstream proxy would not connect",
    "ConnectError": "no connection",
    "NetworkError": "the connection broke off",
    "RemoteProtocolError": "the answer is not HTTP, or broke off",
    "Exception": "the exchange failed",
}
"""By the name of httpx's class: whoever has none of its errors need not load it."""

_CHECK_PATH: Final = "check the network and what stands between you and the server"
_CA_HINT: Final = (
    "if a proxy or an authority of your own stands there, name its certificate in"
    " network.ca_file"
)
_NAME_HINT: Final = (
    "check network.connect_to, and whether the server that answers is the right one"
)


def unavailable(host: str, error: Exception) -> TokenEndpointUnavailable:
    """
    Return *error* as ours.

    The message names the host and the cause in our words or the operating
    system's: httpx's own may quote what the server sent.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(host, cause)
        if isinstance(cause, ssl.SSLError):
            reason = cause.reason or "no reason given"
            return TokenEndpointUnavailable(
                f"cannot reach {host}: TLS failed ({reason})", hint=_CHECK_PATH
            )
    names = (kind.__name__ for kind in type(error).__mro__)
    reason = next(_REASONS[name] for name in names if name in _REASONS)
    if said := _said_by_system(error):
        reason += f" ({said})"
    return TokenEndpointUnavailable(f"cannot reach {host}: {reason}", hint=_CHECK_PATH)


def timed_out(host: str) -> TokenEndpointUnavailable:
    """Return what an exchange is that took too long as a whole."""
    return TokenEndpointUnavailable(
        f"cannot reach {host}: no complete answer in time", hint=_CHECK_PATH
    )


def _untrusted(
    host: str, cause: ssl.SSLCertVerificationError
) -> TokenEndpointUnavailable:
    reason = cause.verify_message.rstrip(".")
    # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
    wrong_name = cause.verify_code in {62, 64}
    return TokenEndpointUnavailable(
        f"cannot reach {host}: its certificate is not valid ({reason})",
        hint=_NAME_HINT if wrong_name else _CA_HINT,
    )


def _said_by_system(error: BaseException) -> str:
    texts = (c.strerror for c in _causes(error) if isinstance(c, OSError))
    return next(filter(None, texts), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
