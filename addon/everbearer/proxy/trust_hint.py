"""What to do when a tool does not trust the proxy's CA."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx

from everbearer.clients.own_authority import certificate_file, own_folder
from everbearer.report import report
from everbearer.settings.model import Ca

if TYPE_CHECKING:
    from mitmproxy.tls import TlsData

    from everbearer.broker import Broker

logger = logging.getLogger(__name__)

_UNTRUSTED: Final = "trust the proxy's certificate"
"""In mitmproxy's words where a client turned its certificate down, or seems to."""


class EverbearerTrustHint:
    """Follows mitmproxy's word that a client does not trust us by the way out."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def tls_failed_client(self, data: TlsData) -> None:
        """Tell where the CA is, and how tools are told."""
        try:
            if _UNTRUSTED not in (data.conn.error or ""):
                return
            kind = self._broker.settings.proxy.ca
            if kind is Ca.RUN:
                logger.warning(
                    "a tool does not trust the authority of this run, although its "
                    "environment names it: everbearer env --for TOOL tells what it "
                    "needs"
                )
                return
            ca = Path(ctx.options.confdir).expanduser() / "mitmproxy-ca-cert.pem"
            if kind is Ca.OWN:
                ca = certificate_file(own_folder())
            path = shlex.quote(str(ca.absolute()))
            logger.warning(
                "the tool has to trust the proxy's CA: curl --cacert %s; others by "
                "REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS or their settings: "
                "everbearer env --for TOOL",
                path,
            )
        except BaseException as error:
            report("a hint could not be given", error)
